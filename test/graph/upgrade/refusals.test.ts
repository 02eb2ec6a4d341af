import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../../src/errors.ts";
import { OPERATORS } from "../../../src/graph/upgrade/table.ts";
import { type AttributeSpec, DataType, encodeModel, f32, type GraphSpec, type NodeSpec, node, value } from "../../kit/onnx.ts";
import { readOnnx } from "../../kit/readonnx.ts";
import { float } from "./case.ts";
import { upgraded } from "./upgraded.ts";

const graphOf = (nodes: readonly NodeSpec[]): GraphSpec => ({
  nodes,
  inputs: [value("a", DataType.FLOAT), value("b", DataType.FLOAT)],
  outputs: [value("y", DataType.FLOAT)],
});
const at = (opset: number, ...nodes: NodeSpec[]) => encodeModel({ graph: graphOf(nodes), opsets: { "": opset }, ir_version: 8 });
const it = (op: string, attributes: Record<string, AttributeSpec> = {}, inputs = ["a"], outputs = ["y"]) =>
  node(op, inputs, outputs, attributes, { name: "it" });
const body = (...nodes: NodeSpec[]): AttributeSpec => ({ graph: { nodes, inputs: [], outputs: [] } });
const long = (n: number) => Array.from({ length: n }, () => 1);

describe.each<[string, number, number, NodeSpec[], RegExp]>([
  ["an operator of a later opset", 9, 11, [it("CumSum", {}, ["a", "b"])], /is not an operator of opset 9/],
  ["an operator of none", 9, 11, [it("ConstantFill")], /is not an operator/],
  ["an operator that was experimental", 7, 11, [it("ImageScaler")], /is not an operator/],
  ["an operator of Object's", 9, 11, [it("constructor")], /is not an operator/],
  ["a deprecated operator", 10, 11, [it("Upsample", {}, ["a", "b"])], /is not an operator of opset 10/],
  ["a Scan of opset 8", 8, 11, [it("Scan", { num_scan_inputs: 1, body: body() })], /batch dimension/],
  ["statistics of each element", 7, 11, [it("BatchNormalization", { spatial: 0 }, ["a", "b", "b", "b", "b"])], /spatial is 0/],
  ["statistics of training", 13, 17, [it("BatchNormalization", {}, ["a", "b", "b", "b", "b"], ["y", "m", "v"])], /statistics of training/],
  ["a mask that is read", 7, 11, [it("Dropout", {}, ["a"], ["d", "m"]), node("Mul", ["d", "m"], ["y"])], /gives out its mask 'm'/],
  ["a mask that is given out", 11, 12, [it("Dropout", {}, ["a"], ["d", "y"])], /gives out its mask 'y'/],
  ["an axis beyond any rank", 9, 13, [it("Softmax", { axis: 65 })], /names axis 65; no tensor has so many/],
  ["an axis below any rank", 11, 13, [it("Squeeze", { axes: [-65] })], /names axis -65/],
  ["a huge axis", 11, 18, [it("ReduceMax", { axes: [0, 2 ** 40] })], /names axis 1099511627776/],
  ["an axis beyond what is exact", 11, 18, [it("ReduceMax", { axes: [2 ** 63] })], /'axes' that is not a list of integers/],
  ["axes that are one number", 11, 13, [it("Squeeze", { axes: 1 })], /'axes' that is not a list of integers/],
  ["axes that are fractions", 11, 13, [it("Squeeze", { axes: { floats: [0.5] } })], /'axes' that is not a list of integers/],
  ["an axis that is text", 9, 13, [it("Softmax", { axis: "one" })], /'axis' that is not a number/],
  ["an axis that is a fraction", 9, 13, [it("Softmax", { axis: float(0.5) })], /'axis' that is not an integer/],
  ["a mode that is a number", 10, 11, [it("Resize", { mode: 1 }, ["a", "b"])], /'mode' that is not text/],
  ["a mode that is not there", 10, 11, [it("Resize", { mode: "cubic" }, ["a", "b"])], /mode 'cubic', expected nearest or linear/],
  ["a list that is too long to be read", 11, 13, [it("Split", { split: long(1000) })], /'split' that is not read/],
  ["an attribute that is a tensor", 11, 13, [it("Split", { split: { tensor: f32("", [1], [1]) } })], /'split' that is not read/],
  ["negative sizes", 11, 13, [it("Split", { split: [3, -1] })], /sizes are not negative/],
  ["no axes", 11, 13, [it("Unsqueeze")], /has no attribute 'axes'/],
  ["no pads", 9, 11, [it("Pad")], /has no attribute 'pads'/],
  ["no k", 9, 11, [it("TopK")], /has no attribute 'k'/],
  ["a negative k", 9, 11, [it("TopK", { k: -2 })], /has no attribute 'k'/],
  ["no scales", 7, 11, [it("Upsample")], /has no attribute 'scales'/],
  ["scales that shrink", 7, 11, [it("Upsample", { scales: { floats: [1, 0.5] } })], /none may be below 1/],
  ["scales that are no number", 7, 11, [it("Upsample", { scales: { floats: [Number.NaN] } })], /none may be below 1/],
  ["starts without ends", 9, 11, [it("Slice", { starts: [0] })], /'starts' and 'ends'/],
  ["more starts than ends", 9, 11, [it("Slice", { starts: [0, 1], ends: [3] })], /2 starts, 1 ends and no axes/],
  ["no input", 9, 13, [it("Softmax", {}, [])], /has 0 inputs, expected 1/],
  ["an input too many", 11, 13, [it("Squeeze", { axes: [0] }, ["a", "b"])], /has 2 inputs, expected 1/],
  [
    "a pixel other than the one below",
    11,
    13,
    [it("Resize", { coordinate_transformation_mode: "tf_half_pixel_for_nn" }, ["a", "", "b"])],
    /tf_half_pixel_for_nn/,
  ],
  [
    "a bound whose type is not told",
    9,
    11,
    [node("Source", [], ["s"], {}, { domain: "custom" }), it("Clip", { max: float(1) }, ["s"])],
    /a max of the type of 's', which the model does not tell/,
  ],
  [
    "a node in a branch of a branch",
    9,
    11,
    [node("If", ["b"], ["y"], { then_branch: body(node("If", ["b"], ["z"], { then_branch: body(it("Pad")) })) })],
    /has no attribute 'pads'/,
  ],
])("%s", (_what, from, to, nodes, why) => {
  test(`is refused from opset ${from} to ${to}, by the node's name and with the way out`, async () => {
    const error = await upgraded(at(from, ...nodes), to).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UnsupportedError);
    const { message, place } = error as UnsupportedError;
    expect(place.node).toBe("it");
    expect(message).toMatch(why);
    expect(message).toMatch(new RegExp(`'it'.*, so the model cannot be upgraded from opset ${from} to ${to}; export it with opset ${to}$`));
  });
});

test.each([
  [6, 11],
  [1, 13],
  [13, 22],
])("opset %i to %i is not in the table", async (from, to) => {
  await expect(upgraded(at(from, it("Relu")), to)).rejects.toThrow("from opset 7 to 21 at most");
});

test("any operator with any attributes is upgraded, or refused by its name", async () => {
  const names = [
    "axes",
    "axis",
    "split",
    "starts",
    "ends",
    "k",
    "pads",
    "value",
    "min",
    "max",
    "ratio",
    "spatial",
    "scales",
    "mode",
    "num_groups",
    "__proto__",
  ];
  const number = fc.oneof(fc.integer({ min: -70, max: 70 }), fc.constantFrom(2 ** 63, -(2 ** 63), 2 ** 53, 2 ** 31));
  const attribute: fc.Arbitrary<AttributeSpec> = fc.oneof(
    number,
    fc.array(number, { maxLength: 5 }),
    fc.constantFrom("nearest", "linear", "constant", ""),
    fc.float().map(float),
    fc.array(fc.float(), { maxLength: 4 }).map((floats) => ({ floats })),
    fc.constant(long(1100)),
    fc.constant({ tensor: f32("", [1], [1]) }),
    fc.constant({ strings: ["a", "b"] }),
  );
  const name = fc.constantFrom("a", "b", "");
  const ends = { upgraded: 0, refused: 0 };
  const property = fc.asyncProperty(
    fc.constantFrom(...OPERATORS.keys()),
    fc.array(fc.tuple(fc.constantFrom(...names), attribute), { maxLength: 4 }),
    fc.array(name, { maxLength: 4 }),
    fc.array(fc.constantFrom("y", "z", ""), { maxLength: 3 }),
    fc.tuple(fc.integer({ min: 7, max: 20 }), fc.integer({ min: 8, max: 21 })),
    async (op, attributes, inputs, outputs, [from, to]) => {
      const model = at(from, node(op, inputs, outputs, Object.fromEntries(attributes), { name: "it" }));
      const result = await upgraded(model, Math.max(from, to)).catch((error: unknown) => error);
      if (result instanceof Error) {
        if (!(result instanceof UnsupportedError)) throw result;
        expect(result.message).toContain("'it'");
        ends.refused++;
      } else {
        readOnnx((result as { bytes: Uint8Array }).bytes);
        ends.upgraded++;
      }
    },
  );
  await fc.assert(property, { numRuns: 3000 });
  expect(Math.min(ends.upgraded, ends.refused)).toBeGreaterThan(300);
}, 60_000);
