/** w8a8: a model's activations are calibrated, and it computes on integers between QuantizeLinear and DequantizeLinear. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Calibration, compress, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { calibrating } from "../kit/calibrating.ts";
import { bert } from "../kit/models/bert.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import { keras, mobilenet } from "../kit/models/mobile.ts";
import { ppyoloe } from "../kit/models/ppyoloe.ts";
import { type Feeds, floats, type GeneratedModel, mlp } from "../kit/models.ts";
import { encodeModel, f32, node, randn, value } from "../kit/onnx.ts";
import { type Outputs, runNode, runWeb, sqnr } from "../kit/ort.ts";
import { type DecodedNode, numbersOf, readOnnx } from "../kit/readonnx.ts";
import { randomTensor, writeTensors } from "../kit/safetensors.ts";

/** Kernels of x86 processors without VNNI saturate in sums of 8-bit products, unless nothing is optimized. */
const PLAIN = { graphOptimizationLevel: "disabled" } as const;

async function quantized(
  model: Uint8Array,
  calibration: Calibration | undefined,
  recipe: Record<string, unknown> = {},
  stream = false,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; report: Report }> {
  const source = stream ? (new Blob([model as Uint8Array<ArrayBuffer>]).stream() as ReadableStream<Uint8Array>) : model;
  const { readable, report } = compress(source as Uint8Array, { quantize: "w8a8", ...recipe } as RecipeInput, { calibration });
  report.catch(() => {});
  const bytes = new Uint8Array(await new Response(readable).arrayBuffer());
  return { bytes, report: await report };
}

const others = (feeds: Feeds, seed: number): Feeds =>
  Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.type === "float32" ? floats(feed.dims, seed) : feed]));
const samplesOf = ({ inputs }: GeneratedModel): Feeds[] => [1, 2, 3, 4].map((seed) => others(inputs, 10 * seed));

const worst = (reference: Outputs, actual: Outputs): number =>
  Math.min(...Object.entries(reference).map(([name, { data }]) => sqnr(data, actual[name]?.data ?? new Float32Array(0))));

/** The nodes by what they make. */
const makers = (nodes: readonly DecodedNode[]) => new Map(nodes.flatMap((each) => each.outputs.map((name) => [name, each] as const)));

describe("against onnxruntime's quantize_static, MinMax", () => {
  const read = (file: string) => new Uint8Array(readFileSync(new URL(`../fixtures/golden/${file}`, import.meta.url)));
  const [source, theirs] = [read("static-cnn.onnx"), read("static-cnn.w8a8.onnx")];
  const dims = [1, 3, 24, 24];
  // As static.py makes them.
  const samples = [0, 1, 2, 3].map((k): Feeds => {
    const data = Float32Array.from({ length: 3 * 24 * 24 }, (_, n) => Math.sin(n * (0.11 + 0.07 * k) + k));
    return { image: { type: "float32", dims, data } };
  });

  test("weights, biases, scales and zero points are the same", async () => {
    const { bytes } = await quantized(source, calibrating(source, samples));
    const [ours, reference] = [readOnnx(bytes).initializers, readOnnx(theirs).initializers];
    // The zero point of a bias is zero, which WebGPU has said when nothing is.
    const expected = [...reference].filter(([name]) => !name.endsWith("bias_quantized_zero_point"));
    expect(expected.length).toBe(101);
    const different = expected.filter(([name, tensor]) => {
      const [a = [], b = []] = [ours.get(name), tensor].map((each) => each && Array.from(numbersOf(each), Number));
      // Ranges may differ in the last bits from processor to processor, and a bias by a step of its fine scale for it.
      const isNear = (x: number, i: number) =>
        Math.abs(x - (b[i] as number)) <= 1e-5 * Math.abs(x) + (name.endsWith("bias_quantized") ? 1 : 0);
      return a.length !== b.length || !a.every(isNear);
    });
    expect(different.map(([name]) => name)).toEqual([]);
  });

  test("outputs are as near to those in float", async () => {
    const { bytes } = await quantized(source, calibrating(source, samples));
    for (const seed of [50, 60, 70]) {
      const feeds = { image: floats(dims, seed) };
      const [float, our, their] = [await runNode(source, feeds), await runNode(bytes, feeds, PLAIN), await runNode(theirs, feeds, PLAIN)];
      expect(worst(float, our)).toBeGreaterThan(worst(float, their) - 1);
    }
  });
});

describe.each([
  ["mobilenet", mobilenet(), 35],
  ["keras", keras(), 30],
  ["lcnet", lcnet({ height: 64, width: 64 })(), 40],
  ["ppyoloe", ppyoloe({ size: "s", image: 64, width: 0.25 })(), 15],
  ["bert", bert(), 20],
] as const)("%s", (_, model, decibels) => {
  test.each([false, true])("comes near its outputs in float, optimized: %s", async (optimize) => {
    const { bytes, report } = await quantized(model.bytes, calibrating(model.bytes, samplesOf(model)), { optimize });
    expect(report.calibration).toMatchObject({ observer: "minmax", samples: 4 });
    const feeds = others(model.inputs, 99);
    const float = await runNode(model.bytes, feeds);
    expect(worst(float, await runNode(bytes, feeds, PLAIN))).toBeGreaterThan(decibels);
    expect(worst(float, await runWeb(bytes, feeds))).toBeGreaterThan(decibels);
  });
});

describe("the graph", () => {
  const model = mobilenet();
  const calibration = () => calibrating(model.bytes, samplesOf(model));

  test("has each product between pairs, with weights of a scale a channel and biases of int32", async () => {
    const { bytes } = await quantized(model.bytes, calibration());
    const { nodes, initializers } = readOnnx(bytes);
    const made = makers(nodes);
    for (const { op_type, inputs, outputs } of nodes) {
      if (op_type !== "Conv" && op_type !== "Gemm") continue;
      const [x, w, bias] = inputs.map((name) => made.get(name));
      expect([x?.op_type, w?.op_type, bias?.op_type]).toEqual(["DequantizeLinear", "DequantizeLinear", "DequantizeLinear"]);
      const [weight, biasValues] = [w, bias].map((each) => initializers.get(each?.inputs[0] ?? ""));
      expect(weight?.data_type).toBe(3);
      expect(initializers.get(w?.inputs[1] ?? "")?.dims).toEqual([weight?.dims[0]]);
      expect(biasValues?.data_type).toBe(6);
      const [reader] = nodes.filter((each) => each.inputs.includes(outputs[0] ?? ""));
      expect(reader?.op_type).toMatch(/^(QuantizeLinear|Clip)$/);
    }
  });

  test("keeps names and shapes of inputs and outputs", async () => {
    const { bytes } = await quantized(model.bytes, calibration());
    const [before, after] = [readOnnx(model.bytes), readOnnx(bytes)];
    expect(after.inputs).toEqual(before.inputs);
    expect(after.outputs).toEqual(before.outputs);
  });

  test("is the same from a source and a stream, and twice", async () => {
    const [one, two, streamed] = await Promise.all([false, false, true].map((stream) => quantized(model.bytes, calibration(), {}, stream)));
    expect(one?.bytes).toEqual(two?.bytes);
    expect(one?.bytes).toEqual(streamed?.bytes);
  });

  test("has weights of seven bits where the runtime asks", async () => {
    const { bytes } = await quantized(model.bytes, calibration(), { target: { runtime: "edgeslim" } });
    const integers = [...readOnnx(bytes).initializers.values()].filter(({ data_type, dims }) => data_type === 3 && dims.length > 1);
    expect(integers.length).toBeGreaterThan(10);
    for (const each of integers) expect(Math.max(...Array.from(numbersOf(each), (x) => Math.abs(Number(x))))).toBe(63);
  });

  test("leaves in float what the recipe excludes, by the name of a node, a value or a weight", async () => {
    const { nodes } = model.spec.graph;
    const [first] = nodes.filter(({ op_type }) => op_type === "Conv");
    for (const name of [first?.name, first?.outputs[0], first?.inputs[1]]) {
      const exclude = [`^${name}$`];
      const { bytes, report } = await quantized(model.bytes, calibration(), { quantize: { scheme: "w8a8", exclude } });
      const after = readOnnx(bytes);
      const conv = after.nodes.find(({ name }) => name === first?.name);
      expect(after.initializers.get(conv?.inputs[1] ?? "")?.data_type).toBe(1);
      expect(conv?.inputs[0]).toBe("input");
      expect(report.tensors.find(({ name }) => name === first?.inputs[1])?.action).toBe("kept");
    }
  });
});

test("an older model is upgraded first", async () => {
  const model = mobilenet({ opset: 9 });
  const { bytes, report } = await quantized(model.bytes, calibrating(model.bytes, samplesOf(model)));
  expect(readOnnx(bytes).opsets.get("")).toBe(13);
  expect(report.warnings.map(({ code }) => code)).toContain("opset-upgraded");
  expect(worst(await runNode(model.bytes, model.inputs), await runNode(bytes, model.inputs, PLAIN))).toBeGreaterThan(35);
});

/** A convolution [1, 4, 6, 6] → [1, 8, 6, 6] whose third channel has weights of next to nothing. */
const faint = () => {
  const w = randn(8 * 4, 1, 0.5);
  w.fill(1e-12, 8, 12);
  const bias = Float32Array.from({ length: 8 }, (_, c) => c - 3.5);
  return encodeModel({
    graph: {
      nodes: [node("Conv", ["x", "w", "b"], ["y"], { kernel_shape: [1, 1] })],
      initializers: [f32("w", [8, 4, 1, 1], w), f32("b", [8], bias)],
      inputs: [value("x", 1, [1, 4, 6, 6])],
      outputs: [value("y", 1, [1, 8, 6, 6])],
    },
    opsets: { "": 13 },
  });
};

test("a bias that would not fit int32 makes its channel's scale greater", async () => {
  const feeds: Feeds = { x: floats([1, 4, 6, 6], 3) };
  const { bytes } = await quantized(faint(), calibrating(faint(), [feeds]));
  expect(worst(await runNode(faint(), feeds), await runNode(bytes, feeds, PLAIN))).toBeGreaterThan(35);
});

describe("is refused", () => {
  const model = mlp();
  const nothing: Calibration = { samples: [], run: async () => ({}) };
  const poisoned = (feed: Feeds[string]): Feeds[string] => ({
    ...feed,
    data: (feed.data as Float32Array).map((x, i) => (i === 3 ? Number.NaN : x)),
  });
  const nan = (): Calibration =>
    calibrating(model.bytes, [Object.fromEntries(Object.entries(model.inputs).map(([name, feed]) => [name, poisoned(feed)]))]);

  const refused: [string, () => Calibration | undefined, Record<string, unknown>, RegExp][] = [
    ["without samples to calibrate on", () => undefined, {}, /samples/],
    ["with none among them", () => nothing, {}, /no samples/],
    ["with NaN in one", nan, {}, /sample 1: .* NaN or infinite/],
    ["with an observer for later", nan, { quantize: { scheme: "w8a8", observer: "entropy" } }, /observer entropy/],
    ["as an override", () => undefined, { quantize: { scheme: "w8", overrides: [{ match: ".*", scheme: "w8a8" }] } }, /whole graph/],
    ["where all is excluded", nan, { quantize: { scheme: "w8a8", exclude: [".*"] } }, /change nothing|no samples/],
  ];
  test.each(refused)("%s", async (_, calibration, recipe, message) => {
    const failed = quantized(model.bytes, calibration(), recipe);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(UnsupportedError);
  });

  test("for safetensors", async () => {
    await expect(quantized(writeTensors({ w: randomTensor([64, 64], 1) }), nothing)).rejects.toThrow(/no graph/);
  });

  test("when it is aborted between samples", async () => {
    const controller = new AbortController();
    const calibration = calibrating(model.bytes, [model.inputs, model.inputs]);
    const run: Calibration["run"] = async (sample, names) => {
      controller.abort();
      return (await calibration.run?.(sample, names)) ?? {};
    };
    const { report } = compress(model.bytes, { quantize: "w8a8" }, { calibration: { ...calibration, run }, signal: controller.signal });
    await expect(report).rejects.toMatchObject({ name: "AbortError" });
  });
});
