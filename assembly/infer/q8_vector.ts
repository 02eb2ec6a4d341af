import { f32_qa8_channels } from "../compress/affine8";
import { f32_minmax_channels } from "../compress/reduce";
import { bytes, ROUND, ROUND_BITS } from "../lanes";
import { clip_round, look_up } from "./q8_output";
import { flip_of } from "./q8_rows";
import { copy } from "./q8_window";

/** Range of f32_dynamic_quantize; the ends of two rows of bytes. */
const LOW: usize = memory.data(8, 16);
const TAIL: usize = memory.data(32, 16);
/** Bytes that are repeated so often that they fill whole sixteens. */
const REPEATED: i32 = 1024;
const REPEATS: usize = memory.data(1024, 16);

/** Quantizes by the range of the data; see src/kernels/infer/integer.ts. */
export function f32_dynamic_quantize(n: i32, x: usize, y: usize, scale: usize, zero: usize): void {
  store<f32>(LOW, 0);
  store<f32>(LOW, 0, 4);
  f32_minmax_channels(1, 1, n, x, LOW, LOW + 4);
  const low = load<f32>(LOW),
    high = load<f32>(LOW, 4);
  const s: f32 = high == low ? 1 : (high - low) / 255;
  store<f32>(scale, s);
  store<u8>(zero, <u8>nearest(min<f32>(255, max<f32>(0, -low / s))));
  f32_qa8_channels(1, 1, n, x, y, scale, zero, 0, 255);
}

/** Maps bytes through a table of 256. */
export function q8_lookup(m: i32, n: i32, x: usize, ldx: i32, y: usize, ldy: i32, table: usize): void {
  look_up(m, n, table, x, ldx, y, ldy);
}

// What a row of sums or products needs to know.
let flip: i32 = 0;
let a_off: i32 = 0;
let b_off: i32 = 0;
let a_scale: f32 = 0;
let b_scale: f32 = 0;
let divisor: f32 = 0;
let least: f32 = 0;
let most: f32 = 0;
let y_off: i32 = 0;

/** a + b, where `b` is repeated every `c` bytes; see src/kernels/infer/integer.ts. */
export function q8_add(
  n: i32,
  c: i32,
  a: usize,
  a_scale_: f32,
  a_zero: i32,
  b: usize,
  b_scale_: f32,
  b_zero: i32,
  y: usize,
  y_scale: f32,
  y_zero: i32,
  is_signed: i32,
  low: i32,
  high: i32,
): void {
  a_scale = a_scale_;
  b_scale = b_scale_;
  divisor = y_scale;
  combine(false, n, c, a, a_zero, b, b_zero, y, y_zero, is_signed, low, high);
}

/** a · b, where `b` is repeated every `c` bytes; see src/kernels/infer/integer.ts. */
export function q8_mul(
  n: i32,
  c: i32,
  a: usize,
  a_scale_: f32,
  a_zero: i32,
  b: usize,
  b_scale_: f32,
  b_zero: i32,
  y: usize,
  y_scale: f32,
  y_zero: i32,
  is_signed: i32,
  low: i32,
  high: i32,
): void {
  a_scale = a_scale_;
  b_scale = b_scale_;
  divisor = y_scale;
  combine(true, n, c, a, a_zero, b, b_zero, y, y_zero, is_signed, low, high);
}

function combine(
  product: bool,
  n: i32,
  c: i32,
  a: usize,
  a_zero: i32,
  b: usize,
  b_zero: i32,
  y: usize,
  y_zero: i32,
  is_signed: i32,
  low: i32,
  high: i32,
): void {
  flip = flip_of(is_signed);
  a_off = a_zero - flip;
  b_off = b_zero - flip;
  least = <f32>(low - y_zero);
  most = <f32>(high - y_zero);
  y_off = y_zero;
  let width = c == 1 ? n : c;
  const times = (REPEATED / c) & ~15;
  if (c > 1 && c & 15 && times > 0 && n > REPEATED) {
    for (let i = 0; i < times; i++) copy(c, b, REPEATS + <usize>(i * c));
    b = REPEATS;
    width = times * c;
  }
  for (let i = 0; i < n; i += width) row(product, min(width, n - i), a + i, b, c == 1, y + i);
}

/** A row of `n`, with one b for all where `one` says so. */
function row(product: bool, n: i32, a: usize, b: usize, one: bool, y: usize): void {
  const step: usize = one ? 0 : 16;
  if (one) {
    memory.fill(TAIL + 16, load<u8>(b), 16);
    b = TAIL + 16;
  }
  const full = n & ~15;
  sixteens(product, full, a, b, step, y);
  n -= full;
  if (n == 0) return;
  copy(n, a + full, TAIL);
  if (!one) copy(n, b + full, TAIL + 16);
  sixteens(product, 16, TAIL, TAIL + 16, 0, TAIL);
  copy(n, TAIL, y + full);
}

/** Sums or products of whole sixteens. */
function sixteens(product: bool, n: i32, a: usize, b: usize, step: usize, y: usize): void {
  const f = i8x16.splat(<i8>flip);
  const za = i16x8.splat(<i16>a_off),
    zb = i16x8.splat(<i16>b_off);
  const sa = f32x4.splat(a_scale),
    sb = f32x4.splat(b_scale),
    by = f32x4.splat(divisor);
  const l = f32x4.splat(least),
    h = f32x4.splat(most),
    r = f32x4.splat(ROUND),
    s = i32x4.splat(ROUND_BITS - y_off);
  const byte = i16x8.splat(255);
  for (; n > 0; n -= 16) {
    const p = v128.xor(v128.load(a), f),
      q = v128.xor(v128.load(b), f);
    let i = i16x8.sub(i16x8.extend_low_i8x16_s(p), za),
      j = i16x8.sub(i16x8.extend_low_i8x16_s(q), zb);
    const v0 = met(product, i32x4.extend_low_i16x8_s(i), sa, i32x4.extend_low_i16x8_s(j), sb, by, l, h, r, s),
      v1 = met(product, i32x4.extend_high_i16x8_s(i), sa, i32x4.extend_high_i16x8_s(j), sb, by, l, h, r, s);
    i = i16x8.sub(i16x8.extend_high_i8x16_s(p), za);
    j = i16x8.sub(i16x8.extend_high_i8x16_s(q), zb);
    const v2 = met(product, i32x4.extend_low_i16x8_s(i), sa, i32x4.extend_low_i16x8_s(j), sb, by, l, h, r, s),
      v3 = met(product, i32x4.extend_high_i16x8_s(i), sa, i32x4.extend_high_i16x8_s(j), sb, by, l, h, r, s);
    v128.store(y, bytes(v0, v1, v2, v3, byte));
    a += 16;
    b += step;
    y += 16;
  }
}

// @ts-ignore: decorator
@inline
function met(
  product: bool,
  a: v128,
  a_scale: v128,
  b: v128,
  b_scale: v128,
  by: v128,
  least: v128,
  most: v128,
  round: v128,
  shift: v128,
): v128 {
  const p = f32x4.mul(f32x4.convert_i32x4_s(a), a_scale),
    q = f32x4.mul(f32x4.convert_i32x4_s(b), b_scale);
  return clip_round(f32x4.div(product ? f32x4.mul(p, q) : f32x4.add(p, q), by), least, most, round, shift);
}
