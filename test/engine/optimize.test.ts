/** `optimize` through the engine: what it asks of a source, what it says, and that the model computes the same. */
import { describe, expect, test } from "vitest";
import { fileSpool } from "../../src/cli/spool.ts";
import { writeHeader } from "../../src/formats/safetensors/header.ts";
import { compress, LimitError, MAX_LOOKAHEAD, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { bigOnnx } from "../kit/big.ts";
import { constants, conv, mlp, type TensorValue } from "../kit/models.ts";
import { encodeModel } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { readOnnx } from "../kit/readonnx.ts";
import { type RealModel, readRealModel, realModels } from "../kit/realmodels.ts";
import { concat } from "../server/http.ts";

type Model = Uint8Array | ReadableStream<Uint8Array>;

async function run(model: Model, recipe: RecipeInput, options = {}): Promise<{ bytes: Uint8Array; report: Report }> {
  const { readable, report } = compress(model, recipe, options);
  report.catch(() => {});
  const bytes = new Uint8Array(await new Response(readable as never).arrayBuffer());
  return { bytes, report: await report };
}
const streamOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();

/** Root mean square of the difference, relative to that of what is expected. */
async function difference(a: Uint8Array, b: Uint8Array, inputs: RealModel["inputs"]): Promise<number> {
  const [expected, actual] = [await runNode(a, inputs), await runNode(b, inputs)];
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  const each = Object.entries(expected).map(([name, { data }]) => {
    const values = Array.from(data as Float32Array, Number);
    const square = (list: number[]) => list.reduce((n, x) => n + x * x, 0);
    return Math.sqrt(square(values.map((x, i) => x - Number(actual[name]?.data[i]))) / Math.max(square(values), Number.MIN_VALUE));
  });
  return Math.max(...each);
}

/** Something like lines of text. Of noise the detector finds nothing, and what it gives is rounding: onnxruntime's own levels of optimization differ there. */
const lines = (): TensorValue => {
  const ink = (i: number, x = i % 320, y = Math.floor(i / 320) % 320) =>
    Math.floor(y / 12) % 3 === 1 && (x * 7 + y * 3) % 11 > 5 && x > 40 && x < 280;
  return { type: "float32", dims: [1, 3, 320, 320], data: Float32Array.from({ length: 3 * 320 * 320 }, (_, i) => (ink(i) ? -2 : 2)) };
};

/** Nodes that are left of each real model, and operators that must be gone. */
const LEFT: Record<keyof typeof realModels, { nodes: number; gone: RegExp }> = {
  detector: { nodes: 269, gone: /^(Constant|BatchNormalization|Identity)$/ },
  recognizer: { nodes: 353, gone: /^(Constant|BatchNormalization|Identity|Dropout)$/ },
  classifier: { nodes: 180, gone: /^(Constant|BatchNormalization|Identity|Shape|Cast|Slice)$/ },
  voice: { nodes: 2, gone: /^Constant$/ },
  faceBack: { nodes: 147, gone: /^ConstantOfShape$/ },
  faceFront: { nodes: 93, gone: /^ConstantOfShape$/ },
};

describe.each(Object.entries(realModels))("%s", (key, model) => {
  test("loses what can be computed now, and computes the same", async () => {
    const source = await readRealModel(model);
    const { bytes, report } = await run(source, { optimize: true });
    const { nodes, gone } = LEFT[key as keyof typeof LEFT];
    expect(report.optimization?.nodes[1]).toBeLessThanOrEqual(nodes);
    expect(
      readOnnx(bytes)
        .nodes.map(({ op_type }) => op_type)
        .filter((op) => gone.test(op)),
    ).toEqual([]);
    expect(bytes.byteLength).toBeLessThan(source.byteLength + 200); // its version and recipe
    expect(await difference(source, bytes, key === "detector" ? { x: lines() } : model.inputs)).toBeLessThan(1e-5);
  });
});

describe("a scheme after it", () => {
  test.each(["w8", "fp16", "q8"] as const)("%s takes what is folded, and every weight stands once in the report", async (quantize) => {
    const { bytes: source, inputs } = conv();
    const names = [...readOnnx(source).initializers.keys()];
    const { bytes, report } = await run(source, { quantize, optimize: true });
    expect(names.filter((name) => report.tensors.filter((tensor) => tensor.name === name).length !== 1)).toEqual([]);
    expect(report.tensors.some(({ action }) => action === "dropped")).toBe(true);
    expect(report.tensors.some(({ action }) => action === (quantize === "q8" ? "uint8" : quantize))).toBe(true);
    expect(await difference(source, bytes, inputs)).toBeLessThan(quantize === "q8" ? 0.2 : 0.02);
  });

  test("fp16 computes in float16: no Cast stands between two nodes that do", async () => {
    const { bytes } = await run(conv().bytes, { quantize: "fp16", optimize: true });
    const casts = readOnnx(bytes).nodes.filter(({ op_type }) => op_type === "Cast");
    expect(casts.length).toBe(2); // at the input and the output
  });
});

describe("a stream", () => {
  test("that fits is held, and gives the bytes that a source gives", async () => {
    const { bytes } = constants();
    const [streamed, sourced] = [await run(streamOf(bytes), { optimize: true }), await run(bytes, { optimize: true })];
    expect(Buffer.from(streamed.bytes).equals(sourced.bytes)).toBe(true);
    expect(streamed.report.source).toEqual(sourced.report.source);
    expect(streamed.report.output.layout).toBe("canonical");
  });

  const long = concat(bigOnnx({ bytes: MAX_LOOKAHEAD + (4 << 20) }).chunks());
  test("that does not names the way out", async () => {
    await expect(run(streamOf(long), { optimize: true, quantize: "w8" })).rejects.toThrow(LimitError);
    await expect(run(streamOf(long), { optimize: true, quantize: "w8" })).rejects.toThrow(/PUT/);
  });

  test("that does not goes through the spool where there is one", async () => {
    const spooled = await run(streamOf(long), { optimize: true, quantize: "w8" }, { spool: fileSpool() });
    const sourced = await run(long, { optimize: true, quantize: "w8" });
    expect(spooled.report.output.sha256).toBe(sourced.report.output.sha256);
    expect(spooled.report.source.sha256).toBe(sourced.report.source.sha256);
  });
});

test("a model of IR 3 lists what was lifted among its inputs, as its readers ask", async () => {
  const { inputs, spec } = constants({ opset: 7 });
  const { bytes } = await run(encodeModel({ ...spec, ir_version: 3 }, { weights: "constants" }), { optimize: true });
  const { initializers, inputs: listed } = readOnnx(bytes);
  expect(initializers.size).toBeGreaterThan(0);
  expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining([...initializers.keys()]));
  await runNode(bytes, inputs);
});

describe("is refused", () => {
  test("where there is no graph", async () => {
    const bytes = concat([writeHeader([{ name: "w", dtype: "float32", shape: [64, 64] }], {}), new Uint8Array(64 * 64 * 4)]);
    await expect(run(bytes, { optimize: true, quantize: "w8" })).rejects.toThrow(UnsupportedError);
  });

  test("where it would change nothing", async () => {
    await expect(run(mlp().bytes, { optimize: true })).rejects.toThrow(/change nothing: the optimizer found nothing to do$/);
  });
});
