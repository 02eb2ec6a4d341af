/** Attention as Transformers' modules are exported: heads by arithmetic on shapes, masks that are added. */
import { BOOL, INT64 } from "./model.ts";
import { arange, filled, linear, reshape, shape, size, softmax, toFloat, transpose, unsqueeze } from "./operators.ts";
import { LEAST, type Trace } from "./trace.ts";

export interface Heads {
  count: number;
  /** Elements of one. */
  size: number;
}

/** [batch, length, count · size] → [batch, count, length, size]; the sizes are read from the value, as `x.view(*x.shape[:-1], …)` is. */
export function splitHeads(t: Trace, x: string, heads: Heads): string {
  const view = t.op("Reshape", [x, shape(t, size(t, x, 0), size(t, x, 1), heads.count, heads.size)]);
  return transpose(t, view, 0, 2, 1, 3);
}

export const joinHeads = (t: Trace, x: string, heads: Heads): string => {
  const turned = transpose(t, x, 0, 2, 1, 3);
  return t.op("Reshape", [turned, shape(t, size(t, turned, 0), size(t, turned, 1), heads.count * heads.size)]);
};

/** q kᵀ of [batch, count, length, size] each. */
export const scored = (t: Trace, q: string, k: string): string => t.op("MatMul", [q, transpose(t, k, 0, 1, 3, 2)]);

/** softmax(scores) v. */
export const weighed = (t: Trace, scores: string, v: string): string => t.op("MatMul", [softmax(t, scores, 4), v]);

/** softmax(q kᵀ / √size, masked) v. */
export const attend = (t: Trace, q: string, k: string, v: string, heads: Heads, mask: (scores: string) => string): string =>
  weighed(t, mask(t.op("Div", [scored(t, q, k), t.float(Math.sqrt(heads.size))])), v);

/** A layer's own q, k and v. */
export const projections = (t: Trace, x: string, names: readonly string[], hidden: number): string[] =>
  names.map((name) => t.in(name, () => linear(t, x, t.module, hidden, hidden)));

/** attention_mask[batch, length] → [batch, 1, 1, length]: 0 where a token is, the least float where none is. */
export function paddingMask(t: Trace, attention_mask: string): string {
  const wide = unsqueeze(t, unsqueeze(t, attention_mask, 1), 2);
  return t.op("Mul", [t.op("Sub", [t.float(1), toFloat(t, wide)]), t.float(LEAST)]);
}

/** [length, past + length]: the least float where a position would look ahead; positions are compared. */
export function causalMask(t: Trace, length: string, total: string): string {
  const keys = arange(t, total);
  const queries = t.op("Add", [arange(t, length), t.op("Sub", [total, length])]);
  const ahead = t.op("Greater", [keys, reshape(t, queries, -1, 1)]);
  const least = filled(t, shape(t, length, total), LEAST);
  return t.op("Where", [ahead, least, t.float(0)]);
}

/** The same by Trilu (from opset 14) times a mask of zeros and ones. */
export function triangularMask(t: Trace, length: string, total: string): string {
  if (t.opset < 14) return causalMask(t, length, total);
  const above = t.op("Trilu", [filled(t, shape(t, length, total), LEAST), t.ints(1)], { upper: 1 });
  const queries = t.op("Add", [arange(t, length), t.op("Sub", [total, length])]);
  const ahead = t.op("Greater", [arange(t, total), reshape(t, queries, -1, 1)]);
  return t.op("Mul", [above, toFloat(t, ahead)]);
}

/** A table of booleans, [1, 1, positions, positions]: true on and below the diagonal. Before opset 13 it is kept as bytes and cast. */
export function lowerTriangle(t: Trace, name: string, positions: number): string {
  const data = Uint8Array.from({ length: positions * positions }, (_, i) => (i % positions <= Math.floor(i / positions) ? 1 : 0));
  const dims = [1, 1, positions, positions];
  return t.opset < 13 ? t.op("Cast", [t.tensor(name, 2, dims, data)], { to: BOOL }) : t.tensor(name, BOOL, dims, data);
}

/** A table of 0, 1, … as an initializer of [1, positions]. */
export const positionIds = (t: Trace, name: string, positions: number): string =>
  t.tensor(
    name,
    INT64,
    [1, positions],
    BigInt64Array.from({ length: positions }, (_, i) => BigInt(i)),
  );
