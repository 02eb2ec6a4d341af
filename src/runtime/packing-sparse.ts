/** Constant weights of which whole blocks are zero, as pruning leaves them, are packed without those. */
import type { Q8Form } from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { BLOCK_ROWS, blocksOf, FLOAT_FORM, MAX_SPARSE_ROWS, sparseForm, sparseLayout } from "../kernels/infer/sparse.ts";
import type { Form } from "./packing.ts";

/** The share of blocks that are zero from which on products without them are surely quicker: in every form, with many rows and with one. */
export const LEAST_ZEROS = 0.25;
/** The same where the alternative is Winograd's algorithm, which multiplies a quarter as often itself. */
export const LEAST_ZEROS_WINOGRAD = { float32: 0.8, int8: 0.7 } as const;

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
  if ((taps > 1 || dense === FLOAT_FORM) && c % BLOCK_ROWS !== 0) return undefined;
  if (c * taps > MAX_SPARSE_ROWS) return undefined;
  const form = sparseForm(dense);
  const counts = Array.from({ length: group }, (_, g) => packGroup(fn.sparse_pack, weights, g, from, zero, form, 0));
  const share = counts.reduce((sum, count) => sum + count, 0) / (blocksOf(n, c, taps) * group);
  const stride = Math.ceil(sparseLayout(n, Math.max(...counts), form).end / 16) * 16;
  return share <= 1 - least && stride * group <= most ? { form, bytes: stride * group, stride } : undefined;
}

/** `sparse_pack`, or `q8_pack`, which takes the same arguments. */
type PackKernel<T> = (...args: Parameters<InferKernels["sparse_pack"]>) => T;

/** Packs groups one after the other. */
export function packGroups(
  pack: PackKernel<unknown>,
  weights: Weights,
  from: number,
  zero: number,
  { form, stride }: Form,
  to: number,
): void {
  for (let g = 0; g < weights.group; g++) packGroup(pack, weights, g, from, zero, form, to + g * stride);
}

function packGroup<T>(
  pack: PackKernel<T>,
  { n, c, taps, strides, bytes, signed }: Weights,
  g: number,
  from: number,
  zero: number,
  form: number,
  to: number,
): T {
  return pack(n, c, taps, from + g * bytes, ...strides, signed, zero && zero + g * n, form, to);
}
