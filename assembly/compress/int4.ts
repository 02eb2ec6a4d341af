import { MAX_FINITE, finite } from "../lanes";

// int4 in blocks of 32, as MatMulNBits reads it and as MLAS quantizes it (MlasQuantizeBlockwise, symmetric): s is the finite value of
// largest magnitude, the negative one of a tie; scale = f32(s / -8); t = f32(f32(x * f32(1 / scale)) + 8) clamped to [0, 15];
// q = t rounded half away from zero. NaN becomes 8, which is zero. Where 1 / scale overflows the block counts as zero: scale is a
// zero, of the sign that the first value has not, as MLAS has it for a block of zeros, and every q is 8.
//
// The code takes q = min(15, trunc(f32(u + 8.5))) with u = f32(x * r), |u| < 8.001. It is the same number: both u + 8 and u + 8.5 are exact
// for u <= -4; above, they lie in one binade and round alike, save where u + 8.5 crosses 8 or 16 and so rounds to that very integer or up
// from it. The statement was also checked for every such float u.

/** 2^-128: the reciprocal of a float of this magnitude or less is infinite. */
export const LEAST_SCALE: i32 = 0x00200000;

/**
 * The value of largest magnitude by lane, from the greatest bits as signed (the greatest positive value, if any) and as unsigned (the
 * negative value of largest magnitude, if any) integers. `mask` clears a sign.
 */
// @ts-ignore: decorator
@inline
export function extreme(signed: v128, unsigned: v128, mask: v128): v128 {
  const positive = v128.andnot(signed, i32x4.shr_s(signed, 31));
  const negative = v128.and(unsigned, v128.and(i32x4.shr_s(unsigned, 31), mask));
  const sign = v128.not(v128.or(i32x4.gt_s(positive, negative), mask));
  return v128.or(i32x4.max_s(positive, negative), sign);
}

/** Whether one of the values behind `signed` and `unsigned` (see `extreme`) was an infinity or NaN. */
// @ts-ignore: decorator
@inline
export function any_special(signed: v128, unsigned: v128): bool {
  const top = i32x4.splat(MAX_FINITE);
  return v128.any_true(v128.or(i32x4.gt_s(signed, top), i32x4.gt_u(unsigned, v128.or(top, i32x4.splat(0x80000000)))));
}

/** Lanes of `scale` whose reciprocal is finite; `least` is a splat of `LEAST_SCALE`. */
// @ts-ignore: decorator
@inline
export function invertible(scale: v128, mask: v128, least: v128): v128 {
  return i32x4.gt_s(v128.and(scale, mask), least);
}

/** Scales where `ok`, elsewhere a zero of the sign that the first value of the block has not. */
// @ts-ignore: decorator
@inline
export function kept(scale: v128, ok: v128, first: v128): v128 {
  return v128.or(v128.and(scale, ok), v128.andnot(v128.andnot(i32x4.splat(0x80000000), first), ok));
}

/** trunc(p) of 0 <= p < 17, as integers. */
// @ts-ignore: decorator
@inline
export function truncate(p: v128): v128 {
  // In range, so the relaxed instruction has but one answer.
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_trunc_f32x4_s(p);
  else return i32x4.trunc_sat_f32x4_s(p);
}

/** Four values to t + 0.5, see above; `half` is a splat of 8.5. */
// @ts-ignore: decorator
@inline
export function q4x4(x: v128, r: v128, half: v128): v128 {
  return truncate(f32x4.add(f32x4.mul(x, r), half));
}

/** One value; any value. */
// @ts-ignore: decorator
@inline
function q4(x: f32, r: f32): u32 {
  const t: f32 = x * r + 8;
  if (t != t) return 8;
  return <u32>(max<f32>(0, min<f32>(t, 15)) + 0.5);
}

/** One block of 32 with any values in it. */
export function q4_block(x: usize, y: usize, scale: usize): void {
  // Starting from 0 is harmless: only the larger magnitude of the two counts.
  let lo: f32 = 0;
  let hi: f32 = 0;
  for (let i: usize = 0; i < 128; i += 4) {
    const v = load<f32>(x + i);
    if (!finite(v)) continue;
    lo = min(lo, v);
    hi = max(hi, v);
  }
  let s: f32 = (hi > -lo ? hi : lo) * -0.125;
  let r: f32 = <f32>1 / s;
  if (!finite(r)) {
    s = load<i32>(x) < 0 ? 0.0 : -0.0;
    r = 0;
  }
  store<f32>(scale, s);
  for (let i: usize = 0; i < 16; ++i) store<u8>(y + i, q4(load<f32>(x + (i << 3)), r) | (q4(load<f32>(x + (i << 3), 4), r) << 4));
}
