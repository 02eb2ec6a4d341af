import { finish, look_up, Output, prepare, size_of, writes_bytes } from "./q8_output";
import { flip_of, pack_four, pack_one } from "./q8_rows";
import { sparse_rows, sparse_slice } from "./q8_sparse";
import { row_narrow, row_wide, tile_narrow, tile_wide } from "./q8_tile";
import { row_bytes, tile_bytes } from "./q8_tile_bytes";
import { BYTES, NARROW, panel_bytes, WIDE } from "./q8_weights";
import { copy_window, is_pointwise, Window } from "./q8_window";
import { BIAS, COLUMNS, DEPTH, EMIT, PACKED, PITCH, ROW_SUMS, ROWS, SCALE, START, SUMS, TAIL, WINDOWS } from "./q8_work";
import { SPARSE, sums_at } from "./sparse";

/** y[m, n] from a[m, k] and packed weights; see src/kernels/infer/integer.ts. */
export function q8_gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  a_signed: i32,
  a_zero: i32,
  b: usize,
  form: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: usize,
  work: usize,
): void {
  multiply(m, n, k, a, lda, changetype<Window>(0), a_signed, a_zero, b, form, y, ldy, bias, scale, table, changetype<Output>(output), work);
}

/** y[oh, ow, n] from x[h, w, c] and packed weights [kh, kw, c]; see src/kernels/infer/integer.ts. */
export function q8_conv(
  x: usize,
  window: usize,
  x_signed: i32,
  x_zero: i32,
  b: usize,
  form: i32,
  n: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: usize,
  work: usize,
): void {
  const v = changetype<Window>(window);
  const windows = is_pointwise(v) ? changetype<Window>(0) : v;
  multiply(
    v.oh * v.ow,
    n,
    v.kh * v.kw * v.c,
    x,
    v.ldx,
    windows,
    x_signed,
    x_zero,
    b,
    form,
    y,
    ldy,
    bias,
    scale,
    table,
    changetype<Output>(output),
    work,
  );
}

/** A block of columns meets one block of rows after the other, slice of k by slice. Rows are those of `a`, or its windows. */
function multiply(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  window: Window,
  a_signed: i32,
  a_zero: i32,
  b: usize,
  form: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: Output,
  work: usize,
): void {
  const narrow = (form & ~SPARSE) == NARROW;
  if (!ASC_FEATURE_RELAXED_SIMD && narrow) unreachable();
  const sparse = (form & SPARSE) != 0;
  const flip = flip_of(a_signed);
  const zero = a_zero - flip;
  const panel: usize = sparse ? 32 : panel_bytes(k, form);
  const most = sparse ? sparse_rows(k) : ROWS;
  let panels = b;
  let column_sums = sparse ? sums_at(n, form, b) : b + panel - 32;
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = min(n - j, COLUMNS);
    // A last panel of less than eight columns writes into the rows behind it too, which are written later: as long as there are eight bytes of them.
    const is_whole = (columns & 7) == 0;
    const may = writes_bytes(output) && k <= DEPTH && (is_whole || ldy == n);
    const at = (<usize>j) << 2;
    prepare(columns, bias ? bias + at : 0, scale ? scale + at : 0, output, work);
    if (narrow) subtract_zero(columns, zero, column_sums, panel, work + START);
    for (let i = 0; i < m; i += most) {
      const rows = min(m - i, most);
      const direct = may && rows > 1 && (is_whole || (m - i - rows) * n >= 8);
      const to = y + (<usize>i * <usize>ldy + <usize>j) * size_of(output);
      // With nothing to multiply the sums are what they start from.
      for (let l = 0; l < k || l == 0; l += DEPTH) {
        const depth = min(k - l, DEPTH);
        if (window) pack_windows(rows, window, a, i, l, depth, a_zero, flip, zero, form, work);
        else pack(rows, a + <usize>i * <usize>lda + <usize>l, <usize>lda, depth, flip, zero, form, work);
        const first = l == 0,
          emit = direct ? work + EMIT : 0,
          sums = direct ? to : work + SUMS,
          lds = direct ? ldy : ((columns + 15) & ~15) << 2;
        if (sparse) sparse_slice(rows, columns, depth, b, n, j, l, form, first, emit, sums, lds, work);
        else slice(rows, columns, depth, panels + ((<usize>l) << (form == WIDE ? 4 : 3)), panel, form, first, emit, sums, lds, work);
      }
      if (!direct) finish(rows, columns, work + SUMS, work + SCALE, work + BIAS, table, output, to, ldy);
      else if (table) look_up(rows, columns, table, to, ldy, to, ldy);
    }
    panels += panel * <usize>(COLUMNS >> 3);
    column_sums += panel * <usize>(COLUMNS >> 3);
  }
}

/** Takes the products of a zero point and the sums of weights off what the sums start from. */
function subtract_zero(n: i32, zero: i32, column_sums: usize, panel: usize, start: usize): void {
  for (let i = 0; i < n; i++) {
    const at = (<usize>i) << 2;
    store<i32>(start + at, load<i32>(start + at) - zero * load<i32>(column_sums + <usize>(i >> 3) * panel + (at & 28)));
  }
}

function pack(m: i32, a: usize, lda: usize, k: i32, flip: i32, zero: i32, form: i32, work: usize): void {
  let to = work + PACKED;
  if (m == 1 && form < SPARSE) return pack_one(k, a, flip, zero, <i32>(form == NARROW), to, work);
  const strip = strip_bytes(k, form);
  for (let i = 0; i < m; i += 4) {
    // Rows that are not there are the last one.
    const p = a + <usize>i * lda;
    const last = a + <usize>(m - 1) * lda;
    const sums = work + ROW_SUMS + ((<usize>i) << 2);
    pack_four(k, p, min(p + lda, last), min(p + 2 * lda, last), min(p + 3 * lda, last), flip, zero, form, to, sums, work + TAIL);
    to += strip;
  }
}

function pack_windows(m: i32, v: Window, x: usize, i: i32, at: i32, k: i32, pad: i32, flip: i32, zero: i32, form: i32, work: usize): void {
  let to = work + PACKED;
  const w = work + WINDOWS;
  const strip = strip_bytes(k, form);
  for (let row = 0; row < m; row += 4) {
    const rows = min(4, m - row);
    for (let r = 0; r < rows; r++) copy_window(v, x, i + row + r, at, at + k, pad, w + PITCH * <usize>r);
    if (m == 1 && form < SPARSE) return pack_one(k, w, flip, zero, <i32>(form == NARROW), to, work);
    const sums = work + ROW_SUMS + ((<usize>row) << 2);
    // As in `pack`, rows that are not there are the last one.
    const last = w + PITCH * <usize>(rows - 1);
    pack_four(k, w, min(w + PITCH, last), min(w + 2 * PITCH, last), min(w + 3 * PITCH, last), flip, zero, form, to, sums, work + TAIL);
    to += strip;
  }
}

/** Bytes of four packed rows. */
// @ts-ignore: decorator
@inline
function strip_bytes(k: i32, form: i32): usize {
  return (<usize>((k + 15) & ~15)) << (form == NARROW ? 2 : 3);
}

/** Adds the products of a slice of packed rows to the sums at `y`, or makes bytes of them there where `emit` is set; `ldy` bytes are a row. */
function slice(m: i32, n: i32, k: i32, b: usize, panel: usize, form: i32, first: bool, emit: usize, y: usize, ldy: i32, work: usize): void {
  const lds = <usize>ldy;
  const strip = strip_bytes(k, form);
  const step: usize = first ? 0 : lds;
  b += panel * <usize>((n - 1) >> 3);
  for (let j = (n - 1) & ~7; j >= 0; j -= 8) {
    const at = (<usize>j) << 2;
    const scale = work + SCALE + at;
    let c = y + (emit ? <usize>j : at);
    let from = first ? work + START + at : c;
    let a = work + PACKED;
    let sums = work + ROW_SUMS;
    if (m == 1) {
      const depth = (k + 15) & ~15;
      if (form == NARROW) row_narrow(depth, a, b, from, c, sums);
      else if (form == BYTES) row_bytes(depth, a, b, from, c);
      else row_wide(depth, a, b, from, c);
    } else {
      // Rows that are not there are the last one: their bytes are too.
      const last = emit ? c + <usize>(m - 1) * lds : usize.MAX_VALUE;
      for (let i = 0; i < m; i += 4) {
        if (form == NARROW) tile_narrow(k, a, b, from, step, c, lds, last, scale, emit, sums);
        else if (form == BYTES) tile_bytes(k, a, b, from, step, c, lds, last, scale, emit);
        else tile_wide(k, a, b, from, step, c, lds, last, scale, emit);
        a += strip;
        c += lds << 2;
        from += step << 2;
        sums += 16;
      }
    }
    b -= panel;
  }
}
