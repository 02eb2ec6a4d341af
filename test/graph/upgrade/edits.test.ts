/** What an upgrade leaves as it is, where it puts what it adds, and attributes of any value. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { floats } from "../../kit/models.ts";
import { type AttributeSpec, DataType, encodeModel, f32, type GraphSpec, i64, node, value } from "../../kit/onnx.ts";
import { countOperators, type DecodedNode, everyGraph, readOnnx } from "../../kit/readonnx.ts";
import { float, of, one, positive, x } from "./case.ts";
import { expectSame, run } from "./same.ts";
import { upgraded } from "./upgraded.ts";

const FLOAT = DataType.FLOAT;
const graphOf = (nodes: GraphSpec["nodes"], rest: Partial<GraphSpec> = {}): GraphSpec => ({
  nodes,
  inputs: [value("a", FLOAT, [2, 3, 4])],
  outputs: [value("y", FLOAT)],
  ...rest,
});
const at = (opset: number, graph: GraphSpec, ir_version = 8) => encodeModel({ graph, opsets: { "": opset, custom: 3 }, ir_version });
const nodesOf = async (model: Uint8Array, to: number): Promise<DecodedNode[]> => readOnnx((await upgraded(model, to)).bytes).nodes;

describe("attributes of any value", () => {
  const axis = fc.integer({ min: 0, max: 2 });
  const some = fc.uniqueArray(axis, { minLength: 1, maxLength: 3 });
  const anywhere = fc.oneof(fc.integer({ min: -6, max: 6 }), fc.constantFrom(2 ** 63, -(2 ** 63), 2 ** 40, -(2 ** 31)));
  const scale = fc.constantFrom(0.3, 0.5, 0.75, 1, 1.25, 2, 3.7);
  const bound = fc.float({ min: Math.fround(-2), max: 2, noNaN: true });
  const attributes: [string, number, fc.Arbitrary<Record<string, AttributeSpec>>][] = [
    ["ReduceMean", 7, fc.record({ axes: some, keepdims: fc.constantFrom(0, 1) })],
    ["ReduceSum", 11, fc.record({ axes: some, keepdims: fc.constantFrom(0, 1) })],
    ["Softmax", 7, fc.record({ axis })],
    ["LogSoftmax", 11, fc.record({ axis: fc.integer({ min: -3, max: 2 }) })],
    ["Unsqueeze", 7, fc.record({ axes: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 2 }) })],
    ["TopK", 7, fc.record({ axis, k: fc.integer({ min: 1, max: 2 }) })],
    [
      "Slice",
      7,
      some.chain((axes) => {
        const bounds = fc.array(anywhere, { minLength: axes.length, maxLength: axes.length });
        return fc.record({ axes: fc.constant(axes), starts: bounds, ends: bounds });
      }),
    ],
    [
      "Pad",
      7,
      fc.record({
        mode: fc.constantFrom("constant", "edge"),
        pads: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 6, maxLength: 6 }),
        value: bound.map(float),
      }),
    ],
    ["Clip", 7, fc.tuple(bound, bound).map((pair) => ({ min: float(Math.min(...pair)), max: float(Math.max(...pair)) }))],
    ["Resize", 10, fc.record({ mode: fc.constant("nearest") })],
    ["Resize", 10, fc.record({ mode: fc.constant("linear") })],
  ];

  test.each(attributes)("%s from opset %i computes the same", async (op, from, arbitrary) => {
    const outputs = op === "TopK" ? (["float32", "int64"] as const) : (["float32"] as const);
    const shape = op === "Resize" ? [1, 1, 7, 5] : [2, 3, 4];
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.tuple(scale, scale), async (values, scales) => {
        const { graph, feeds } = one(op, [from, 21], [x(...shape), ...(op === "Resize" ? [of([4], 1, 1, ...scales)] : [])], values, {
          outputs,
        });
        const model = at(from, graph);
        const expected = await run(model, feeds);
        for (const to of [11, 13, 18, 21]) if (to > from) expectSame(await run((await upgraded(model, to)).bytes, feeds), expected);
      }),
      { numRuns: 25 },
    );
  });
});

describe("what is not changed", () => {
  const graph = graphOf([
    node("Relu", ["a"], ["r"], {}, { name: "same" }),
    node("Clip", ["r"], ["c"], { min: float(0), max: float(6) }, { name: "changed" }),
    node("Clip", ["c"], ["z"], { min: float(1) }, { name: "foreign", domain: "custom" }),
    node("Clip", ["a"], ["y"], { min: float(0), max: float(6) }, { name: "too" }),
  ]);

  test("keeps the bytes it came in, and the others are told", async () => {
    const model = at(9, graph);
    const { bytes, nodes } = await upgraded(model, 13);
    expect(nodes).toEqual(["changed", "too"]);
    for (const spec of [graph.nodes[0], graph.nodes[2]]) {
      const alone = encodeModel({ graph: { nodes: [spec as never], inputs: [], outputs: [] }, opsets: {} });
      const field = Buffer.from(alone).subarray(Buffer.from(alone).indexOf(0x3a) + 2, -9); // the node within its graph
      expect(Buffer.from(bytes).includes(field), spec?.name).toBe(true);
    }
    expect([...readOnnx(bytes).opsets]).toEqual([
      ["", 13],
      ["custom", 3],
    ]);
  });

  test("is all of a graph whose definitions mean the same", async () => {
    const same = graphOf([node("Softmax", ["a"], ["s"], { axis: 2 }), node("Relu", ["s"], ["y"])]);
    expect((await upgraded(at(9, same), 21)).nodes).toEqual([]);
  });
});

describe("what is added", () => {
  test("stands once, in the main graph, for nodes of every graph", async () => {
    const branch = (name: string): AttributeSpec => ({
      graph: { nodes: [node("Squeeze", ["a"], [name], { axes: [0] })], inputs: [], outputs: [value(name, FLOAT)] },
    });
    const model = at(
      11,
      graphOf(
        [node("If", ["c"], ["i"], { then_branch: branch("t"), else_branch: branch("e") }), node("Unsqueeze", ["i"], ["y"], { axes: [0] })],
        {
          inputs: [value("a", FLOAT, [1, 3]), value("c", DataType.BOOL, [])],
        },
      ),
    );
    const made = readOnnx((await upgraded(model, 13)).bytes);
    expect([...made.initializers.keys()]).toEqual(["axes_0"]);
    expect([...everyGraph(made)].slice(1).map(({ nodes, initializers }) => [nodes[0]?.inputs, initializers.size])).toEqual([
      [["a", "axes_0"], 0],
      [["a", "axes_0"], 0],
    ]);
  });

  test("takes no name that the model has", async () => {
    const model = at(
      11,
      graphOf([node("Squeeze", ["axes_0"], ["axes_0_2"], { axes: [0] }), node("Relu", ["axes_0_2"], ["y"])], {
        inputs: [value("axes_0", FLOAT, [1, 3])],
      }),
    );
    expect([...readOnnx((await upgraded(model, 13)).bytes).initializers.keys()]).toEqual(["axes_0_3"]);
  });

  test.each([7, 8])("is a graph input too in files of IR 3 (opset %i)", async (opset) => {
    const scales = { floats: [1, 2, 2] };
    const graph = graphOf([node("Upsample", ["a"], ["u"], { scales }), node("Clip", ["u"], ["y"], { max: float(0.5) })]);
    const { bytes } = await upgraded(at(opset, graph, 3), 13);
    expect(readOnnx(bytes).inputs.map(({ name }) => name)).toEqual(["a", "scales_1_2_2", "roi", "max_0.5"]);
    const feeds = { a: floats([2, 3, 4], 1) };
    expectSame(await run(bytes, feeds), await run(at(opset, graph, 3), feeds));
  });
});

describe("Softmax", () => {
  const softmax = (axis: AttributeSpec | undefined, dims?: number[]) =>
    at(9, graphOf([node("Softmax", ["a"], ["y"], axis === undefined ? {} : { axis })], { inputs: [value("a", FLOAT, dims)] }));
  const operators = async (model: Uint8Array) => Object.keys(countOperators(readOnnx((await upgraded(model, 13)).bytes)));

  test("of the last axis stays one node where the model tells the rank, or the axis is −1", async () => {
    for (const model of [softmax(2, [2, 3, 4]), softmax(-1), softmax(undefined, [2, 3])])
      expect(await operators(model)).toEqual(["Softmax"]);
  });

  test("of others, or of what may be others, works on the axes as one", async () => {
    for (const model of [softmax(1, [2, 3, 4]), softmax(2), softmax(undefined)])
      expect(await operators(model)).toEqual(["Shape", "Flatten", "Softmax", "Reshape"]);
  });
});

describe("Resize", () => {
  test("that an Upsample was stays one node; one of opset 10 grows, then shrinks", async () => {
    const scales = [f32("s", [3], [1, 2, 2])];
    const upsample = at(9, graphOf([node("Upsample", ["a", "s"], ["y"])], { initializers: scales }));
    expect((await nodesOf(upsample, 13)).map(({ op_type }) => op_type)).toEqual(["Resize"]);
    const resize = at(10, graphOf([node("Resize", ["a", "s"], ["y"])], { initializers: scales }));
    expect((await nodesOf(resize, 13)).map(({ op_type }) => op_type)).toEqual(["Max", "Min", "Resize", "Resize"]);
  });

  test("at 13 has no scales beside sizes, and no tf_half_pixel_for_nn", async () => {
    const initializers = [f32("roi", [0], []), f32("s", [0], []), i64("sizes", [2, 6, 8])];
    const attributes = { mode: "nearest", nearest_mode: "floor", coordinate_transformation_mode: "tf_half_pixel_for_nn" };
    const [resize] = await nodesOf(at(11, graphOf([node("Resize", ["a", "roi", "s", "sizes"], ["y"], attributes)], { initializers })), 13);
    expect(resize?.inputs).toEqual(["a", "roi", "", "sizes"]);
    expect(Object.fromEntries(resize?.attributes ?? [])).toEqual({
      mode: "nearest",
      nearest_mode: "round_prefer_ceil",
      coordinate_transformation_mode: "half_pixel",
    });
  });
});

describe("outputs of training that nothing reads", () => {
  test.each(["Dropout", "BatchNormalization"])("are dropped: %s", async (op) => {
    const outputs = op === "Dropout" ? ["y", "mask"] : ["y", ""];
    const rest = op === "Dropout" ? [] : ["s", "s", "s", "v"];
    const initializers = op === "Dropout" ? [] : [f32("s", [3], [1, 2, 3]), f32("v", [3], [1, 2, 3])];
    for (const to of [11, 21]) {
      const [made] = await nodesOf(at(9, graphOf([node(op, ["a", ...rest], outputs)], { initializers })), to);
      expect(made?.outputs).toEqual(to === 21 || op === "Dropout" ? ["y"] : outputs);
    }
  });
});

describe("a number in the type of another", () => {
  const clipOf = (to: number, nodes: GraphSpec["nodes"] = []) =>
    at(
      7,
      graphOf([node("Cast", ["a"], ["h"], { to }), ...nodes, node("Clip", [nodes.length > 0 ? "m" : "h"], ["y"], { max: float(0.5) })], {
        outputs: [value("y", to)],
      }),
    );

  test.each([
    ["double", DataType.DOUBLE],
    ["float16", DataType.FLOAT16],
  ])("is cast to %s", async (_name, to) => {
    const { bytes } = await upgraded(clipOf(to, [node("Relu", ["h"], ["r"]), node("Mul", ["r", "r"], ["m"])]), 13);
    expect(readOnnx(bytes).nodes.map(({ op_type }) => op_type)).toEqual(["Cast", "Relu", "Mul", "Cast", "Clip"]);
    const feeds = { a: floats([2, 3, 4], 3) };
    const { y } = await run(bytes, feeds); // it loads: the types agree
    if (to === DataType.DOUBLE)
      expect(Array.from(y?.data as Float64Array)).toEqual(
        Array.from(feeds.a.data as Float32Array, (v) => Math.min(0.5, Math.max(0, v) ** 2)),
      );
  });

  test("is followed into subgraphs, through operators that name a type, and from what the model declares", async () => {
    const inner: AttributeSpec = {
      graph: { nodes: [node("Clip", ["h"], ["t"], { min: float(0) })], inputs: [], outputs: [value("t", DataType.DOUBLE)] },
    };
    const model = at(
      7,
      graphOf(
        [
          node("Cast", ["a"], ["h"], { to: DataType.DOUBLE }),
          node("If", ["c"], ["i"], { then_branch: inner, else_branch: inner }),
          node("Pad", ["i"], ["y"], { pads: [0, 0, 0, 1, 0, 0], value: float(2.5) }),
        ],
        { inputs: [value("a", FLOAT, [2, 3, 4]), value("c", DataType.BOOL, [])], outputs: [value("y", DataType.DOUBLE)] },
      ),
    );
    const feeds = { a: floats([2, 3, 4], 1), c: { type: "bool" as const, dims: [], data: Uint8Array.of(1) } };
    const { y } = await run((await upgraded(model, 12)).bytes, feeds);
    expect([y?.dims, y?.data.at(-1)]).toEqual([[3, 3, 4], 2.5]);
  });
});

test("GroupNormalization has a scale and a bias for each channel from 21 on", async () => {
  const [data, scale, bias] = [x(2, 6, 5), [0.5, 2], [1, -1]];
  const { graph, feeds } = one("GroupNormalization", [18, 20], [data, of([2], ...scale), of([2], ...bias)], {
    num_groups: 2,
    epsilon: float(0.01),
  });
  const { o0 } = await run((await upgraded(at(18, graph), 21)).bytes, feeds);
  const rows = Array.from({ length: 4 }, (_, i) => Array.from(data.data as Float32Array).slice(i * 15, i * 15 + 15));
  const expected = rows.flatMap((row, i) => {
    const mean = row.reduce((a, b) => a + b) / 15;
    const deviation = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / 15 + 0.01);
    return row.map((v) => ((v - mean) / deviation) * (scale[i % 2] as number) + (bias[i % 2] as number));
  });
  for (const [i, v] of expected.entries()) expect(o0?.data[i]).toBeCloseTo(v, 5);
});

test("operators that onnxruntime adds to ai.onnx stay as they are", async () => {
  const { graph, feeds } = one("LayerNormalization", [11, 16], [x(2, 8), positive(8), x(8)]);
  const model = at(11, graph);
  const { bytes, nodes } = await upgraded(model, 13);
  expect(nodes).toEqual([]);
  expectSame(await run(bytes, feeds), await run(model, feeds));
});
