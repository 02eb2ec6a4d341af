/** Masks through the engine: what is zero afterwards is exactly what a plain sort says, and files hold no zeros. */
import { describe, expect, test } from "vitest";
import { compress, load, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { safetensors } from "../hostile/corpus.ts";
import { tensorsOf } from "../kit/calibrating.ts";
import { minilm } from "../kit/models/bert.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import { mobilenet } from "../kit/models/mobile.ts";
import { conv, floats, lstm } from "../kit/models.ts";
import { randn } from "../kit/onnx.ts";
import { openNode, runNode, runWeb, sqnr } from "../kit/ort.ts";
import { type DecodedTensor, everyWeight, numbersOf, readOnnx } from "../kit/readonnx.ts";
import { bytesOf } from "../kit/wire.ts";

type Prune = Extract<NonNullable<RecipeInput["prune"]>, object>;

async function run(
  model: Uint8Array | ReadableStream<Uint8Array>,
  prune: Partial<Prune> & { structure: string },
  rest: RecipeInput = {},
  options: object = {},
): Promise<{ bytes: Uint8Array; report: Report }> {
  const { readable, report } = compress(model as Uint8Array, { prune, ...rest } as RecipeInput, options);
  report.catch(() => {});
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), report: await report };
}

const model = lcnet({ height: 64, width: 64 })();
const weightsOf = (bytes: Uint8Array): Map<string, DecodedTensor> =>
  new Map(everyWeight(readOnnx(bytes)).map((tensor) => [tensor.name, tensor]));
const product = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** The float weights of a pruned file with their zeros back, by the words of the file: values, a bit for each unit, and blocks. */
function restored(bytes: Uint8Array): Map<string, { dims: readonly number[]; data: Float64Array }> {
  const all = weightsOf(bytes);
  const graph = readOnnx(bytes);
  const found = new Map<string, { dims: readonly number[]; data: Float64Array }>();
  for (const [name, tensor] of all)
    if (tensor.data_type === 1 && !name.endsWith("/values")) found.set(name, { dims: tensor.dims, data: numbersOf(tensor) });
  for (const [name, tensor] of all) {
    if (!name.endsWith("/values")) continue;
    const own = name.slice(0, -"/values".length);
    const last = graph.nodes.find(({ outputs }) => outputs[0] === own);
    const dims = Array.from(numbersOf(all.get(last?.inputs[1] ?? "") as DecodedTensor));
    const bits = all.get(`${own}/mask`)?.bytes ?? new Uint8Array(0);
    const values = numbersOf(tensor);
    const width = tensor.dims[1] ?? 1;
    const data = new Float64Array(product(dims));
    const before = graph.nodes.find(({ outputs }) => outputs[0] === last?.inputs[0]);
    const apart = before?.op_type === "Transpose" ? graph.nodes.find(({ outputs }) => outputs[0] === before.inputs[0]) : undefined;
    const sides = apart ? Array.from(numbersOf(all.get(apart.inputs[1] ?? "") as DecodedTensor)) : [1, 1, 1, 1, 1];
    const [, columns = 1, inner = 1, first = 1, second = 1] = sides;
    let at = 0;
    for (let unit = 0; unit < data.length / width; unit++) {
      if (!((bits[unit >> 3] ?? 0) & (1 << (unit & 7)))) continue;
      for (let e = 0; e < width; e++) {
        const [row, column, place] = [Math.floor(unit / (columns * inner)), Math.floor(unit / inner) % columns, unit % inner];
        const [a, b] = [Math.floor(e / second), e % second];
        data[width === 1 ? unit : ((row * first + a) * columns * second + column * second + b) * inner + place] = values[at++] as number;
      }
    }
    found.set(own, { dims, data });
  }
  return found;
}

const masked = (report: Report): string[] => report.tensors.filter(({ pruned }) => pruned?.sparsity !== undefined).map(({ name }) => name);
const zeros = (data: Float64Array): number => data.reduce((n, x) => n + Number(x === 0), 0);

describe.each([
  ["lcnet", model],
  ["mobilenet of opset 9", mobilenet({ opset: 9 })],
  ["conv", conv()],
  ["lstm", lstm()],
] as const)("%s", (_, { bytes, inputs }) => {
  test.each([0.1, 0.5, 0.83])("unstructured:%d zeroes exactly the least, over all weights", async (sparsity) => {
    const { bytes: out, report } = await run(bytes, { structure: "unstructured", scope: { ".": sparsity } });
    const before = weightsOf(bytes);
    const after = restored(out);
    for (const name of masked(report)) {
      const [was, is] = [numbersOf(before.get(name) as DecodedTensor), after.get(name)?.data as Float64Array];
      const wanted = Math.round(was.length * sparsity);
      const order = Array.from(was.keys()).sort((a, b) => Math.abs(was[a] as number) - Math.abs(was[b] as number) || a - b);
      const gone = new Set(order.slice(0, wanted));
      expect(
        is.every((x, i) => Object.is(x, gone.has(i) ? 0 : was[i] === 0 ? 0 : was[i])),
        name,
      ).toBe(true);
    }
    expect(masked(report).length).toBeGreaterThan(0);
    await runNode(out, inputs);
  });

  test("a global threshold is exact to one element", async () => {
    const { bytes: out, report } = await run(bytes, { structure: "unstructured", sparsity: 0.6, scope: "global" }).catch(() => ({
      bytes: undefined,
      report: undefined,
    }));
    if (!out || !report) return; // all of its layers are first or last
    const before = weightsOf(bytes);
    const all = masked(report).flatMap((name) => Array.from(numbersOf(before.get(name) as DecodedTensor), Math.abs));
    const after = restored(out);
    const gone = masked(report).reduce((n, name) => n + zeros(after.get(name)?.data as Float64Array), 0);
    expect(Math.abs(gone - Math.round(0.6 * all.length))).toBeLessThanOrEqual(1);
    expect(report.pruning?.sparsity).toBeCloseTo(0.6, 3);
  });

  test.each(["2:4", "4:8", "1:4"])("%s leaves so many of each group along what a layer reads", async (structure) => {
    const { bytes: out, report } = await run(bytes, { structure, exclude: [] }).catch(() => ({ bytes: undefined, report: undefined }));
    if (!out || !report) return;
    const [keep = 0, of = 1] = structure.split(":").map(Number);
    const [before, after] = [weightsOf(bytes), restored(out)];
    for (const name of masked(report)) {
      const was = numbersOf(before.get(name) as DecodedTensor);
      const { dims, data } = after.get(name) as { dims: readonly number[]; data: Float64Array };
      const { nodes } = readOnnx(bytes);
      const node = nodes.find(({ inputs }) => inputs.includes(name));
      const axis =
        node?.op_type === "Conv" || node?.attributes.get("transB") === 1
          ? 1
          : node?.op_type === "ConvTranspose"
            ? 0
            : dims.length - (node?.op_type === "LSTM" ? 1 : 2);
      const inner = product(dims.slice(axis + 1));
      for (let start = 0; start < data.length; start++) {
        if (Math.floor(start / inner) % of !== 0) continue;
        const group = Array.from({ length: of }, (_, i) => start + i * inner);
        const stays = group.filter((i) => data[i] !== 0);
        expect(stays.length).toBeLessThanOrEqual(keep);
        const least = Math.min(...stays.map((i) => Math.abs(was[i] as number)));
        for (const i of group) if (data[i] === 0) expect(Math.abs(was[i] as number)).toBeLessThanOrEqual(least);
        for (const i of stays) expect(data[i]).toBe(was[i]);
      }
    }
  });

  test("block:0.5 leaves half of the blocks of 8 outputs by 4 inputs, those of most energy", async () => {
    const { bytes: out, report } = await run(bytes, { structure: "block", sparsity: 0.5 }).catch(() => ({
      bytes: undefined,
      report: undefined,
    }));
    if (!out || !report) return;
    const [before, after] = [weightsOf(bytes), restored(out)];
    for (const name of masked(report)) {
      const was = numbersOf(before.get(name) as DecodedTensor);
      const { dims, data } = after.get(name) as { dims: readonly number[]; data: Float64Array };
      const [first, second] = readOnnx(bytes).nodes.some(
        (node) => (node.op_type === "Conv" || node.attributes.get("transB") === 1) && node.inputs.includes(name),
      )
        ? [8, 4]
        : [4, 8];
      const [a, b] = dims as [number, number];
      const inner = product(dims.slice(2));
      const energies: { energy: number; stays: boolean }[] = [];
      for (let i = 0; i < a; i += first)
        for (let j = 0; j < b; j += second)
          for (let t = 0; t < inner; t++) {
            let [energy, left] = [0, 0];
            for (let p = i; p < Math.min(i + first, a); p++)
              for (let q = j; q < Math.min(j + second, b); q++) {
                energy += (was[(p * b + q) * inner + t] as number) ** 2;
                left += Math.abs(data[(p * b + q) * inner + t] as number);
              }
            energies.push({ energy, stays: left > 0 });
          }
      const gone = energies.filter(({ stays }) => !stays);
      expect(Math.abs(gone.length - energies.length / 2), name).toBeLessThanOrEqual(1);
      const most = Math.max(...gone.map(({ energy }) => energy));
      for (const { energy, stays } of energies) if (stays) expect(energy, name).toBeGreaterThanOrEqual(most * (1 - 1e-5));
    }
  });
});

describe("a pruned file", () => {
  test.each([
    ["unstructured", 0.5, undefined, 0.62],
    ["unstructured", 0.9, undefined, 0.3],
    ["block", 0.5, undefined, 0.62],
    ["block", 0.5, "w8", 0.2],
    ["unstructured", 0.5, "w8", 0.24],
    ["2:4", undefined, "fp16", 0.36],
    ["2:4", undefined, "int8", 0.26],
    ["unstructured", 0.5, "w4", 0.27],
  ] as const)("%s:%s in %s is smaller than %d and loads everywhere", async (structure, sparsity, scheme, most) => {
    const { bytes, inputs } = minilm({ length: 16 })();
    const { bytes: out, report } = await run(bytes, { structure, ...(sparsity && { sparsity }) }, scheme ? { quantize: scheme } : {});
    const total = report.tensors.filter(({ pruned }) => pruned).reduce((n, tensor) => n + tensor.bytes[0], 0);
    const left = report.tensors.filter(({ pruned }) => pruned).reduce((n, tensor) => n + tensor.bytes[1], 0);
    expect(left / total).toBeLessThan(most);
    const node = await runNode(out, inputs);
    const plain = await runNode(out, inputs, { graphOptimizationLevel: "disabled" });
    const [web, own] = [await runWeb(out, inputs), await (await load(out)).run(tensorsOf(inputs))];
    for (const [name, { data }] of Object.entries(node)) {
      const least = { int8: 25, w4: 30, w8: 40 }[scheme as string] ?? 80; // onnxruntime quantizes rows for w8 and w4 too
      for (const other of [plain[name]?.data, web[name]?.data, own[name]?.data])
        expect(sqnr(data as Float32Array, other as Float32Array), name).toBeGreaterThan(least);
    }
  });

  test("is the same of a source and of a stream, and loads with its metadata", async () => {
    const { bytes } = await run(model.bytes, { structure: "unstructured", sparsity: 0.5 });
    const again = await run(new Blob([model.bytes]).stream(), { structure: "unstructured", sparsity: 0.5 });
    expect(Buffer.compare(again.bytes, bytes)).toBe(0);
    await using session = await openNode(bytes);
    expect(session.outputNames.length).toBeGreaterThan(0);
  });
});

describe("by samples", () => {
  const { bytes, inputs } = mobilenet({ opset: 13 });
  const dims = inputs.input?.dims ?? [];
  const samples = Array.from({ length: 24 }, (_, i) => tensorsOf({ input: floats(dims, i + 1) }));
  const error = async (model: Uint8Array): Promise<number> => {
    const feeds = { input: floats(dims, 99) };
    const [wanted, given] = [await runNode(bytes, feeds), await runNode(model, feeds)];
    return 10 ** (-sqnr(wanted.output?.data as Float32Array, given.output?.data as Float32Array) / 10);
  };

  test.each(["2:4", "unstructured"])("%s with the second-order update loses less than by magnitude", async (structure) => {
    const share = structure === "2:4" ? {} : { sparsity: 0.5, scope: "uniform" as const };
    const plain = await run(bytes, { structure, ...share });
    const updated = await run(bytes, { structure, ...share, criterion: "sparsegpt" }, {}, { calibration: { samples } });
    expect(await error(updated.bytes)).toBeLessThan(0.6 * (await error(plain.bytes)));
    for (const name of masked(updated.report)) {
      const { dims, data } = restored(updated.bytes).get(name) as { dims: readonly number[]; data: Float64Array };
      if (structure === "unstructured") expect(Math.abs(zeros(data) - data.length / 2), name).toBeLessThanOrEqual(1);
      else
        for (let i = 0; i < data.length; i += 4 * product(dims.slice(2)))
          expect(zeros(data.slice(i, i + 4)), name).toBeGreaterThanOrEqual(2);
    }
  });

  test("wanda takes the same share of each output", async () => {
    const { bytes: out, report } = await run(
      bytes,
      { structure: "unstructured", sparsity: 0.25, criterion: "wanda" },
      {},
      { calibration: { samples } },
    );
    for (const name of masked(report)) {
      const { data } = restored(out).get(name) as { data: Float64Array };
      expect(Math.abs(zeros(data) - data.length / 4), name).toBeLessThanOrEqual(1);
    }
    expect(report.pruning?.relative_mse).toBeGreaterThan(0);
  });

  test("is refused without samples, over all layers, and for blocks", async () => {
    for (const [prune, says] of [
      [{ structure: "2:4", criterion: "sparsegpt" }, /looks at what layers read, which takes samples/],
      [{ structure: "unstructured", sparsity: 0.5, criterion: "wanda", scope: "global" }, /each layer alone/],
      [{ structure: "block", sparsity: 0.5, criterion: "sparsegpt" }, /no blocks/],
    ] as const)
      await expect(run(bytes, prune)).rejects.toThrow(says);
  });
});

describe("safetensors", () => {
  const w = randn(64 * 96, 3, 0.1);
  const bytes = safetensors(
    {
      "fc.weight": { dtype: "F32", shape: [64, 96], data_offsets: [0, w.byteLength] },
      "fc.bias": { dtype: "F32", shape: [64], data_offsets: [w.byteLength, w.byteLength + 256] },
    },
    bytesOf(Float32Array.from([...w, ...randn(64, 4, 0.1)])),
  );
  const weightOf = (file: Uint8Array): Float32Array => {
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, { data_offsets: [number, number] }>;
    const [from = 0, to = 0] = header["fc.weight"]?.data_offsets ?? [];
    return new Float32Array(file.slice(8 + length + from, 8 + length + to).buffer);
  };

  test("2:4 passes in a stream, and zeroes the least two of each four inputs", async () => {
    const source = await run(bytes, { structure: "2:4" });
    const stream = await run(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(), { structure: "2:4" });
    expect(Buffer.compare(source.bytes, stream.bytes)).toBe(0);
    const is = weightOf(source.bytes);
    for (let i = 0; i < w.length; i += 4) {
      const order = [0, 1, 2, 3].sort((a, b) => Math.abs(w[i + a] as number) - Math.abs(w[i + b] as number));
      order.forEach((at, rank) => {
        expect(is[i + at]).toBe(rank < 2 ? 0 : w[i + at]);
      });
    }
    expect(source.report.warnings).toMatchObject([{ code: "zeros-stored" }]);
  });

  test("unstructured:0.7 is exact, alone and in w8", async () => {
    const { bytes: out } = await run(bytes, { structure: "unstructured", sparsity: 0.7 });
    expect(zeros(Float64Array.from(weightOf(out)))).toBe(Math.round(0.7 * w.length));
    const { report } = await run(bytes, { structure: "unstructured", sparsity: 0.7 }, { quantize: "w8" });
    expect(report.tensors.find(({ name }) => name === "fc.weight")).toMatchObject({
      action: "w8",
      pruned: { sparsity: expect.closeTo(0.7, 3) },
    });
  });

  test.each<[string, Partial<Prune> & { structure: string }, RegExp]>([
    ["channels", { structure: "channel", sparsity: 0.5 }, /hold no graph that tells which go together/],
    ["samples", { structure: "2:4", criterion: "wanda" }, /hold no graph; give an ONNX model/],
  ])("%s are refused", async (_, prune, says) => {
    await expect(run(bytes, prune)).rejects.toThrow(says);
  });

  test("a stream for what looks at all weights is refused", async () => {
    await expect(run(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(), { structure: "unstructured", sparsity: 0.5 })).rejects.toThrow(
      /read again, or use N:M/,
    );
  });
});

describe("bad input", () => {
  test.each<[string, Partial<Prune> & { structure: string }, RegExp]>([
    ["a pattern that divides nothing", { structure: "3:7" }, /prune nothing: .*3:7 does not divide/],
    ["a pattern that does not divide all, strictly", { structure: "2:4", strict: true }, /cannot be pruned: 2:4 does not divide/],
    ["no less than all", { structure: "4:4" }, /N below M/],
    ["a pattern with a share", { structure: "2:4", sparsity: 0.5 }, /leave 'sparsity'/],
    ["no share", { structure: "unstructured" }, /give a sparsity/],
    [
      "a criterion of channels",
      { structure: "unstructured", sparsity: 0.5, criterion: "l1_norm" },
      /Single weights cannot be judged by l1_norm/,
    ],
    ["an exclusion of nothing", { structure: "block", sparsity: 0.5, exclude: ["ghost"] }, /'ghost' matches no tensor/],
    ["all excluded", { structure: "block", sparsity: 0.5, exclude: ["."] }, /prune nothing: .*excluded/],
  ])("%s is refused", async (_, prune, says) => {
    const error = await run(model.bytes, prune).then(
      () => expect.unreachable("it was pruned"),
      (error: Error) => error,
    );
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(says);
  });

  test("weights that a pattern does not divide are said", async () => {
    const { report } = await run(model.bytes, { structure: "2:4" });
    expect(report.warnings).toMatchObject([{ code: "not-divided", tensors: expect.arrayContaining(["blocks.0.dw_conv.conv.weight"]) }]);
  });
});
