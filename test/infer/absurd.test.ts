/** Nodes that ask for what no run can give end in an error that says so, soon. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Datum } from "../../src/ops/op.ts";
import { type AttributeSpec, DataType, encodeModel, f32, type GraphSpec, i64, node, tensor, value } from "../kit/onnx.ts";

const { FLOAT, INT64, BOOL } = DataType;
const i64s = (...list: number[]): Datum => ({ dtype: "int64", shape: [list.length], data: BigInt64Array.from(list, BigInt) });
const whole = (x: number): Datum => ({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(x)) });
const x: Datum = { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) };

/** A node whose inputs are fed, so that nothing is known before the run. */
async function run(op: string, inputs: readonly Datum[], attributes: Record<string, AttributeSpec> = {}, opset = 18): Promise<unknown> {
  const type = (datum: Datum) => ("data" in datum && datum.dtype === "int64" ? INT64 : FLOAT);
  const model = encodeModel({
    opsets: { "": opset },
    graph: {
      nodes: [
        node(
          op,
          inputs.map((_, i) => `x${i}`),
          ["y"],
          attributes,
        ),
      ],
      inputs: inputs.map((datum, i) => value(`x${i}`, type(datum))),
      outputs: [value("y", FLOAT)],
    },
  });
  const loaded = await load(model);
  return loaded.run(Object.fromEntries(inputs.map((datum, i) => [`x${i}`, datum])));
}

describe("a node of absurd sizes or attributes ends in an error that names it or a limit", () => {
  test.each<[string, Datum[], Record<string, AttributeSpec>?]>([
    ["ConstantOfShape", [i64s(2 ** 40)]],
    ["ConstantOfShape", [i64s(2 ** 20, 2 ** 20)]],
    ["ConstantOfShape", [i64s(-1)]],
    ["Expand", [x, i64s(2 ** 31, 2, 2)]],
    ["Tile", [x, i64s(2 ** 30, 2 ** 30)]],
    ["Tile", [x, i64s(-1, 1)]],
    ["Pad", [x, i64s(2 ** 40, 0, 0, 0)], { mode: "edge" }],
    ["Pad", [x, i64s(-5, 0, 0, 0)], { mode: "reflect" }],
    ["Range", [whole(0), whole(2 ** 50), whole(1)]],
    ["Range", [whole(0), whole(5), whole(0)]],
    ["Reshape", [x, i64s(3, -1)]],
    ["Gather", [x, i64s(7)]],
    ["TopK", [x, i64s(99)]],
    ["Slice", [x, i64s(0), i64s(1), i64s(0), i64s(0)]],
    ["CenterCropPad", [x, i64s(2 ** 40, 1)]],
    ["DFT", [x, whole(2 ** 40)], { axis: 0 }],
    ["HannWindow", [whole(2 ** 40)]],
    ["Squeeze", [x, i64s(0)]],
    ["Concat", [x, x], { axis: 5 }],
    ["Col2Im", [x, i64s(2 ** 20, 2 ** 20), i64s(1, 1)]],
    ["Multinomial", [x], { sample_size: 2 ** 40 }],
  ])("%s", async (op, inputs, attributes = {}) => {
    const error = await run(op, inputs, attributes).then(
      () => undefined,
      (e: Error) => e,
    );
    expect(["UnsupportedError", "LimitError", "RangeError"]).toContain(error?.name);
    // What is known before the run may be refused by the memory alone.
    expect(error?.message).toMatch(new RegExp(`${op} '|MAX_ARENA`));
  });
});

test("a Loop without end is stopped", async () => {
  const body: GraphSpec = {
    nodes: [node("Identity", ["go"], ["go_out"]), node("Identity", ["h"], ["h_out"])],
    inputs: [value("i", INT64, []), value("go", BOOL, []), value("h", FLOAT)],
    outputs: [value("go_out", BOOL, []), value("h_out", FLOAT)],
  };
  const model = encodeModel({
    opsets: { "": 18 },
    graph: {
      nodes: [node("Loop", ["", "yes", "zero"], ["y"], { body: { graph: body } })],
      initializers: [tensor("yes", BOOL, [], Uint8Array.of(1)), f32("zero", [1], [0]), i64("unused", [1])],
      inputs: [],
      outputs: [value("y", FLOAT)],
    },
  });
  const loaded = await load(model);
  await expect(async () => loaded.run({})).rejects.toThrow(/Loop|MAX_SUBGRAPH_RUNS/);
});
