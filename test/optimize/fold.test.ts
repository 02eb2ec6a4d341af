/** What can be computed now is. */
import { describe, expect, test } from "vitest";
import { f32, i64, type NodeSpec, node, randn, tensor, value } from "../kit/onnx.ts";
import { BOOL, expectOperators, expectUnchanged, FLOAT, FLOAT16, INT64, optimized } from "./optimized.ts";

const constant = (name: string, spec: ReturnType<typeof f32>): NodeSpec =>
  node("Constant", [], [name], { value: { tensor: { ...spec, name: "" } } });
const w = (name: string, dims: number[]) =>
  f32(
    name,
    dims,
    randn(
      dims.reduce((a, b) => a * b, 1),
      name.length,
      0.3,
    ),
  );
const either = (name: string) => ({ name, nodes: [node("Mul", ["in", "k"], ["out"])], inputs: [], outputs: [value("out", FLOAT)] });
const branches = {
  then_branch: { graph: either("then") },
  else_branch: { graph: { ...either("else"), nodes: [node("Add", ["in", "k"], ["out"])] } },
};
const condition = { condition: { type: "bool", dims: [], data: Uint8Array.of(1) } } as const;

describe("folding", () => {
  test("computes a chain of constants, and says where each weight went", async () => {
    const nodes = [node("Exp", ["a"], ["b"]), node("Transpose", ["b"], ["c"], { perm: [1, 0] }), node("MatMul", ["in", "c"], ["y"])];
    const { model, report } = await expectOperators(
      { nodes, initializers: [w("a", [40, 30])], inputs: { in: [2, 30] }, outputs: ["y"] },
      "MatMul",
    );
    expect(model.initializers.get("c")?.dims).toEqual([30, 40]);
    expect(report?.tensors).toEqual([expect.objectContaining({ name: "a", action: "dropped", reason: "folded into 'b'" })]);
  });

  test("makes initializers of Constant nodes", async () => {
    const nodes = [constant("k", w("", [30])), node("Add", ["in", "k"], ["y"])];
    const { model } = await expectOperators({ nodes, inputs: { in: [2, 30] }, outputs: ["y"] }, "Add");
    expect(model.initializers.get("k")?.dims).toEqual([30]);
  });

  test("computes with the shape of what is static, and not of what is not", async () => {
    const nodes = [
      node("Shape", ["in"], ["s"]),
      node("Gather", ["s", "i"], ["d"], { axis: 0 }),
      node("Cast", ["d"], ["f"], { to: FLOAT }),
      node("Sqrt", ["f"], ["r"]),
      node("Div", ["in", "r"], ["y"]),
    ];
    const initializers = [i64("i", [1], [])];
    const { model } = await expectOperators({ nodes, initializers, inputs: { in: ["n", 16] }, outputs: ["y"] }, "Div");
    expect([...model.initializers.keys()]).toEqual(["r"]);
    await expectUnchanged({ nodes, initializers, inputs: { in: [4, "n"] }, outputs: ["y"] });
  });

  test("leaves a weight alone that is tied, where its result would stand beside it", async () => {
    const nodes = [
      node("Gather", ["table", "ids"], ["e"]),
      node("Transpose", ["table"], ["turned"], { perm: [1, 0] }),
      node("MatMul", ["e", "turned"], ["y"]),
    ];
    const inputs = [value("ids", INT64, [5])];
    await expectUnchanged({ nodes, initializers: [w("table", [96, 32])], inputs, outputs: ["y"] });
  });

  test("does not make a file larger: what is filled or expanded stays to be computed", async () => {
    const nodes = [
      node("Expand", ["one", "s"], ["e"]),
      node("Tile", ["row", "r"], ["t"]),
      node("Add", ["in", "e"], ["a"]),
      node("Add", ["a", "t"], ["y"]),
    ];
    const initializers = [f32("one", [1, 1], [2]), i64("s", [64, 64]), w("row", [1, 64]), i64("r", [64, 1])];
    await expectUnchanged({ nodes, initializers, inputs: { in: [64, 64] }, outputs: ["y"] });
  });

  test("leaves weights that are quantized as they are", async () => {
    const q = tensor(
      "q",
      3,
      [40, 30],
      Int8Array.from({ length: 1200 }, (_, i) => (i % 255) - 127),
    );
    const nodes = [node("DequantizeLinear", ["q", "scale"], ["w"]), node("MatMul", ["in", "w"], ["y"])];
    await expectUnchanged({ nodes, initializers: [q, f32("scale", [], [0.01])], inputs: { in: [2, 40] }, outputs: ["y"] });
  });

  test("leaves what is random, and what goes out of the graph", async () => {
    const random = node("RandomUniform", [], ["r"], { shape: [4], dtype: FLOAT });
    await expectUnchanged({ nodes: [random, node("Add", ["in", "r"], ["y"])], inputs: { in: [4] }, outputs: ["y"] }, { runs: false });
    const nodes = [node("Neg", ["a"], ["z"]), node("Relu", ["in"], ["y"])];
    await expectUnchanged({ nodes, initializers: [w("a", [4])], inputs: { in: [4] }, outputs: ["y", "z"] });
  });

  test("gives a subgraph what it reads from outside under its name", async () => {
    const nodes = [node("Neg", ["a"], ["k"]), node("If", ["condition"], ["y"], branches)];
    const inputs = [value("in", FLOAT, [4]), value("condition", BOOL, [])];
    const { model } = await expectOperators({ nodes, initializers: [w("a", [4])], inputs, outputs: ["y"] }, "If", { feeds: condition });
    expect([...model.initializers.keys()]).toEqual(["k"]);
  });

  test("keeps a weight that a subgraph reads besides", async () => {
    const nodes = [node("Neg", ["k"], ["m"]), node("If", ["condition"], ["z"], branches), node("Mul", ["z", "m"], ["y"])];
    const inputs = [value("in", FLOAT, [4]), value("condition", BOOL, [])];
    const { model } = await expectOperators({ nodes, initializers: [w("k", [4])], inputs, outputs: ["y"] }, "If Mul", { feeds: condition });
    expect([...model.initializers.keys()].sort()).toEqual(["k", "m"]);
  });

  test("takes no default for what a caller may give", async () => {
    const small = {
      nodes: [node("Neg", ["k"], ["m"]), node("Add", ["in", "m"], ["y"])],
      initializers: [w("k", [4])],
      inputs: [value("in", FLOAT, [4]), value("k", FLOAT, [4])],
      outputs: ["y"],
    };
    await expectUnchanged(small);
  });

  test("keeps the tensor that a node holds when its input gets another name", async () => {
    const nodes = [
      node("Shape", ["in"], ["s"]),
      node("Identity", ["s"], ["t"]),
      node("ConstantOfShape", ["t"], ["ones"], { value: { tensor: i64("", [7]) } }),
      node("Cast", ["ones"], ["f"], { to: FLOAT }),
      node("Add", ["in", "f"], ["y"]),
    ];
    const { after } = await optimized({ nodes, inputs: { in: [3, 4] }, outputs: ["y"] });
    expect(after).toEqual(["Add"]);
    const dynamic = await optimized({ nodes, inputs: { in: ["n", 4] }, outputs: ["y"] });
    expect(dynamic.after).toContain("ConstantOfShape");
  });

  test("computes float16 and int64 as onnxruntime does", async () => {
    const half = tensor("h", FLOAT16, [3], Uint16Array.of(0x3c01, 0x77ff, 0x0001));
    const nodes = [
      node("Add", ["h", "h"], ["a"]),
      node("Cast", ["a"], ["f"], { to: FLOAT }),
      node("Div", ["i", "j"], ["q"]),
      node("Cast", ["q"], ["g"], { to: FLOAT }),
      node("Mul", ["f", "g"], ["p"]),
      node("Add", ["in", "p"], ["y"]),
    ];
    const initializers = [half, i64("i", [7, -7, 9]), i64("j", [2, 2, -4])];
    await expectOperators({ nodes, initializers, inputs: { in: [3] }, outputs: ["y"] }, "Add");
  });
});

describe("arithmetic on shapes", () => {
  /** Splits heads as exporters write it: [batch, length, 8] → [batch, length, 2, 4]. */
  const heads = [
    node("Shape", ["in"], ["s"]),
    node("Gather", ["s", "zero"], ["b"], { axis: 0 }),
    node("Gather", ["s", "one"], ["l"], { axis: 0 }),
    node("Unsqueeze", ["b", "first"], ["b1"]),
    node("Unsqueeze", ["l", "first"], ["l1"]),
    node("Concat", ["b1", "l1", "two", "four"], ["target"], { axis: 0 }),
    node("Reshape", ["in", "target"], ["y"]),
  ];
  const initializers = [i64("zero", [0], []), i64("one", [1], []), i64("first", [0]), i64("two", [2]), i64("four", [4])];

  test("that only copies dimensions becomes zeros of Reshape", async () => {
    for (const dims of [
      ["batch", "length", 8],
      ["batch", 3, 8],
      [2, 3, 8],
    ] as const) {
      const { model } = await expectOperators({ nodes: heads, initializers, inputs: { in: dims }, outputs: ["y"] }, "Reshape", {
        sizes: { batch: 2, length: 5 },
      });
      expect([...model.initializers.values()].map(({ dims: d }) => d)).toEqual([[4]]);
    }
  });

  test("holds when a dimension is none at all", async () => {
    const { outputs } = await optimized(
      { nodes: heads, initializers, inputs: { in: ["batch", "length", 8] }, outputs: ["y"] },
      { sizes: { batch: 2, length: 0 } },
    );
    expect(outputs.y?.dims).toEqual([2, 0, 2, 4]);
  });

  test("that leaves one dimension open becomes −1, and that leaves two stays", async () => {
    const flat = (parts: string[]) => [
      ...heads.slice(0, 5),
      node("Mul", ["l1", "eight"], ["m"]),
      node("Concat", parts, ["target"], { axis: 0 }),
      node("Reshape", ["in", "target"], ["y"]),
    ];
    const all = [...initializers, i64("eight", [8])];
    const sizes = { batch: 2, length: 5 };
    await expectOperators(
      { nodes: flat(["b1", "m"]), initializers: all, inputs: { in: ["batch", "length", 8] }, outputs: ["y"] },
      "Reshape",
      { sizes },
    );
    const { outputs } = await optimized(
      { nodes: flat(["m", "b1"]), initializers: all, inputs: { in: ["batch", "length", 8] }, outputs: ["y"] },
      { sizes },
    );
    expect(outputs.y?.dims).toEqual([40, 2]);
  });

  test("of another value than the one that is reshaped stays, unless it must be the same", async () => {
    const nodes = [node("Shape", ["other"], ["s"]), node("Reshape", ["in", "s"], ["y"])];
    const { outputs, after } = await optimized(
      { nodes, inputs: { in: ["a", "b"], other: ["b", "a"] }, outputs: ["y"] },
      { sizes: { a: 2, b: 3 } },
    );
    expect(outputs.y?.dims).toEqual([3, 2]);
    expect(after).toContain("Shape");
  });

  test("of a Concat with what is filled becomes Pad", async () => {
    const fill = (x: number) => node("ConstantOfShape", ["fs"], ["fill"], { value: { tensor: f32("", [1], [x]) } });
    for (const [parts, x] of [
      [["fill", "in"], 0],
      [["in", "fill"], 0],
      [["in", "fill"], 1.5],
      [["fill", "in", "fill"], -2],
    ] as const) {
      const nodes = [fill(x), node("Concat", parts, ["y"], { axis: -2 })];
      await expectOperators({ nodes, initializers: [i64("fs", [2, 2000, 3])], inputs: { in: [2, 4, 3] }, outputs: ["y"] }, "Pad");
    }
  });

  test("of a Concat of two values with what is filled stays", async () => {
    const nodes = [node("ConstantOfShape", ["fs"], ["fill"]), node("Concat", ["in", "fill", "in"], ["y"], { axis: 1 })];
    await expectUnchanged({ nodes, initializers: [i64("fs", [2, 2000, 3])], inputs: { in: [2, 4, 3] }, outputs: ["y"] });
  });
});
