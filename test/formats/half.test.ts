/** Models that compute in float16: what stays in float32, and that nothing is lost where the two meet. */
import { describe, expect, test } from "vitest";
import { compress } from "../../src/index.ts";
import { type Feeds, floats, type TensorValue } from "../kit/models.ts";
import {
  DataType,
  encodeModel,
  f32,
  type GraphSpec,
  i64,
  type NodeSpec,
  node,
  randn,
  type TensorSpec,
  tensor,
  type ValueSpec,
  value,
} from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { readOnnx } from "../kit/readonnx.ts";
import { fromFloat16Bits } from "../kit/reference.ts";
import { halved, RECIPES } from "./halved.ts";

const { FLOAT, FLOAT16, INT64, INT32, BOOL, DOUBLE } = DataType;
const { FLOAT: float32 } = DataType;
const CAST = { to: float32 };

/** A layer that gives every model of these tests something to halve: x[?, 32] → h. */
const layer = node("MatMul", ["x", "w"], ["h"]);
/** A weight of [k, n] that int4 and float16 hold as it is, so that arithmetic is all that differs. */
const exact = (name: string, k: number, n: number): TensorSpec =>
  f32(
    name,
    [k, n],
    Float32Array.from({ length: k * n }, (_, i) => (((5 * Math.floor(i / n) + 3 * (i % n)) % 16) - 8) / 32),
  );
const w = exact("w", 32, 32);

function spec(nodes: NodeSpec[], initializers: TensorSpec[], more: Partial<Pick<GraphSpec, "inputs" | "outputs">> = {}, opset = 13) {
  const graph = {
    nodes: [layer, ...nodes],
    initializers: [w, ...initializers],
    inputs: [value("x", FLOAT, ["rows", 32])],
    outputs: [value("y", FLOAT)],
    ...more,
  };
  return { graph, opsets: { "": opset } };
}
const x = (rows = 3): Feeds => ({ x: floats([rows, 32], 5) });
const withX = (...specs: ValueSpec[]): ValueSpec[] => [value("x", FLOAT, ["rows", 32]), ...specs];
const scalar = (name: string, value: number): TensorSpec => f32(name, [], [value]);
const int64s = (values: number[], dims = [values.length]): TensorValue => ({
  type: "int64",
  dims,
  data: BigInt64Array.from(values, BigInt),
});

describe.each(RECIPES)("%s", (_word, recipe) => {
  test("computes in float16 between inputs and outputs that stay float32", async () => {
    const nodes = [node("Add", ["h", "b"], ["a"]), node("Relu", ["a"], ["y"]), node("Tanh", ["y"], ["z"])];
    const more = { outputs: [value("y", FLOAT), value("z", FLOAT), value("h", FLOAT)] };
    const { isHalf, model } = await halved(spec(nodes, [f32("b", [32], randn(32, 2))], more), recipe, x());
    expect(["h", "a", "y", "z"].map(isHalf)).toEqual([true, true, true, true]);
    // One Cast in, and one out for each output; Tanh reads the half.
    expect(model.nodes.filter(({ op_type }) => op_type === "Cast")).toHaveLength(4);
  });

  test("hands an input, or a weight, straight to an output", async () => {
    const nodes = [node("Identity", ["x"], ["y"]), node("Relu", ["h"], ["z"])];
    const outputs = [value("y", FLOAT), value("z", FLOAT), value("w", FLOAT, [32, 32])];
    await halved(spec(nodes, [], { outputs }), recipe, x());
  });

  describe("arithmetic on positions and sizes", () => {
    test("is exact beyond what a half counts to", async () => {
      // 4099 columns, told by float arithmetic: as a half it is 4100.
      const nodes = [
        node("Shape", ["wide"], ["s"]),
        node("Gather", ["s", "one"], ["n"], { axis: 0 }),
        node("Cast", ["n"], ["f"], CAST),
        node("Mul", ["f", "factor"], ["g"]),
        node("Floor", ["g"], ["down"]),
        node("Cast", ["down"], ["end"], { to: INT64 }),
        node("Unsqueeze", ["end", "zeros"], ["ends"]),
        node("Slice", ["wide", "zeros", "ends", "ones"], ["y"]),
        node("Relu", ["h"], ["z"]),
      ];
      const initializers = [i64("one", [1], []), scalar("factor", 0.5), i64("zeros", [0]), i64("ones", [1])];
      const more = { inputs: withX(value("wide", FLOAT, [1, "columns"])), outputs: [value("y", FLOAT), value("z", FLOAT)] };
      const { outputs } = await halved(spec(nodes, initializers, more), recipe, { ...x(), wide: floats([1, 4099], 6) });
      expect(outputs.y?.dims).toEqual([1, 2049]);
    });

    test("goes to Sin and Cos as it is: the angles of far positions, with a table of frequencies", async () => {
      const nodes = [
        node("Cast", ["positions"], ["p"], CAST),
        node("Mul", ["p", "frequencies"], ["angles"]),
        node("Concat", ["angles", "angles"], ["both"], { axis: 1 }),
        node("Cos", ["both"], ["cos"]),
        node("Mul", ["h", "cos"], ["y"]),
      ];
      const frequencies = f32(
        "frequencies",
        [1, 16],
        Float32Array.from({ length: 16 }, (_, i) => 10000 ** (-i / 16)),
      );
      const more = { inputs: withX(value("positions", INT64, ["rows", 1])) };
      const { isHalf } = await halved(
        spec(nodes, [frequencies], more),
        recipe,
        { ...x(), positions: int64s([3, 1999, 4097], [3, 1]) },
        0.12,
      );
      expect(["angles", "both", "cos"].map(isHalf)).toEqual([false, false, false]);
      expect(isHalf("y")).toBe(true);
    });

    test("by a product of matrices, as rotary embeddings have it, is exact too", async () => {
      const nodes = [
        node("Unsqueeze", ["positions", "axis"], ["u"]),
        node("Cast", ["u"], ["p"], CAST),
        node("MatMul", ["inverse", "p"], ["angles"]),
        node("Transpose", ["angles"], ["turned"], { perm: [0, 2, 1] }),
        node("Sin", ["turned"], ["sin"]),
        node("Reshape", ["sin", "rows"], ["flat"]),
        node("Mul", ["h", "flat"], ["y"]),
      ];
      const inverse = f32(
        "inverse",
        [1, 32, 1],
        Float32Array.from({ length: 32 }, (_, i) => 10000 ** (-i / 32)),
      );
      const more = { inputs: withX(value("positions", INT64, [1, "rows"])) };
      const initializers = [inverse, i64("axis", [1]), i64("rows", [-1, 32])];
      const { isHalf } = await halved(
        spec(nodes, initializers, more),
        recipe,
        { ...x(), positions: int64s([2, 2999, 30001], [1, 3]) },
        0.12,
      );
      expect(["angles", "turned", "sin"].map(isHalf)).toEqual([false, false, false]);
    });

    test("keeps the sizes and scales of Resize", async () => {
      const image = [
        node("Reshape", ["h", "nchw"], ["i"]),
        node("Resize", ["i", "roi", "scales"], ["y"], {
          mode: "nearest",
          nearest_mode: "floor",
          coordinate_transformation_mode: "asymmetric",
        }),
      ];
      const initializers = [i64("nchw", [1, 3, 4, 8]), f32("roi", [0], []), f32("scales", [4], [1, 1, 2.5000001, 3])];
      const { isHalf, model } = await halved(spec(image, initializers), recipe, x());
      expect(isHalf("y")).toBe(true);
      expect(model.initializers.get("scales")?.data_type).toBe(FLOAT);
    });
  });

  describe("a mask of −3.4e38", () => {
    const LEAST = -3.4028234663852886e38;
    const mask = { ...x(2), mask: int64s([1, 1, 0, 1], [1, 4]) };
    const scores = [node("MatMul", ["h", "v"], ["scores"])];
    const v = exact("v", 32, 4);
    const inputs = withX(value("mask", INT64, [1, 4]));
    const constant = (name: string, dims: number[]): NodeSpec =>
      node("Constant", [], [name], { value: { tensor: f32("", dims, [LEAST]) } });

    test.each([
      ["times zero, an initializer", [], [f32("least", [], [LEAST])]],
      ["times zero, a Constant", [constant("least", [1])], []],
    ] as [string, NodeSpec[], TensorSpec[]][])("%s, is not NaN", async (_what, nodes, initializers) => {
      const masked = [
        ...nodes,
        node("Cast", ["mask"], ["m"], CAST),
        node("Sub", ["one", "m"], ["n"]),
        node("Mul", ["n", "least"], ["bias"]),
        ...scores,
        node("Add", ["scores", "bias"], ["a"]),
        node("Softmax", ["a"], ["y"], { axis: -1 }),
      ];
      const { outputs } = await halved(spec(masked, [v, scalar("one", 1), ...initializers], { inputs }), recipe, mask);
      expect(outputs.y?.data[2]).toBe(0);
    });

    test("that Where chooses masks", async () => {
      const masked = [
        node("Cast", ["mask"], ["m"], { to: BOOL }),
        ...scores,
        node("Where", ["m", "scores", "least"], ["a"]),
        node("Softmax", ["a"], ["y"], { axis: -1 }),
      ];
      await halved(spec(masked, [v, scalar("least", LEAST)], { inputs }), recipe, mask);
    });

    test("that a ConstantOfShape fills with is filled with the least half", async () => {
      const filled = [
        node("Shape", ["mask"], ["s"]),
        node("ConstantOfShape", ["s"], ["least"], { value: { tensor: f32("", [1], [LEAST]) } }),
        node("Cast", ["mask"], ["m"], CAST),
        node("Sub", ["one", "m"], ["n"]),
        node("Mul", ["n", "least"], ["bias"]),
        ...scores,
        node("Add", ["scores", "bias"], ["a"]),
        node("Softmax", ["a"], ["y"], { axis: -1 }),
      ];
      const dynamic = withX(value("mask", INT64, [1, "columns"]));
      const { model } = await halved(spec(filled, [v, scalar("one", 1)], { inputs: dynamic }), recipe, mask);
      expect(model.nodes.some(({ op_type }) => op_type === "ConstantOfShape")).toBe(false);
    });

    test("that is a large table saturates", async () => {
      const table = f32(
        "table",
        [1, 4, 4],
        Float32Array.from({ length: 16 }, (_, i) => (i % 4 > Math.floor(i / 4) ? LEAST : 0)),
      );
      const masked = [
        ...scores,
        node("Unsqueeze", ["scores", "axis"], ["u"]),
        node("Mul", ["table", "u"], ["t"]),
        node("Clip", ["t", "low", "high"], ["y"]),
      ];
      const initializers = [v, table, i64("axis", [0]), scalar("low", -100), scalar("high", 100)];
      await halved(spec(masked, initializers), recipe, x(4));
    });

    test("that is a default is cast: callers may give another", async () => {
      const more = { inputs: withX(value("given", FLOAT, [])) };
      const small = spec([node("Mul", ["h", "given"], ["y"])], [scalar("given", LEAST)], more);
      const bytes = new Uint8Array(await new Response(compress(encodeModel(small), recipe).readable).arrayBuffer());
      const casts = readOnnx(bytes).nodes.filter(({ op_type, inputs: from }) => op_type === "Cast" && from[0] === "given");
      expect(casts).toHaveLength(1);
    });
  });

  test("an epsilon that would vanish keeps a division from zero", async () => {
    const nodes = [
      node("Sub", ["h", "h"], ["none"]),
      node("Abs", ["none"], ["zero"]),
      node("Add", ["zero", "epsilon"], ["safe"]),
      node("Div", ["none", "safe"], ["q"]),
      node("Add", ["h", "q"], ["y"]),
    ];
    await halved(spec(nodes, [scalar("epsilon", 1e-12)]), recipe, x());
  });

  test("BatchNormalization keeps variances that no half holds", async () => {
    const channels = (name: string, f: (i: number) => number) =>
      f32(
        name,
        [32],
        Float32Array.from({ length: 32 }, (_, i) => f(i)),
      );
    const nodes = [node("Mul", ["h", "thousand"], ["large"]), node("BatchNormalization", ["large", "scale", "B", "mean", "var"], ["y"])];
    const initializers = [
      scalar("thousand", 1000),
      channels("scale", () => 1),
      channels("B", () => 0),
      channels("mean", (i) => i * 10),
      channels("var", (i) => 1e5 + 1e7 * i),
    ];
    const { isHalf, model } = await halved(spec(nodes, initializers), recipe, x());
    expect(isHalf("y")).toBe(false);
    expect(model.initializers.get("var")?.data_type).toBe(FLOAT);
  });

  describe("a subgraph computes in float32", () => {
    const either = (name: string, op_type: string): GraphSpec => ({
      name,
      nodes: [node(op_type, ["h", "b"], ["t"]), node("MatMul", ["t", "inner"], ["out"])],
      initializers: [exact("inner", 32, 32)],
      inputs: [],
      outputs: [value("out", FLOAT)],
    });
    const b = f32("b", [32], randn(32, 3));

    test("on values of the outer graph, which are halves there", async () => {
      const nodes = [
        node("If", ["condition"], ["c"], { then_branch: { graph: either("then", "Add") }, else_branch: { graph: either("else", "Mul") } }),
        node("Relu", ["c"], ["r"]),
        node("Mul", ["r", "h"], ["y"]),
      ];
      for (const condition of [0, 1]) {
        const feeds: Feeds = { ...x(), condition: { type: "bool", dims: [], data: Uint8Array.of(condition) } };
        const more = { inputs: withX(value("condition", BOOL, [])) };
        const { isHalf, model } = await halved(spec(nodes, [b], more), recipe, feeds);
        expect([isHalf("h"), isHalf("r")]).toEqual([true, true]);
        expect(model.initializers.get("b")?.data_type).toBe(FLOAT); // the branches read it
      }
    });

    test("whose values have the names of outer ones", async () => {
      const shadow = (name: string, op_type: string): GraphSpec => ({
        name,
        nodes: [node(op_type, ["x"], ["r"]), node("Neg", ["r"], ["out"])],
        inputs: [],
        outputs: [value("out", FLOAT)],
      });
      // The inner r comes first, so that onnxruntime takes both.
      const nodes = [
        node("If", ["condition"], ["c"], { then_branch: { graph: shadow("then", "Abs") }, else_branch: { graph: shadow("else", "Exp") } }),
        node("Relu", ["h"], ["r"]),
        node("Add", ["r", "c"], ["y"]),
      ];
      const feeds: Feeds = { ...x(), condition: { type: "bool", dims: [], data: Uint8Array.of(0) } };
      await halved(spec(nodes, [], { inputs: withX(value("condition", BOOL, [])) }), recipe, feeds);
    });

    test("round a Loop", async () => {
      const body: GraphSpec = {
        name: "body",
        nodes: [node("Mul", ["state", "h"], ["m"]), node("Tanh", ["m"], ["next"]), node("Identity", ["go"], ["on"])],
        inputs: [value("step", INT64, []), value("go", BOOL, []), value("state", FLOAT)],
        outputs: [value("on", BOOL, []), value("next", FLOAT)],
      };
      const nodes = [
        node("Relu", ["h"], ["r"]),
        node("Loop", ["trips", "yes", "r"], ["l"], { body: { graph: body } }),
        node("Add", ["l", "h"], ["y"]),
      ];
      const initializers = [i64("trips", [3], []), tensor("yes", BOOL, [], Uint8Array.of(1))];
      const { isHalf } = await halved(spec(nodes, initializers), recipe, x());
      expect(["h", "r", "y"].map(isHalf)).toEqual([true, true, true]);
    });
  });

  describe("an operator that stays in float32 gets its values so", () => {
    test.each<[string, NodeSpec[], TensorSpec[], ValueSpec[]]>([
      [
        "TopK, whose places are integers",
        [node("TopK", ["h", "k"], ["top", "places"], { axis: -1 }), node("Mul", ["top", "two"], ["y"])],
        [i64("k", [3]), scalar("two", 2)],
        [],
      ],
      ["CumSum", [node("CumSum", ["h", "axis"], ["sum"]), node("Relu", ["sum"], ["y"])], [i64("axis", [1], [])], []],
      [
        "OneHot",
        [
          node("ArgMax", ["h"], ["best"], { axis: 1, keepdims: 0 }),
          node("OneHot", ["best", "depth", "values"], ["hot"], { axis: -1 }),
          node("Mul", ["hot", "h"], ["y"]),
        ],
        [i64("depth", [32], []), f32("values", [2], [0, 1])],
        [],
      ],
      ["Einsum", [node("Einsum", ["h", "h"], ["e"], { equation: "ij,kj->ik" }), node("Relu", ["e"], ["y"])], [], []],
      [
        "Range",
        [node("ReduceMax", ["h"], ["m"], { keepdims: 0 }), node("Range", ["zero", "limit", "step"], ["r"]), node("Mul", ["m", "r"], ["y"])],
        [scalar("zero", 0), scalar("limit", 4), scalar("step", 0.5)],
        [],
      ],
      ["Dropout's ratio", [node("Dropout", ["h", "ratio"], ["d"]), node("Relu", ["d"], ["y"])], [scalar("ratio", 0.3)], []],
    ])("%s", async (_what, nodes, initializers) => {
      await halved(spec(nodes, initializers), recipe, x());
    });

    test("NonMaxSuppression, and Gather by what it selects", async () => {
      const nodes = [
        node("Reshape", ["h", "nboxes"], ["boxes"]),
        node("ReduceSum", ["boxes", "last"], ["sums"], { keepdims: 0 }),
        node("Unsqueeze", ["sums", "one"], ["scores"]),
        node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["chosen"]),
        node("GatherND", ["scores", "chosen"], ["y"]),
      ];
      const initializers = [i64("nboxes", [1, -1, 4]), i64("last", [2]), i64("one", [1]), i64("most", [4]), f32("overlap", [1], [1])];
      const { isHalf } = await halved(spec(nodes, initializers), recipe, x());
      expect([isHalf("boxes"), isHalf("scores")]).toEqual([true, true]);
    });

    test("an operator of another domain, whose types nobody knows", async () => {
      const nodes = [
        node("Gelu", ["h"], ["g"], {}, { domain: "com.microsoft" }),
        node("Inverse", ["square"], ["i"], {}, { domain: "com.microsoft" }),
        node("MatMul", ["g", "i"], ["y"]),
      ];
      const square = f32(
        "square",
        [32, 32],
        Float32Array.from({ length: 1024 }, (_, i) => (i % 33 === 0 ? 2 : 0.01)),
      );
      const model = spec(nodes, [square]);
      const { isHalf } = await halved({ ...model, opsets: { "": 13, "com.microsoft": 1 } }, recipe, x());
      expect(isHalf("i")).toBe(false);
    });
  });

  describe("types that are there already", () => {
    test("float64 and integers stay", async () => {
      const nodes = [
        node("Cast", ["h"], ["d"], { to: DOUBLE }),
        node("Mul", ["d", "factor"], ["e"]),
        node("Cast", ["e"], ["f"], CAST),
        node("Mul", ["h", "hundred"], ["g"]),
        node("Cast", ["g"], ["i"], { to: INT32 }),
        node("Cast", ["i"], ["j"], CAST),
        node("Concat", ["f", "j"], ["y"], { axis: 1 }),
      ];
      const factor = tensor(
        "factor",
        DOUBLE,
        [32],
        Float64Array.from({ length: 32 }, (_, i) => i / 7),
      );
      await halved(spec(nodes, [factor, scalar("hundred", 100)]), recipe, x());
    });

    test("float16 meets float16 without a Cast that is none", async () => {
      const half = tensor(
        "half",
        FLOAT16,
        [32],
        Uint16Array.from({ length: 32 }, () => 0x3c00),
      );
      const nodes = [
        node("Cast", ["h"], ["c"], { to: FLOAT16 }),
        node("Mul", ["c", "half"], ["m"]),
        node("Cast", ["m"], ["f"], CAST),
        node("Relu", ["f"], ["y"]),
      ];
      await halved(spec(nodes, [half]), recipe, x());
    });

    test("a float16 output keeps its own", async () => {
      const nodes = [node("Relu", ["h"], ["y"]), node("Cast", ["y"], ["z"], { to: FLOAT16 })];
      const small = spec(nodes, [], { outputs: [value("y", FLOAT), value("z", FLOAT16)] });
      const bytes = new Uint8Array(await new Response(compress(encodeModel(small), recipe).readable).arrayBuffer());
      const { y, z } = await runNode(bytes, x());
      expect(z?.type).toBe("float16");
      expect(Array.from(z?.data as Uint16Array, fromFloat16Bits)).toEqual(Array.from(y?.data as Float32Array));
    });
  });

  test("in IR 3, where initializers are inputs, every layout loads", async () => {
    const small = spec([node("Mul", ["h", "large"], ["l"]), node("Softmax", ["l"], ["y"], { axis: 1 })], [scalar("large", 1e5)], {}, 8);
    const source = encodeModel({ ...small, ir_version: 3 }, { list_initializers: true });
    for (const from of [source, new Blob([source]).stream()]) {
      const bytes = new Uint8Array(await new Response(compress(from, recipe).readable).arrayBuffer());
      expect((await runNode(bytes, x())).y?.dims).toEqual([3, 32]);
    }
  });

  test("names that are taken are not given again", async () => {
    const nodes = [
      node("Relu", ["h"], ["h_float16"]),
      node("Neg", ["h_float16"], ["h_float16_2"]),
      node("Add", ["h", "h_float16_2"], ["w_float16"]),
      node("Mul", ["w_float16", "b"], ["y"]),
    ];
    await halved(
      spec(nodes, [f32("b", [32], randn(32, 3)), f32("b_float16", [32], randn(32, 4))], {
        outputs: [value("y", FLOAT), value("h_float16", FLOAT)],
      }),
      recipe,
      x(),
      0.12,
    );
  });

  test("a weight that float32 nodes read too is cast, and stands once", async () => {
    const nodes = [node("Mul", ["h", "b"], ["m"]), node("CumSum", ["b", "axis"], ["s"]), node("Add", ["m", "s"], ["y"])];
    const { model } = await halved(spec(nodes, [f32("b", [32], randn(32, 3)), i64("axis", [0], [])]), recipe, x());
    expect([...model.initializers.keys()].filter((name) => /^b(_float16)?$/.test(name))).toHaveLength(1);
  });

  test.each([9, 11, 17, 21])("opset %i", async (opset) => {
    const nodes = [
      node("Constant", [], ["k"], { value: { tensor: f32("", [], [0.5]) } }),
      node("Mul", ["h", "k"], ["m"]),
      node("Softmax", ["m"], ["s"], { axis: 1 }),
      node("Concat", ["s", "m"], ["c"], { axis: 1 }),
      node("Sigmoid", ["c"], ["y"]),
    ];
    await halved(spec(nodes, [], {}, opset), recipe, x());
  });
});
