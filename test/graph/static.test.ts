import { describe, expect, test } from "vitest";
import { type Attribute, emptyGraph, type Graph, makeNode, type Node, Values } from "../../src/graph/graph.ts";
import { planStatic, type StaticPlan } from "../../src/graph/static.ts";

/** Nodes as `output = op_type(inputs)`; names in upper case are constants, of so many axes as `ranks` says, 4 unless it does. */
function plan(
  lines: readonly string[],
  { ranks = {}, outputs = ["y"], attributes = {}, excluded = [] }: Partial<Options> = {},
): { plan: StaticPlan; activations: string[] } {
  const graph: Graph = { ...emptyGraph(), inputs: ["x"], outputs: [...outputs] };
  const values = new Values(graph);
  graph.nodes = lines.map((line): Node => {
    const [, output = "", op_type = "", inputs = ""] = /^(.+) = (\w+)\((.*)\)$/.exec(line) ?? [];
    return makeNode(op_type, inputs.split(", "), output.split(", "), attributes[op_type] ?? {});
  });
  for (const node of graph.nodes) values.add(node);
  for (const name of outputs) values.addOutput(name);
  const isConstant = (name: string) => /^[A-Z]/.test(name);
  const made = planStatic(graph, values, {
    isActivation: (name) => name !== "" && !isConstant(name),
    rankOf: (name) => (isConstant(name) ? (ranks[name] ?? 4) : undefined),
    isExcluded: ({ output }) => excluded.includes(output[0] ?? ""),
  });
  return { plan: made, activations: [...made.activations.keys()] };
}

interface Options {
  ranks: Record<string, number>;
  outputs: readonly string[];
  attributes: Record<string, Record<string, Attribute>>;
  excluded: readonly string[];
}

describe("activations", () => {
  test.each<[what: string, lines: string[], expected: string[], options?: Partial<Options>]>([
    ["around a product", ["y = Conv(x, W)"], ["x", "y"]],
    ["once a clamp has cut them", ["a = Conv(x, W)", "y = Relu(a)"], ["x", "y"]],
    ["before a clamp that others do not see", ["a = Conv(x, W)", "b = Relu(a)", "y = Add(a, b)"], ["x", "a", "b", "y"]],
    ["before a clamp, where they leave the graph", ["a = Conv(x, W)", "y = Relu(a)"], ["x", "a", "y"], { outputs: ["a", "y"] }],
    ["before a clamp that is left in float", ["a = Conv(x, W)", "y = Relu(a)"], ["x", "a"], { excluded: ["y"] }],
    ["of a gate", ["a = Conv(x, W)", "b = Sigmoid(a)", "y = Mul(a, b)"], ["x", "a", "b", "y"]],
    ["of a sum with a constant", ["a = Conv(x, W)", "y = Add(a, C)"], ["x", "a", "y"]],
    ["not of a sum with what is float", ["a = Conv(x, W)", "b = Erf(a)", "y = Mul(a, b)"], ["x", "a"]],
    ["not of sums that no product feeds", ["a = Add(x, C)", "y = Sqrt(a)"], []],
    ["not behind what has no integers", ["a = Conv(x, W)", "b = Exp(a)", "y = Relu(b)"], ["x", "a"]],
    ["of a product of two activations", ["a = Relu(x)", "y = MatMul(x, a)"], ["x", "a", "y"]],
    ["not of a Gemm that scales", ["y = Gemm(x, W)"], [], { attributes: { Gemm: { alpha: 0.5 } } }],
    ["not of what is excluded", ["a = Conv(x, W)", "y = Conv(a, V)"], ["x", "a"], { excluded: ["y"] }],
    [
      "not of a Resize that may leave the range",
      ["a = Conv(x, W)", "y = Resize(a)"],
      ["x", "a"],
      { attributes: { Resize: { mode: "cubic" } } },
    ],
  ])("are integers %s", (_, lines, expected, options) => expect(plan(lines, options).activations).toEqual(expected));

  test("share the scale of what they are moved from, through several moves", () => {
    const { activations } = plan(["a = Conv(x, W)", "b = MaxPool(a)", "c = Transpose(b)", "y, z = Split(c)"]).plan;
    expect([...activations]).toEqual([
      ["x", undefined],
      ["a", undefined],
      ["b", "a"],
      ["c", "a"],
      ["y", "a"],
      ["z", "a"],
    ]);
  });

  test("share the scale of a table that they are looked up in, and are summed in float", () => {
    const { activations, constants } = plan(["a = Gather(T, i)", "b = Gather(P, i)", "y = Add(a, b)"], { ranks: { T: 2, P: 2 } }).plan;
    expect([...activations]).toEqual([
      ["a", "T"],
      ["b", "P"],
    ]);
    expect([...constants.keys()]).toEqual(["T", "P"]);
  });
});

describe("constants", () => {
  test("of products have the axis of their channels", () => {
    const lines = ["a = Conv(x, A)", "b = ConvTranspose(a, B)", "c = MatMul(b, C)", "d = MatMul(c, D)", "y = Gemm(d, E)"];
    const { constants } = plan(lines, { ranks: { C: 2, D: 3, E: 2 }, attributes: { Gemm: { transB: 1 } } }).plan;
    expect([...constants.values()]).toEqual([
      { product: true, channel_axis: 0 },
      { product: true, channel_axis: 1 },
      { product: true, channel_axis: 1 },
      { product: true },
      { product: true, channel_axis: 0 },
    ]);
  });

  test("that are biases belong to their products, unless something else reads them", () => {
    const lines = ["a = Conv(x, W, B)", "b = Conv(a, V, C)", "y = Add(b, C)"];
    expect(plan(lines, { ranks: { B: 1, C: 1 } }).plan.biased).toEqual([{ x: "x", weight: "W", bias: "B", output: "a" }]);
  });
});
