import { Q8_FORMS, type Q8Form } from "./integer-layout.ts";

/** Rows of k and columns of a block of weights. */
export const BLOCK_ROWS = 4;
export const BLOCK_COLUMNS = 8;

/** What a form of weights becomes without its zero blocks: those of Q8_FORMS, and float32. */
export const SPARSE = 4;
export const FLOAT_FORM = 3;
export type SparseForm = 4 | 5 | 6 | 7;

export const sparseForm = (form: Q8Form | typeof FLOAT_FORM): SparseForm => (form + SPARSE) as SparseForm;

/** The first row of a block is a uint16. */
export const MAX_SPARSE_ROWS = 2 ** 16;

const BLOCK_BYTES: Readonly<Record<SparseForm, number>> = { 4: 64, 5: 32, 6: 32, 7: 128 };

/** How many blocks [taps, c] weights of `n` columns have. */
export const blocksOf = (n: number, c: number, taps: number): number => Math.ceil(n / BLOCK_COLUMNS) * Math.ceil(c / BLOCK_ROWS) * taps;

/** Where in weights of `n` columns that `sparse_pack` packs the rows of `count` blocks lie, the blocks and the sums of columns, and where they end. */
export function sparseLayout(n: number, count: number, form: SparseForm): { rows: number; blocks: number; sums: number; end: number } {
  const panels = Math.ceil(n / BLOCK_COLUMNS);
  const rows = 4 * (panels + 1);
  const blocks = Math.ceil((rows + 2 * count) / 16) * 16;
  const sums = blocks + count * BLOCK_BYTES[form];
  return { rows, blocks, sums, end: sums + (form === sparseForm(Q8_FORMS.narrow) ? 32 * panels : 0) };
}

/** Kernels for weights in which whole blocks are zero. */
export interface SparseKernels {
  /**
   * Packs the weights that `q8_pack` would, or float32 ones, without blocks that are zero, of four channels of a tap and eight columns: `c` is a
   * multiple of 4 or, of integers, `taps` is 1. Returns how many blocks are left; nothing is written where `p` is 0. `form` is one of
   * {@link sparseForm}, `zero` and the strides are those of `q8_pack`; `p` receives what {@link sparseLayout} says. Products with such weights are
   * those with all of them, but that infinities and NaN meet no zero block.
   */
  sparse_pack(
    n: number,
    c: number,
    taps: number,
    w: number,
    n_stride: number,
    c_stride: number,
    tap_stride: number,
    w_signed: number,
    zero: number,
    form: number,
    p: number,
  ): number;
}
