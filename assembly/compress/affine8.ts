// int8 and uint8 as the ONNX tools of Python compute them: q = clamp(roundTiesToEven(f32(x / scale)) + zero_point, low, high). A true division,
// where the symmetric kernels multiply by a reciprocal: the last bit of a quotient decides about ties, and here every bit must be theirs.

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

/**
 * Quantizes `n` floats at `x` to bytes at `y`: int8 where `low` is negative, else uint8. `scale` is positive and finite; NaN becomes
 * `zero_point`, ±Infinity saturates. https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export function f32_qa8_quantize(n: i32, x: usize, y: usize, scale: f32, zero_point: i32, low: i32, high: i32): void {
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
    const a = i16x8.narrow_i32x4_s(qa8x4(p, s, least, most, z, l, h), qa8x4(p + 16, s, least, most, z, l, h));
    const b = i16x8.narrow_i32x4_s(qa8x4(p + 32, s, least, most, z, l, h), qa8x4(p + 48, s, least, most, z, l, h));
    v128.store(y + at, i8x16.narrow_i16x8_u(v128.and(a, byte), v128.and(b, byte)));
  }
}

/** Floats at `y` from `n` bytes at `q`: `(q - zero_point) * scale`, int8 where `low` is negative, else uint8. */
export function qa8_f32(n: i32, q: usize, y: usize, scale: f32, zero_point: i32, low: i32): void {
  const s = f32x4.splat(scale);
  const z = i32x4.splat(zero_point);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const v = v128.load64_zero(q + <usize>i);
    const w = low < 0 ? i16x8.extend_low_i8x16_s(v) : i16x8.extend_low_i8x16_u(v);
    const to = y + ((<usize>i) << 2);
    v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(i32x4.extend_low_i16x8_s(w), z)), s));
    v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(i32x4.extend_high_i16x8_s(w), z)), s), 16);
  }
  for (; i < n; ++i) {
    const p = q + <usize>i;
    const v = low < 0 ? <i32>load<i8>(p) : <i32>load<u8>(p);
    store<f32>(y + ((<usize>i) << 2), <f32>(v - zero_point) * scale);
  }
}
