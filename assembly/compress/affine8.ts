import { bytes } from "../lanes";
import { PAGE, X_HAT, measure } from "./error";

// int8 and uint8 as the ONNX tools of Python compute them: q = clamp(roundTiesToEven(f32(x / scale)) + zero_point, low, high), int8 where
// `low` is negative. A true division, where the symmetric kernels multiply by a reciprocal: the last bit of a quotient decides about ties,
// and here every bit must be theirs. Each of `c` channels has its own scale and zero point; one for all is a channel that holds all.

/** One value; NaN becomes `zero_point`. */
// @ts-ignore: decorator
@inline
function qa8(x: f32, scale: f32, zero_point: i32, low: i32, high: i32): i32 {
  const p = x / scale;
  if (p != p) return zero_point;
  return max(low, min(high, <i32>nearest(min<f32>(max<f32>(p, -1024), 1024)) + zero_point));
}

/** Four values as i32. A division by a scale that is no reciprocal of a power of two leaves nothing to gain from a reciprocal. */
// @ts-ignore: decorator
@inline
function qa8x4(p: usize, scale: v128, least: v128, most: v128, zero_point: v128, low: v128, high: v128): v128 {
  const q = f32x4.div(v128.load(p), scale);
  const rounded = f32x4.nearest(f32x4.pmin(f32x4.pmax(v128.and(q, f32x4.eq(q, q)), least), most));
  return i32x4.max_s(i32x4.min_s(i32x4.add(i32x4.trunc_sat_f32x4_s(rounded), zero_point), high), low);
}

/** Four bytes at `p` as i32. */
// @ts-ignore: decorator
@inline
function widen4(p: usize, low: i32): v128 {
  const v = v128.load32_zero(p);
  return low < 0 ? i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v)) : i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v));
}

// @ts-ignore: decorator
@inline
function widen(p: usize, low: i32): i32 {
  return low < 0 ? <i32>load<i8>(p) : <i32>load<u8>(p);
}

/** `n` values of one channel. */
function qa8_span(n: i32, x: usize, y: usize, scale: f32, zero_point: i32, low: i32, high: i32): void {
  if (n < 16) {
    for (let i = 0; i < n; ++i) store<u8>(y + i, <u8>qa8(load<f32>(x + ((<usize>i) << 2)), scale, zero_point, low, high));
    return;
  }
  const s = f32x4.splat(scale);
  const least = f32x4.splat(-1024);
  const most = f32x4.splat(1024);
  const z = i32x4.splat(zero_point);
  const l = i32x4.splat(low);
  const h = i32x4.splat(high);
  const byte = i16x8.splat(255);
  for (let i = 0; i < n; i += 16) {
    const at = <usize>min(i, n - 16);
    const p = x + (at << 2);
    const a = qa8x4(p, s, least, most, z, l, h);
    const b = qa8x4(p + 16, s, least, most, z, l, h);
    const c = qa8x4(p + 32, s, least, most, z, l, h);
    const d = qa8x4(p + 48, s, least, most, z, l, h);
    v128.store(y + at, bytes(a, b, c, d, byte));
  }
}

/** One value of each of `c` channels. */
function qa8_columns(c: i32, x: usize, y: usize, scale: usize, zero_point: usize, low: i32, high: i32): void {
  if (c < 16) {
    for (let i: usize = 0; i < <usize>c; ++i) {
      const q = qa8(load<f32>(x + (i << 2)), load<f32>(scale + (i << 2)), widen(zero_point + i, low), low, high);
      store<u8>(y + i, <u8>q);
    }
    return;
  }
  const least = f32x4.splat(-1024);
  const most = f32x4.splat(1024);
  const l = i32x4.splat(low);
  const h = i32x4.splat(high);
  const byte = i16x8.splat(255);
  for (let i = 0; i < c; i += 16) {
    const at = <usize>min(i, c - 16);
    const p = x + (at << 2);
    const s = scale + (at << 2);
    const z = zero_point + at;
    const a = qa8x4(p, v128.load(s), least, most, widen4(z, low), l, h);
    const b = qa8x4(p + 16, v128.load(s, 16), least, most, widen4(z + 4, low), l, h);
    const d = qa8x4(p + 32, v128.load(s, 32), least, most, widen4(z + 8, low), l, h);
    const e = qa8x4(p + 48, v128.load(s, 48), least, most, widen4(z + 12, low), l, h);
    v128.store(y + at, bytes(a, b, d, e, byte));
  }
}

/**
 * Quantizes `x`, read as [outer, c, inner], to bytes at `y`: int8 where `low` is negative, else uint8. `scale` is f32[c], positive and finite;
 * `zero_point` has a byte for each channel. NaN becomes the zero point, an infinity saturates.
 * https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export function f32_qa8_channels(
  outer: i32,
  c: i32,
  inner: i32,
  x: usize,
  y: usize,
  scale: usize,
  zero_point: usize,
  low: i32,
  high: i32,
): void {
  if (inner == 1 && c == 1) {
    inner = outer;
    outer = 1;
  }
  for (; outer > 0; --outer) {
    if (inner == 1) {
      qa8_columns(c, x, y, scale, zero_point, low, high);
      x += (<usize>c) << 2;
      y += <usize>c;
      continue;
    }
    for (let i: usize = 0; i < <usize>c; ++i) {
      qa8_span(inner, x, y, load<f32>(scale + (i << 2)), widen(zero_point + i, low), low, high);
      x += (<usize>inner) << 2;
      y += <usize>inner;
    }
  }
}

/** Floats at `y` from `n` bytes of one channel: `(q - zero_point) * scale`. */
function dequantize_span(n: i32, q: usize, y: usize, scale: f32, zero_point: i32, low: i32): void {
  const s = f32x4.splat(scale);
  const z = i32x4.splat(zero_point);
  let i: usize = 0;
  for (; i + 4 <= <usize>n; i += 4) v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(widen4(q + i, low), z)), s));
  for (; i < <usize>n; ++i) store<f32>(y + (i << 2), <f32>(widen(q + i, low) - zero_point) * scale);
}

/** Floats at `y` from a byte of each of `c` channels. */
function dequantize_columns(c: i32, q: usize, y: usize, scale: usize, zero_point: usize, low: i32): void {
  let i: usize = 0;
  for (; i + 4 <= <usize>c; i += 4) {
    const difference = i32x4.sub(widen4(q + i, low), widen4(zero_point + i, low));
    v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(difference), v128.load(scale + (i << 2))));
  }
  for (; i < <usize>c; ++i) {
    store<f32>(y + (i << 2), <f32>(widen(q + i, low) - widen(zero_point + i, low)) * load<f32>(scale + (i << 2)));
  }
}

/** `x`, read as [outer, c, inner], against what `f32_qa8_channels` made of it. */
export function qa8_error_channels(
  outer: i32,
  c: i32,
  inner: i32,
  x: usize,
  q: usize,
  scale: usize,
  zero_point: usize,
  low: i32,
  acc: usize,
): void {
  for (; outer > 0; --outer) {
    if (inner == 1) {
      for (let i = 0; i < c; i += PAGE) {
        const n = min(c - i, PAGE);
        const at = <usize>i;
        dequantize_columns(n, q + at, X_HAT, scale + (at << 2), zero_point + at, low);
        measure(1, n, x + (at << 2), 0, X_HAT, acc);
      }
      x += (<usize>c) << 2;
      q += <usize>c;
      continue;
    }
    let held = 0;
    for (let i: usize = 0; i < <usize>c; ++i) {
      const s = load<f32>(scale + (i << 2));
      const z = widen(zero_point + i, low);
      // A page takes as many channels, or as much of one, as it can.
      for (let left = inner; left > 0;) {
        const n = min(left, PAGE - held);
        dequantize_span(n, q, X_HAT + ((<usize>held) << 2), s, z, low);
        q += <usize>n;
        left -= n;
        held += n;
        if (held == PAGE) {
          measure(1, held, x, 0, X_HAT, acc);
          x += (<usize>held) << 2;
          held = 0;
        }
      }
    }
    measure(1, held, x, 0, X_HAT, acc);
    x += (<usize>held) << 2;
  }
}

/** `(x - zero_point) * scale` of bytes [outer, c, inner] at `x`: f32 at `y`. Scales, zero points and `low` are those of `f32_qa8_channels`. */
export function qa8_f32_channels(outer: i32, c: i32, inner: i32, x: usize, y: usize, scale: usize, zero_point: usize, low: i32): void {
  for (; outer > 0; --outer) {
    if (inner == 1) {
      dequantize_columns(c, x, y, scale, zero_point, low);
      x += <usize>c;
      y += (<usize>c) << 2;
      continue;
    }
    for (let i: usize = 0; i < <usize>c; ++i) {
      dequantize_span(inner, x, y, load<f32>(scale + (i << 2)), widen(zero_point + i, low), low);
      x += <usize>inner;
      y += (<usize>inner) << 2;
    }
  }
}
