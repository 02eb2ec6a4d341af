import { MAX_FINITE, finite } from "../lanes";

// int4 in blocks of 32, as MatMulNBits reads it and as MLAS quantizes it (MlasQuantizeBlockwise, symmetric): s is the finite value of
// largest magnitude, the negative one of a tie; scale = f32(s / -8); t = f32(f32(x * f32(1 / scale)) + 8) clamped to [0, 15];
// q = t rounded half away from zero. NaN becomes 8, which is zero. Where 1 / scale overflows the block counts as zero: scale is -0, as
// MLAS has it for a block of zeros, and every q is 8.
//
// The code takes q = min(15, trunc(f32(u + 8.5))) with u = f32(x * r), |u| < 8.001. It is the same number: both u + 8 and u + 8.5 are exact
// for u <= -4; above, they lie in one binade and round alike, save where u + 8.5 crosses 8 or 16 and so rounds to that very integer or up
// from it. The statement was also checked for every such float u.

/** 2^-128: the reciprocal of a float of this magnitude or less is infinite. */
export const LEAST_SCALE: i32 = 0x00200000;

/** Scratch for blocks that are short or few, read and written as four whole ones: 128 floats, their bytes and their scales. */
const BLOCKS: usize = memory.data(512, 16);
const BYTES: usize = memory.data(64, 16);
const SCALES: usize = memory.data(16, 16);

/**
 * The value of largest magnitude by lane, from the greatest bits as signed (the greatest positive value, if any) and as unsigned (the
 * negative value of largest magnitude, if any) integers.
 */
// @ts-ignore: decorator
@inline
export function extreme(signed: v128, unsigned: v128): v128 {
  const positive = i32x4.max_s(signed, i32x4.splat(0));
  const negative = v128.and(unsigned, v128.and(i32x4.shr_s(unsigned, 31), i32x4.splat(0x7fffffff)));
  const sign = v128.andnot(i32x4.splat(0x80000000), i32x4.gt_s(positive, negative));
  return v128.or(i32x4.max_s(positive, negative), sign);
}

/** Whether one of the values behind `signed` and `unsigned` (see `extreme`) was an infinity or NaN. */
// @ts-ignore: decorator
@inline
export function any_special(signed: v128, unsigned: v128): bool {
  return v128.any_true(v128.or(i32x4.gt_s(signed, i32x4.splat(MAX_FINITE)), i32x4.gt_u(unsigned, i32x4.splat(0xff7fffff))));
}

/** Lanes of `scale` whose reciprocal is finite. */
// @ts-ignore: decorator
@inline
export function invertible(scale: v128): v128 {
  return i32x4.gt_s(v128.and(scale, i32x4.splat(0x7fffffff)), i32x4.splat(LEAST_SCALE));
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
    s = -0.0;
    r = 0;
  }
  store<f32>(scale, s);
  for (let i: usize = 0; i < 16; ++i) store<u8>(y + i, q4(load<f32>(x + (i << 3)), r) | (q4(load<f32>(x + (i << 3), 4), r) << 4));
}

/** Lanes (max of a, max of b, max of c, max of d), signed. */
// @ts-ignore: decorator
@inline
function max4_s(a: v128, b: v128, c: v128, d: v128): v128 {
  const p = i32x4.max_s(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const q = i32x4.max_s(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.max_s(v128.shuffle<i64>(p, q, 0, 2), v128.shuffle<i64>(p, q, 1, 3));
}

/** Lanes (max of a, max of b, max of c, max of d), unsigned. */
// @ts-ignore: decorator
@inline
function max4_u(a: v128, b: v128, c: v128, d: v128): v128 {
  const p = i32x4.max_u(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const q = i32x4.max_u(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.max_u(v128.shuffle<i64>(p, q, 0, 2), v128.shuffle<i64>(p, q, 1, 3));
}

// @ts-ignore: decorator
@inline
function block_max_s(x: usize): v128 {
  const a = i32x4.max_s(i32x4.max_s(v128.load(x), v128.load(x, 16)), i32x4.max_s(v128.load(x, 32), v128.load(x, 48)));
  return i32x4.max_s(a, i32x4.max_s(i32x4.max_s(v128.load(x, 64), v128.load(x, 80)), i32x4.max_s(v128.load(x, 96), v128.load(x, 112))));
}

// @ts-ignore: decorator
@inline
function block_max_u(x: usize): v128 {
  const a = i32x4.max_u(i32x4.max_u(v128.load(x), v128.load(x, 16)), i32x4.max_u(v128.load(x, 32), v128.load(x, 48)));
  return i32x4.max_u(a, i32x4.max_u(i32x4.max_u(v128.load(x, 64), v128.load(x, 80)), i32x4.max_u(v128.load(x, 96), v128.load(x, 112))));
}

/** Sixteen integers of 0 to 16 as sixteen bytes of 0 to 15. */
// @ts-ignore: decorator
@inline
function bytes15(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.min_u(i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)), i8x16.splat(15));
}

/** Eight i16 lanes of `even | odd << 4` from sixteen bytes. */
// @ts-ignore: decorator
@inline
function nibbles(b: v128): v128 {
  // Both factors are small and positive, so the relaxed dot product has but one answer.
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(b, i16x8.splat(0x1001));
  else return v128.and(v128.or(b, i16x8.shr_u(b, 4)), i16x8.splat(0xff));
}

/** The 32 values at `x`, as 16 bytes at `y`. */
// @ts-ignore: decorator
@inline
function pack_block(x: usize, y: usize, r: v128, half: v128): void {
  const a = bytes15(
    q4x4(v128.load(x), r, half),
    q4x4(v128.load(x, 16), r, half),
    q4x4(v128.load(x, 32), r, half),
    q4x4(v128.load(x, 48), r, half),
  );
  const b = bytes15(
    q4x4(v128.load(x, 64), r, half),
    q4x4(v128.load(x, 80), r, half),
    q4x4(v128.load(x, 96), r, half),
    q4x4(v128.load(x, 112), r, half),
  );
  v128.store(y, i8x16.narrow_i16x8_u(nibbles(a), nibbles(b)));
}

/** Four whole blocks: their extremes are gathered into one vector, so that there is one division for the four. */
function q4_blocks4(x: usize, y: usize, scale: usize): void {
  const signed = max4_s(block_max_s(x), block_max_s(x + 128), block_max_s(x + 256), block_max_s(x + 384));
  const unsigned = max4_u(block_max_u(x), block_max_u(x + 128), block_max_u(x + 256), block_max_u(x + 384));
  if (any_special(signed, unsigned)) {
    for (let i: usize = 0; i < 4; ++i) q4_block(x + (i << 7), y + (i << 4), scale + (i << 2));
    return;
  }
  const half = f32x4.splat(8.5);
  const s = f32x4.mul(extreme(signed, unsigned), f32x4.splat(-0.125));
  const ok = invertible(s);
  const r = v128.and(f32x4.div(f32x4.splat(1), s), ok);
  v128.store(scale, v128.bitselect(s, f32x4.splat(-0.0), ok));
  pack_block(x, y, v128.shuffle<i32>(r, r, 0, 0, 0, 0), half);
  pack_block(x + 128, y + 16, v128.shuffle<i32>(r, r, 1, 1, 1, 1), half);
  pack_block(x + 256, y + 32, v128.shuffle<i32>(r, r, 2, 2, 2, 2), half);
  pack_block(x + 384, y + 48, v128.shuffle<i32>(r, r, 3, 3, 3, 3), half);
}

/** `n` contiguous values, ceil(n / 32) blocks. Zeros that fill up the last block change neither its extreme nor its other nibbles. */
function q4_span(n: i32, x: usize, y: usize, scale: usize): void {
  for (; n >= 128; n -= 128) {
    q4_blocks4(x, y, scale);
    x += 512;
    y += 64;
    scale += 16;
  }
  if (n == 0) return;
  const blocks = (<usize>(n + 31)) >> 5;
  memory.fill(BLOCKS, 0, 512);
  memory.copy(BLOCKS, x, (<usize>n) << 2);
  q4_blocks4(BLOCKS, BYTES, SCALES);
  memory.copy(y, BYTES, blocks << 4);
  memory.copy(scale, SCALES, blocks << 2);
}

/**
 * Quantizes `rows` of `k` floats to int4 in blocks of 32 for MatMulNBits: `y` is [rows, ceil(k / 32), 16] bytes, the even value of a pair
 * in the low nibble, 8 after the end of a row; `scale` is f32[rows, ceil(k / 32)].
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
 */
export function f32_qb4w_rows(rows: i32, k: i32, x: usize, y: usize, scale: usize): void {
  if ((k & 31) == 0) {
    k *= rows;
    rows = min(rows, 1);
  }
  const blocks = (<usize>(k + 31)) >> 5;
  for (; rows > 0; --rows) {
    q4_span(k, x, y, scale);
    x += (<usize>k) << 2;
    y += blocks << 4;
    scale += blocks << 2;
  }
}
