/** What nobody reads goes; what a subgraph, an output or a caller may read stays. */
import { expect, test } from "vitest";
import { f32, node, randn, value } from "../kit/onnx.ts";
import { BOOL, expectOperators, expectUnchanged, FLOAT } from "./optimized.ts";

const w = (name: string) => f32(name, [8, 8], randn(64, name.charCodeAt(0), 0.3));

test("nodes that nobody reads go, with the weights that only they read", async () => {
  const nodes = [
    node("Relu", ["in"], ["y"]),
    node("MatMul", ["in", "w"], ["a"]),
    node("Tanh", ["a"], ["b"]),
    node("MatMul", ["b", "v"], ["c"]),
  ];
  const { model, report } = await expectOperators(
    { nodes, initializers: [w("w"), w("v")], inputs: { in: [2, 8] }, outputs: ["y"] },
    "Relu",
  );
  expect(model.initializers.size).toBe(0);
  expect(report?.tensors.map(({ name, action, reason }) => [name, action, reason])).toEqual([
    ["w", "dropped", "nothing reads it"],
    ["v", "dropped", "nothing reads it"],
  ]);
});

test("a node of which one output is read stays, with all its outputs", async () => {
  const nodes = [node("Split", ["in"], ["a", "b", "c"], { axis: 0 }), node("Relu", ["b"], ["y"])];
  await expectUnchanged({ nodes, inputs: { in: [6, 2] }, outputs: ["y"] }, { opset: 11 });
});

test("an input that nobody reads stays", async () => {
  const small = { nodes: [node("Relu", ["in"], ["y"]), node("Neg", ["other"], ["z"])], inputs: { in: [2], other: [3] }, outputs: ["y"] };
  const { model } = await expectOperators(small, "Relu");
  expect(model.inputs.map(({ name }) => name)).toEqual(["in", "other"]);
});

test("what is read in a subgraph only, or in one within it, stays", async () => {
  const innermost = { name: "innermost", nodes: [node("MatMul", ["a", "w"], ["o"])], inputs: [], outputs: [value("o", FLOAT)] };
  const inner = (name: string) => ({
    name,
    nodes: [node("If", ["condition"], ["out"], { then_branch: { graph: innermost }, else_branch: { graph: innermost } })],
    inputs: [],
    outputs: [value("out", FLOAT)],
  });
  const nodes = [
    node("Tanh", ["in"], ["a"]),
    node("If", ["condition"], ["y"], { then_branch: { graph: inner("then") }, else_branch: { graph: inner("else") } }),
  ];
  const inputs = [value("in", FLOAT, [2, 8]), value("condition", BOOL, [])];
  const feeds = { condition: { type: "bool", dims: [], data: Uint8Array.of(0) } } as const;
  await expectUnchanged({ nodes, initializers: [w("w")], inputs, outputs: ["y"] }, { feeds });
});

test("what only a value of its name in a subgraph is read as goes", async () => {
  const own = { name: "own", nodes: [node("Neg", ["in"], ["a"]), node("Abs", ["a"], ["out"])], inputs: [], outputs: [value("out", FLOAT)] };
  const nodes = [
    node("Tanh", ["in"], ["a"]),
    node("If", ["condition"], ["y"], { then_branch: { graph: own }, else_branch: { graph: own } }),
  ];
  const inputs = [value("in", FLOAT, [2, 8]), value("condition", BOOL, [])];
  const feeds = { condition: { type: "bool", dims: [], data: Uint8Array.of(0) } } as const;
  // onnxruntime refuses a name that is defined in both graphs, so only what came out is looked at.
  await expectOperators({ nodes, inputs, outputs: ["y"] }, "If", { feeds, runs: false });
});

test("an initializer that is an output of the graph stays", async () => {
  const small = {
    nodes: [node("Relu", ["in"], ["y"]), node("Neg", ["w"], ["z"])],
    initializers: [w("w")],
    inputs: { in: [2] },
    outputs: ["y", value("w", FLOAT, [8, 8])],
  };
  const { model } = await expectOperators(small, "Relu");
  expect([...model.initializers.keys()]).toEqual(["w"]);
});

test("a default that callers may override stays an input, and is not taken for what they may give", async () => {
  const scale = f32("scale", [], [1]);
  const small = {
    nodes: [node("Identity", ["in"], ["x"]), node("Mul", ["x", "scale"], ["m"]), node("Relu", ["m"], ["y"])],
    initializers: [scale],
    inputs: [value("in", FLOAT, [4]), value("scale", FLOAT, [])],
    outputs: ["y"],
  };
  const { model } = await expectOperators(small, "Mul Relu");
  expect(model.inputs.map(({ name }) => name)).toEqual(["in", "scale"]);
});

test("in IR 3, where every initializer is an input, all are constants", async () => {
  const small = {
    nodes: [node("Identity", ["in"], ["x"]), node("Mul", ["x", "scale"], ["m"]), node("Relu", ["m"], ["y"])],
    initializers: [f32("scale", [], [1])],
    inputs: [value("in", FLOAT, [4]), value("scale", FLOAT, [])],
    outputs: ["y"],
  };
  const { model } = await expectOperators(small, "Relu", { opset: 8, ir_version: 3 });
  expect(model.inputs.map(({ name }) => name)).toEqual(["in"]);
});

test("in IR 3, what is lifted out of a Constant is an input too", async () => {
  const k = { value: { tensor: f32("", [4], [1, 2, 3, 4]) } };
  const nodes = [
    node("Constant", [], ["k"], k),
    node("Constant", [], ["l"], k),
    node("Neg", ["k"], ["m"]),
    node("Add", ["in", "m"], ["a"]),
    node("Mul", ["a", "l"], ["y"]),
  ];
  const { model } = await expectOperators({ nodes, inputs: [value("in", FLOAT, [4])], outputs: ["y"] }, "Add Mul", {
    opset: 8,
    ir_version: 3,
  });
  expect(model.inputs.map(({ name }) => name).sort()).toEqual(["in", ...model.initializers.keys()].sort());
});
