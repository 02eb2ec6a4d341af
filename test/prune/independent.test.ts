import { describe, expect, test } from "vitest";
import { resnet } from "../kit/models/residual.ts";
import { floats, ifModel } from "../kit/models.ts";
import {
  DataType,
  encodeModel,
  f32,
  type GraphSpec,
  type Layout,
  node,
  randn,
  type Storage,
  type TensorSpec,
  tensor,
  value,
} from "../kit/onnx.ts";
import { everyWeight, numbersOf, readOnnx } from "../kit/readonnx.ts";
import { changedShapes, floatParameters, outputsOf, runBoth, withZeros } from "./independent.ts";

const KEPT = [0, 2];
const GONE = [1, 3];

/** Elements of a tensor at the kept indices of an axis. */
function kept(spec: TensorSpec, axis: number): TensorSpec {
  const inner = spec.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const data = (spec.data as Float32Array).filter((_, i) => KEPT.includes(Math.floor(i / inner) % (spec.dims[axis] as number)));
  return { ...spec, dims: spec.dims.with(axis, KEPT.length), data };
}

const weights = [f32("w1", [4, 3, 3, 3], randn(108, 1, 0.3)), f32("b1", [4], randn(4, 2)), f32("w2", [2, 4, 1, 1], randn(8, 3))] as const;

/** x[1, 3, 5, 5] → Conv of 4 channels → Relu → Conv of 2. */
const graph = (initializers: readonly TensorSpec[]): GraphSpec => ({
  nodes: [
    node("Conv", ["x", "w1", "b1"], ["a"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "w2"], ["y"], { kernel_shape: [1, 1] }),
  ],
  initializers,
  inputs: [value("x", DataType.FLOAT, [1, 3, 5, 5])],
  outputs: [value("y", DataType.FLOAT, [1, 2, 5, 5])],
});

const encoded = (initializers: readonly TensorSpec[], layout: Layout = {}) =>
  encodeModel({ graph: graph(initializers), opsets: { "": 13 } }, layout);

const original = encoded(weights);
const pruned = encoded([kept(weights[0], 0), kept(weights[1], 0), kept(weights[2], 1)]);
const slices = [
  { name: "w1", axis: 0, indices: GONE },
  { name: "b1", axis: 0, indices: GONE },
];
const feeds = [{ x: floats([1, 3, 5, 5], 5) }, { x: floats([1, 3, 5, 5], 6) }];

describe("a pruned model and its original", () => {
  test("differ in shapes: old and new, of Constants too", () => {
    const expected = [
      { name: "w1", from: [4, 3, 3, 3], to: [2, 3, 3, 3] },
      { name: "b1", from: [4], to: [2] },
      { name: "w2", from: [2, 4, 1, 1], to: [2, 2, 1, 1] },
    ];
    expect(changedShapes(original, pruned)).toEqual(expected);
    expect(changedShapes(encoded(weights, { weights: "constants" }), pruned)).toEqual(expected);
    expect(changedShapes(original, original)).toEqual([]);
  });

  test("differ in what only one of them has, be it a scalar", () => {
    const more = encoded([...weights, f32("scale", [], [1])]);
    expect(changedShapes(original, more)).toEqual([{ name: "scale", from: undefined, to: [] }]);
    expect(changedShapes(more, original)).toEqual([{ name: "scale", from: [], to: undefined }]);
  });

  test("have parameters of floats, integers not counted", () => {
    expect(floatParameters(original)).toBe(108 + 4 + 8);
    expect(floatParameters(pruned)).toBe(54 + 2 + 4);
    const half = tensor("h", DataType.FLOAT16, [3], new Uint16Array(3));
    expect(floatParameters(encoded([...weights, half, tensor("i", DataType.INT64, [9], new BigInt64Array(9))]))).toBe(123);
    const { bytes } = ifModel();
    expect(floatParameters(bytes)).toBe(4 * 64 * 32 + 32 + 32 * 32);
  });

  test("give outputs of one shape, the same once what goes is zero", async () => {
    const different = await runBoth(original, pruned, feeds);
    const same = await runBoth(withZeros(original, slices), pruned, feeds);
    expect(different).toHaveLength(2);
    expect(different[0]?.pruned.y?.dims).toEqual([1, 2, 5, 5]);
    for (const each of different) expect(each.pruned.y?.data).not.toEqual(each.original.y?.data);
    for (const each of same) {
      const [a, b] = [each.original.y?.data as Float32Array, each.pruned.y?.data as Float32Array];
      expect(Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))))).toBeLessThan(1e-5);
    }
  });
});

const numbers = (model: Uint8Array, name: string) =>
  everyWeight(readOnnx(model))
    .filter((weight) => weight.name === name)
    .map((weight) => Array.from(numbersOf(weight)));

describe("slices that are zero", () => {
  const ones = (data_type: number, data: TensorSpec["data"]) => tensor("w", data_type, [2, 3, 2], data);
  const types: [string, TensorSpec][] = [
    ["float32", ones(DataType.FLOAT, new Float32Array(12).fill(1))],
    ["float64", ones(DataType.DOUBLE, new Float64Array(12).fill(1))],
    ["float16", ones(DataType.FLOAT16, new Uint16Array(12).fill(0x3c00))],
    ["bfloat16", ones(DataType.BFLOAT16, new Uint16Array(12).fill(0x3f80))],
  ];
  const storages: Storage[] = ["raw", "packed", "unpacked", "split"];
  test.each(types.flatMap(([type, spec]) => storages.map((storage) => [type, storage, spec] as const)))(
    "are of %s, %s",
    (_, storage, spec) => {
      const model = encodeModel({
        graph: { nodes: [], initializers: [{ ...spec, storage }], inputs: [], outputs: [] },
        opsets: { "": 13 },
      });
      const before = model.slice();
      expect(numbers(withZeros(model, [{ name: "w", axis: 1, indices: [0, 2] }]), "w")).toEqual([[0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0]]);
      expect(numbers(withZeros(model, [{ name: "w", axis: 2, indices: [1] }]), "w")).toEqual([[1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]]);
      expect(model).toEqual(before);
    },
  );

  test("are of a Constant, and of every branch that has the name", () => {
    const constants = withZeros(encoded(weights, { weights: "constants" }), slices);
    expect(numbers(constants, "b1")[0]?.map((x) => x === 0)).toEqual([false, true, false, true]);
    const branches = withZeros(ifModel().bytes, [
      { name: "w", axis: 0, indices: [31] },
      { name: "k", axis: 1, indices: [0] },
    ]);
    expect(numbers(branches, "w").map((each) => each.slice(-65).map((x) => x === 0))).toEqual(
      [0, 1].map(() => [false, ...new Array(64).fill(true)]),
    );
    expect(numbers(branches, "k").map((each) => [each[0], each[1] === 0, each[32]])).toEqual([
      [0, false, 0],
      [0, false, 0],
    ]);
  });

  test("leave a whole model what it was, if there are none", async () => {
    const { bytes, inputs } = resnet();
    expect(await outputsOf(withZeros(bytes, []), [inputs])).toEqual(await outputsOf(bytes, [inputs]));
  });

  test("are refused where there is no such tensor, axis, index or data", () => {
    const refused = (name: string, axis: number, index: number, model = original) =>
      expect(() => withZeros(model, [{ name, axis, indices: [index] }]));
    refused("w9", 0, 0).toThrow(/w9: the model has no such/);
    refused("b1", 0, 4).toThrow(/b1: 4 is not on axis 0 of \[4\]/);
    refused("b1", 1, 0).toThrow(/b1: 0 is not on axis 1/);
    const external = tensor("b1", DataType.FLOAT, [4], new Float32Array(4), { external: { location: "w.bin" } });
    refused("b1", 0, 0, encoded([weights[0], external, weights[2]])).toThrow(/b1: its elements are not in the model/);
  });
});
