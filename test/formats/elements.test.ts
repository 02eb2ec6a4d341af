import { describe, expect, test } from "vitest";
import { DATA_TYPES } from "../../src/graph/types.ts";
import { inferModel } from "../kit/inferred.ts";
import { DataType, encodeModel, type NumericData, node, type Storage, type TensorSpec, tensor } from "../kit/onnx.ts";

const big = 2n ** 63n - 1n;

const DATA: readonly (readonly [number, NumericData])[] = [
  [DataType.FLOAT, Float32Array.of(1.5, -0, Number.POSITIVE_INFINITY)],
  [DataType.DOUBLE, Float64Array.of(0.1, -1e300, 3)],
  [DataType.INT64, BigInt64Array.of(big, -big, -1n)],
  [DataType.UINT64, BigUint64Array.of(2n ** 64n - 1n, 0n, 7n)],
  [DataType.INT32, Int32Array.of(-1, 2 ** 31 - 1, -(2 ** 31))],
  [DataType.UINT32, Uint32Array.of(2 ** 32 - 1, 0, 1)],
  [DataType.INT16, Int16Array.of(-32768, 1, -1)],
  [DataType.UINT16, Uint16Array.of(65535, 1, 0)],
  [DataType.INT8, Int8Array.of(-128, 127, -1)],
  [DataType.UINT8, Uint8Array.of(255, 0, 1)],
  [DataType.BOOL, Uint8Array.of(1, 0, 1)],
  [DataType.FLOAT16, Uint16Array.of(0x3c00, 0xfbff, 1)],
  [DataType.BFLOAT16, Uint16Array.of(0x3f80, 0xff7f, 1)],
];
const STORAGES: readonly Storage[] = ["raw", "packed", "unpacked", "split"];

const constantOf = async (spec: TensorSpec) =>
  (await inferModel(encodeModel({ opsets: { "": 13 }, graph: { nodes: [], initializers: [spec], inputs: [], outputs: [] } }))).values.get(
    spec.name,
  )?.constant;

describe("the elements of a small tensor", () => {
  test.each(DATA.flatMap(([type, data]) => STORAGES.map((storage) => [DATA_TYPES[type], storage, type, data] as const)))(
    "are read as %s from %s fields",
    async (dtype, storage, type, data) => {
      expect(await constantOf(tensor("x", type, [3], data, { storage }))).toEqual({ dtype, shape: [3], data });
    },
  );

  test("are strings where it holds some", async () => {
    expect(await constantOf(tensor("x", DataType.STRING, [2], ["a", "ü"]))).toEqual({ dtype: "string", shape: [2], data: ["a", "ü"] });
  });

  test("are not told where their number is not that of the shape, or they stand in another file", async () => {
    expect(await constantOf(tensor("x", DataType.INT32, [4], Int32Array.of(1, 2, 3)))).toBeUndefined();
    expect(await constantOf(tensor("x", DataType.INT32, [1], Int32Array.of(1), { external: { location: "a" } }))).toBeUndefined();
  });
});

describe("lists in attributes", () => {
  test("are read as floats and strings", async () => {
    const nodes = [
      node("Constant", [], ["f"], { value_floats: { floats: [0.5, 2] } }),
      node("Constant", [], ["s"], { value_strings: { strings: ["a", "b"] } }),
      node("Constant", [], ["long"], { value_floats: { floats: Array(2000).fill(1) } }),
    ];
    const { values } = await inferModel(encodeModel({ opsets: { "": 13 }, graph: { nodes, inputs: [], outputs: [] } }));
    expect(values.get("f")?.constant?.data).toEqual(Float32Array.of(0.5, 2));
    expect(values.get("s")?.constant?.data).toEqual(["a", "b"]);
    expect(values.get("long")).toMatchObject({ dtype: "float32", constant: undefined });
  });
});
