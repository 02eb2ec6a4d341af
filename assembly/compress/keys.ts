import { magnitude } from "../lanes";

// The key of a float is the bits of |x|: keys order as magnitudes do, with NaN above Infinity. The key that an exact selection cuts at is found
// digit by digit, from the top: the first pass counts every key, the next ones only those that begin with the digits found so far.

/** Counts in a table. */
const DIGITS: i32 = 2048;

/** Bytes of a table, and after them the slot of what is not counted. */
const TABLE: i32 = DIGITS * 4 + 16;

/** A table for each lane, so that equal neighbours do not wait for each other's count. All zeros between calls, but for the slots. */
const TABLES: usize = memory.data(4 * TABLE, 16);

/** Up to so many hits in sixteen floats are counted one by one; where there are more, all sixteen are, those that are no hits in the slot. */
const FEW: i32 = 5;

/** Counts the digits of four floats where `hit`; `none` is the offset of the slot. */
// @ts-ignore: decorator
@inline
function count4(v: v128, hit: v128, shift: i32, digits: v128, none: v128): void {
  const at = v128.bitselect(i32x4.shl(v128.and(i32x4.shr_u(v, shift), digits), 2), none, hit);
  const low = i64x2.extract_lane(at, 0);
  const high = i64x2.extract_lane(at, 1);
  const p = <usize>(<u32>low);
  const q = <usize>(low >>> 32);
  const r = <usize>(<u32>high);
  const s = <usize>(high >>> 32);
  store<u32>(p, load<u32>(p, TABLES) + 1, TABLES);
  store<u32>(q, load<u32>(q, TABLES + TABLE) + 1, TABLES + TABLE);
  store<u32>(r, load<u32>(r, TABLES + 2 * TABLE) + 1, TABLES + 2 * TABLE);
  store<u32>(s, load<u32>(s, TABLES + 3 * TABLE) + 1, TABLES + 3 * TABLE);
}

/** Adds the tables to `counts` and clears them. */
function gather(bits: i32, counts: usize): void {
  const zero = i32x4.splat(0);
  for (let at: usize = 0; at < (<usize>4) << bits; at += 16) {
    const p = TABLES + at;
    const a = i32x4.add(v128.load(p), v128.load(p, TABLE));
    const b = i32x4.add(v128.load(p, 2 * TABLE), v128.load(p, 3 * TABLE));
    v128.store(counts + at, i32x4.add(v128.load(counts + at), i32x4.add(a, b)));
    v128.store(p, zero);
    v128.store(p, zero, TABLE);
    v128.store(p, zero, 2 * TABLE);
    v128.store(p, zero, 3 * TABLE);
  }
}

/**
 * Counts a digit of the keys of `n` floats at `x` that begin with `prefix`: where `key >> prefix_shift == prefix`, adds one to
 * `counts[(key >> shift) & ((1 << bits) - 1)]`, u32[1 << bits]. Prefix 0 with a shift of 31 is the prefix of all. `bits` is 2 to 11,
 * `shift + bits` at most 31.
 */
export function f32_key_counts(n: i32, x: usize, prefix: i32, prefix_shift: i32, shift: i32, bits: i32, counts: usize): void {
  const end = x + ((<usize>n) << 2);
  const mask = (1 << bits) - 1;
  // Fewer would be counted sooner than the tables are gathered.
  if (n >> bits >= 2) {
    const digits = i32x4.splat(mask);
    const none = i32x4.splat(DIGITS << 2);
    const top = i32x4.splat((-1 << prefix_shift) & 0x7fffffff);
    const wanted = i32x4.splat(prefix << prefix_shift);
    for (; x + 64 <= end; x += 64) {
      const a = v128.load(x);
      const b = v128.load(x, 16);
      const c = v128.load(x, 32);
      const d = v128.load(x, 48);
      const ha = i32x4.eq(v128.and(a, top), wanted);
      const hb = i32x4.eq(v128.and(b, top), wanted);
      const hc = i32x4.eq(v128.and(c, top), wanted);
      const hd = i32x4.eq(v128.and(d, top), wanted);
      let hits = i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(ha, hb), i16x8.narrow_i32x4_s(hc, hd)));
      if (popcnt(hits) > FEW) {
        count4(a, ha, shift, digits, none);
        count4(b, hb, shift, digits, none);
        count4(c, hc, shift, digits, none);
        count4(d, hd, shift, digits, none);
      } else {
        for (; hits != 0; hits &= hits - 1) {
          const p = (<usize>((load<u32>(x + ((<usize>ctz(hits)) << 2)) >> shift) & mask)) << 2;
          store<u32>(p, load<u32>(p, TABLES) + 1, TABLES);
        }
      }
    }
    gather(bits, counts);
  }
  for (; x < end; x += 4) {
    const key = load<i32>(x) & 0x7fffffff;
    if (key >> prefix_shift != prefix) continue;
    const p = counts + ((<usize>((key >> shift) & mask)) << 2);
    store<u32>(p, load<u32>(p) + 1);
  }
}

/** How many of `n` floats at `x` have a key below `key`. */
export function f32_count_below(n: i32, x: usize, key: i32): i32 {
  const mask = i32x4.splat(0x7fffffff);
  const bound = i32x4.splat(key);
  const end = x + ((<usize>n) << 2);
  let a = i32x4.splat(0);
  let b = a;
  for (; x + 32 <= end; x += 32) {
    a = i32x4.sub(a, i32x4.gt_s(bound, magnitude(v128.load(x), mask)));
    b = i32x4.sub(b, i32x4.gt_s(bound, magnitude(v128.load(x, 16), mask)));
  }
  a = i32x4.add(a, b);
  a = i32x4.add(a, v128.shuffle<i64>(a, a, 1, 0));
  let below = i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1);
  for (; x < end; x += 4) below += i32((load<i32>(x) & 0x7fffffff) < key);
  return below;
}

/** How many of `n` floats at `x` are not zero, of either sign. NaN is not. */
export function f32_count_nonzero(n: i32, x: usize): i32 {
  return n - f32_count_below(n, x, 1);
}
