/** Weights without their zero blocks, in plain TypeScript. */
import { integer } from "./integer-reference.ts";
import { BLOCK_COLUMNS, BLOCK_ROWS, FLOAT_FORM, SPARSE, type SparseForm, sparseForm, sparseLayout } from "./sparse.ts";

/** Where weight (i, j) of a block lies, in elements, for each form less SPARSE. */
const PLACES = [
  (i: number, j: number) => (i >> 1) * 16 + j * 2 + (i & 1),
  (i: number, j: number) => j * 4 + i,
  (i: number, j: number) => (i >> 1) * 16 + j * 2 + (i & 1),
  (i: number, j: number) => i * 8 + j,
] as const;
const WIDTHS = [2, 1, 1, 4] as const;

export function sparse_pack(
  n: number,
  c: number,
  taps: number,
  w: Uint8Array | Float32Array,
  n_stride: number,
  c_stride: number,
  tap_stride: number,
  w_signed: number,
  zero: Uint8Array | 0,
  form: SparseForm,
  p: Uint8Array | 0,
): number {
  const dense = form - SPARSE;
  const [place, width] = [PLACES[dense]!, WIDTHS[dense]!];
  const weight = (k: number, j: number): number => {
    if (j >= n) return 0;
    const v = w[j * n_stride + (k % c) * c_stride + Math.floor(k / c) * tap_stride]!;
    return dense === FLOAT_FORM ? v : integer(v, w_signed) - (zero === 0 ? 0 : integer(zero[j]!, w_signed));
  };
  const blocks: { panel: number; row: number; weights: number[][] }[] = [];
  for (let panel = 0; panel * BLOCK_COLUMNS < n; panel++)
    for (let tap = 0; tap < taps; tap++)
      for (let i = 0; i < c; i += BLOCK_ROWS) {
        const row = tap * c + i;
        const at = (r: number, j: number): number => (i + r < c ? weight(row + r, panel * BLOCK_COLUMNS + j) : 0);
        const weights = Array.from({ length: BLOCK_ROWS }, (_, r) => Array.from({ length: BLOCK_COLUMNS }, (_, j) => at(r, j)));
        if (weights.flat().some((v) => v !== 0)) blocks.push({ panel, row, weights });
      }
  if (p === 0) return blocks.length;
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const layout = sparseLayout(n, blocks.length, form);
  for (let panel = 0; panel <= Math.ceil(n / BLOCK_COLUMNS); panel++)
    view.setUint32(panel * 4, blocks.filter((block) => block.panel < panel).length, true);
  if (layout.end > layout.sums) p.fill(0, layout.sums, layout.end);
  for (const [b, { panel, row, weights }] of blocks.entries()) {
    view.setUint16(layout.rows + b * 2, row, true);
    for (const [i, each] of weights.entries())
      for (const [j, v] of each.entries()) {
        const at = layout.blocks + (b * 32 + place(i, j)) * width;
        if (width === 4) view.setFloat32(at, v, true);
        else if (width === 2) view.setInt16(at, v, true);
        else view.setInt8(at, dense === 1 ? v + 64 : v);
        const sum = layout.sums + panel * 32 + j * 4;
        if (dense === 1) view.setInt32(sum, view.getInt32(sum, true) + v, true);
      }
  }
  return blocks.length;
}

/** Panels [ceil(n / 8)][k][8] of what `sparse_pack` packed of float32. */
export function unpacked(p: Uint8Array, n: number, k: number): Float32Array {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const panels = Math.ceil(n / BLOCK_COLUMNS);
  const y = new Float32Array(panels * k * BLOCK_COLUMNS);
  const { rows, blocks } = sparseLayout(n, view.getUint32(panels * 4, true), sparseForm(FLOAT_FORM));
  for (let panel = 0; panel < panels; panel++)
    for (let b = view.getUint32(panel * 4, true); b < view.getUint32(panel * 4 + 4, true); b++) {
      const to = (panel * k + view.getUint16(rows + b * 2, true)) * BLOCK_COLUMNS;
      for (let i = 0; i < BLOCK_ROWS * BLOCK_COLUMNS; i++) y[to + i] = view.getFloat32(blocks + (b * 32 + i) * 4, true);
    }
  return y;
}
