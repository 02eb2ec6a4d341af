/** Nodes that hand on what they are given, and pairs that one does the work of. */
import { describe, expect, test } from "vitest";
import { type AttributeSpec, f32, i64, type NodeSpec, node, type TensorSpec, tensor, value } from "../kit/onnx.ts";
import { BOOL, expectOperators, expectUnchanged, FLOAT, INT64, optimized } from "./optimized.ts";

type Attributes = Record<string, AttributeSpec>;
interface Case {
  what: string;
  op_type: string;
  attributes?: Attributes;
  /** Inputs in their order; x is the value that is handed on. */
  inputs?: string[];
  constants?: TensorSpec[];
  opset?: number;
}

const ones = (name: string, dims: number[]) => f32(name, dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1));
const zeros = (name: string, dims: number[]) => f32(name, dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));

/** Of a value x[2, 3, 4]. */
const HANDS_ON: Case[] = [
  { what: "Identity", op_type: "Identity" },
  { what: "Dropout at inference", op_type: "Dropout", opset: 9 },
  {
    what: "Dropout that does not train",
    op_type: "Dropout",
    inputs: ["x", "", "no"],
    constants: [tensor("no", BOOL, [], Uint8Array.of(0))],
  },
  { what: "Cast to the type that is there", op_type: "Cast", attributes: { to: FLOAT } },
  { what: "Concat of one", op_type: "Concat", attributes: { axis: 1 } },
  ...["Sum", "Mean", "Max", "Min"].map((op_type) => ({ what: `${op_type} of one`, op_type })),
  { what: "Transpose that moves nothing", op_type: "Transpose", attributes: { perm: [0, 1, 2] } },
  { what: "Reshape to the same", op_type: "Reshape", inputs: ["x", "s"], constants: [i64("s", [2, -1, 4])] },
  { what: "Reshape that copies", op_type: "Reshape", inputs: ["x", "s"], constants: [i64("s", [0, 0, 0])] },
  { what: "Expand to the same", op_type: "Expand", inputs: ["x", "s"], constants: [i64("s", [1, 3, 1])] },
  { what: "Slice of all", op_type: "Slice", inputs: ["x", "a", "b"], constants: [i64("a", [0, 0]), i64("b", [9, 3])] },
  { what: "Slice of all by attributes", op_type: "Slice", attributes: { starts: [0], ends: [100], axes: [1] }, opset: 9 },
  { what: "Pad by nothing", op_type: "Pad", inputs: ["x", "p"], constants: [i64("p", [0, 0, 0, 0, 0, 0])] },
  { what: "Pad by nothing, as attributes", op_type: "Pad", attributes: { pads: [0, 0, 0, 0, 0, 0] }, opset: 9 },
  { what: "Tile once", op_type: "Tile", inputs: ["x", "r"], constants: [i64("r", [1, 1, 1])] },
  { what: "Add of zero", op_type: "Add", inputs: ["x", "c"], constants: [zeros("c", [])] },
  { what: "Add of zeros on the left", op_type: "Add", inputs: ["c", "x"], constants: [zeros("c", [3, 1])] },
  { what: "Sub of zero", op_type: "Sub", inputs: ["x", "c"], constants: [zeros("c", [1])] },
  { what: "Mul by one", op_type: "Mul", inputs: ["c", "x"], constants: [ones("c", [])] },
  { what: "Mul by ones", op_type: "Mul", inputs: ["x", "c"], constants: [ones("c", [2, 3, 4])] },
  { what: "Div by one", op_type: "Div", inputs: ["x", "c"], constants: [ones("c", [1, 1, 1])] },
];

const MEANS_SOMETHING: Case[] = [
  { what: "Cast to another type", op_type: "Cast", attributes: { to: 11 } },
  { what: "Transpose", op_type: "Transpose", attributes: { perm: [0, 2, 1] } },
  { what: "Transpose without perm, which turns all round", op_type: "Transpose" },
  { what: "Concat of two", op_type: "Concat", inputs: ["x", "x"], attributes: { axis: 1 } },
  { what: "Reshape to another shape of as many elements", op_type: "Reshape", inputs: ["x", "s"], constants: [i64("s", [3, 2, 4])] },
  {
    what: "Slice backwards",
    op_type: "Slice",
    inputs: ["x", "a", "b", "axes", "steps"],
    constants: [i64("a", [-1]), i64("b", [-100]), i64("axes", [1]), i64("steps", [-1])],
  },
  { what: "Slice of a part", op_type: "Slice", inputs: ["x", "a", "b"], constants: [i64("a", [0, 0, 1]), i64("b", [9, 3, 9])] },
  { what: "Pad", op_type: "Pad", inputs: ["x", "p"], constants: [i64("p", [0, 0, 0, 0, 0, 1])] },
  { what: "Pad that cuts", op_type: "Pad", inputs: ["x", "p"], constants: [i64("p", [0, 0, 0, 0, 0, -1])] },
  { what: "Tile", op_type: "Tile", inputs: ["x", "r"], constants: [i64("r", [1, 2, 1])] },
  { what: "Add of zeros that makes it larger", op_type: "Add", inputs: ["x", "c"], constants: [zeros("c", [5, 1, 1, 1])] },
  { what: "Add of zero that adds a dimension", op_type: "Add", inputs: ["x", "c"], constants: [zeros("c", [1, 1, 1, 1])] },
  { what: "Mul by one and two", op_type: "Mul", inputs: ["x", "c"], constants: [f32("c", [4], [1, 1, 1, 2])] },
  { what: "Sub from zero", op_type: "Sub", inputs: ["c", "x"], constants: [zeros("c", [])] },
  { what: "Div of one", op_type: "Div", inputs: ["c", "x"], constants: [ones("c", [])] },
  { what: "Unsqueeze", op_type: "Unsqueeze", inputs: ["x", "a"], constants: [i64("a", [0])] },
];

const graph = (middle: NodeSpec, constants: readonly TensorSpec[] = []) => ({
  nodes: [node("Relu", ["in"], ["x"]), middle, node("Tanh", ["middle"], ["y"])],
  initializers: constants,
  inputs: { in: [2, 3, 4] },
  outputs: [middle.attributes.to === 11 ? value("y", 11) : "y"],
});
const middleOf = ({ op_type, inputs = ["x"], attributes = {} }: Case): NodeSpec => node(op_type, inputs, ["middle"], attributes);
const opsetOf = ({ opset }: Case) => (opset === undefined ? {} : { opset });

describe("a node that hands on its input goes", () => {
  test.each(HANDS_ON)("$what", async (each) => {
    await expectOperators(graph(middleOf(each), each.constants), "Relu Tanh", opsetOf(each));
  });

  test.each(HANDS_ON)("$what, before an output of the graph, which keeps its name", async (each) => {
    const nodes = [node("Relu", ["in"], ["x"]), middleOf(each)];
    const small = { nodes, initializers: each.constants ?? [], inputs: { in: [2, 3, 4] }, outputs: ["middle"] };
    await expectOperators(small, "Relu", opsetOf(each));
  });

  test.each(HANDS_ON)("$what, unless it hands an input to an output of the graph", async (each) => {
    const small = { nodes: [middleOf(each)], initializers: each.constants ?? [], inputs: { x: [2, 3, 4] }, outputs: ["middle"] };
    await expectUnchanged(small, opsetOf(each));
  });
});

describe("a node that does something stays", () => {
  test.each(MEANS_SOMETHING)("$what", async (each) => {
    const { after } = await optimized(graph(middleOf(each), each.constants), opsetOf(each));
    expect(after.join(" ")).toBe(`Relu ${each.op_type} Tanh`);
  });

  test("Dropout whose mask is read", async () => {
    const nodes = [node("Relu", ["in"], ["x"]), node("Dropout", ["x"], ["d", "mask"]), node("Not", ["mask"], ["y"])];
    await expectUnchanged({ nodes, inputs: { in: [2, 3] }, outputs: [value("y", BOOL), "d"] });
  });

  test("Dropout that trains, or may", async () => {
    for (const constants of [[tensor("yes", BOOL, [], Uint8Array.of(1))], []]) {
      const middle = node("Dropout", ["x", "ratio", "yes"], ["middle"]);
      const small = graph(middle, [f32("ratio", [], [0.5]), ...constants]);
      const inputs = [value("in", FLOAT, [2, 3, 4]), ...(constants.length > 0 ? [] : [value("yes", BOOL, [])])];
      await expectUnchanged({ ...small, inputs }, { runs: false });
    }
  });

  test("an operation on a value of unknown shape", async () => {
    const small = graph(node("Add", ["x", "c"], ["middle"]), [zeros("c", [1, 1, 1])]);
    await expectUnchanged(
      { ...small, inputs: [value("in", FLOAT)] },
      { feeds: { in: { type: "float32", dims: [4], data: new Float32Array(4) } } },
    );
  });

  test("an operator of the same name in another domain", async () => {
    const own = node("Identity", ["x"], ["middle"], {}, { domain: "custom" });
    await expectUnchanged(graph(own), { runs: false });
  });
});

describe("readers of what goes", () => {
  const inner = (name: string) => ({
    name: "inner",
    nodes: [node("Neg", [name], ["out"])],
    inputs: [],
    outputs: [value("out", FLOAT)],
  });
  const branches = (name: string) => ({
    then_branch: { graph: inner(name) },
    else_branch: { graph: { ...inner(name), nodes: [node("Abs", [name], ["out"])] } },
  });
  const condition = { condition: { type: "bool", dims: [], data: Uint8Array.of(1) } } as const;
  const inputs = [value("in", FLOAT, [2, 3]), value("condition", BOOL, [])];

  test("in a subgraph still find it: its maker writes under the name they know", async () => {
    const nodes = [node("Relu", ["in"], ["x"]), node("Identity", ["x"], ["middle"]), node("If", ["condition"], ["y"], branches("middle"))];
    await expectOperators({ nodes, inputs, outputs: ["y"] }, "Relu If", { feeds: condition });
  });

  test("in a subgraph keep a node that others read through too", async () => {
    const nodes = [
      node("Relu", ["in"], ["x"]),
      node("Identity", ["x"], ["middle"]),
      node("If", ["condition"], ["y"], branches("middle")),
      node("Tanh", ["x"], ["z"]),
    ];
    await expectUnchanged({ nodes, inputs, outputs: ["y", "z"] }, { feeds: condition });
  });

  test("in a subgraph that has a value of the same name are none", async () => {
    const own = {
      name: "inner",
      nodes: [node("Abs", ["in"], ["middle"]), node("Neg", ["middle"], ["out"])],
      inputs: [],
      outputs: [value("out", FLOAT)],
    };
    const nodes = [
      node("Relu", ["in"], ["x"]),
      node("Identity", ["x"], ["middle"]),
      node("Tanh", ["middle"], ["z"]),
      node("If", ["condition"], ["y"], { then_branch: { graph: own }, else_branch: { graph: own } }),
    ];
    const { model } = await expectOperators({ nodes, inputs, outputs: ["y", "z"] }, "Relu Tanh If", { feeds: condition });
    expect(model.nodes.find(({ op_type }) => op_type === "Tanh")?.inputs).toEqual(["x"]);
  });

  test("that a subgraph gives out are outputs", async () => {
    const straight = { name: "inner", nodes: [], inputs: [], outputs: [value("middle", FLOAT)] };
    const nodes = [
      node("Relu", ["in"], ["x"]),
      node("Identity", ["x"], ["middle"]),
      node("If", ["condition"], ["y"], { then_branch: { graph: straight }, else_branch: { graph: inner("in") } }),
    ];
    // onnxruntime refuses a branch that gives out an outer value, so only what came out is looked at.
    const { model } = await expectOperators({ nodes, inputs, outputs: ["y"] }, "Relu If", { feeds: condition, runs: false });
    expect(model.nodes[0]?.outputs).toEqual(["middle"]);
  });

  test.each([
    ["one after another", ["Relu", "Identity:a", "Identity:b"]],
    ["in a file that is not sorted", ["Identity:b", "Identity:a", "Relu"]],
  ])("a chain before an output, %s", async (_how, order) => {
    const all: Record<string, NodeSpec> = {
      Relu: node("Relu", ["in"], ["x"]),
      "Identity:a": node("Identity", ["x"], ["s"]),
      "Identity:b": node("Identity", ["s"], ["y"]),
    };
    await expectOperators({ nodes: order.map((name) => all[name] as NodeSpec), inputs: { in: [2, 3] }, outputs: ["y"] }, "Relu");
  });

  test("two outputs of one value stay two", async () => {
    const nodes = [node("Relu", ["in"], ["x"]), node("Identity", ["x"], ["y"]), node("Identity", ["x"], ["z"])];
    const { outputs } = await optimized({ nodes, inputs: { in: [2, 3] }, outputs: ["y", "z"] });
    expect(Object.keys(outputs)).toEqual(["y", "z"]);
  });
});

describe("two Transposes", () => {
  const small = (a: number[], b: number[], more: NodeSpec[] = [], outputs = ["y"]) => ({
    nodes: [
      node("Relu", ["in"], ["x"]),
      node("Transpose", ["x"], ["t"], { perm: a }),
      node("Transpose", ["t"], ["u"], { perm: b }),
      node("Tanh", ["u"], ["y"]),
      ...more,
    ],
    inputs: { in: [2, 3, 4] },
    outputs,
  });

  test("become one", async () => {
    const { model } = await expectOperators(small([2, 0, 1], [0, 2, 1]), "Relu Transpose Tanh");
    expect(model.nodes[1]?.attributes.get("perm")).toEqual([2, 1, 0]);
  });

  test("that undo each other become none", async () => {
    await expectOperators(small([0, 2, 1], [0, 2, 1]), "Relu Tanh");
  });

  test("stay where something else reads what is between, or it is an output", async () => {
    await expectUnchanged(small([2, 0, 1], [0, 2, 1], [node("Neg", ["t"], ["z"])], ["y", "z"]));
    await expectUnchanged(small([2, 0, 1], [0, 2, 1], [], ["y", "t"]));
  });
});

describe("two Reshapes", () => {
  const small = (a: number[], b: number[], dims: (number | string)[] = [2, 3, 4]) => ({
    nodes: [
      node("Relu", ["in"], ["x"]),
      node("Reshape", ["x", "a"], ["t"]),
      node("Reshape", ["t", "b"], ["u"]),
      node("Tanh", ["u"], ["y"]),
    ],
    initializers: [i64("a", a), i64("b", b)],
    inputs: { in: dims },
    outputs: ["y"],
  });

  test("become one, or none", async () => {
    await expectOperators(small([6, 4], [4, 6]), "Relu Reshape Tanh");
    await expectOperators(small([6, 4], [3, -1]), "Relu Reshape Tanh");
    await expectOperators(small([6, 4], [2, 3, 4]), "Relu Tanh");
  });

  test("compute the same where the second copies a dimension of the first", async () => {
    const { outputs } = await optimized(small([6, 4], [0, 2, 2]));
    expect(outputs.y?.dims).toEqual([6, 2, 2]);
    const { outputs: dynamic } = await optimized(small([-1, 4], [0, 2, 2], ["n", 3, 4]), { sizes: { n: 5 } });
    expect(dynamic.y?.dims).toEqual([15, 2, 2]);
  });
});

test("an int64 value is handed on as well", async () => {
  const nodes = [node("Neg", ["in"], ["x"]), node("Mul", ["x", "one"], ["middle"]), node("Abs", ["middle"], ["y"])];
  const small = { nodes, initializers: [i64("one", [1])], inputs: [value("in", INT64, [4])], outputs: [value("y", INT64)] };
  await expectOperators(small, "Neg Abs");
});
