// Functions of four floats: range reduction and a polynomial, to two units in the last place. NaN and infinities as IEEE 754 has them.
//
// Constants are broadcast from memory: V8 builds a constant vector anew wherever it is used, in three instructions.

import { madd } from "../lanes";

/** One step of Horner's rule, with the coefficient at `c`. */
// @ts-ignore: decorator
@inline
function step(p: v128, x: v128, c: usize): v128 {
  return madd(p, x, v128.load32_splat(c));
}

/** `magnitude` ≥ 0 with the sign of `x`. */
// @ts-ignore: decorator
@inline
function with_sign(magnitude: v128, x: v128): v128 {
  return v128.xor(magnitude, v128.xor(x, f32x4.abs(x)));
}

const CONSTANTS = memory.data<f32>([1, Infinity]);
export const ONE: usize = CONSTANTS;
const INFINITY: usize = CONSTANTS + 4;

/** Coefficients of (e^r - 1 - r) / r^2 for |r| ≤ ln 2 / 2, https://www.netlib.org/cephes/, expf; then what reduces the range. */
export const EXP = memory.data<f32>([
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1.44269504, 12582912, 12583039,
  -0.693359375, 2.1219444e-4, -104, 89, -88,
]);
export const LOG2_E: usize = EXP + 24;
/** 1.5 * 2^23, which rounds a sum to the nearest integer n and leaves it in the low bits of the mantissa. */
const ROUND: usize = EXP + 28;
/** That and 127: a shift then makes 2^n. */
export const ROUND_BIASED: usize = EXP + 32;
/** -ln 2 in two parts, the first of few enough bits that its product with n is exact. */
export const LN2_HIGH: usize = EXP + 36;
export const LN2_LOW: usize = EXP + 40;
/** Below it e^x is 0, above it Infinity; below the last its exponent would be less than -126. */
const EXP_LEAST: usize = EXP + 44;
const EXP_MOST: usize = EXP + 48;
export const EXP_NORMAL: usize = EXP + 52;

/** `e^r - 1` for the r with `x = n ln 2 + r`. */
// @ts-ignore: decorator
@inline
function expm1_reduced(x: v128, n: v128): v128 {
  const r = madd(n, v128.load32_splat(LN2_LOW), madd(n, v128.load32_splat(LN2_HIGH), x));
  let p = step(v128.load32_splat(EXP), r, EXP + 4);
  p = step(p, r, EXP + 8);
  p = step(p, r, EXP + 12);
  p = step(p, r, EXP + 16);
  p = step(p, r, EXP + 20);
  return madd(p, f32x4.mul(r, r), r);
}

/** `e^x`; subnormal results and overflow included. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, v128.load32_splat(EXP_LEAST)), v128.load32_splat(EXP_MOST));
  const round = v128.load32_splat(ROUND);
  const sum = madd(x, v128.load32_splat(LOG2_E), round);
  const p = f32x4.add(expm1_reduced(x, f32x4.sub(sum, round)), v128.load32_splat(ONE));
  // 2^n as a product of two powers, since n may be below the least exponent or above the greatest.
  const n = i32x4.sub(sum, round);
  const half = i32x4.shr_s(n, 1);
  return f32x4.mul(f32x4.mul(p, power(half)), power(i32x4.sub(n, half)));
}

/** `2^n` for n in -127..128, where -127 gives 0. */
// @ts-ignore: decorator
@inline
function power(n: v128): v128 {
  return i32x4.add(i32x4.shl(n, 23), v128.load32_splat(ONE));
}

/** `e^x` for x ≤ 0: 0 where it would be subnormal. */
// @ts-ignore: decorator
@inline
export function exp_negative(x: v128): v128 {
  x = f32x4.pmax(x, v128.load32_splat(EXP_NORMAL));
  const round = v128.load32_splat(ROUND_BIASED);
  const sum = madd(x, v128.load32_splat(LOG2_E), round);
  const scale = i32x4.shl(sum, 23);
  return madd(expm1_reduced(x, f32x4.sub(sum, round)), scale, scale);
}

/** `1 / (1 + e^-x)`, of `x` and e = e^-|x|. */
// @ts-ignore: decorator
@inline
export function sigmoid_of(x: v128, e: v128, one: v128): v128 {
  // A shift spreads the sign over its lane.
  return f32x4.div(v128.bitselect(e, one, i32x4.shr_s(x, 31)), f32x4.add(one, e));
}

/** The hyperbolic tangent, of `x` and e = e^-2|x| - 1. */
// @ts-ignore: decorator
@inline
export function tanh_of(x: v128, e: v128, one: v128): v128 {
  return with_sign(f32x4.div(f32x4.neg(e), f32x4.add(f32x4.add(e, one), one)), x);
}

/** `1 / (1 + e^-x)`. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return sigmoid_of(x, exp_negative(f32x4.neg(f32x4.abs(x))), v128.load32_splat(ONE));
}

/** The hyperbolic tangent. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const one = v128.load32_splat(ONE);
  const t = f32x4.pmax(f32x4.neg(f32x4.add(f32x4.abs(x), f32x4.abs(x))), v128.load32_splat(EXP_NORMAL));
  const round = v128.load32_splat(ROUND_BIASED);
  const sum = madd(t, v128.load32_splat(LOG2_E), round);
  const scale = i32x4.shl(sum, 23);
  return tanh_of(x, madd(expm1_reduced(t, f32x4.sub(sum, round)), scale, f32x4.sub(scale, one)), one);
}

/** Coefficients of erf below a bound, then of log(1 - erf) from there on to 4, where erf is 1; the bound; 4. */
const ERF = memory.data<f32>([
  -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1, -1.7285347e-5, 3.83197126e-4, -3.88396438e-3,
  2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1, 0.927734375, 4,
]);

/** `|x|`, at most 4. */
// @ts-ignore: decorator
@inline
function erf_range(x: v128): v128 {
  return f32x4.pmin(f32x4.abs(x), v128.load32_splat(ERF + 56));
}

/** `log(1 - erf |x|)` where |x| is not small. */
// @ts-ignore: decorator
@inline
export function erf_log(x: v128): v128 {
  const t = erf_range(x);
  let p = step(v128.load32_splat(ERF + 24), t, ERF + 28);
  p = madd(p, f32x4.mul(t, t), step(v128.load32_splat(ERF + 32), t, ERF + 36));
  p = step(p, t, ERF + 40);
  p = step(p, t, ERF + 44);
  p = step(p, t, ERF + 48);
  return madd(p, t, f32x4.neg(t));
}

/** The error function, of `x` and e = e^erf_log(x) - 1; an odd polynomial where |x| is small. */
// @ts-ignore: decorator
@inline
export function erf_of(x: v128, e: v128): v128 {
  const t = erf_range(x);
  const s = f32x4.mul(t, t);
  let p = step(v128.load32_splat(ERF), s, ERF + 4);
  p = step(p, s, ERF + 8);
  p = step(p, s, ERF + 12);
  p = step(p, s, ERF + 16);
  p = step(p, s, ERF + 20);
  p = madd(p, t, t);
  return with_sign(v128.bitselect(f32x4.neg(e), p, f32x4.gt(t, v128.load32_splat(ERF + 52))), x);
}

/** Coefficients of (log(1 + r) - r + r^2 / 2) / r^3, https://www.netlib.org/cephes/, logf; ln 2 in two parts; -1/2; the least normal; 2^23. */
const LOG = memory.data<f32>([
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1,
  3.3333331174e-1, -2.1219444e-4, 0.693359375, -0.5, 1.17549435e-38, 8388608,
]);
/** The bits of sqrt 1/2, and of a mantissa. */
const LOG_BITS = memory.data<i32>([0x3f3504f3, 0x007fffff]);

/** The natural logarithm; of a subnormal too. */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  const small = f32x4.lt(x, v128.load32_splat(LOG + 48));
  const normal = v128.bitselect(f32x4.mul(x, v128.load32_splat(LOG + 52)), x, small);
  // The exponent by which the significand comes to lie in [sqrt 1/2, sqrt 2); `small` is -1 where 23 are to be taken from it.
  const root = v128.load32_splat(LOG_BITS);
  const bits = i32x4.sub(normal, root);
  const e = i32x4.sub(i32x4.shr_s(bits, 23), v128.and(small, i32x4.splat(23)));
  const r = f32x4.sub(i32x4.add(v128.and(bits, v128.load32_splat(LOG_BITS + 4)), root), v128.load32_splat(ONE));
  const n = f32x4.convert_i32x4_s(e);
  const s = f32x4.mul(r, r);
  let p = step(v128.load32_splat(LOG), r, LOG + 4);
  p = step(p, r, LOG + 8);
  p = step(p, r, LOG + 12);
  p = step(p, r, LOG + 16);
  p = step(p, r, LOG + 20);
  p = step(p, r, LOG + 24);
  p = step(p, r, LOG + 28);
  p = step(p, r, LOG + 32);
  p = madd(n, v128.load32_splat(LOG + 36), f32x4.mul(f32x4.mul(p, r), s));
  p = madd(s, v128.load32_splat(LOG + 44), p);
  const y = madd(n, v128.load32_splat(LOG + 40), f32x4.add(r, p));
  // 0 gives -Infinity, Infinity itself; all ones are a NaN, for NaN and what is below 0.
  const infinity = v128.load32_splat(INFINITY);
  const zero = f32x4.splat(0);
  const finite = v128.bitselect(x, y, f32x4.eq(x, infinity));
  return v128.or(v128.bitselect(f32x4.neg(infinity), finite, f32x4.eq(x, zero)), v128.not(f32x4.ge(x, zero)));
}

/** `log(1 + e)` for e in 0..1; what 1 + e loses is added again. */
// @ts-ignore: decorator
@inline
export function log1p(e: v128): v128 {
  const one = v128.load32_splat(ONE);
  const u = f32x4.add(one, e);
  return f32x4.add(log(u), f32x4.div(f32x4.sub(e, f32x4.sub(u, one)), u));
}
