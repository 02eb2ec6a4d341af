import { zip16_high, zip16_low } from "../lanes";
import { finish, look_up, Output, prepare, put8, size_of, writes_bytes } from "./q8_output";
import { fill, Window } from "./q8_window";
import { BIAS, COLUMNS, EMIT, PACKED, PAD, SCALE, START, SUMS } from "./q8_work";

// Convolution of every channel by itself, eight channels at a time. The rows that an output row needs are widened, less the zero point, and zipped
// two by two, so that a dot product of int16 meets two taps at once and columns are ready for every output that they are part of; what
// lies outside of the image is 0. Weights are groups of eight channels, int16[kh / 2][kw][8][2]; the last group ends with the last
// channel, so that it may overlap the one before, and nothing is read beyond the data.

/** Bytes of zipped rows that are worked on at once: they stay in the first cache. */
const ZIPPED: i32 = 24576;
/** Bytes of a column of two zipped rows. */
const COLUMN: usize = 32;

/** Bytes of a group of packed weights. */
// @ts-ignore: decorator
@inline
function group_bytes(kh: i32, kw: i32): usize {
  return (<usize>(((kh + 1) >> 1) * kw)) << 5;
}

/** Packs weights [c, kh, kw]; see src/kernels/infer/integer.ts. */
export function q8_pack_depthwise(c: i32, kh: i32, kw: i32, w: usize, w_signed: i32, zero: usize, p: usize): void {
  const bytes = group_bytes(kh, kw);
  for (let j = 0; j < c; j += 8) {
    memory.fill(p, 0, bytes);
    const first = max(0, min(j, c - 8));
    for (let i = 0; i < min(8, c); i++) {
      const z = zero == 0 ? 0 : w_signed ? <i32>load<i8>(zero + first + i) : <i32>load<u8>(zero + first + i);
      let from = w + <usize>((first + i) * kh * kw);
      for (let ky = 0; ky < kh; ky++) {
        for (let kx = 0; kx < kw; kx++) {
          const v = w_signed ? <i32>load<i8>(from) : <i32>load<u8>(from);
          store<i16>(p + <usize>((((ky >> 1) * kw + kx) << 5) + (i << 2) + ((ky & 1) << 1)), <i16>(v - z));
          from++;
        }
      }
    }
    p += bytes;
  }
}

/** y[oh, ow, c] from x[h, w, c] and packed weights [kh, kw, c]; see src/kernels/infer/integer.ts. */
export function q8_depthwise(
  x: usize,
  window: usize,
  x_signed: i32,
  x_zero: i32,
  b: usize,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: usize,
  work: usize,
): void {
  const v = changetype<Window>(window);
  const out = changetype<Output>(output);
  const group = group_bytes(v.kh, v.kw);
  if ((<usize>(((v.kh + 1) >> 1) * ((v.kw - 1) * v.dw + 1))) << 5 > START - PACKED) unreachable();
  const pixels = max(1, (ZIPPED / ((v.kh + 1) & ~1) / 16 - (v.kw - 1) * v.dw - 1) / v.sw + 1);
  for (let j = 0; j < v.c;) {
    // A last block of less than eight channels could not overlap.
    let columns = min(v.c - j, COLUMNS);
    if (v.c - j > columns && v.c - j - columns < 8) columns -= 8;
    const at = (<usize>j) << 2;
    prepare(columns, bias ? bias + at : 0, scale ? scale + at : 0, out, work);
    for (let oy = 0; oy < v.oh; oy++) {
      for (let ox = 0; ox < v.ow; ox += pixels) {
        const to = y + (<usize>(oy * v.ow + ox) * <usize>ldy + <usize>j) * size_of(out);
        block(v, x + <usize>j, x_signed, x_zero, oy, ox, min(pixels, v.ow - ox), columns, b, group, to, ldy, table, out, work);
      }
    }
    b += group * <usize>((columns + 7) >> 3);
    j += columns;
  }
}

/** `m` pixels of a row, from `ox` on, of `n` channels. */
function block(
  v: Window,
  x: usize,
  x_signed: i32,
  x_zero: i32,
  oy: i32,
  ox: i32,
  m: i32,
  n: i32,
  b: usize,
  group: usize,
  y: usize,
  ldy: i32,
  table: usize,
  out: Output,
  work: usize,
): void {
  const columns = (m - 1) * v.sw + (v.kw - 1) * v.dw + 1;
  const left = ox * v.sw - v.pl;
  const lanes = min(8, n);
  const direct = n >= 8 && writes_bytes(out);
  for (let j = 0; j < n; j += 8) {
    const at = <usize>max(0, min(j, n - 8));
    if (x_signed) zip_rows<i8>(v, x + at, lanes, x_zero, oy, left, columns, work);
    else zip_rows<u8>(v, x + at, lanes, x_zero, oy, left, columns, work);
    const own = work + (at << 2);
    const to = y + at * size_of(out);
    if (direct) dots(v, m, columns, b, own + START, own + SCALE, work + EMIT, to, <usize>ldy, work);
    else {
      dots(v, m, columns, b, own + START, own + SCALE, 0, work + SUMS, 64, work);
      finish(m, lanes, work + SUMS, own + SCALE, own + BIAS, table, out, to, ldy);
    }
    b += group;
  }
  if (direct && table) look_up(m, n, table, y, ldy, y, ldy);
}

/** Zips the rows of an output row, from column `left` on. */
function zip_rows<T>(v: Window, x: usize, lanes: i32, x_zero: i32, oy: i32, left: i32, columns: i32, work: usize): void {
  const ldx = <usize>v.ldx;
  const row = <usize>v.w * ldx;
  const zero = i16x8.splat(<i16>x_zero);
  const first = max(0, min(columns, -left)),
    end = max(first, min(columns, v.w - left));
  // A row that is not there is a pixel of zero points again and again.
  const pad = work + PAD;
  fill(8, x_zero, pad);
  let to = work + PACKED;
  for (let ky = 0; ky < v.kh; ky += 2) {
    const iy = oy * v.sh - v.pt + ky * v.dh,
      jy = iy + v.dh;
    const is_upper = <u32>iy < <u32>v.h,
      is_lower = ky + 1 < v.kh && <u32>jy < <u32>v.h;
    const from = <usize>(left + first) * ldx;
    fill(first << 5, 0, to);
    if (lanes == 8) {
      zip<T>(
        is_upper ? x + <usize>iy * row + from : pad,
        is_upper ? ldx : 0,
        is_lower ? x + <usize>jy * row + from : pad,
        is_lower ? ldx : 0,
        end - first,
        zero,
        to + ((<usize>first) << 5),
      );
    } else {
      const upper = is_upper ? x + <usize>iy * row + from : 0,
        lower = is_lower ? x + <usize>jy * row + from : 0;
      zip_few<T>(lanes, upper, lower, ldx, end - first, x_zero, to + ((<usize>first) << 5));
    }
    fill((columns - end) << 5, 0, to + ((<usize>end) << 5));
    to += (<usize>columns) << 5;
  }
}

/** Columns of two rows of eight channels, `p_step` and `q_step` bytes from pixel to pixel. */
function zip<T>(p: usize, p_step: usize, q: usize, q_step: usize, n: i32, zero: v128, to: usize): void {
  for (; n > 0; n--) {
    const a = i16x8.sub(v128.load_ext<T>(p), zero),
      b = i16x8.sub(v128.load_ext<T>(q), zero);
    v128.store(to, zip16_low(a, b));
    v128.store(to, zip16_high(a, b), 16);
    p += p_step;
    q += q_step;
    to += COLUMN;
  }
}

/** The same of fewer channels, one by one: no more than those are read. Rows at 0 are not there. */
function zip_few<T>(lanes: i32, p: usize, q: usize, step: usize, n: i32, zero: i32, to: usize): void {
  for (; n > 0; n--) {
    for (let i = 0; i < lanes; i++) {
      store<i16>(to + <usize>(i << 2), p ? <i16>(<i32>load<T>(p + i) - zero) : 0);
      store<i16>(to + <usize>(i << 2), q ? <i16>(<i32>load<T>(q + i) - zero) : 0, 2);
    }
    if (p) p += step;
    if (q) q += step;
    to += COLUMN;
  }
}

/** The sums of `m` pixels; as bytes where `emit` is set, which are `ldy` bytes from pixel to pixel. */
function dots(v: Window, m: i32, columns: i32, b: usize, start: usize, scale: usize, emit: usize, y: usize, ldy: usize, work: usize): void {
  const step = <usize>v.sw * COLUMN;
  const tap = <usize>v.dw * COLUMN;
  const plane = <usize>columns * COLUMN;
  const rows = (v.kh + 1) >> 1;
  const x = work + PACKED;
  if (m < 4) for (let i = 0; i < m; i++) one(rows, v.kw, x + <usize>i * step, tap, plane, b, start, scale, emit, y + <usize>i * ldy);
  // The last four may overlap those before.
  else
    for (let i = 0; i < m; i += 4) {
      const at = <usize>min(i, m - 4);
      four(rows, v.kw, x + at * step, step, tap, plane, b, start, scale, emit, y + at * ldy, ldy);
    }
}

/** Four pixels, `step` bytes of zipped columns from one to the next. */
function four(
  rows: i32,
  kw: i32,
  x: usize,
  step: usize,
  tap: usize,
  plane: usize,
  b: usize,
  start: usize,
  scale: usize,
  emit: usize,
  y: usize,
  ldy: usize,
): void {
  let l0 = v128.load(start),
    r0 = v128.load(start, 16);
  let l1 = l0,
    r1 = r0,
    l2 = l0,
    r2 = r0,
    l3 = l0,
    r3 = r0;
  for (; rows > 0; rows--) {
    let p = x;
    for (let i = kw; i > 0; i--) {
      const l = v128.load(b),
        r = v128.load(b, 16);
      l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v128.load(p), l));
      r0 = i32x4.add(r0, i32x4.dot_i16x8_s(v128.load(p, 16), r));
      let q = p + step;
      l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v128.load(q), l));
      r1 = i32x4.add(r1, i32x4.dot_i16x8_s(v128.load(q, 16), r));
      q += step;
      l2 = i32x4.add(l2, i32x4.dot_i16x8_s(v128.load(q), l));
      r2 = i32x4.add(r2, i32x4.dot_i16x8_s(v128.load(q, 16), r));
      q += step;
      l3 = i32x4.add(l3, i32x4.dot_i16x8_s(v128.load(q), l));
      r3 = i32x4.add(r3, i32x4.dot_i16x8_s(v128.load(q, 16), r));
      p += tap;
      b += 32;
    }
    x += plane;
  }
  put8(l0, r0, scale, emit, y);
  y += ldy;
  put8(l1, r1, scale, emit, y);
  y += ldy;
  put8(l2, r2, scale, emit, y);
  y += ldy;
  put8(l3, r3, scale, emit, y);
}

function one(rows: i32, kw: i32, x: usize, tap: usize, plane: usize, b: usize, start: usize, scale: usize, emit: usize, y: usize): void {
  let l = v128.load(start),
    r = v128.load(start, 16);
  for (; rows > 0; rows--) {
    let p = x;
    for (let i = kw; i > 0; i--) {
      l = i32x4.add(l, i32x4.dot_i16x8_s(v128.load(p), v128.load(b)));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(p, 16), v128.load(b, 16)));
      p += tap;
      b += 32;
    }
    x += plane;
  }
  put8(l, r, scale, emit, y);
}
