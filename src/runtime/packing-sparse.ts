/** Constant weights of which whole blocks are zero, as pruning leaves them, are packed without those. */
import type { Q8Form } from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { BLOCK_ROWS, blocksOf, type FLOAT_FORM, MAX_SPARSE_ROWS, sparseForm, sparseLayout } from "../kernels/infer/sparse.ts";
import type { Form } from "./packing.ts";

/** The share of blocks that are zero from which on products without them are the faster ones, by a tenth, in every form and with one row too. */
export const LEAST_ZEROS = 0.25;
/** The same where the alternative is Winograd's algorithm, which has less to multiply itself. */
export const LEAST_ZEROS_3X3 = 0.65;

/** Weights [taps, c] of `n` columns for each group: as `sparse_pack` has them, a group `bytes` after the other. */
export interface Weights {
  readonly n: number;
  readonly c: number;
  readonly taps: number;
  /** From column to column, channel to channel and tap to tap, in elements. */
  readonly strides: readonly [number, number, number];
  readonly group: number;
  readonly bytes: number;
  readonly signed: number;
}

/** The form without zero blocks; undefined where less than `least` of them are zero. `most` is what it may take. */
export function sparseFormOf(
  fn: InferKernels,
  weights: Weights,
  from: number,
  zero: number,
  dense: Q8Form | typeof FLOAT_FORM,
  least: number,
  most: number,
): Form | undefined {
  const { n, c, taps, group } = weights;
  if ((taps > 1 || dense === 3) && c % BLOCK_ROWS !== 0) return undefined;
  if (c * taps > MAX_SPARSE_ROWS) return undefined;
  const form = sparseForm(dense);
  const counts = Array.from({ length: group }, (_, g) => packGroup(fn.sparse_pack, weights, g, from, zero, form, 0));
  const share = counts.reduce((sum, count) => sum + count, 0) / (blocksOf(n, c, taps) * group);
  const stride = Math.ceil(sparseLayout(n, Math.max(...counts), form).end / 16) * 16;
  return share <= 1 - least && stride * group <= most ? { form, bytes: stride * group, stride } : undefined;
}

/** Packs group `g` by `sparse_pack`, or by `q8_pack`, which has the same arguments. */
export function packGroup<T>(
  pack: (...args: Parameters<InferKernels["sparse_pack"]>) => T,
  { n, c, taps, strides, bytes, signed }: Weights,
  g: number,
  from: number,
  zero: number,
  form: number,
  to: number,
): T {
  return pack(n, c, taps, from + g * bytes, ...strides, signed, zero && zero + g * n, form, to);
}
