/** Subgraphs and sequences are run as onnxruntime runs them. */
import { describe, expect, test } from "vitest";
import { isTensor } from "../../src/ops/op.ts";
import { exposed } from "../kit/exposed.ts";
import { interpret } from "../kit/interpreter.ts";
import { DataType, encodeModel, f32, type GraphSpec, i64, type NodeSpec, node, type TensorSpec, tensor, value } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

const { FLOAT, INT64, BOOL } = DataType;
const yes = tensor("yes", BOOL, [], Uint8Array.of(1));
const no = tensor("no", BOOL, [], Uint8Array.of(0));
const x = f32("x", [3, 2], [1, -2, 3, 4, -5, 6]);

async function check(nodes: NodeSpec[], initializers: TensorSpec[], outputs: string[], opset: number): Promise<void> {
  const bytes = exposed(encodeModel({ opsets: { "": opset }, graph: { nodes, initializers, inputs: [], outputs: [] } }), outputs);
  const real = await runNode(bytes, {}, { graphOptimizationLevel: "disabled" });
  const computed = await interpret(bytes, new Map());
  for (const [name, { type, dims, data }] of Object.entries(real)) {
    const given = computed.get(name);
    expect(isTensor(given) && { ...given, data: [...given.data] }).toEqual({ dtype: type, shape: [...dims], data: [...data] });
  }
}

/** Doubles its state and hands out the sum of that and an outer value, while it is below a bound or the branch says so. */
const body: GraphSpec = {
  nodes: [
    node("Add", ["h", "h"], ["h_out"]),
    node("Add", ["h_out", "x"], ["row"]),
    node("ReduceMax", ["h_out"], ["most"], { keepdims: 0 }),
    node("Less", ["most", "bound"], ["below"]),
    node("If", ["below"], ["go_out"], {
      then_branch: { graph: { nodes: [node("Identity", ["below"], ["a"])], inputs: [], outputs: [value("a", BOOL, [])] } },
      else_branch: { graph: { nodes: [node("And", ["below", "yes"], ["b"])], inputs: [], outputs: [value("b", BOOL, [])] } },
    }),
  ],
  inputs: [value("i", INT64, []), value("go", BOOL, []), value("h", FLOAT, [3, 2])],
  outputs: [value("go_out", BOOL, []), value("h_out", FLOAT, [3, 2]), value("row", FLOAT, [3, 2])],
};

const scan: GraphSpec = {
  nodes: [node("Add", ["s", "slice"], ["s_out"]), node("Mul", ["s_out", "slice"], ["row"]), node("Identity", ["s_out"], ["again"])],
  inputs: [value("s", FLOAT, [2]), value("slice", FLOAT, [2])],
  outputs: [value("s_out", FLOAT, [2]), value("row", FLOAT, [2]), value("again", FLOAT, [2])],
};

describe.each([13, 18, 21])("at opset %i", (opset) => {
  test.each([
    ["until its condition fails", 100],
    ["as often as it may", 2],
  ])("a Loop runs %s", async (_how, most) => {
    await check(
      [node("Loop", ["most_turns", "yes", "x"], ["y", "rows"], { body: { graph: body } })],
      [x, yes, f32("bound", [], [40]), i64("most_turns", [most], [])],
      ["y", "rows"],
      opset,
    );
  });

  test("a Loop that never runs gives its state", async () => {
    await check(
      [node("Loop", ["", "no", "x"], ["y"], { body: { graph: { ...body, outputs: body.outputs.slice(0, 2) } } })],
      [x, yes, no, f32("bound", [], [40])],
      ["y"],
      opset,
    );
  });

  test.each([
    [{}],
    [{ scan_input_directions: [1] }],
    [{ scan_output_directions: [1, 0] }],
    [{ scan_output_axes: [1, 0] }],
    [{ scan_output_axes: [-1, -2], scan_input_directions: [1], scan_output_directions: [1, 1] }],
  ])("a Scan runs with %j", async (attributes) => {
    await check(
      [node("Scan", ["zero", "x"], ["s", "rows", "again"], { body: { graph: scan }, num_scan_inputs: 1, ...attributes })],
      [x, f32("zero", [2], [0, 10])],
      ["s", "rows", "again"],
      opset,
    );
  });

  test("a Scan runs along another axis", async () => {
    await check(
      [node("Scan", ["zero", "t"], ["s", "rows", "again"], { body: { graph: scan }, num_scan_inputs: 1, scan_input_axes: [-1] })],
      [f32("t", [2, 3], [1, 2, 3, 4, 5, 6]), f32("zero", [2], [0, 10])],
      ["s", "rows", "again"],
      opset,
    );
  });

  test.each([
    ["one by one", {}, undefined],
    ["one by one without the axis", { keepdims: 0 }, undefined],
    ["by two", {}, i64("by", [2], [])],
    ["by list", {}, i64("by", [1, 2])],
    ["along the last axis", { axis: -1 }, i64("by", [1, 1])],
  ])("a sequence is split %s, edited and joined", async (_how, attributes, by) => {
    await check(
      [
        node("SplitToSequence", ["x", ...(by ? ["by"] : [])], ["parts"], attributes),
        node("SequenceLength", ["parts"], ["count"]),
        node("SequenceAt", ["parts", "minus"], ["last"]),
        node("SequenceInsert", ["parts", "last", "zero"], ["more"]),
        node("SequenceErase", ["more", "one"], ["less"]),
        node("SequenceAt", ["less", "zero"], ["first"]),
        node("SequenceLength", ["less"], ["left"]),
        node("SequenceConstruct", ["last", "last", "first"], ["three"]),
        node("ConcatFromSequence", ["three"], ["joined"], { axis: 0 }),
        node("ConcatFromSequence", ["three"], ["stacked"], { axis: -1, new_axis: 1 }),
      ],
      [x, i64("minus", [-1], []), i64("zero", [0], []), i64("one", [1], []), ...(by ? [by] : [])],
      ["count", "last", "first", "left", "joined", "stacked"],
      opset,
    );
  });
});
