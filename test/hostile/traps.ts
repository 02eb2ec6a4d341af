/** Graphs made to cost more than they weigh: `n` is a count of nodes or of tensors. */

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
  value,
} from "../kit/onnx.ts";
import { toFloat16Bits } from "../kit/reference.ts";

const data = Uint16Array.from(randn(1024, 1, 0.2), toFloat16Bits);
const half = (name: string): TensorSpec => tensor(name, DataType.FLOAT16, [32, 32], data);
const x = value("x", DataType.FLOAT16, ["rows", 32]);
const y = value("y", DataType.FLOAT16, ["rows", 32]);
const list = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const product = (weight: string, i: number): NodeSpec => node("MatMul", ["x", weight], [`o${i}`], {}, { name: "" });

function model(nodes: readonly NodeSpec[], initializers: readonly TensorSpec[], rest: Partial<GraphSpec> = {}, layout = {}): Uint8Array {
  return encodeModel({ graph: { nodes, initializers, inputs: [x], outputs: [], ...rest }, opsets: { "": 13 } }, layout);
}

/** w → Cast → Cast → …; each but the last is read by a product too where `comb`. */
export const chain = (n: number, comb = false): Uint8Array => {
  const casts = list(n, (i) => node("Cast", [i === 0 ? "w" : `c${i - 1}`], [`c${i}`], { to: DataType.FLOAT16 }, { name: "" }));
  const teeth = comb ? list(n, (i) => product(`c${i}`, i)) : [product(`c${n - 1}`, 0)];
  return model([...casts, ...teeth], [half("w")]);
};

export const manyReaders = (n: number): Uint8Array =>
  model(
    list(n, (i) => product("w", i)),
    [half("w")],
  );

/** Branches may use one name again and again: each weight then needs names of its own. */
export const oneName = (n: number): Uint8Array => {
  const branch = (): GraphSpec => ({ nodes: [product("w", 0)], initializers: [half("w")], inputs: [], outputs: [] });
  return model(
    list(n, (i) => node("If", ["x"], [`y${i}`], { then_branch: { graph: branch() } }, { name: "" })),
    [],
  );
};

/** Pieces of one field each, Constants and initializers in turn. */
export const alternating = (n: number): Uint8Array => {
  const constant = (i: number) => node("Constant", [], [`k${i}`], { value: { tensor: half("") } }, { name: "" });
  return model(
    list(n, (i) => [constant(i), product(`k${i}`, i)]).flat(),
    list(n, (i) => half(`u${i}`)),
    {},
    { pieces: 1 },
  );
};

/** Small tensors that are inputs too, as IR 3 asks. */
export const listed = (n: number): Uint8Array =>
  model(
    [product("w", 0)],
    [half("w"), ...list(n, (i) => tensor(`s${i}`, DataType.FLOAT16, [], data.subarray(0, 1)))],
    { outputs: [y], nodes: [node("MatMul", ["x", "w"], ["y"])] },
    { list_initializers: true },
  );

/** A cycle of n nodes. */
export const ring = (n: number): Uint8Array =>
  model(
    list(n, (i) => node("Relu", [`r${i}`], [`r${(i + 1) % n}`], {}, { name: "" })),
    [half("w")],
  );

/** An If in an If in an If. */
export function nested(depth: number): Uint8Array {
  let graph: GraphSpec = { nodes: [product("w", 0)], initializers: [half("w")], inputs: [], outputs: [] };
  for (let i = 0; i < depth; i++)
    graph = { nodes: [node("If", ["x"], [`y${i}`], { then_branch: { graph } })], inputs: i === depth - 1 ? [x] : [], outputs: [] };
  return encodeModel({ graph, opsets: { "": 13 } });
}

/** A chain at opset 9 of which each node becomes several at 13. */
export function older(n: number): Uint8Array {
  const nodes = list(n, (i) => node("Softmax", [i === 0 ? "m" : `s${i - 1}`], [`s${i}`], { axis: i % 2 }, { name: "" }));
  const graph: GraphSpec = {
    nodes: [node("MatMul", ["x", "w"], ["m"]), ...nodes],
    initializers: [f32("w", [32, 32], randn(1024, 1, 0.2))],
    inputs: [value("x", DataType.FLOAT, ["rows", 32])],
    outputs: [],
  };
  return encodeModel({ graph, opsets: { "": 9 } });
}

const wide = value("x", DataType.FLOAT, ["rows", 32]);
const single = f32("w", [32, 32], randn(1024, 1, 0.2));

/** A graph of float32: x[?, 32] → the values named, with a weight w[32, 32] for a product. */
function floats(nodes: readonly NodeSpec[], outputs: readonly string[], initializers: readonly TensorSpec[] = []): Uint8Array {
  const outs = outputs.map((name) => value(name, DataType.FLOAT));
  return encodeModel({ graph: { nodes, initializers: [single, ...initializers], inputs: [wide], outputs: outs }, opsets: { "": 13 } });
}

/** x → `op` → `op` → …, at most a name each; then a product. */
const links = (n: number, op_type: string, attributes = {}): NodeSpec[] =>
  list(n, (i) => node(op_type, [i === 0 ? "x" : `c${i - 1}`], [`c${i}`], attributes, { name: "" }));
const end = (from: string): NodeSpec => node("MatMul", [from, "w"], ["y"]);

/** A chain of nodes that hand on their input, of which each is read by another node too. */
export const identities = (n: number): Uint8Array => {
  const teeth = list(n, (i) => node("Neg", [`c${i}`], [`o${i}`], {}, { name: "" }));
  const joined = node(
    "Sum",
    list(n, (i) => `o${i}`),
    ["s"],
  );
  return floats([...links(n, "Identity"), ...teeth, joined, end("s")], ["y"]);
};

export const transposes = (n: number): Uint8Array => {
  const n2 = n - (n % 2);
  const nodes = [
    node("MatMul", ["x", "w"], ["x0"]),
    ...links(n2, "Transpose", { perm: [1, 0] }).map((each, i) => (i === 0 ? { ...each, inputs: ["x0"] } : each)),
  ];
  return floats(nodes, [`c${n2 - 1}`]);
};

/** A chain of which nothing comes. */
export const deadEnds = (n: number): Uint8Array => floats([...links(n, "Relu"), end("x")], ["y"]);

/** A number that many nodes read, and a chain of vectors, each multiplied on what may be an angle. */
export const frequencies = (n: number): Uint8Array => {
  const vectors = list(n, (i) => f32(`k${i}`, [32], randn(32, i + 1)));
  const chain = list(n, (i) => node("Mul", [i === 0 ? "x" : `c${i - 1}`, `k${i}`], [`c${i}`], {}, { name: "" }));
  const halves = list(n, (i) => node("Mul", [i === 0 ? `c${n - 1}` : `h${i - 1}`, "half"], [`h${i}`], {}, { name: "" }));
  return floats([...chain, ...halves, node("Cos", [`h${n - 1}`], ["cos"]), end("cos")], ["y"], [f32("half", [], [0.5]), ...vectors]);
};

/** Constants of which each is like every other but in its last element. */
export const alike = (n: number): Uint8Array => {
  const constants = list(n, (i) =>
    f32(
      `k${i}`,
      [96],
      Float32Array.from({ length: 96 }, (_, j) => (j === 95 ? i % (n / 2) : 1)),
    ),
  );
  const chain = list(n, (i) => node("Max", ["wide", `k${i}`], [`c${i}`], {}, { name: "" }));
  const joined = node(
    "Sum",
    list(n, (i) => `c${i}`),
    ["s"],
  );
  return floats([node("Concat", ["x", "x", "x"], ["wide"], { axis: 1 }), ...chain, joined], ["s"], constants);
};

const BIG = 2 ** 40;

/** Nodes that ask for more than there is, or for nothing that makes sense: [what, nodes, constants]. */
export const absurd: readonly (readonly [what: string, nodes: readonly NodeSpec[], constants: readonly TensorSpec[]])[] = [
  ["a ConstantOfShape of 2^40", [node("ConstantOfShape", ["s"], ["big"])], [i64("s", [BIG])]],
  [
    "a ConstantOfShape of 2^63 - 1 twice",
    [node("ConstantOfShape", ["s"], ["big"])],
    [tensor("s", DataType.INT64, [2], BigInt64Array.of(2n ** 63n - 1n, 2n ** 63n - 1n))],
  ],
  ["a ConstantOfShape of less than nothing", [node("ConstantOfShape", ["s"], ["big"])], [i64("s", [-5, 3])]],
  ["a ConstantOfShape of 100,000 dimensions", [node("ConstantOfShape", ["s"], ["big"])], [i64("s", new Array<number>(100_000).fill(1))]],
  ["an Expand to 2^40", [node("Expand", ["one", "s"], ["big"])], [f32("one", [1], [1]), i64("s", [BIG])]],
  ["a Tile of a thousand million", [node("Tile", ["one", "s"], ["big"])], [f32("one", [1], [1]), i64("s", [1e9])]],
  [
    "a Range that does not end",
    [node("Range", ["a", "b", "c"], ["big"])],
    [f32("a", [], [0]), f32("b", [], [Number.POSITIVE_INFINITY]), f32("c", [], [1])],
  ],
  ["a Range of steps of nothing", [node("Range", ["a", "b", "c"], ["big"])], [i64("a", [0], []), i64("b", [9], []), i64("c", [0], [])]],
  ["a Pad by 2^40", [node("Pad", ["one", "p"], ["big"])], [f32("one", [1], [1]), i64("p", [BIG, BIG])]],
  ["a Pad of less than there is", [node("Pad", ["x", "p"], ["big"])], [i64("p", [-9, -9, -9, -9])]],
  ["a Reshape to nothing", [node("Reshape", ["x", "s"], ["big"])], [i64("s", [0, -1, 0, -1])]],
  ["a Reshape to a float", [node("Reshape", ["x", "s"], ["big"])], [f32("s", [2], [1, 2])]],
  [
    "a Slice by steps of nothing",
    [node("Slice", ["k", "a", "b", "c", "d"], ["big"])],
    [f32("k", [4], [1, 2, 3, 4]), i64("a", [0]), i64("b", [4]), i64("c", [0]), i64("d", [0])],
  ],
  [
    "a Slice of axes that are not there",
    [node("Slice", ["k", "a", "b", "c"], ["big"])],
    [f32("k", [4], [1, 2, 3, 4]), i64("a", [0]), i64("b", [4]), i64("c", [7])],
  ],
  ["a Gather of what is not there", [node("Gather", ["k", "i"], ["big"])], [f32("k", [4], [1, 2, 3, 4]), i64("i", [99, -99])]],
  ["a Concat of nothing", [node("Concat", [], ["big"], { axis: 0 })], []],
  ["a Concat on an axis that is not there", [node("Concat", ["k", "k"], ["big"], { axis: 5 })], [f32("k", [4], [1, 2, 3, 4])]],
  [
    "a Concat that doubles, forty times",
    list(40, (i) => node("Concat", [i === 0 ? "k" : `d${i - 1}`, i === 0 ? "k" : `d${i - 1}`], [i === 39 ? "big" : `d${i}`], { axis: 0 })),
    [f32("k", [4], [1, 2, 3, 4])],
  ],
  ["a Transpose that turns an axis twice", [node("Transpose", ["k"], ["big"], { perm: [0, 0] })], [f32("k", [2, 2], [1, 2, 3, 4])]],
  [
    "two Transposes of other ranks",
    [node("Transpose", ["x"], ["t"], { perm: [5, 1] }), node("Transpose", ["t"], ["big"], { perm: [1, 9] })],
    [],
  ],
  [
    "a Split into more than there is",
    [node("Split", ["k", "s"], ["big", "b2"], { axis: 0 })],
    [f32("k", [4], [1, 2, 3, 4]), i64("s", [400, -396])],
  ],
  ["a Cast to a type that is not there", [node("Cast", ["k"], ["big"], { to: 99 })], [f32("k", [4], [1, 2, 3, 4])]],
  [
    "a Cast of infinity to an integer",
    [node("Cast", ["k"], ["big"], { to: DataType.INT64 })],
    [f32("k", [3], [Number.POSITIVE_INFINITY, Number.NaN, 1e30])],
  ],
  ["a division by no integer", [node("Div", ["k", "z"], ["big"])], [i64("k", [1, -1]), i64("z", [0])]],
  [
    "the least integer, negated and divided",
    [node("Neg", ["k"], ["n"]), node("Div", ["k", "m"], ["big"])],
    [tensor("k", DataType.INT64, [1], BigInt64Array.of(-(2n ** 63n))), i64("m", [-1])],
  ],
  ["an integer shifted to infinity", [node("Pow", ["k", "k"], ["big"])], [i64("k", [1e6])]],
  [
    "a Conv whose weight is nothing",
    [node("Conv", ["image", "k"], ["c"]), node("Mul", ["c", "one"], ["big"])],
    [f32("k", [0, 0, 0, 0], []), f32("image", [1, 1, 1, 1], [1]), f32("one", [], [2])],
  ],
  [
    "a Conv of a million groups, normalized",
    [node("Conv", ["image", "k"], ["c"], { group: 1e6 }), node("BatchNormalization", ["c", "v", "v", "v", "v"], ["big"])],
    [f32("k", [2, 1, 1, 1], [1, 2]), f32("image", [1, 2, 1, 1], [1, 2]), f32("v", [2], [1, 2])],
  ],
  [
    "a ConvTranspose of no groups",
    [node("ConvTranspose", ["image", "k"], ["c"], { group: 0 }), node("Mul", ["c", "v"], ["big"])],
    [f32("k", [2, 1, 1, 1], [1, 2]), f32("image", [1, 2, 1, 1], [1, 2]), f32("v", [1, 1, 1], [3])],
  ],
  [
    "a Pad before a Conv of other ranks",
    [node("Pad", ["x", "p"], ["q"]), node("Conv", ["q", "k"], ["big"])],
    [i64("p", [0, 0, 1, 0, 0, 1]), f32("k", [2, 1, 1, 1], [1, 2])],
  ],
  [
    "a BatchNormalization of one input",
    [node("Conv", ["image", "k"], ["c"]), node("BatchNormalization", ["c"], ["big"])],
    [f32("k", [2, 1, 1, 1], [1, 2]), f32("image", [1, 1, 1, 1], [1])],
  ],
  ["nodes without inputs or outputs", [node("Identity", [], []), node("Reshape", [], ["big"]), node("Transpose", ["x"], [])], []],
  ["an output that has no name", [node("Relu", ["x"], [""]), node("Identity", ["x"], ["big"])], []],
  ["a Dropout of everything", [node("Dropout", ["x", "r", "t"], ["big"])], [f32("r", [], [2]), f32("t", [], [0])]],
  ["a mask that is no number", [node("Mul", ["x", "n"], ["big"])], [f32("n", [3], [Number.NaN, Number.NEGATIVE_INFINITY, 1e-45])]],
];

/** A graph of absurd nodes, which give `big`, beside a product. */
export const absurdity = (nodes: readonly NodeSpec[], constants: readonly TensorSpec[]): Uint8Array =>
  floats([...nodes, node("Shape", ["big"], ["size"]), end("x")], ["y"], constants).slice();
