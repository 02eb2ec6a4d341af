import { bytes, ROUND, ROUND_BITS } from "../lanes";
import { clip_round } from "./q8_output";
import { flip_of } from "./q8_rows";
import { Window } from "./q8_window";

// Pooling of bytes [h, w, c], sixteen channels at a time; the last sixteen end with the last channel, and of fewer the rest is done one by one.

// The taps of a pixel that lie in the image: their first address, how many there are each way, and bytes between them.
let first: usize = 0;
let rows: i32 = 0;
let columns: i32 = 0;
let down: usize = 0;
let right: usize = 0;

/** How many of `taps` taps from `at` on, `step` apart, lie before 0. */
// @ts-ignore: decorator
@inline
function before(at: i32, step: i32): i32 {
  return at < 0 ? (step - 1 - at) / step : 0;
}

/** Finds the taps of output pixel (oy, ox). */
function locate(v: Window, x: usize, oy: i32, ox: i32): void {
  const top = oy * v.sh - v.pt,
    left = ox * v.sw - v.pl;
  const y0 = before(top, v.dh),
    x0 = before(left, v.dw);
  rows = max(0, min(v.kh, (v.h - top + v.dh - 1) / v.dh) - y0);
  columns = max(0, min(v.kw, (v.w - left + v.dw - 1) / v.dw) - x0);
  down = <usize>v.dh * <usize>v.w * <usize>v.ldx;
  right = <usize>v.dw * <usize>v.ldx;
  first = x + <usize>((top + y0 * v.dh) * v.w + left + x0 * v.dw) * <usize>v.ldx;
}

/** The greatest of each window, `ldy` from pixel to pixel; see src/kernels/infer/integer.ts. */
export function q8_max_pool(x: usize, window: usize, x_signed: i32, y: usize, ldy: i32): void {
  const v = changetype<Window>(window);
  const c = v.c;
  const flip = flip_of(x_signed);
  const f = i8x16.splat(<i8>flip);
  for (let oy = 0; oy < v.oh; oy++) {
    for (let ox = 0; ox < v.ow; ox++) {
      locate(v, x, oy, ox);
      if (c >= 16) for (let j = 0; j < c; j += 16) greatest16(<usize>min(j, c - 16), f, y);
      else for (let j = 0; j < c; j++) store<u8>(y + j, <u8>(greatest(<usize>j, flip) ^ flip));
      y += <usize>ldy;
    }
  }
}

function greatest16(at: usize, flip: v128, y: usize): void {
  let m = i8x16.splat(-128);
  let row = first + at;
  for (let i = rows; i > 0; i--) {
    let p = row;
    for (let j = columns; j > 0; j--) {
      m = i8x16.max_s(m, v128.xor(v128.load(p), flip));
      p += right;
    }
    row += down;
  }
  v128.store(y + at, v128.xor(m, flip));
}

function greatest(at: usize, flip: i32): i32 {
  let m = -128;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) m = max(m, <i32>(<i8>((<i32>load<u8>(first + at + down * i + right * j)) ^ flip)));
  return m;
}

/** The mean of each window, requantized; see src/kernels/infer/integer.ts. */
export function q8_average_pool(
  x: usize,
  window: usize,
  x_signed: i32,
  x_zero: i32,
  scale: f32,
  count_pad: i32,
  y: usize,
  ldy: i32,
  y_zero: i32,
  low: i32,
  high: i32,
): void {
  const v = changetype<Window>(window);
  const c = v.c;
  const flip = flip_of(x_signed);
  const least = f32x4.splat(<f32>(low - y_zero)),
    most = f32x4.splat(<f32>(high - y_zero));
  for (let oy = 0; oy < v.oh; oy++) {
    for (let ox = 0; ox < v.ow; ox++) {
      locate(v, x, oy, ox);
      const count = rows * columns;
      const zero = i32x4.splat((x_zero - flip) * count);
      const s = f32x4.splat(scale / <f32>(count_pad ? v.kh * v.kw : count));
      if (c >= 16) for (let j = 0; j < c; j += 16) mean16(<usize>min(j, c - 16), flip, zero, s, least, most, y_zero, y);
      else {
        for (let j = 0; j < c; j++) {
          const sum = i32x4.sub(i32x4.splat(total(<usize>j, flip)), zero);
          const q = clip_round(f32x4.mul(f32x4.convert_i32x4_s(sum), s), least, most, f32x4.splat(ROUND), i32x4.splat(ROUND_BITS - y_zero));
          store<u8>(y + j, <u8>i32x4.extract_lane(q, 0));
        }
      }
      y += <usize>ldy;
    }
  }
}

function total(at: usize, flip: i32): i32 {
  let sum = 0;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) sum += <i32>(<i8>((<i32>load<u8>(first + at + down * i + right * j)) ^ flip));
  return sum;
}

function mean16(at: usize, flip: i32, zero: v128, scale: v128, least: v128, most: v128, y_zero: i32, y: usize): void {
  const f = i8x16.splat(<i8>flip);
  let a = i32x4.splat(0),
    b = a,
    c = a,
    d = a;
  let row = first + at;
  for (let i = rows; i > 0; i--) {
    let p = row;
    for (let j = columns; j > 0; j--) {
      const v = v128.xor(v128.load(p), f);
      const l = i16x8.extend_low_i8x16_s(v),
        r = i16x8.extend_high_i8x16_s(v);
      a = i32x4.add(a, i32x4.extend_low_i16x8_s(l));
      b = i32x4.add(b, i32x4.extend_high_i16x8_s(l));
      c = i32x4.add(c, i32x4.extend_low_i16x8_s(r));
      d = i32x4.add(d, i32x4.extend_high_i16x8_s(r));
      p += right;
    }
    row += down;
  }
  const round = f32x4.splat(ROUND),
    shift = i32x4.splat(ROUND_BITS - y_zero);
  a = clip_round(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(a, zero)), scale), least, most, round, shift);
  b = clip_round(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(b, zero)), scale), least, most, round, shift);
  c = clip_round(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(c, zero)), scale), least, most, round, shift);
  d = clip_round(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(d, zero)), scale), least, most, round, shift);
  v128.store(y + at, bytes(a, b, c, d, i16x8.splat(255)));
}
