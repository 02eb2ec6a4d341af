// What a loop over vectors does about less than a vector: the last floats of a row, and one that repeats along it.

/** `n` in 1..3 floats at `p` in the first lanes; the others are those of `rest`. */
// @ts-ignore: decorator
@inline
export function load_part(p: usize, n: i32, rest: v128): v128 {
  if (n == 1) return v128.load_lane<f32>(p, rest, 0);
  const v = v128.load_lane<f64>(p, rest, 0);
  return n == 2 ? v : v128.load_lane<f32>(p, v, 2, 8);
}

/** Writes the first `n` in 1..3 lanes to `p`. */
// @ts-ignore: decorator
@inline
export function store_part(p: usize, v: v128, n: i32): void {
  if (n == 1) return v128.store_lane<f32>(p, v, 0);
  v128.store_lane<f64>(p, v, 0);
  if (n == 3) v128.store_lane<f32>(p, v, 2, 8);
}

/** Where a value that repeats along a row stands, so that the same loop reads it again and again: room for each operand. */
export const REPEATED = memory.data(48, 16);

/** Lets a row of one repeated float be read as a vector at a time. */
// @ts-ignore: decorator
@inline
export function repeated(p: usize, step: i32, place: usize): usize {
  if (step != 0) return p;
  v128.store(place, v128.load32_splat(p));
  return place;
}

/** What sums start from: four floats of a bias, or zeros where there is none. */
// @ts-ignore: decorator
@inline
export function load_or_zero(bias: usize, offset: usize = 0): v128 {
  return bias != 0 ? v128.load(bias + offset) : f32x4.splat(0);
}

/** The last two floats as doubles. */
// @ts-ignore: decorator
@inline
export function promote_high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0));
}
