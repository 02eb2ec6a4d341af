import { finish } from "./finish";
import { pack_rows, rows_of } from "./pack";
import { block_bytes, blocks_at, BLOCK_ROWS, FLOAT, rows_at, rows_below, SPARSE } from "./sparse";
import { tile1, tile2, tile4, tile6 } from "./tile";
import { DEPTH, pack_windows, ZEROS } from "./window";

// y = a * b in blocks: some rows of a are packed, which then lie in the second cache, and meet one panel of b after the other, which lies in the
// first. Where k is long it goes in slices, and sums wait in y.

/** Most rows of a block. */
const MAX_ROWS = 192;
/** Most floats of a packed block. */
const MAX_PACKED = 49152;
/** Depth where there are less rows than a tile has: b comes from memory, and should come in one stream. */
const LONG = 4096;

// The work area: packed rows, the last panel's columns with room for those that y has not, its bias.
const PANEL: usize = (<usize>MAX_PACKED) << 2;
const PANEL_BIAS: usize = PANEL + ((<usize>MAX_ROWS) << 5);

/** y[m, n] = act(a[m, k] * b + bias + z), or act(a * b + bias) + z; see src/kernels/infer/float.ts. */
export function f32_gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  b: usize,
  sparse: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  z: usize,
  ldz: i32,
  z_first: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
  work: usize,
): void {
  multiply(m, n, k, a, lda, b, sparse, y, ldy, bias, z, ldz, z_first, kind, alpha, beta, work);
}

/** The same, where rows of a are the windows of an image if `a` is 0. */
export function multiply(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  b: usize,
  sparse: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  z: usize,
  ldz: i32,
  z_first: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
  work: usize,
): void {
  const slices = max(1, (k + DEPTH - 1) / DEPTH);
  const depth = a != 0 && m < 4 ? min(k, LONG) : ((k + slices - 1) / slices + 7) & ~7;
  const rows = max(12, (min(MAX_ROWS, MAX_PACKED / max(1, depth)) / 12) * 12);
  const rest = n & 7;
  if (bias != 0) copy(rest, bias + ((<usize>(n - rest)) << 2), work + PANEL_BIAS);
  for (let i = 0; i < m; i += rows) {
    const count = min(rows, m - i);
    const to = y + ((<usize>i * ldy) << 2);
    let at = 0;
    do {
      const length = min(depth, k - at);
      if (a != 0) pack_rows(count, length, a + ((<usize>i * lda + at) << 2), lda, work);
      else pack_windows(i, count, at, length, work);
      panels(count, n, k, at, length, work, b, sparse, to, ldy, bias);
      at += length;
    } while (at < k);
    finish(count, n, to, ldy, z == 0 ? 0 : z + ((<usize>i * ldz) << 2), ldz, z_first, kind, alpha, beta);
  }
}

/** Adds the packed rows times rows `at` to `at + length` of every panel of b to y, or to the bias. */
function panels(m: i32, n: i32, k: i32, at: i32, length: i32, work: usize, b: usize, sparse: i32, y: usize, ldy: i32, bias: usize): void {
  const row = (<usize>ldy) << 2;
  const first = at == 0;
  for (let j = 0; j < n; j += 8) {
    const p = sparse ? set_blocks(n, b, j, at, length) : b + ((<usize>(j * k + (at << 3))) << 2);
    if (n - j < 8) {
      const own = work + PANEL;
      if (!first) panel(m, length, work, p, sparse, own, 32, own, 32);
      else panel(m, length, work, p, sparse, bias != 0 ? work + PANEL_BIAS : ZEROS, 0, own, 32);
      for (let from = own; m > 0; m--) {
        copy(n - j, from, y);
        y += row;
        from += 32;
      }
      return;
    }
    if (!first) panel(m, length, work, p, sparse, y, row, y, row);
    else if (bias != 0) panel(m, length, work, p, sparse, bias, 0, y, row);
    else panel(m, length, work, p, sparse, ZEROS, 0, y, row);
    y += 32;
    bias += bias != 0 ? 32 : 0;
  }
}

// The blocks of a panel that are in a slice of k: how many, where their rows lie, and the row that the slice starts with.
let count: i32 = 0;
let starts: usize = 0;
let slice: i32 = 0;

/** Says what the blocks are that rows `at` to `at + length` of the panel of column `j` have, until the next call; returns where they lie. */
function set_blocks(n: i32, b: usize, j: i32, at: i32, length: i32): usize {
  const panel = b + ((<usize>j) >> 1);
  const first = load<u32>(panel);
  const all = <i32>(load<u32>(panel, 4) - first);
  starts = rows_at(n, b) + ((<usize>first) << 1);
  const before = rows_below(at, all, starts);
  count = rows_below(at + length, all, starts) - before;
  starts += (<usize>before) << 1;
  slice = at;
  return blocks_at(n, b) + (<usize>first + <usize>before) * block_bytes(SPARSE | FLOAT);
}

/** Adds the packed rows times one panel to what stands at `from`. */
function panel(m: i32, k: i32, a: usize, b: usize, sparse: i32, from: usize, ldf: usize, y: usize, ldy: usize): void {
  while (m > 0) {
    const rows = rows_of(m);
    if (sparse) {
      const p = a - ((<usize>(slice * rows)) << 2);
      if (ASC_FEATURE_RELAXED_SIMD && rows == 6) tile6<u16>(count, starts, BLOCK_ROWS, p, b, from, ldf, y, ldy);
      else if (rows == 4) tile4<u16>(count, starts, BLOCK_ROWS, p, b, from, ldf, y, ldy);
      else if (rows == 2) tile2<u16>(count, starts, BLOCK_ROWS, p, b, from, ldf, y, ldy);
      else tile1<u16>(count, starts, BLOCK_ROWS, p, b, from, y);
    } else if (ASC_FEATURE_RELAXED_SIMD && rows == 6) tile6<void>(0, 0, k, a, b, from, ldf, y, ldy);
    else if (rows == 4) tile4<void>(0, 0, k, a, b, from, ldf, y, ldy);
    else if (rows == 2) tile2<void>(0, 0, k, a, b, from, ldf, y, ldy);
    else tile1<void>(0, 0, k, a, b, from, y);
    a += (<usize>(k * rows)) << 2;
    from += ldf * rows;
    y += ldy * rows;
    m -= rows;
  }
}

/** A few floats. */
// @ts-ignore: decorator
@inline
function copy(n: i32, x: usize, y: usize): void {
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    store<f32>(y, load<f32>(x));
    y += 4;
  }
}
