import { zip32_high, zip32_low, zip64_high, zip64_low } from "../lanes";
import { dot } from "./q8_tile";
import { NARROW } from "./q8_weights";
import { copy } from "./q8_window";
import { ROW_SUMS, TAIL } from "./q8_work";
import { SPARSE } from "./sparse";

// Packs rows of bytes for the tiles. Bytes are taken as int8: of uint8 the sign bit is flipped, and 128 is taken off the zero point. `wide` rows
// are int16 less the zero point; `narrow` rows stay bytes, and have 64 times their sums noted. For sparse weights four bytes of four rows come first.

/** What turns the bytes into int8: 128 for uint8, else 0. */
// @ts-ignore: decorator
@inline
export function flip_of(is_signed: i32): i32 {
  return is_signed ? 0 : 128;
}

/** Packs `k` bytes of four rows for weights of a form; groups of 16 are filled up with zeros. */
export function pack_four(
  k: i32,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  flip: i32,
  zero: i32,
  form: i32,
  y: usize,
  sums: usize,
  tail: usize,
): void {
  const full = k & ~15;
  if (full < k) {
    gather(k, a, flip, tail);
    gather(k, b, flip, tail + 16);
    gather(k, c, flip, tail + 32);
    gather(k, d, flip, tail + 48);
  }
  if (form & SPARSE) {
    sparse_four(full, a, b, c, d, flip, zero, form, y);
    if (full < k) sparse_four(16, tail, tail + 16, tail + 32, tail + 48, flip, zero, form, y + ((<usize>full) << 3));
  } else if (form == NARROW) {
    (store<i32>(sums, 0), store<i32>(sums, 0, 4), store<i32>(sums, 0, 8), store<i32>(sums, 0, 12));
    narrow_four(full, a, b, c, d, flip, y, sums);
    if (full < k) narrow_four(16, tail, tail + 16, tail + 32, tail + 48, flip, y + ((<usize>full) << 2), sums);
  } else {
    wide_four(full, a, b, c, d, flip, zero, y);
    if (full < k) wide_four(16, tail, tail + 16, tail + 32, tail + 48, flip, zero, y + ((<usize>full) << 3));
  }
}

/** The bytes of a row behind its last whole sixteen, filled up with what stands for 0. */
// @ts-ignore: decorator
@inline
function gather(k: i32, a: usize, flip: i32, tail: usize): void {
  const rest = k & 15;
  const f = i8x16.splat(<i8>flip);
  if (k < 16) {
    v128.store(tail, f);
    copy(rest, a, tail);
    return;
  }
  // The last sixteen of the row, moved to the front: an index beyond the vector gives 0.
  const at = i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>(16 - rest)));
  const v = v128.xor(v128.load(a + <usize>(k - 16)), f);
  v128.store(tail, v128.xor(i8x16.swizzle(v, at), f));
}

// @ts-ignore: decorator
@inline
function store4(y: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(y, a);
  v128.store(y, b, 16);
  v128.store(y, c, 32);
  v128.store(y, d, 48);
}

/** Eight bytes as int16 less the zero point. */
// @ts-ignore: decorator
@inline
export function wide8(p: usize, flip: v128, zero: v128): v128 {
  return i16x8.sub(i16x8.extend_low_i8x16_s(v128.xor(v128.load64_zero(p), flip)), zero);
}

/** To int16[k/8][4][8]; `k` is a multiple of 16. */
function wide_four(k: i32, a: usize, b: usize, c: usize, d: usize, flip: i32, zero: i32, y: usize): void {
  const f = i8x16.splat(<i8>flip);
  const z = i16x8.splat(<i16>zero);
  for (; k > 0; k -= 8) {
    store4(y, wide8(a, f, z), wide8(b, f, z), wide8(c, f, z), wide8(d, f, z));
    a += 8;
    b += 8;
    c += 8;
    d += 8;
    y += 64;
  }
}

/** Adds sixteen int8 to four sums. */
// @ts-ignore: decorator
@inline
function add16(sum: v128, v: v128): v128 {
  return i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v)));
}

// @ts-ignore: decorator
@inline
function note(sums: usize, sum: v128): void {
  sum = i32x4.add(sum, v128.shuffle<i64>(sum, sum, 1, 0));
  store<i32>(sums, load<i32>(sums) + ((i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1)) << 6));
}

/** To int8[k/16][4][16]; `k` is a multiple of 16. */
function narrow_four(k: i32, a: usize, b: usize, c: usize, d: usize, flip: i32, y: usize, sums: usize): void {
  const f = i8x16.splat(<i8>flip);
  let as = i32x4.splat(0),
    bs = as,
    cs = as,
    ds = as;
  for (; k > 0; k -= 16) {
    const av = v128.xor(v128.load(a), f),
      bv = v128.xor(v128.load(b), f);
    const cv = v128.xor(v128.load(c), f),
      dv = v128.xor(v128.load(d), f);
    as = add16(as, av);
    bs = add16(bs, bv);
    cs = add16(cs, cv);
    ds = add16(ds, dv);
    store4(y, av, bv, cv, dv);
    a += 16;
    b += 16;
    c += 16;
    d += 16;
    y += 64;
  }
  note(sums, as);
  note(sums + 4, bs);
  note(sums + 8, cs);
  note(sums + 12, ds);
}

/** To int16[k/4][4][4], or {int8[4][4], int32[4]}[k/4] with 64 times the sums of the bytes before; `k` is a multiple of 16. */
function sparse_four(k: i32, a: usize, b: usize, c: usize, d: usize, flip: i32, zero: i32, form: i32, y: usize): void {
  const f = i8x16.splat(<i8>flip);
  const z = i16x8.splat(<i16>zero);
  for (; k > 0; k -= 16) {
    if (ASC_FEATURE_RELAXED_SIMD && form == (SPARSE | NARROW)) {
      const av = v128.xor(v128.load(a), f),
        bv = v128.xor(v128.load(b), f);
      const cv = v128.xor(v128.load(c), f),
        dv = v128.xor(v128.load(d), f);
      summed2(y, zip32_low(av, bv), zip32_low(cv, dv));
      summed2(y + 64, zip32_high(av, bv), zip32_high(cv, dv));
    } else {
      zip64(y, wide8(a, f, z), wide8(b, f, z), wide8(c, f, z), wide8(d, f, z));
      zip64(y + 64, wide8(a + 8, f, z), wide8(b + 8, f, z), wide8(c + 8, f, z), wide8(d + 8, f, z));
    }
    a += 16;
    b += 16;
    c += 16;
    d += 16;
    y += 128;
  }
}

// @ts-ignore: decorator
@inline
function zip64(y: usize, a: v128, b: v128, c: v128, d: v128): void {
  store4(y, zip64_low(a, b), zip64_low(c, d), zip64_high(a, b), zip64_high(c, d));
}

/** Two groups of four bytes of four rows, each followed by 64 times their sums. */
// @ts-ignore: decorator
@inline
function summed2(y: usize, ab: v128, cd: v128): void {
  const l = zip64_low(ab, cd),
    r = zip64_high(ab, cd);
  const one = i16x8.splat(1),
    weight = i8x16.splat(64);
  store4(y, l, dot(l, weight, one), r, dot(r, weight, one));
}

/** One row: to int16[k], or int8[k] and its sum; `k` is filled up to a multiple of 16 with zeros. */
export function pack_one(k: i32, a: usize, flip: i32, zero: i32, narrow: i32, y: usize, work: usize): void {
  const full = k & ~15;
  const tail = work + TAIL;
  const sum = work + ROW_SUMS;
  store<i32>(sum, 0);
  one(full, a, flip, zero, narrow, y, sum);
  if (full == k) return;
  gather(k, a, flip, tail);
  one(16, tail, flip, zero, narrow, y + ((<usize>full) << (1 - narrow)), sum);
}

function one(k: i32, a: usize, flip: i32, zero: i32, narrow: i32, y: usize, sum: usize): void {
  const f = i8x16.splat(<i8>flip);
  const z = i16x8.splat(<i16>zero);
  let s = i32x4.splat(0);
  for (; k > 0; k -= 16) {
    if (narrow) {
      const v = v128.xor(v128.load(a), f);
      s = add16(s, v);
      v128.store(y, v);
      y += 16;
    } else {
      v128.store(y, wide8(a, f, z));
      v128.store(y, wide8(a + 8, f, z), 16);
      y += 32;
    }
    a += 16;
  }
  if (narrow) note(sum, s);
}
