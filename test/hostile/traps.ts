/** Graphs made to cost more than they weigh: `n` is a count of nodes or of tensors. */

import { DataType, encodeModel, f32, type GraphSpec, type NodeSpec, node, randn, type TensorSpec, tensor, value } from "../kit/onnx.ts";
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
