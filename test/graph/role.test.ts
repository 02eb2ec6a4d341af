import { describe, expect, test } from "vitest";
import { isDecided } from "../../src/graph/dynamic.ts";
import { emptyGraph, type Graph, makeNode, type Node, Values } from "../../src/graph/graph.ts";
import { roleOf } from "../../src/graph/role.ts";
import type { DType } from "../../src/tensor.ts";

/** The role of `w` in a graph of nodes. */
function role(shape: number[], nodes: Node[], { outputs = ["y"], dtype = "float32" as DType } = {}) {
  const main: Graph = { ...emptyGraph(), outputs, initializers: ["w"] };
  const values = new Values(main);
  for (const node of nodes) {
    main.nodes.push(node);
    values.add(node);
  }
  for (const name of outputs) values.addOutput(name);
  for (const name of ["w", "v"]) values.addConstant(name);
  return roleOf(values, { name: "w", dtype, shape }, main);
}

const node = makeNode;

describe("the role of a weight", () => {
  test.each([
    ["MatMul, right", [64, 32], [node("MatMul", ["x", "w"], ["y"])], { op: "MatMul", channel_axis: 1, k_axis: 0 }],
    ["MatMul, left", [64, 32], [node("MatMul", ["w", "x"], ["y"])], { op: "MatMul", channel_axis: 0 }],
    ["batched MatMul", [4, 64, 32], [node("MatMul", ["x", "w"], ["y"])], { op: "MatMul", channel_axis: 2 }],
    ["Gemm", [64, 32], [node("Gemm", ["x", "w", "c"], ["y"])], { op: "Gemm", channel_axis: 1, k_axis: 0 }],
    ["Gemm with transB", [64, 32], [node("Gemm", ["x", "w"], ["y"], { transB: 1 })], { op: "Gemm", channel_axis: 0, k_axis: 1 }],
    ["Gemm with alpha", [64, 32], [node("Gemm", ["x", "w"], ["y"], { transB: 1, alpha: 0.5 })], { op: "Gemm", channel_axis: 0 }],
    ["Gemm's C", [64, 32], [node("Gemm", ["x", "v", "w"], ["y"])], { op: "Gemm", keep: "a bias" }],
    ["Conv", [64, 3, 7, 7], [node("Conv", ["x", "w", "b"], ["y"])], { op: "Conv", channel_axis: 0 }],
    ["ConvTranspose", [64, 32, 2, 2], [node("ConvTranspose", ["x", "w"], ["y"])], { op: "ConvTranspose", channel_axis: 1 }],
    ["Gather", [1000, 32], [node("Gather", ["w", "i"], ["y"])], { op: "Gather", channel_axis: 0 }],
    ["Gather along its last axis", [32, 1000], [node("Gather", ["w", "i"], ["y"], { axis: -1 })], { op: "Gather", channel_axis: 1 }],
    ["LSTM", [1, 256, 64], [node("LSTM", ["x", "w", "r", "b"], ["y"])], { op: "LSTM", channel_axis: 1 }],
    [
      "LayerNormalization",
      [64, 64],
      [node("LayerNormalization", ["x", "w"], ["y"])],
      { op: "LayerNormalization", keep: "a normalization parameter" },
    ],
    ["Add", [64, 64], [node("Add", ["x", "w"], ["y"])], { op: "Add" }],
    ["nothing", [64, 64], [], { op: "no node" }],
    [
      "through Cast",
      [64, 32],
      [node("Cast", ["w"], ["v"], { to: 1 }), node("MatMul", ["x", "v"], ["y"])],
      { op: "MatMul", channel_axis: 1, k_axis: 0 },
    ],
    [
      "through Transpose",
      [64, 32],
      [node("Transpose", ["w"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
      { op: "MatMul", channel_axis: 0, k_axis: 1 },
    ],
    [
      "cut up and joined for a recurrent layer",
      [256, 64],
      [node("Slice", ["w", "s", "e"], ["v"]), node("LSTM", ["x", "v"], ["y"])],
      { op: "Slice", channel_axis: 0 },
    ],
  ] as const)("in %s", (_what, shape, nodes, expected) => {
    const { dynamic: _dynamic, matmul: _matmul, ...rest } = role([...shape], [...nodes]);
    expect(rest).toEqual(expected);
  });

  test("a tied embedding has the channels of both its uses, and cannot be packed for one of them", () => {
    const tied = [node("Gather", ["w", "i"], ["e"]), node("Transpose", ["w"], ["t"], { perm: [1, 0] }), node("MatMul", ["e", "t"], ["y"])];
    expect(role([1000, 64], tied)).toEqual({ op: "Gather", channel_axis: 0, dynamic: { first: "lookup", transposed: false } });
  });

  test.each([
    ["MatMul", [node("MatMul", ["x", "w"], ["y"])], { first: "right", transposed: false, channel_axis: 1 }],
    ["MatMul's left side", [node("MatMul", ["w", "x"], ["y"])], undefined],
    ["MatMul's left side, of a weight", [node("MatMul", ["w", "v"], ["y"])], { first: "left", transposed: false }],
    ["Conv's left side", [node("Conv", ["w", "x"], ["y"])], { first: "left", transposed: false }],
    ["Gemm with transB", [node("Gemm", ["x", "w"], ["y"], { transB: 1 })], { first: "turned", transposed: true, channel_axis: 0 }],
    [
      "Gemm with transB, and in float",
      [node("Gemm", ["x", "w"], ["h"], { transB: 1 }), node("Relu", ["w"], ["y"])],
      { first: "turned", transposed: false, channel_axis: 0 },
    ],
    ["Gemm with beta", [node("Gemm", ["x", "w", "c"], ["y"], { beta: 0.5 })], undefined],
    ["Gather, then MatMul", [node("Gather", ["w", "i"], ["e"]), node("MatMul", ["e", "w"], ["y"])], { first: "lookup", transposed: false }],
    ["MatMul, then Gather", [node("MatMul", ["x", "w"], ["e"]), node("Gather", ["w", "i"], ["y"])], { first: "right", transposed: false }],
    ["ConvTranspose", [node("ConvTranspose", ["x", "w"], ["y"])], undefined],
  ] as const)("under dynamic quantization, in %s", (_what, nodes, expected) => {
    expect(role([64, 64], [...nodes]).dynamic).toEqual(expected);
  });

  test.each([
    ["its W", ["x", "w", "v"], [], { first: "recurrent", transposed: true }],
    ["its R", ["x", "v", "w"], [], { first: "recurrent", transposed: true }],
    ["W beside an activation", ["x", "w", "r"], [], undefined],
    ["W, and something else", ["x", "w", "v"], [node("Relu", ["w"], ["z"])], undefined],
    ["W, whose R something else reads", ["x", "w", "v"], [node("Relu", ["v"], ["z"])], undefined],
  ] as const)("under dynamic quantization, in LSTM: %s", (_what, inputs, others, expected) => {
    expect(role([1, 64, 16], [node("LSTM", [...inputs], ["y"]), ...others]).dynamic).toEqual(expected);
    expect(role([1, 64, 16], [node("LSTM", [...inputs], ["y"], { layout: 1 }), ...others]).dynamic).toBeUndefined();
  });

  test("a weight of MatMul is one for q4, and whether it must stay in float besides", () => {
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"])]).matmul).toEqual({ besides: false });
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"])], { outputs: ["y", "w"] }).matmul).toEqual({ besides: true });
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"]), node("Relu", ["w"], ["z"])]).matmul).toEqual({ besides: true });
    expect(role([64, 64], [node("MatMul", ["w", "w"], ["y"])]).matmul).toEqual({ besides: true });
    expect(role([64, 32], [node("Gemm", ["x", "w"], ["y"])]).matmul).toBeUndefined();
    expect(role([64, 32], [node("Cast", ["w"], ["v"], { to: 1 }), node("MatMul", ["x", "v"], ["y"])]).matmul).toBeUndefined();
  });

  test("what is not known yet decides about a left side and an LSTM's weight", () => {
    const main: Graph = { ...emptyGraph(), initializers: ["w"] };
    const values = new Values(main);
    values.addConstant("w");
    values.add(node("MatMul", ["w", "b"], ["y"]));
    expect(isDecided(values, "w", main)).toBe(false);
    expect(isDecided(values, "b", main)).toBe(true);
    values.addConstant("b");
    expect(isDecided(values, "w", main)).toBe(true);
  });

  test("a weight that leaves the graph is not packed", () => {
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"])], { outputs: ["y", "w"] }).k_axis).toBeUndefined();
  });

  test("products in double precision are not packed", () => {
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"])], { dtype: "float64" }).k_axis).toBeUndefined();
    expect(role([64, 32], [node("MatMul", ["x", "w"], ["y"])], { dtype: "float16" }).k_axis).toBe(0);
  });

  test("a cycle of Casts ends", () => {
    expect(role([64, 32], [node("Cast", ["w"], ["a"], { to: 1 }), node("Cast", ["a"], ["w"], { to: 1 })])).toMatchObject({ op: "no node" });
  });

  test("a subgraph's name hides the outer one", () => {
    const inner: Graph = { ...emptyGraph(), initializers: ["w"], outputs: ["z"] };
    const main: Graph = { ...emptyGraph(), initializers: ["w"], outputs: ["y"] };
    inner.parent = main;
    inner.nodes.push(node("MatMul", ["x", "w"], ["z"]));
    const branch: Node = { ...node("If", ["c"], ["y"]), graphs: [inner] };
    main.nodes.push(branch);
    const values = new Values(main);
    values.add(branch);
    expect(roleOf(values, { name: "w", dtype: "float32", shape: [64, 32] }, main)).toEqual({ op: "no node" });
    expect(roleOf(values, { name: "w", dtype: "float32", shape: [64, 32] }, inner)).toMatchObject({ op: "MatMul", channel_axis: 1 });
  });
});
