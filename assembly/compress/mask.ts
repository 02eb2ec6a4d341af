import { magnitude } from "../lanes";

/** One float: kept bit for bit or zero. Returns the ties that are still to drop. */
function mask_one(s: usize, x: usize, y: usize, key: i32, ties: i32): i32 {
  const a = load<i32>(s) & 0x7fffffff;
  const tied = a == key && ties > 0;
  store<u32>(y, a >= key && !tied ? load<u32>(x) : 0);
  return ties - i32(tied);
}

/**
 * Writes the `n` floats at `x` to `y`, which may be `x` or `s`: those whose score at `s` has a key above `key` bit for bit, +0 for a key
 * below. Of the scores at `key` the first `ties` are dropped too and the others kept. Returns how many ties are still to drop, for the next slab.
 */
export function f32_mask_by(n: i32, s: usize, x: usize, y: usize, key: i32, ties: i32): i32 {
  const mask = i32x4.splat(0x7fffffff);
  const bound = i32x4.splat(key);
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; ties > 0 && i + 16 <= end; i += 16) {
    const a = magnitude(v128.load(s + i), mask);
    const tied = popcnt(i32x4.bitmask(i32x4.eq(a, bound)));
    if (tied > ties) break;
    v128.store(y + i, v128.and(v128.load(x + i), i32x4.gt_s(a, bound)));
    ties -= tied;
  }
  for (; ties > 0 && i < end; i += 4) ties = mask_one(s + i, x + i, y + i, key, ties);
  const below = i32x4.splat(key - 1);
  for (; i + 32 <= end; i += 32) {
    const a = i32x4.gt_s(magnitude(v128.load(s + i), mask), below);
    const b = i32x4.gt_s(magnitude(v128.load(s + i, 16), mask), below);
    const u = v128.and(v128.load(x + i), a);
    const v = v128.and(v128.load(x + i, 16), b);
    v128.store(y + i, u);
    v128.store(y + i, v, 16);
  }
  for (; i < end; i += 4) mask_one(s + i, x + i, y + i, key, 0);
  return ties;
}

/** `f32_mask_by` with the floats as their own scores: magnitude pruning. */
export function f32_mask(n: i32, x: usize, y: usize, key: i32, ties: i32): i32 {
  return f32_mask_by(n, x, x, y, key, ties);
}
