import { describe, expect, test } from "vitest";
import { bigOnnx, bigSafetensors } from "./kit/big.ts";
import { everyModel, floats, type Generate, generators, ifModel, mlp, oddNames } from "./kit/models.ts";
import {
  DataType,
  encodeModel,
  f32,
  type Layout,
  type NodeSpec,
  type NumericData,
  node,
  randn,
  type TensorSpec,
  tensor,
  value,
} from "./kit/onnx.ts";
import { EXACT, runNode, runWeb, sqnr } from "./kit/ort.ts";
import { everyWeight, numbersOf, readOnnx } from "./kit/readonnx.ts";
import { readRealModel, realModels } from "./kit/realmodels.ts";
import { int8PerChannel } from "./kit/reference.ts";
import { concat } from "./kit/wire.ts";

describe("generated models", () => {
  test.each(everyModel())("$name at opset $opset runs in onnxruntime and decodes to what was written", async (model) => {
    for (const feeds of [model.inputs, ...model.more]) {
      const outputs = await runNode(model.bytes, feeds);
      expect(Object.keys(outputs)).toEqual(model.spec.graph.outputs.map(({ name }) => name));
      for (const { data } of Object.values(outputs)) expect(Array.from(data, Number).every(Number.isFinite)).toBe(true);
    }
    const decoded = readOnnx(model.bytes);
    expect(decoded.opsets.get("")).toBe(model.opset);
    const outermost = { ...decoded, nodes: decoded.nodes.filter(({ op_type }) => op_type === "Constant") };
    const weights = new Map(everyWeight(outermost).map((weight) => [weight.name, weight]));
    for (const { name, dims, data_type } of model.spec.graph.initializers ?? [])
      expect(weights.get(name)).toMatchObject({ dims, data_type });
  });

  test.each(generators)("$name: onnxruntime-web agrees with onnxruntime-node", async ({ generate }) => {
    const { bytes, inputs } = generate();
    const reference = await runNode(bytes, inputs);
    for (const [name, { data }] of Object.entries(await runWeb(bytes, inputs))) {
      expect(sqnr(reference[name]?.data ?? [], data)).toBeGreaterThan(100);
    }
  });

  test("every model has a weight of at least 1024 elements", () => {
    for (const { bytes, name } of everyModel()) {
      const sizes = everyWeight(readOnnx(bytes)).map(({ dims }) => dims.reduce((a, b) => a * b, 1));
      expect(Math.max(...sizes), name).toBeGreaterThanOrEqual(1024);
    }
  });

  test("the same options give the same bytes", () => expect(mlp().bytes).toEqual(mlp().bytes));
});

const LAYOUTS: Layout[] = [
  { weights: "before" },
  { weights: "constants" },
  { pieces: 1 },
  { pieces: 3, weights: "before", opset_first: true },
  { lengths: 5 },
  { order: "reversed" },
  { storage: "packed" },
  { storage: "unpacked", order: "reversed" },
  { storage: "split", list_initializers: true },
];

describe.each(LAYOUTS)("layout %j", (layout) => {
  test.each([mlp(), ifModel(), oddNames()])("means the same $name to onnxruntime and to the decoder", async (plain) => {
    const generate = { mlp, if: ifModel, "odd-names": oddNames }[plain.name] as Generate;
    const { bytes, inputs } = generate({ layout });
    expect(await runNode(bytes, inputs)).toEqual(await runNode(plain.bytes, plain.inputs));
    const values = (model: Uint8Array) =>
      everyWeight(readOnnx(model))
        .map((weight) => numbersOf(weight))
        .sort((a, b) => a.length - b.length || Number(a[0]) - Number(b[0]));
    expect(values(bytes)).toEqual(values(plain.bytes));
  });
});

describe("tensors", () => {
  const elements: [string, number, NumericData][] = [
    ["f32", DataType.FLOAT, Float32Array.of(0, -0, 1e-40, -3.5, 65504)],
    ["f64", DataType.DOUBLE, Float64Array.of(0, Math.PI, -1e300)],
    ["i8", DataType.INT8, Int8Array.of(-128, -1, 0, 127)],
    ["u8", DataType.UINT8, Uint8Array.of(0, 128, 255)],
    ["i32", DataType.INT32, Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ["u32", DataType.UINT32, Uint32Array.of(0, 2 ** 32 - 1)],
    ["i64", DataType.INT64, BigInt64Array.of(-5n, 2n ** 50n)],
    ["f16", DataType.FLOAT16, Uint16Array.of(0x3c00, 0x8001, 0x7bff)],
    ["bf16", DataType.BFLOAT16, Uint16Array.of(0x3f80, 0x8001, 0x7f7f)],
  ];
  test.each(elements)("%s reads back the same from every storage", (_, data_type, data) => {
    const graphOf = (storage: "raw" | "packed" | "unpacked" | "split") => ({
      nodes: [],
      initializers: [tensor("w", data_type, [data.length], data, { storage })],
      inputs: [],
      outputs: [],
    });
    const [raw, ...rest] = (["raw", "packed", "unpacked", "split"] as const).map((storage) => {
      const weight = readOnnx(encodeModel({ graph: graphOf(storage), opsets: { "": 13 } })).initializers.get("w");
      if (!weight) throw new Error("no weight");
      return numbersOf(weight);
    });
    for (const each of rest) expect(each).toEqual(raw);
  });

  test("metadata, domains and external data read back", () => {
    const external = { location: "w.bin", offset: 64, length: 16 };
    const graph = {
      nodes: [
        node("Mix", ["x", "w"], ["y"], { alpha: { float: 0.5 }, axes: [1, -2], names: { strings: ["a", "é"] } }, { domain: "custom" }),
      ],
      initializers: [tensor("w", DataType.FLOAT, [2, 2], Float32Array.of(1, 2, 3, 4), { external }), f32("s", [], [2])],
      inputs: [value("x", DataType.FLOAT, ["batch", 2])],
      outputs: [value("y", DataType.FLOAT)],
    };
    const model = readOnnx(encodeModel({ graph, opsets: { "": 13, custom: 1 }, metadata: { "edgeslim.recipe": "{}" } }));
    expect(model.initializers.get("w")).toMatchObject({ dims: [2, 2], external: { location: "w.bin", offset: "64", length: "16" } });
    expect([...model.opsets]).toEqual([
      ["", 13],
      ["custom", 1],
    ]);
    expect(model.metadata.get("edgeslim.recipe")).toBe("{}");
    expect(Object.fromEntries(model.nodes[0]?.attributes ?? [])).toEqual({ alpha: 0.5, axes: [1, -2], names: ["a", "é"] });
    expect([model.inputs[0]?.dims, model.outputs[0]?.dims, model.ir_version]).toEqual([["batch", 2], undefined, 7]);
  });
});

describe("streams of big models", () => {
  test.each([1, 4096, 1 << 20])("bigOnnx in chunks of %i bytes is a model of the size that it says", async (chunk_size) => {
    const { size, tensors, chunks } = bigOnnx({ bytes: 250_000, k: 100, n: 70, chunk_size });
    const bytes = concat([...chunks()]);
    expect([bytes.length, tensors]).toEqual([size, 8]);
    expect([...readOnnx(bytes).initializers.keys()][7]).toBe("layers.7.weight");
    expect((await runNode(bytes, { x: floats([2, 100], 1) })).y?.dims).toEqual([2, 70]);
  });

  test("bigSafetensors has a header that fits its data", () => {
    const { size, tensors, chunks } = bigSafetensors({ bytes: 100_000, rows: 64, cols: 48, chunk_size: 5000 });
    const bytes = concat([...chunks()]);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect([bytes.length, length % 8, Object.keys(header).length]).toEqual([size, 0, tensors + 1]);
    expect(8 + length + header[`model.layers.${tensors - 1}.mlp.weight`].data_offsets[1]).toBe(size);
  });
});

test("EXACT keeps activations in f32 behind a DequantizeLinear", async () => {
  const { codes, scales, dequantized } = int8PerChannel(randn(64 * 48, 3, 0.1), [64, 48], 1);
  const model = (nodes: NodeSpec[], initializers: TensorSpec[]) => {
    const ends = { inputs: [value("x", DataType.FLOAT, [4, 64])], outputs: [value("y", DataType.FLOAT, [4, 48])] };
    return encodeModel({ graph: { nodes: [...nodes, node("MatMul", ["x", "w"], ["y"])], initializers, ...ends }, opsets: { "": 13 } });
  };
  const feeds = { x: floats([4, 64], 5) };
  const weights = [tensor("q", DataType.INT8, [64, 48], codes), f32("s", [48], scales)];
  const reference = await runNode(model([], [f32("w", [64, 48], dequantized)]), feeds);
  const actual = await runNode(model([node("DequantizeLinear", ["q", "s"], ["w"], { axis: 1 })], weights), feeds, EXACT);
  expect(sqnr(reference.y?.data ?? [], actual.y?.data ?? [])).toBeGreaterThan(120);
});

describe("real models", () => {
  test.each(Object.values(realModels))("$name is the pinned file and runs", async (model) => {
    const bytes = await readRealModel(model);
    expect(readOnnx(bytes).opsets.get("")).toBe(model.opset);
    const outputs = Object.values(await runNode(bytes, model.inputs));
    for (const { data } of outputs) expect(Array.from(data, Number).every(Number.isFinite)).toBe(true);
  });
});
