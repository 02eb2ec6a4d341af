import { MAX_FINITE, ROUND, ROUND_BITS, horizontal_max, magnitude, narrow, round } from "../lanes";
import { absmax_bits, finite_absmax_bits } from "./reduce";

// Symmetric int8. A channel (or block) of finite absmax m has scale = f32(m / 127) and inv_scale = f32(127 / m), and
// q = clamp(roundTiesToEven(f32(x * inv_scale)), -127, 127). The three roundings of 2^-24 move x / scale, at most 127, by less than
// 2^-15, so the error of a finite x is at most scale / 2 * (1 + 2^-14). NaN becomes 0, an infinity becomes 127 or -127.
// Below MIN_ABSMAX, where 127 / m would overflow or scale lose bits, scale and inv_scale are 1: every q is 0, the error below MIN_ABSMAX.

/** 2^-100. */
const MIN_ABSMAX: f32 = reinterpret<f32>(0x0d800000);

// @ts-ignore: decorator
@inline
function scale_of(m: f32): f32 {
  return m < MIN_ABSMAX ? 1 : m / 127;
}

// @ts-ignore: decorator
@inline
function inv_scale_of(m: f32): f32 {
  return m < MIN_ABSMAX ? 1 : <f32>127 / m;
}

/** One product rounded, moved by `zero_point` and saturated to [low, 127]; NaN becomes `zero_point`. */
// @ts-ignore: decorator
@inline
function q8(p: f32, zero_point: i32, low: i32): i32 {
  if (p != p) return zero_point;
  return max(low, min(127, <i32>nearest(min<f32>(max<f32>(p, -1024), 1024)) + zero_point));
}

/** Four products rounded: NaN becomes 0. Above, a sum of 2^22 and more still saturates; below, its bits would wrap, hence the bound. */
// @ts-ignore: decorator
@inline
function q8x4(p: v128, least: v128, magic: v128, bits: v128): v128 {
  return round(f32x4.pmax(v128.and(p, f32x4.eq(p, p)), least), magic, bits);
}

/** Any `n`, any values. */
function q8_span(n: i32, x: usize, y: usize, inv_scale: f32, zero_point: i32, low: i32): void {
  const inv = f32x4.splat(inv_scale);
  const least = f32x4.splat(-1024);
  const magic = f32x4.splat(ROUND);
  const bits = i32x4.splat(ROUND_BITS - zero_point);
  const floor = i8x16.splat(<i8>low);
  if (n < 16) {
    for (let i = 0; i < n; ++i) store<i8>(y + i, <i8>q8(load<f32>(x + ((<usize>i) << 2)) * inv_scale, zero_point, low));
    return;
  }
  for (let i = 0; i < n; i += 16) {
    const at = <usize>min(i, n - 16);
    const p = x + (at << 2);
    const a = q8x4(f32x4.mul(v128.load(p), inv), least, magic, bits);
    const b = q8x4(f32x4.mul(v128.load(p, 16), inv), least, magic, bits);
    const c = q8x4(f32x4.mul(v128.load(p, 32), inv), least, magic, bits);
    const d = q8x4(f32x4.mul(v128.load(p, 48), inv), least, magic, bits);
    v128.store(y + at, i8x16.max_s(narrow(a, b, c, d), floor));
  }
}

// @ts-ignore: decorator
@inline
function q8x16(p: usize, inv: v128, magic: v128, bits: v128): v128 {
  return narrow(
    round(f32x4.mul(v128.load(p), inv), magic, bits),
    round(f32x4.mul(v128.load(p, 16), inv), magic, bits),
    round(f32x4.mul(v128.load(p, 32), inv), magic, bits),
    round(f32x4.mul(v128.load(p, 48), inv), magic, bits),
  );
}

/**
 * One channel of n ≥ 16 finite values. With `ahead`, returns the absmax bits of the `n` values at `next` as well: reading the next channel
 * from memory while this one is computed keeps both busy, and the next division need not be waited for.
 */
// @ts-ignore: decorator
@inline
function q8_row(n: i32, x: usize, y: usize, m: f32, next: usize, ahead: bool): i32 {
  const inv = f32x4.splat(inv_scale_of(m));
  const magic = f32x4.splat(ROUND);
  const bits = i32x4.splat(ROUND_BITS);
  const mask = i32x4.splat(0x7fffffff);
  let m0 = i32x4.splat(0);
  let m1 = m0;
  const last = <usize>(n - 16);
  for (let i: usize = 0; i < last; i += 16) {
    if (ahead) {
      const p = next + (i << 2);
      m0 = i32x4.max_s(m0, i32x4.max_s(magnitude(v128.load(p), mask), magnitude(v128.load(p, 16), mask)));
      m1 = i32x4.max_s(m1, i32x4.max_s(magnitude(v128.load(p, 32), mask), magnitude(v128.load(p, 48), mask)));
    }
    v128.store(y + i, q8x16(x + (i << 2), inv, magic, bits));
  }
  // The last sixteen may overlap the ones before: they give the same bytes, and the same maximum.
  if (ahead) {
    const p = next + (last << 2);
    m0 = i32x4.max_s(m0, i32x4.max_s(magnitude(v128.load(p), mask), magnitude(v128.load(p, 16), mask)));
    m1 = i32x4.max_s(m1, i32x4.max_s(magnitude(v128.load(p, 32), mask), magnitude(v128.load(p, 48), mask)));
  }
  v128.store(y + last, q8x16(x + (last << 2), inv, magic, bits));
  return ahead ? horizontal_max(i32x4.max_s(m0, m1)) : 0;
}

/** `c` channels of `n` values that follow one another. */
function q8_rows(c: i32, n: i32, x: usize, y: usize, scale: usize): void {
  let bits = c > 0 ? absmax_bits(n, x) : 0;
  for (; c > 0; --c) {
    const next = x + ((<usize>n) << 2);
    const plain = n >= 16 && bits <= MAX_FINITE;
    const m = reinterpret<f32>(bits <= MAX_FINITE ? bits : finite_absmax_bits(n, x));
    store<f32>(scale, scale_of(m));
    if (plain && c > 1) bits = q8_row(n, x, y, m, next, true);
    else {
      if (plain) q8_row(n, x, y, m, next, false);
      else q8_span(n, x, y, inv_scale_of(m), 0, -127);
      if (c > 1) bits = absmax_bits(n, next);
    }
    x = next;
    y += <usize>n;
    scale += 4;
  }
}

/**
 * Quantizes `n` floats at `x` to int8 at `y`: `saturate(roundTiesToEven(x * inv_scale) + zero_point)` to [-128, 127].
 * NaN becomes `zero_point`, an infinity or an overflow saturates. https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export function f32_qs8_quantize(n: i32, x: usize, y: usize, inv_scale: f32, zero_point: i32): void {
  q8_span(n, x, y, inv_scale, zero_point, -128);
}

/** Quantizes `c` rows of `inner` floats to int8 at `y`, and writes a scale for each to `scale`, f32[c]: absmax, scale and bytes in one go. */
export function f32_qc8w_rows(c: i32, inner: i32, x: usize, y: usize, scale: usize): void {
  q8_rows(c, inner, x, y, scale);
}

/** As `f32_qc8w_rows`, with a scale for each `block_size` values of a row of `k`; the last block of a row may be short. */
export function f32_qb8w_rows(rows: i32, k: i32, block_size: i32, x: usize, y: usize, scale: usize): void {
  const whole = k / block_size;
  const rest = k % block_size;
  if (rest == 0) return q8_rows(rows * whole, block_size, x, y, scale);
  for (; rows > 0; --rows) {
    q8_rows(whole, block_size, x, y, scale);
    x += (<usize>(k - rest)) << 2;
    y += <usize>(k - rest);
    scale += (<usize>whole) << 2;
    q8_rows(1, rest, x, y, scale);
    x += (<usize>rest) << 2;
    y += <usize>rest;
    scale += 4;
  }
}

/** From the absmax of `c` channels at `m` to their `scale` and `inv_scale`, by the rule of `f32_qc8w_rows`. */
export function qc8w_scales(c: i32, m: usize, scale: usize, inv_scale: usize): void {
  for (let i: usize = 0; i < (<usize>c) << 2; i += 4) {
    const v = load<f32>(m + i);
    store<f32>(scale + i, scale_of(v));
    store<f32>(inv_scale + i, inv_scale_of(v));
  }
}

/** Quantizes `x`, read as [outer, c, inner], to int8 at `y` with the `inv_scale` of each channel. A finite value out of range saturates. */
export function f32_qc8w_channels(outer: i32, c: i32, inner: i32, x: usize, y: usize, inv_scale: usize): void {
  if (inner == 1 && c == 1) {
    inner = outer;
    outer = 1;
  }
  for (; outer > 0; --outer) {
    if (inner == 1) {
      q8_columns(c, x, y, inv_scale);
      x += (<usize>c) << 2;
      y += <usize>c;
      continue;
    }
    for (let i = 0; i < c; ++i) {
      q8_span(inner, x, y, load<f32>(inv_scale + ((<usize>i) << 2)), 0, -127);
      x += (<usize>inner) << 2;
      y += <usize>inner;
    }
  }
}

function q8_columns(c: i32, x: usize, y: usize, inv_scale: usize): void {
  if (c < 16) {
    for (let i: usize = 0; i < <usize>c; ++i) store<i8>(y + i, <i8>q8(load<f32>(x + (i << 2)) * load<f32>(inv_scale + (i << 2)), 0, -127));
    return;
  }
  const least = f32x4.splat(-1024);
  const magic = f32x4.splat(ROUND);
  const bits = i32x4.splat(ROUND_BITS);
  const floor = i8x16.splat(-127);
  for (let i = 0; i < c; i += 16) {
    const at = <usize>min(i, c - 16);
    const p = x + (at << 2);
    const s = inv_scale + (at << 2);
    const a = q8x4(f32x4.mul(v128.load(p), v128.load(s)), least, magic, bits);
    const b = q8x4(f32x4.mul(v128.load(p, 16), v128.load(s, 16)), least, magic, bits);
    const d = q8x4(f32x4.mul(v128.load(p, 32), v128.load(s, 32)), least, magic, bits);
    const e = q8x4(f32x4.mul(v128.load(p, 48), v128.load(s, 48)), least, magic, bits);
    v128.store(y + at, i8x16.max_s(narrow(a, b, d, e), floor));
  }
}
