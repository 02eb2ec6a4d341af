import { f32_qa8_channels } from "../compress/affine8";
import { f32_minmax_channels } from "../compress/reduce";
import { bytes, ROUND, ROUND_BITS } from "../lanes";
import { clip_round } from "./q8_output";
import { flip_of } from "./q8_rows";
import { copy } from "./q8_window";

/** Range of f32_dynamic_quantize; the ends of two rows of bytes. */
const LOW: usize = memory.data(8, 16);
const TAIL: usize = memory.data(32, 16);

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
  for (; m > 0; m--) {
    for (let i: usize = 0; i < <usize>n; i++) store<u8>(y + i, load<u8>(table + <usize>load<u8>(x + i)));
    x += <usize>ldx;
    y += <usize>ldy;
  }
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
  const width = c == 1 ? n : c;
  for (let i = 0; i < n; i += width) row(product, min(width, n - i), a + i, b, c == 1, y + i);
}

/** A row of `n`, with one b for all where `one` says so. */
function row(product: bool, n: i32, a: usize, b: usize, one: bool, y: usize): void {
  const step: usize = one ? 0 : 16;
  if (one) {
    memory.fill(TAIL + 16, load<u8>(b), 16);
    b = TAIL + 16;
  }
  for (; n >= 16; n -= 16) {
    v128.store(y, product ? multiplied(v128.load(a), v128.load(b)) : added(v128.load(a), v128.load(b)));
    a += 16;
    b += step;
    y += 16;
  }
  if (n == 0) return;
  copy(n, a, TAIL);
  if (!one) copy(n, b, TAIL + 16);
  v128.store(TAIL, product ? multiplied(v128.load(TAIL), v128.load(TAIL + 16)) : added(v128.load(TAIL), v128.load(TAIL + 16)));
  copy(n, TAIL, y);
}

// @ts-ignore: decorator
@inline
function added(a: v128, b: v128): v128 {
  const f = i8x16.splat(<i8>flip);
  const za = i16x8.splat(<i16>a_off),
    zb = i16x8.splat(<i16>b_off);
  a = v128.xor(a, f);
  b = v128.xor(b, f);
  const al = i16x8.sub(i16x8.extend_low_i8x16_s(a), za),
    ar = i16x8.sub(i16x8.extend_high_i8x16_s(a), za);
  const bl = i16x8.sub(i16x8.extend_low_i8x16_s(b), zb),
    br = i16x8.sub(i16x8.extend_high_i8x16_s(b), zb);
  return rounded(
    f32x4.add(scaled(i32x4.extend_low_i16x8_s(al), a_scale), scaled(i32x4.extend_low_i16x8_s(bl), b_scale)),
    f32x4.add(scaled(i32x4.extend_high_i16x8_s(al), a_scale), scaled(i32x4.extend_high_i16x8_s(bl), b_scale)),
    f32x4.add(scaled(i32x4.extend_low_i16x8_s(ar), a_scale), scaled(i32x4.extend_low_i16x8_s(br), b_scale)),
    f32x4.add(scaled(i32x4.extend_high_i16x8_s(ar), a_scale), scaled(i32x4.extend_high_i16x8_s(br), b_scale)),
  );
}

// @ts-ignore: decorator
@inline
function multiplied(a: v128, b: v128): v128 {
  const f = i8x16.splat(<i8>flip);
  const za = i16x8.splat(<i16>a_off),
    zb = i16x8.splat(<i16>b_off);
  a = v128.xor(a, f);
  b = v128.xor(b, f);
  const al = i16x8.sub(i16x8.extend_low_i8x16_s(a), za),
    ar = i16x8.sub(i16x8.extend_high_i8x16_s(a), za);
  const bl = i16x8.sub(i16x8.extend_low_i8x16_s(b), zb),
    br = i16x8.sub(i16x8.extend_high_i8x16_s(b), zb);
  return rounded(
    f32x4.mul(scaled(i32x4.extend_low_i16x8_s(al), a_scale), scaled(i32x4.extend_low_i16x8_s(bl), b_scale)),
    f32x4.mul(scaled(i32x4.extend_high_i16x8_s(al), a_scale), scaled(i32x4.extend_high_i16x8_s(bl), b_scale)),
    f32x4.mul(scaled(i32x4.extend_low_i16x8_s(ar), a_scale), scaled(i32x4.extend_low_i16x8_s(br), b_scale)),
    f32x4.mul(scaled(i32x4.extend_high_i16x8_s(ar), a_scale), scaled(i32x4.extend_high_i16x8_s(br), b_scale)),
  );
}

// @ts-ignore: decorator
@inline
function scaled(v: v128, scale: f32): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v), f32x4.splat(scale));
}

// @ts-ignore: decorator
@inline
function rounded(a: v128, b: v128, c: v128, d: v128): v128 {
  const l = f32x4.splat(least),
    h = f32x4.splat(most),
    r = f32x4.splat(ROUND),
    s = i32x4.splat(ROUND_BITS - y_off),
    by = f32x4.splat(divisor);
  return bytes(
    clip_round(f32x4.div(a, by), l, h, r, s),
    clip_round(f32x4.div(b, by), l, h, r, s),
    clip_round(f32x4.div(c, by), l, h, r, s),
    clip_round(f32x4.div(d, by), l, h, r, s),
    i16x8.splat(255),
  );
}
