import { sparse_narrow, sparse_row_narrow, sparse_row_wide, sparse_wide } from "./q8_sparse_tile";
import { BYTES, NARROW } from "./q8_weights";
import { DEPTH, PACKED, ROWS, SCALE, START } from "./q8_work";
import { block_bytes, blocks_at, rows_at, rows_below, SPARSE } from "./sparse";

/** Most bytes of packed rows: blocks take them in leaps, which only the first cache is quick enough for. */
const MAX_PACKED: i32 = 16 << 10;

/** Most rows of a block: they meet every panel before the next ones are packed. */
export function sparse_rows(k: i32): i32 {
  return max(8, min(ROWS, (MAX_PACKED / (2 * max(1, min(k, DEPTH)))) & ~3));
}

/**
 * As `slice` of q8_gemm.ts with the weights of `n` columns from `j` on and `k` rows from `l` on, of sparse weights `b` of `width` columns. Packed rows
 * are those that `pack_four` packs for them, of one row too.
 */
export function sparse_slice(
  m: i32,
  n: i32,
  k: i32,
  b: usize,
  width: i32,
  j: i32,
  l: i32,
  form: i32,
  first: bool,
  emit: usize,
  y: usize,
  ldy: i32,
  work: usize,
): void {
  const lds = <usize>ldy;
  const step: usize = first ? 0 : lds;
  const packed = work + PACKED - ((<usize>l) << 3);
  const strip = (<usize>((k + 15) & ~15)) << 3;
  const all_rows = rows_at(width, b);
  const all_blocks = blocks_at(width, b);
  // From the last panel on, as what is written behind one is what the next one writes.
  for (let i = (n - 1) & ~7; i >= 0; i -= 8) {
    const starts = b + ((<usize>(j + i)) >> 1);
    const start = load<u32>(starts);
    const all = <i32>(load<u32>(starts, 4) - start);
    let rows = all_rows + ((<usize>start) << 1);
    const before = l == 0 ? 0 : rows_below(l, all, rows);
    const count = rows_below(l + k, all, rows) - before;
    rows += (<usize>before) << 1;
    const panel = all_blocks + (<usize>start + <usize>before) * block_bytes(form);
    const at = (<usize>i) << 2;
    const scale = work + SCALE + at;
    let c = y + (emit ? <usize>i : at);
    let from = first ? work + START + at : c;
    if (m == 1) {
      if (form == (SPARSE | NARROW)) sparse_row_narrow(count, packed, panel, rows, from, c);
      else if (form == (SPARSE | BYTES)) sparse_row_wide<i8>(count, packed, panel, rows, from, c);
      else sparse_row_wide<i16>(count, packed, panel, rows, from, c);
      continue;
    }
    const last = emit ? c + <usize>(m - 1) * lds : usize.MAX_VALUE;
    let a = packed;
    for (let r = 0; r < m; r += 4) {
      if (form == (SPARSE | NARROW)) sparse_narrow(count, a, panel, rows, from, step, c, lds, last, scale, emit);
      else if (form == (SPARSE | BYTES)) sparse_wide<i8>(count, a, panel, rows, from, step, c, lds, last, scale, emit);
      else sparse_wide<i16>(count, a, panel, rows, from, step, c, lds, last, scale, emit);
      a += strip;
      c += lds << 2;
      from += step << 2;
    }
  }
}
