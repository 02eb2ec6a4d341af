/** Nodes that ask for what no run can give end in an error that says so, soon. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Datum } from "../../src/ops/op.ts";
import { type AttributeSpec, DataType, encodeModel, f32, type GraphSpec, node, tensor, value } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

const { FLOAT, INT64, BOOL } = DataType;
const i64s = (...list: number[]): Datum => ({ dtype: "int64", shape: [list.length], data: BigInt64Array.from(list, BigInt) });
const whole = (x: number): Datum => ({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(x)) });
const x: Datum = { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) };

/** A node whose inputs are fed, so that nothing is known before the run. */
async function run(op: string, inputs: readonly Datum[], attributes: Record<string, AttributeSpec> = {}, opset = 18): Promise<unknown> {
  const type = (datum: Datum) => ("data" in datum && datum.dtype === "int64" ? INT64 : FLOAT);
  const model = encodeModel({
    opsets: { "": opset },
    graph: {
      nodes: [
        node(
          op,
          inputs.map((_, i) => `x${i}`),
          ["y"],
          attributes,
        ),
      ],
      inputs: inputs.map((datum, i) => value(`x${i}`, type(datum))),
      outputs: [value("y", FLOAT)],
    },
  });
  const loaded = await load(model);
  return loaded.run(Object.fromEntries(inputs.map((datum, i) => [`x${i}`, datum])));
}

describe("a node of absurd sizes or attributes ends in an error that names it or a limit", () => {
  test.each<[string, Datum[], Record<string, AttributeSpec>?]>([
    ["ConstantOfShape", [i64s(2 ** 40)]],
    ["ConstantOfShape", [i64s(2 ** 20, 2 ** 20)]],
    ["ConstantOfShape", [i64s(-1)]],
    ["Expand", [x, i64s(2 ** 31, 2, 2)]],
    ["Tile", [x, i64s(2 ** 30, 2 ** 30)]],
    ["Tile", [x, i64s(-1, 1)]],
    ["Pad", [x, i64s(2 ** 40, 0, 0, 0)], { mode: "edge" }],
    ["Pad", [x, i64s(-5, 0, 0, 0)], { mode: "reflect" }],
    ["Range", [whole(0), whole(2 ** 50), whole(1)]],
    ["Range", [whole(0), whole(5), whole(0)]],
    ["Reshape", [x, i64s(3, -1)]],
    ["Gather", [x, i64s(7)]],
    ["TopK", [x, i64s(99)]],
    ["Slice", [x, i64s(0), i64s(1), i64s(0), i64s(0)]],
    ["CenterCropPad", [x, i64s(2 ** 40, 1)]],
    ["DFT", [x, whole(2 ** 40)], { axis: 0 }],
    ["HannWindow", [whole(2 ** 40)]],
    ["Squeeze", [x, i64s(0)]],
    ["Concat", [x, x], { axis: 5 }],
    ["Col2Im", [x, i64s(2 ** 20, 2 ** 20), i64s(1, 1)]],
    ["Multinomial", [x], { sample_size: 2 ** 40 }],
  ])("%s", async (op, inputs, attributes = {}) => {
    const error = await run(op, inputs, attributes).then(
      () => undefined,
      (e: Error) => e,
    );
    expect(["UnsupportedError", "LimitError", "RangeError"]).toContain(error?.name);
    // What is known before the run may be refused by the memory alone.
    expect(error?.message).toMatch(new RegExp(`${op} '|MAX_ARENA`));
  });
});

/** A Loop whose turns are MatMuls of a state [n, n], and that gives a row of each. */
function loop(n: number, count: string, rank?: (string | number)[]): Uint8Array {
  const body: GraphSpec = {
    nodes: [node("Identity", ["go"], ["go_out"]), node("MatMul", ["h", "h"], ["h_out"]), node("Identity", ["h_out"], ["row"])],
    inputs: [value("i", INT64, []), value("go", BOOL, []), value("h", FLOAT, [n, n])],
    outputs: [value("go_out", BOOL, []), value("h_out", FLOAT, [n, n]), value("row", FLOAT, rank)],
  };
  return encodeModel({
    opsets: { "": 18 },
    graph: {
      nodes: [node("Loop", [count, "yes", "zero"], ["y", "rows"], { body: { graph: body } })],
      initializers: [tensor("yes", BOOL, [], Uint8Array.of(1)), f32("zero", [n, n], new Float32Array(n * n))],
      inputs: count ? [value(count, INT64, [])] : [],
      outputs: [value("y", FLOAT, [n, n]), value("rows", FLOAT)],
    },
  });
}

describe("a Loop without end", () => {
  test("is stopped", async () => {
    await expect(load(loop(1, "", [1, 1])).then((loaded) => loaded.run({}))).rejects.toThrow(/MAX_SUBGRAPH_RUNS/);
  });

  test("lets others have their turn, and ends where it is aborted", async () => {
    const loaded = await load(loop(64, "", [64, 64]));
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    await expect(loaded.run({}, { signal: abort.signal })).rejects.toThrow(/abort/i);
  });

  test("takes no more than the model may", async () => {
    const loaded = await load(loop(256, "", [256, 256]), { maxBytes: 32 << 20 });
    await expect(loaded.run({})).rejects.toMatchObject({ name: "LimitError", limit: "MAX_MODEL_MEMORY" });
  });
});

test.each([
  ["rows whose shape is known", [2, 2], [0, 2, 2]],
  ["rows whose rank is known", ["a", "b"], [0, 2, 2]],
])("a Loop without turns gives none of its %s", async (_, rank, shape) => {
  const model = loop(2, "count", rank);
  const given = await (await load(model)).run({ count: whole(0) });
  expect(given.rows).toEqual({ dtype: "float32", shape, data: new Float32Array(0) });
  const expected = await runNode(model, { count: { type: "int64", dims: [], data: BigInt64Array.of(0n) } });
  expect(given.rows?.shape).toEqual(expected.rows?.dims);
});

test.each([
  ["one is larger", [8 << 20]],
  ["all together are", [1 << 20]],
])("values whose shapes depend on data take no more than the model may: %s", async (_, sizes) => {
  const names = ["a", "b", "c", "d"];
  const model = encodeModel({
    opsets: { "": 18 },
    graph: {
      nodes: [...names.map((name) => node("ConstantOfShape", ["n"], [name])), node("Concat", names, ["y"], { axis: 0 })],
      inputs: [value("n", INT64)],
      outputs: [value("y", FLOAT)],
    },
  });
  const loaded = await load(model, { maxBytes: 16 << 20 });
  await expect(loaded.run({ n: i64s(...sizes) })).rejects.toMatchObject({ name: "LimitError" });
  expect((await loaded.run({ n: i64s(1000) })).y?.shape).toEqual([4000]);
});

test("constants that are made of each other are made once", async () => {
  const steps = 24;
  const nodes = Array.from({ length: steps }, (_, i) => node("Concat", [`c${i}`, `c${i}`], [`c${i + 1}`], { axis: 0 }));
  const model = encodeModel({
    opsets: { "": 18 },
    graph: {
      nodes: [...nodes, node("Gather", [`c${steps}`, "i"], ["y"])],
      initializers: [f32("c0", [1], [7])],
      inputs: [value("i", INT64, [1])],
      outputs: [value("y", FLOAT)],
    },
  });
  expect((await (await load(model)).run({ i: i64s(5) })).y?.data).toEqual(Float32Array.of(7));
});

test.each(["Min", "Max"])("%s of one tensor of int64 is that tensor", async (op) => {
  expect(await run(op, [i64s(3, -2)])).toMatchObject({ y: { dtype: "int64", data: BigInt64Array.of(3n, -2n) } });
});
