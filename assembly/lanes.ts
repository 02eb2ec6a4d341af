// Inline helpers on vectors. Constants that a hot loop needs are passed in, so that they sit in a register outside the loop.

/** The bits of the largest finite float: a magnitude above them is an infinity or NaN. */
export const MAX_FINITE: i32 = 0x7f7fffff;

/** The bits of +Infinity: a magnitude above them is NaN. */
export const INFINITY_BITS: i32 = 0x7f800000;

/** 1.5 * 2^23. Adding it rounds a float of |p| < 2^22 to the nearest even integer and leaves that integer in the low mantissa bits. */
export const ROUND: f32 = 12582912;

/** The bits of `ROUND`: subtracting them from the bits of a sum leaves the integer. */
export const ROUND_BITS: i32 = 0x4b400000;

/** `|x|` as bits, which order like the values and put infinities and NaN on top. */
// @ts-ignore: decorator
@inline
export function magnitude(x: v128, mask: v128): v128 {
  return v128.and(x, mask);
}

/** The largest of four signed integers. */
// @ts-ignore: decorator
@inline
export function horizontal_max(m: v128): i32 {
  m = i32x4.max_s(m, v128.shuffle<i64>(m, m, 1, 0));
  m = i32x4.max_s(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
  return i32x4.extract_lane(m, 0);
}

/** Four vectors of integers saturated to sixteen signed bytes, in order. */
// @ts-ignore: decorator
@inline
export function narrow(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** Rounds to the nearest even integer; for |p| < 2^22. `round` and `bits` are splats of `ROUND` and `ROUND_BITS`. */
// @ts-ignore: decorator
@inline
export function round(p: v128, round: v128, bits: v128): v128 {
  return i32x4.sub(f32x4.add(p, round), bits);
}

/** True for a float that is neither infinite nor NaN. */
// @ts-ignore: decorator
@inline
export function finite(x: f32): bool {
  return (reinterpret<i32>(x) & 0x7fffffff) <= MAX_FINITE;
}

/** One byte of each of sixteen words at `table`: those that lie `shift` bits up. */
// @ts-ignore: decorator
@inline
export function byteOf(table: usize, shift: i32): v128 {
  const byte = i32x4.splat(255);
  const a = v128.and(i32x4.shr_u(v128.load(table), shift), byte);
  const b = v128.and(i32x4.shr_u(v128.load(table, 16), shift), byte);
  const c = v128.and(i32x4.shr_u(v128.load(table, 32), shift), byte);
  const d = v128.and(i32x4.shr_u(v128.load(table, 48), shift), byte);
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** The bytes of a table of sixteen at indices in 0..15, where both instructions agree. */
// @ts-ignore: decorator
@inline
export function lookup(table: v128, at: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, at);
  return i8x16.swizzle(table, at);
}

/** The first eight bytes of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip8_low(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** The last eight bytes of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip8_high(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** The first four halves of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip16_low(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** The last four halves of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip16_high(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** The first two words of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip32_low(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}

/** The last two words of each, in turns. */
// @ts-ignore: decorator
@inline
export function zip32_high(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
}

/** The first halves of each. */
// @ts-ignore: decorator
@inline
export function zip64_low(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2);
}

/** The last halves of each. */
// @ts-ignore: decorator
@inline
export function zip64_high(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 1, 3);
}

/** `a * b + c`, rounded once where the build can, else twice. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Sixteen integers as bytes, of either kind; `byte` is i16x8 of 255. */
// @ts-ignore: decorator
@inline
export function bytes(a: v128, b: v128, c: v128, d: v128, byte: v128): v128 {
  return i8x16.narrow_i16x8_u(v128.and(i16x8.narrow_i32x4_s(a, b), byte), v128.and(i16x8.narrow_i32x4_s(c, d), byte));
}

/** `c - a * b`, rounded once where the build can, else twice. */
// @ts-ignore: decorator
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}
