import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyGraph, makeNode, type Node } from "../../src/graph/graph.ts";
import { foldNode } from "../../src/ops/fold.ts";
import { operators } from "../../src/ops/index.ts";
import { inferGraph } from "../../src/ops/infer.ts";
import { type Context, type Datum, isTensor, type Known } from "../../src/ops/op.ts";
import { bounded, constantValue, isStatic, type Value } from "../../src/ops/value.ts";
import { BITS, type DType, elements, type Tensor } from "../../src/tensor.ts";
import { cases, mutate } from "../hostile/mutate.ts";
import { inferModel } from "../kit/inferred.ts";
import { shapes, small, tensors } from "./arbitrary.ts";

const NAMES =
  "axis axes perm to dtype keepdims starts ends split num_outputs allowzero shape value pads strides dilations kernel_shape auto_pad group mode equation blocksize block_size batch_dims reduction k depth num_heads kv_num_heads N hidden_size direction layout num_scan_inputs scan_input_axes scan_output_axes sample_size scales output_shape transA transB transBatchA ceil_mode select_last_index value_int value_ints value_floats value_strings upper noop_with_empty_axes fmod onesided inverse periodic output_datatype delimiter maxsplit largest sorted seed keepdims new_axis batch_axis time_axis".split(
    " ",
  );

const dtypes = fc.constantFrom<DType>("float32", "float16", "int64", "int32", "uint8", "bool", "float64");
const number = fc.oneof(small(-4, 5), fc.constantFrom(2 ** 31 - 1, -(2 ** 53), 2 ** 53, 0.5, Number.NaN));
const attribute = fc.oneof(
  number,
  fc.array(number, { maxLength: 5 }),
  fc.constantFrom("", "sum", "bij,bjk->bik", "...->", "a,b,c"),
  fc.array(fc.string(), { maxLength: 3 }),
);
const attributes = fc.dictionary(fc.constantFrom(...NAMES), attribute, { maxKeys: 6 });
const value: fc.Arbitrary<Value | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant({}),
  fc
    .tuple(dtypes, fc.array(fc.oneof(small(0, 4), fc.constantFrom("N", "M", 1, 2 ** 53)), { maxLength: 6 }))
    .map(([dtype, shape]) => ({ dtype, shape })),
  fc.tuple(dtypes, shapes()).chain(([dtype, shape]) => tensors(dtype, shape).map(constantValue)),
  fc.array(small(-3, 5), { maxLength: 5 }).chain((list) => tensors("int64", [list.length], small(-3, 5)).map(constantValue)),
  fc
    .array(fc.oneof(small(-3, 5), fc.constantFrom("N", "M", undefined)), { maxLength: 5 })
    .map((list) => ({ dtype: "int64" as const, shape: [list.length], elements: list })),
);

function context(opset: number): Context {
  let count = 0;
  return { opset, symbol: (key) => key ?? `?${++count}`, tensor: () => undefined, graph: () => [] };
}

const all = [...operators].flatMap(([domain, names]) => [...names].map(([name, op]) => ({ domain, name, op })));

describe("whatever a node says, nothing is thrown", () => {
  test.each(all.map((each) => [`${each.domain}.${each.name}`, each] as const))("by %s", (_name, { domain, name, op }) => {
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 8 }),
        attributes,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 24 }),
        (inputs, given, outputs, opset) => {
          const node: Node = makeNode(
            name,
            inputs.map((_, i) => `x${i}`),
            Array.from({ length: outputs }, (_, i) => `y${i}`),
            given as Node["attributes"] as Record<string, number>,
            domain,
          );
          const inferred = op.infer(node, inputs, context(opset));
          expect(Array.isArray(inferred)).toBe(true);
          const folded = foldNode(node, inputs, { opsets: new Map([[domain, opset]]), tensor: () => undefined }, 4096);
          for (const tensor of folded ?? []) expect(tensor.data.length).toBe(elements(tensor.shape));
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });
});

const datum: fc.Arbitrary<Datum | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(dtypes, shapes()).chain(([dtype, shape]) => tensors(dtype, shape)) },
  { weight: 3, arbitrary: fc.array(small(-3, 5), { maxLength: 4 }).chain((list) => tensors("int64", [list.length], small(-3, 5))) },
  {
    weight: 2,
    arbitrary: fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((x) => ({ dtype: "int64" as const, shape: [], data: BigInt64Array.of(x) })),
  },
  fc.constant(undefined),
  fc.constant({ dtype: "string" as const, shape: [2], data: ["a", "b c"] }),
  fc
    .array(
      shapes(1, 3).chain((shape) => tensors("float32", shape)),
      { maxLength: 3 },
    )
    .map((sequence) => ({ sequence })),
  fc.constant({ optional: undefined }),
);

describe("whatever a node is given, nothing is thrown", () => {
  const computed = all.filter(({ op }) => op.compute || op.control);
  test.each(computed.map((each) => [`${each.domain}.${each.name}`, each] as const))(
    "where %s is computed",
    async (_name, { domain, name, op }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(datum, { maxLength: 6 }),
          attributes,
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 7, max: 21 }),
          async (inputs, given, count, opset) => {
            const names = (letter: string, length: number) => Array.from({ length }, (_, i) => `${letter}${i}`);
            const node: Node = {
              ...makeNode(name, names("x", inputs.length), names("y", count), given as Record<string, number>, domain),
              graphs: ["body", "then_branch", "else_branch"].map((attribute) => emptyGraph(undefined, attribute)),
            };
            let turns = 0;
            const told = inputs.map((x) => x && (isTensor(x) ? constantValue(x) : {}));
            const outputs = op
              .infer(node, told, context(opset))
              .map(bounded)
              .map(({ dtype, shape }) => ({ dtype, shape: isStatic(shape) ? shape : undefined }));
            const graph = async () => (turns++ < 20 ? inputs.slice(0, 3) : []);
            const results =
              op.compute?.(node, inputs, { opset, outputs, tensor: () => undefined, random: () => 0.5 }) ??
              (await op.control?.(node, inputs, { opset, outputs, graph }));
            const isWhole = ({ dtype, shape, data }: Tensor) =>
              data.length === Math.ceil((elements(shape) * Math.min(8, BITS[dtype] || 8)) / 8);
            for (const result of results ?? []) if (isTensor(result)) expect(isWhole(result)).toBe(true);
          },
        ),
        { numRuns: 200, seed: 1 },
      );
    },
  );
});

const known: Known = { opsets: new Map([["", 13]]), value: () => undefined, tensor: () => undefined };

describe("a graph that makes no sense", () => {
  test("has no types for values of operators that are not known, nor of names like those of objects", () => {
    const graph = emptyGraph();
    graph.nodes = ["Nonsense", "constructor", "__proto__", "toString"].map((name) => makeNode(name, [], [name]));
    const values = inferGraph(graph, known).get(graph);
    for (const { op_type } of graph.nodes) expect(values?.get(op_type)).toMatchObject({ dtype: undefined, shape: undefined });
  });

  test("may have a cycle, whose values are not known", () => {
    const graph = emptyGraph();
    graph.nodes = [makeNode("Relu", ["b"], ["a"]), makeNode("Relu", ["a"], ["b"]), makeNode("Constant", [], ["c"], { value_int: 1 })];
    const values = inferGraph(graph, known).get(graph);
    expect([...(values?.keys() ?? [])]).toEqual(["c"]);
  });

  test("is inferred in the order of its values, however its nodes stand", () => {
    const graph = emptyGraph();
    graph.nodes = [
      makeNode("Relu", ["a"], ["b"]),
      makeNode("Cast", ["c"], ["a"], { to: 10 }),
      makeNode("Constant", [], ["c"], { value_int: 1 }),
    ];
    expect(inferGraph(graph, known).get(graph)?.get("b")).toMatchObject({ dtype: "float16", shape: [] });
  });
});

describe("folding", () => {
  const node = makeNode("Expand", ["x", "shape"], ["y"]);
  const inputs = [
    constantValue({ dtype: "float32", shape: [1], data: Float32Array.of(2) }),
    constantValue({ dtype: "int64", shape: [1], data: BigInt64Array.of(1000n) }),
  ];

  test("stops at max_elements", () => {
    expect(foldNode(node, inputs, known, 1000)?.[0]?.data.length).toBe(1000);
    expect(foldNode(node, inputs, known, 999)).toBeUndefined();
  });
});

test("mutated models are inferred or refused", async () => {
  const ends = { inferred: 0, refused: 0 };
  const property = fc.asyncProperty(cases, async (found) => {
    const { format, bytes } = mutate(found);
    if (format !== "onnx") return;
    try {
      await inferModel(bytes, new Map(), true);
      ends.inferred++;
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect(["FormatError", "UnsupportedError", "LimitError"]).toContain((error as Error).name);
      ends.refused++;
    }
  });
  await fc.assert(property, { seed: 20, numRuns: 2000, endOnFailure: true });
  expect(ends.inferred).toBeGreaterThan(200);
  expect(ends.refused).toBeGreaterThan(200);
}, 60_000);
