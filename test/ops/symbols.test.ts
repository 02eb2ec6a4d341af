import { describe, expect, test } from "vitest";
import { graphs } from "../../src/graph/graph.ts";
import { constantValue, type Value } from "../../src/ops/value.ts";
import { inferModel } from "../kit/inferred.ts";
import {
  DataType,
  encodeModel,
  f32,
  type GraphSpec,
  i64,
  type NodeSpec,
  node,
  type TensorSpec,
  type ValueSpec,
  value,
} from "../kit/onnx.ts";

const { FLOAT, INT64, BOOL } = DataType;

/** The values of a graph of these nodes. */
async function infer(
  nodes: NodeSpec[],
  inputs: ValueSpec[],
  initializers: TensorSpec[] = [],
  opset = 17,
): Promise<ReadonlyMap<string, Value>> {
  const graph = { nodes, inputs, initializers, outputs: [] };
  return (await inferModel(encodeModel({ opsets: { "": opset }, graph }))).values;
}

const images = value("x", FLOAT, ["N", 3, "H", "W"]);

describe("dimensions that are not known keep their names", () => {
  test("through Shape, Gather, Unsqueeze, Concat and Reshape", async () => {
    const values = await infer(
      [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], { axis: 0 }),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], { axis: 0 }),
        node("Reshape", ["x", "target"], ["y"]),
      ],
      [images],
      [i64("zero", [0], []), i64("axes", [0]), i64("rest", [-1])],
    );
    expect(values.get("shape")).toMatchObject({ shape: [4], elements: ["N", 3, "H", "W"] });
    expect(values.get("target")).toMatchObject({ shape: [2], elements: ["N", -1] });
    const [n, rest] = values.get("y")?.shape ?? [];
    expect(n).toBe("N");
    expect(rest).toMatch(/^\?/);
  });

  test("through Slice of a shape and Resize by sizes", async () => {
    const values = await infer(
      [
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape", "two", "four", "zero"], ["hw"]),
        node("Concat", ["one", "hw"], ["sizes"], { axis: 0 }),
        node("Resize", ["z", "", "", "sizes"], ["y"]),
      ],
      [images, value("z", FLOAT, [1, 1, 7, 7])],
      [i64("two", [2]), i64("four", [4]), i64("zero", [0]), i64("one", [1, 1])],
    );
    expect(values.get("y")?.shape).toEqual([1, 1, "H", "W"]);
  });

  test("where Expand asks for a shape whose −1 are made 1", async () => {
    const values = await infer(
      [
        node("Shape", ["x"], ["shape"]),
        node("Equal", ["shape", "minus"], ["is"]),
        node("Where", ["is", "ones", "shape"], ["target"]),
        node("Expand", ["c", "target"], ["y"]),
      ],
      [images],
      [i64("minus", [-1]), i64("ones", [1, 1, 1, 1]), f32("c", [1], [1])],
    );
    expect(values.get("y")?.shape).toEqual(["N", 3, "H", "W"]);
  });

  test("as the same name for the same computation, so that branches can be added", async () => {
    const conv = (out: string, weight: string) => node("Conv", ["x", weight], [out], { strides: [2, 2], pads: [1, 1, 1, 1] });
    const values = await infer(
      [conv("a", "v"), conv("b", "w"), node("Add", ["a", "b"], ["sum"])],
      [images],
      [f32("v", [4, 3, 3, 3], new Float32Array(108)), f32("w", [4, 3, 3, 3], new Float32Array(108))],
    );
    expect(values.get("a")?.shape).toEqual(values.get("sum")?.shape);
    expect(values.get("sum")?.shape?.slice(0, 2)).toEqual(["N", 4]);
  });

  test("but not where one is taken for −1 that might be negative", async () => {
    const values = await infer(
      [
        node("Shape", ["x"], ["shape"]),
        node("Sub", ["shape", "big"], ["less"]),
        node("Reshape", ["x", "less"], ["y"]),
        node("Reshape", ["x", "less"], ["z"]),
      ],
      [images],
      [i64("big", [3])],
    );
    const y = values.get("y")?.shape ?? [];
    expect(y.length).toBe(4);
    expect(y.filter((d) => values.get("z")?.shape?.includes(d))).toEqual([3]); // a 0 takes the dimension
  });

  test("and ours are not mistaken for those of a file", async () => {
    const values = await infer([node("NonZero", ["x"], ["y"])], [value("x", FLOAT, ["?1", "?1", "?2"])]);
    const [a, b, c] = values.get("x")?.shape ?? [];
    expect(a).toBe(b);
    expect(new Set([a, c, values.get("y")?.shape?.[1]]).size).toBe(3);
  });
});

describe("subgraphs", () => {
  const body = (nodes: NodeSpec[], rest: Partial<GraphSpec> = {}): GraphSpec => ({
    nodes,
    inputs: [value("i", INT64, []), value("go", BOOL, []), value("h", FLOAT)],
    outputs: [value("go_out", BOOL, []), value("h_out", FLOAT)],
    ...rest,
  });
  const loop = (graph: GraphSpec) =>
    infer(
      [node("Loop", ["m", "", "x"], ["y"], { body: { graph } })],
      [value("x", FLOAT, ["N", 4])],
      [i64("m", [3], []), f32("w", [4, 4], new Float32Array(16))],
    );

  test("of Loop keep the shape of a state that each turn keeps", async () => {
    const values = await loop(body([node("Identity", ["go"], ["go_out"]), node("MatMul", ["h", "w"], ["h_out"])]));
    expect(values.get("y")).toMatchObject({ dtype: "float32", shape: ["N", 4] });
  });

  test("of Loop tell the type alone of a state that grows", async () => {
    const values = await loop(body([node("Identity", ["go"], ["go_out"]), node("Concat", ["h", "h"], ["h_out"], { axis: 0 })]));
    expect(values.get("y")).toMatchObject({ dtype: "float32", shape: undefined });
  });

  test("of If agree on what both branches have, names of each kept apart", async () => {
    const branch = (rows: number): GraphSpec => ({
      nodes: [node("Concat", Array(rows).fill("x"), ["out"], { axis: 0 })],
      inputs: [],
      outputs: [value("out", FLOAT)],
    });
    const model = encodeModel({
      opsets: { "": 17 },
      graph: {
        nodes: [node("If", ["c"], ["y"], { then_branch: { graph: branch(1) }, else_branch: { graph: branch(2) } })],
        inputs: [value("c", BOOL, []), value("x", FLOAT, [2, 4])],
        outputs: [value("y", FLOAT)],
      },
    });
    const { document, inferred, values } = await inferModel(model);
    expect(values.get("y")).toMatchObject({ dtype: "float32", shape: [expect.stringMatching(/^\?/), 4] });
    const [, yes, no] = graphs(document.main);
    expect([yes, no].map((graph) => graph && [graph.attribute, inferred.get(graph)?.get("out")?.shape])).toEqual([
      ["then_branch", [2, 4]],
      ["else_branch", [4, 4]],
    ]);
    const no_condition = constantValue({ dtype: "bool", shape: [], data: Uint8Array.of(0) });
    expect((await inferModel(model, new Map([["c", no_condition]]))).values.get("y")?.shape).toEqual([4, 4]);
  });
});

test("what a file declares counts where an operator is not known", async () => {
  const model = encodeModel({
    opsets: { "": 17, custom: 1 },
    graph: {
      nodes: [node("Magic", ["x"], ["m"], {}, { domain: "custom" }), node("Relu", ["m"], ["y"])],
      inputs: [images],
      outputs: [value("y", FLOAT)],
      value_info: [value("m", FLOAT, ["N", 8])],
    },
  });
  const { values } = await inferModel(model, new Map(), true);
  expect(values.get("y")).toMatchObject({ dtype: "float32", shape: ["N", 8] });
  expect((await inferModel(model)).values.get("y")?.dtype).toBeUndefined();
});
