import { INFINITY_BITS } from "../lanes";

// Half types, IEEE nearest-even. NaN keeps its sign and the top bits of its payload, with the quiet bit set; as WebAssembly leaves the
// payload of a computed NaN open, the fast loops write anything there, note that they saw one, and a second pass writes the NaN by integers.

/** 65536.0: what the exponent of a half cannot hold. */
const F16_OVERFLOW: i32 = 0x47800000;

/** 2^-14: the least normal half. */
const F16_NORMAL: i32 = 0x38800000;

/**
 * Added to the exponent bits e of |x| gives c = 2^(e + 13), so that the sum |x| + c, rounded by the adder, holds the half's significand in
 * its low bits; 0x3c00 is even, so it leaves ties alone, and takes the bias of the exponent and the implicit bit out, modulo 2^16.
 */
const F16_ALIGN: i32 = (13 << 23) + 0x3c00;

/** One float as a half. */
export function f16_of(x: f32): u32 {
  const bits = reinterpret<i32>(x);
  const a = bits & 0x7fffffff;
  const sign = (bits >>> 16) & 0x8000;
  if (a > INFINITY_BITS) return sign | 0x7e00 | ((a >>> 13) & 0x3ff);
  const m = min(a, F16_OVERFLOW);
  const e = max(m, F16_NORMAL) & INFINITY_BITS;
  const s = reinterpret<i32>(reinterpret<f32>(m) + reinterpret<f32>(e + F16_ALIGN));
  return sign | ((s + (e >>> 13)) & 0x7fff);
}

/** One float as a bfloat16. */
export function bf16_of(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  if ((bits & 0x7fffffff) > <u32>INFINITY_BITS) return (bits >> 16) | 0x40;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

/** One half as a float. */
function f32_of_f16(h: u32): f32 {
  const sign = (h & 0x8000) << 16;
  const a = h & 0x7fff;
  if (a > 0x7c00) return reinterpret<f32>(sign | 0x7fc00000 | (a << 13));
  if (a == 0x7c00) return reinterpret<f32>(sign | INFINITY_BITS);
  if (a < 0x400) return reinterpret<f32>(sign | reinterpret<u32>(<f32>a * reinterpret<f32>(0x33800000)));
  return reinterpret<f32>(sign | ((a << 13) + (112 << 23)));
}

/** |x| of four floats as halves in the low 15 bits of each lane; the bits above are anything. */
// @ts-ignore: decorator
@inline
function f16x4(a: v128, overflow: v128, normal: v128, exponent: v128, align: v128): v128 {
  const m = i32x4.min_s(a, overflow);
  const e = v128.and(i32x4.max_s(m, normal), exponent);
  return i32x4.add(f32x4.add(m, i32x4.add(e, align)), i32x4.shr_u(e, 13));
}

/** `n` floats at `x` to IEEE half at `y`: nearest even, subnormals, overflow to an infinity. */
export function f32_f16(n: i32, x: usize, y: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const overflow = i32x4.splat(F16_OVERFLOW);
  const normal = i32x4.splat(F16_NORMAL);
  const exponent = i32x4.splat(INFINITY_BITS);
  const align = i32x4.splat(F16_ALIGN);
  const low = i32x4.splat(0x7fff);
  const sign = i16x8.splat(-0x8000);
  let seen = i32x4.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const p = x + ((<usize>i) << 2);
    const u = v128.load(p);
    const v = v128.load(p, 16);
    const a = v128.and(u, mask);
    const b = v128.and(v, mask);
    seen = i32x4.max_s(seen, i32x4.max_s(a, b));
    const h = v128.and(f16x4(a, overflow, normal, exponent, align), low);
    const k = v128.and(f16x4(b, overflow, normal, exponent, align), low);
    // Saturation keeps a sign.
    const s = v128.and(i16x8.narrow_i32x4_s(u, v), sign);
    v128.store(y + ((<usize>i) << 1), v128.or(i16x8.narrow_i32x4_s(h, k), s));
  }
  for (; i < n; ++i) store<u16>(y + ((<usize>i) << 1), f16_of(load<f32>(x + ((<usize>i) << 2))));
  if (!v128.any_true(i32x4.gt_s(seen, exponent))) return;
  for (i = 0; i < n; ++i) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (v != v) store<u16>(y + ((<usize>i) << 1), f16_of(v));
  }
}

/**
 * Four halves, sign-extended. (1 + m / 1024) * 2^(e - 15) comes from the exponent moved up by 224 and a product that moves it down by 112:
 * no float on the way is subnormal, which some processors take long over. For e = 0 that is twice too small and 2^-14 too much.
 */
// @ts-ignore: decorator
@inline
function f32x4_of_f16(h: v128, bits: v128, top: v128, down: v128, least: v128, sign: v128): v128 {
  const a = v128.and(i32x4.shl(h, 13), bits);
  const z = i32x4.lt_s(a, i32x4.splat(1 << 23));
  const f = f32x4.mul(i32x4.add(a, top), down);
  return v128.or(f32x4.sub(f32x4.add(f, v128.and(f, z)), v128.and(least, z)), v128.and(h, sign));
}

/** `n` IEEE halves at `x` to floats at `y`, exact. */
export function f16_f32(n: i32, x: usize, y: usize): void {
  const bits = i32x4.splat(0x0fffe000);
  const top = i32x4.splat(224 << 23);
  const down = i32x4.splat(15 << 23);
  const least = i32x4.splat(F16_NORMAL);
  const sign = i32x4.splat(0x80000000);
  const mask = i16x8.splat(0x7fff);
  let seen = i16x8.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const h = v128.load(x + ((<usize>i) << 1));
    const p = y + ((<usize>i) << 2);
    seen = i16x8.max_s(seen, v128.and(h, mask));
    v128.store(p, f32x4_of_f16(i32x4.extend_low_i16x8_s(h), bits, top, down, least, sign));
    v128.store(p, f32x4_of_f16(i32x4.extend_high_i16x8_s(h), bits, top, down, least, sign), 16);
  }
  for (; i < n; ++i) store<f32>(y + ((<usize>i) << 2), f32_of_f16(load<u16>(x + ((<usize>i) << 1))));
  if (!v128.any_true(i16x8.gt_s(seen, i16x8.splat(0x7c00)))) return;
  for (i = 0; i < n; ++i) {
    const h = <u32>load<u16>(x + ((<usize>i) << 1));
    if ((h & 0x7fff) > 0x7c00) store<f32>(y + ((<usize>i) << 2), f32_of_f16(h));
  }
}

/** `n` floats at `x` to bfloat16 at `y`: nearest even, overflow to an infinity. */
export function f32_bf16(n: i32, x: usize, y: usize): void {
  const half = i32x4.splat(0x7fff);
  const one = i32x4.splat(1);
  let seen = i32x4.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const p = x + ((<usize>i) << 2);
    const a = v128.load(p);
    const b = v128.load(p, 16);
    seen = v128.or(seen, v128.or(f32x4.ne(a, a), f32x4.ne(b, b)));
    const c = i32x4.add(i32x4.add(a, half), v128.and(i32x4.shr_u(a, 16), one));
    const d = i32x4.add(i32x4.add(b, half), v128.and(i32x4.shr_u(b, 16), one));
    v128.store(y + ((<usize>i) << 1), i16x8.narrow_i32x4_s(i32x4.shr_s(c, 16), i32x4.shr_s(d, 16)));
  }
  for (; i < n; ++i) store<u16>(y + ((<usize>i) << 1), bf16_of(load<f32>(x + ((<usize>i) << 2))));
  if (!v128.any_true(seen)) return;
  for (i = 0; i < n; ++i) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (v != v) store<u16>(y + ((<usize>i) << 1), bf16_of(v));
  }
}

/** `n` bfloat16 at `x` to floats at `y`: the same bits with zeros below, a signalling NaN included. */
export function bf16_f32(n: i32, x: usize, y: usize): void {
  const zero = i32x4.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const h = v128.load(x + ((<usize>i) << 1));
    const p = y + ((<usize>i) << 2);
    v128.store(p, v128.shuffle<i16>(zero, h, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(p, v128.shuffle<i16>(zero, h, 4, 12, 5, 13, 6, 14, 7, 15), 16);
  }
  for (; i < n; ++i) store<u32>(y + ((<usize>i) << 2), (<u32>load<u16>(x + ((<usize>i) << 1))) << 16);
}
