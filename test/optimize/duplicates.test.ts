/** Equal constants, and nodes that compute the same. */
import { describe, expect, test } from "vitest";
import { f32, i64, node, randn, tensor, value } from "../kit/onnx.ts";
import { expectOperators, expectUnchanged, FLOAT, FLOAT16, optimized } from "./optimized.ts";

const data = randn(64 * 8, 1, 0.2);
const w = (name: string, change?: number) =>
  f32(name, [64, 8], change === undefined ? data : data.map((x, i) => (i === change ? x + 1 : x)));
const products = (...names: string[]) => [
  ...names.map((name, i) => node("MatMul", ["in", name], [`p${i}`])),
  node(
    "Sum",
    names.map((_, i) => `p${i}`),
    ["y"],
  ),
];
const reads = (left: string, right: string) => [
  node("MatMul", ["in", left], ["a"]),
  node("Tanh", ["a"], ["b"]),
  node("Reshape", ["b", "s"], ["c"]),
  node("MatMul", ["c", right], ["y"]),
];

describe("constants", () => {
  test("that are equal are one, and the report says of which", async () => {
    const small = { nodes: reads("w", "v"), initializers: [w("w"), w("v"), i64("s", [-1, 64])], inputs: { in: [8, 64] }, outputs: ["y"] };
    const { model, report } = await expectOperators(small, "MatMul Tanh Reshape MatMul");
    expect([...model.initializers.keys()]).toEqual(["w", "s"]);
    expect(report?.tensors.find(({ name }) => name === "v")).toMatchObject({
      action: "dropped",
      reason: "the same as 'w'",
      bytes: [2048, 0],
    });
  });

  test("that differ in the last element, in shape or in type are two", async () => {
    await expectUnchanged({
      nodes: reads("w", "v"),
      initializers: [w("w"), w("v", 511), i64("s", [-1, 64])],
      inputs: { in: [8, 64] },
      outputs: ["y"],
    });
    const turned = f32("v", [8, 64], data);
    const nodes = [node("MatMul", ["in", "w"], ["a"]), node("MatMul", ["a", "v"], ["y"])];
    await expectUnchanged({ nodes, initializers: [w("w"), turned], inputs: { in: [3, 64] }, outputs: ["y"] });
    const half = tensor("h", FLOAT16, [8], new Uint16Array(8));
    const casts = [
      node("Cast", ["in"], ["c"], { to: FLOAT16 }),
      node("Mul", ["c", "h"], ["m"]),
      node("Cast", ["m"], ["f"], { to: FLOAT }),
      node("Gather", ["f", "i"], ["y"]),
    ];
    await expectUnchanged({
      nodes: casts,
      initializers: [half, tensor("i", 6, [4], new Int32Array(4))],
      inputs: { in: [8] },
      outputs: ["y"],
    });
  });

  test("that are an output, or read in a subgraph, stay under their names", async () => {
    const small = { nodes: products("w", "v"), initializers: [w("w"), w("v")], inputs: { in: [3, 64] } };
    await expectUnchanged({ ...small, outputs: ["y", "v"] });
    const branch = { name: "inner", nodes: [node("MatMul", ["in", "v"], ["out"])], inputs: [], outputs: [value("out", FLOAT)] };
    const nodes = [
      node("If", ["condition"], ["a"], { then_branch: { graph: branch }, else_branch: { graph: branch } }),
      node("MatMul", ["in", "w"], ["b"]),
      node("Sub", ["a", "b"], ["y"]),
    ];
    const inputs = [value("in", FLOAT, [3, 64]), value("condition", 9, [])];
    const feeds = { condition: { type: "bool", dims: [], data: Uint8Array.of(1) } } as const;
    const { model } = await optimized({ ...small, nodes, inputs, outputs: ["y"] }, { feeds });
    expect(model.initializers.has("v")).toBe(true);
  });

  test("-0 is not 0, and NaN is NaN", async () => {
    const four = (name: string, x: number) => f32(name, [4], [x, 1, 2, 3]);
    const nodes = [node("Div", ["in", "a"], ["p"]), node("Div", ["in", "b"], ["q"]), node("Max", ["p", "q"], ["y"])];
    await expectUnchanged({ nodes, initializers: [four("a", 0), four("b", -0)], inputs: { in: [4] }, outputs: ["y"] });
    const same = await optimized(
      { nodes, initializers: [four("a", Number.NaN), four("b", Number.NaN)], inputs: { in: [4] }, outputs: ["y"] },
      { runs: false },
    );
    expect(same.model.initializers.size).toBe(1);
  });
});

describe("nodes", () => {
  const twice = (op_type: string, one: Record<string, number | { float: number } | number[]>, other = one, inputs = ["x"]) => ({
    nodes: [
      node("Relu", ["in"], ["x"]),
      node(op_type, inputs, ["a"], one, { name: "first" }),
      node(op_type, inputs, ["b"], other, { name: "second" }),
      node("Concat", ["a", "b"], ["y"], { axis: 0 }),
    ],
    inputs: { in: [2, 3] },
    outputs: ["y"],
  });

  test("that do the same become one", async () => {
    await expectOperators(twice("Softmax", { axis: 1 }), "Relu Softmax Concat");
    await expectOperators(twice("LeakyRelu", { alpha: { float: 0.3 } }), "Relu LeakyRelu Concat");
  });

  test("that differ in an attribute stay two, be it one that JSON does not tell", async () => {
    await expectUnchanged(twice("Softmax", { axis: 1 }, { axis: 0 }));
    await expectUnchanged(twice("LeakyRelu", { alpha: { float: 0.3 } }, { alpha: { float: 0.30001 } }));
    await expectUnchanged(
      twice("LeakyRelu", { alpha: { float: Number.POSITIVE_INFINITY } }, { alpha: { float: Number.NEGATIVE_INFINITY } }),
    );
  });

  test("that differ in lists too long to be read stay two", async () => {
    const vectorizer = (name: string, last: number, to: string) => {
      const pool = Array.from({ length: 200 }, (_, i) => (i === 199 ? last : i));
      const indexes = pool.map((_, i) => i);
      return node(
        "TfIdfVectorizer",
        ["in"],
        [to],
        {
          mode: "TF",
          min_gram_length: 1,
          max_gram_length: 1,
          max_skip_count: 0,
          ngram_counts: [0],
          ngram_indexes: indexes,
          pool_int64s: pool,
        },
        { name },
      );
    };
    const nodes = [vectorizer("a", 500, "p"), vectorizer("b", 600, "q"), node("Sub", ["p", "q"], ["y"])];
    const feeds = { in: { type: "int64", dims: [4], data: BigInt64Array.of(600n, 1n, 2n, 3n) } } as const;
    await expectUnchanged({ nodes, inputs: [value("in", 7, [4])], outputs: ["y"] }, { feeds });
  });

  test("that are random stay two", async () => {
    await expectUnchanged(twice("RandomNormalLike", {}), { runs: false });
    await expectUnchanged(twice("RandomUniformLike", { seed: { float: 1 } }), { runs: false });
  });

  test("of which the second is an output, or read in a subgraph, stay two", async () => {
    const small = twice("Tanh", {});
    await expectUnchanged({ ...small, outputs: ["y", "b"] });
    const { outputs } = await optimized({ ...small, outputs: ["y", "a"] });
    expect(Object.keys(outputs)).toEqual(["y", "a"]);
  });

  test("whose constants differ in a tensor stay two", async () => {
    const fill = (x: number) => ({ value: { tensor: f32("", [1], [x]) } });
    const nodes = [
      node("Shape", ["in"], ["s"]),
      node("ConstantOfShape", ["s"], ["a"], fill(1)),
      node("ConstantOfShape", ["s"], ["b"], fill(2)),
      node("Sub", ["a", "b"], ["c"]),
      node("Add", ["in", "c"], ["y"]),
    ];
    const { after } = await optimized({ nodes, inputs: { in: ["n", 3] }, outputs: ["y"] });
    expect(after.filter((op) => op === "ConstantOfShape")).toHaveLength(2);
  });

  test("of a chain become one chain", async () => {
    const chain = (to: string) => [node("Tanh", ["x"], [`${to}1`]), node("Neg", [`${to}1`], [`${to}2`])];
    const nodes = [node("Relu", ["in"], ["x"]), ...chain("a"), ...chain("b"), node("Concat", ["a2", "b2"], ["y"], { axis: 0 })];
    await expectOperators({ nodes, inputs: { in: [2, 3] }, outputs: ["y"] }, "Relu Tanh Neg Concat");
  });
});
