import { byteOf, finite, horizontal_max, lookup, narrow, zip16_high, zip16_low, zip8_high, zip8_low } from "../lanes";

// NF4 in blocks of 64, as MatMulBnb4 reads it: a value's share of the block's absmax goes to the nearest of sixteen levels, which cut a
// normal distribution into parts of equal weight (https://arxiv.org/abs/2305.14314, section 3). The level of p = f32(x * f32(1 / absmax)) is
// the number of bounds below it; a bound is the middle of two levels, rounded as onnxruntime has it: some are halfway between two floats.
//
// So that a value is compared with one bound instead of fifteen, the line is cut into sixteen buckets of equal width, the outer two without
// end, in which at most one bound lies. A table of sixteen floats is looked up as four tables of bytes, one a byte of the floats.

/** The bound in each bucket; bucket `EMPTY` has none. */
// prettier-ignore
const BOUNDS: usize = memory.data<u32>([
  0xbf591cd9, 0xbf1c5270, 0x7f800000, 0xbeeb8480, 0xbeadea76, 0xbe703cec, 0xbe0d38bc, 0xbd3a7871,
  0x3d22faff, 0x3df64863, 0x3e5067e0, 0x3e9582d4, 0x3ec753f9, 0x3f006d03, 0x3f248daf, 0x3f5c89d9,
], 16);
const EMPTY: i8 = 2;

/** The width of a bucket, and where the first ends. No bound is nearer to an end than 0.017, so that rounding carries none over it. */
const WIDTH: f32 = 0.0964;
const END: f32 = -0.6895;

/** For p in -1..1, t = p * RATE + START is in 1..2, and the first five bits of its significand count buckets: the first is number FIRST. */
const FIRST = 4;
const RATE: f32 = <f32>1 / (<f32>32 * WIDTH);
const START: f32 = <f32>1 + (<f32>(FIRST + 1) - END / WIDTH) / <f32>32;
const SHIFT = 18;
const FIRST_BITS = <i16>((0x3f800000 >> SHIFT) + FIRST);

// prettier-ignore
const LEVELS: usize = memory.data<f32>([
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
], 16);

const BLOCK: i32 = 64;

/** A block that cannot be read where it lies: the last, with zeros to its end, or one with infinities or NaN. */
const SCRATCH: usize = memory.data(256, 16);

/** Copies a block to SCRATCH with zeros for what times 1 / absmax is NaN; returns the finite absmax. */
function nf4_cleaned(x: usize): f32 {
  let m: f32 = 0;
  for (let i: usize = 0; i < 256; i += 4) {
    const v = load<f32>(x + i);
    if (finite(v)) m = max(m, abs(v));
  }
  const r = nf4_inverse(m);
  for (let i: usize = 0; i < 256; i += 4) {
    const v = load<f32>(x + i);
    store<f32>(SCRATCH + i, v * r == v * r ? v : 0);
  }
  return m;
}

// @ts-ignore: decorator
@inline
function nf4_inverse(m: f32): f32 {
  const inverse = <f32>1 / m;
  return finite(inverse) ? inverse : 0;
}

/** Four values in buckets, as i32 that FIRST_BITS is to be taken from. */
// @ts-ignore: decorator
@inline
function bucket(p: v128, rate: v128, start: v128): v128 {
  return i32x4.shr_s(f32x4.add(f32x4.mul(p, rate), start), SHIFT);
}

/** Quantizes `count` blocks at `x` to 32 bytes each at `y`, and one absmax each. */
function nf4_blocks(count: i32, x: usize, y: usize, absmax: usize): void {
  const b0 = byteOf(BOUNDS, 0);
  const b1 = byteOf(BOUNDS, 8);
  const b2 = byteOf(BOUNDS, 16);
  const b3 = byteOf(BOUNDS, 24);
  const rate = f32x4.splat(RATE);
  const start = f32x4.splat(START);
  const first = i16x8.splat(FIRST_BITS);
  const last = i8x16.splat(15);
  const empty = i8x16.splat(EMPTY);
  const mask = i32x4.splat(0x7fffffff);
  for (; count > 0; --count) {
    let largest = i32x4.splat(0);
    for (let i: usize = 0; i < 256; i += 32) {
      largest = i32x4.max_s(largest, v128.and(v128.load(x + i), mask));
      largest = i32x4.max_s(largest, v128.and(v128.load(x + i, 16), mask));
    }
    let m = reinterpret<f32>(horizontal_max(largest));
    let from = x;
    if (!finite(m)) {
      m = nf4_cleaned(x);
      from = SCRATCH;
    }
    store<f32>(absmax, m);
    const r = f32x4.splat(nf4_inverse(m));
    for (const end = from + 256; from < end; from += 64) {
      const p0 = f32x4.mul(v128.load(from), r);
      const p1 = f32x4.mul(v128.load(from, 16), r);
      const p2 = f32x4.mul(v128.load(from, 32), r);
      const p3 = f32x4.mul(v128.load(from, 48), r);
      const near = i16x8.narrow_i32x4_s(bucket(p0, rate, start), bucket(p1, rate, start));
      const far = i16x8.narrow_i32x4_s(bucket(p2, rate, start), bucket(p3, rate, start));
      const at = i8x16.min_u(i8x16.narrow_i16x8_u(i16x8.sub(near, first), i16x8.sub(far, first)), last);
      const c0 = lookup(b0, at);
      const c1 = lookup(b1, at);
      const c2 = lookup(b2, at);
      const c3 = lookup(b3, at);
      const l0 = zip8_low(c0, c1);
      const l1 = zip8_low(c2, c3);
      const h0 = zip8_high(c0, c1);
      const h1 = zip8_high(c2, c3);
      const above = narrow(
        f32x4.gt(p0, zip16_low(l0, l1)),
        f32x4.gt(p1, zip16_high(l0, l1)),
        f32x4.gt(p2, zip16_low(h0, h1)),
        f32x4.gt(p3, zip16_high(h0, h1)),
      );
      const level = i8x16.sub(i8x16.add(at, i8x16.gt_s(at, empty)), above);
      // The earlier of a pair in the high nibble.
      const pairs = v128.and(v128.or(i16x8.shl(level, 4), i16x8.shr_u(level, 8)), i16x8.splat(255));
      v128.store64_lane(y, i8x16.narrow_i16x8_u(pairs, pairs), 0);
      y += 8;
    }
    x += 256;
    absmax += 4;
  }
}

/** Quantizes `n` floats at `x` to ceil(n / 2) bytes at `y` and ceil(n / 64) floats at `absmax`. */
export function f32_nf4(n: i32, x: usize, y: usize, absmax: usize): void {
  const blocks = n / BLOCK;
  nf4_blocks(blocks, x, y, absmax);
  const rest = n % BLOCK;
  if (rest == 0) return;
  const done = <usize>(n - rest);
  memory.fill(SCRATCH, 0, 256);
  memory.copy(SCRATCH, x + (done << 2), (<usize>rest) << 2);
  nf4_blocks(1, SCRATCH, SCRATCH, absmax + ((<usize>blocks) << 2));
  memory.copy(y + (done >> 1), SCRATCH, (<usize>(rest + 1)) >> 1);
}

/** The `n` floats that bytes at `q` and `absmax` stand for. */
export function nf4_f32(n: i32, q: usize, absmax: usize, y: usize): void {
  const b0 = byteOf(LEVELS, 0);
  const b1 = byteOf(LEVELS, 8);
  const b2 = byteOf(LEVELS, 16);
  const b3 = byteOf(LEVELS, 24);
  const nibble = i8x16.splat(15);
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    const s = v128.load32_splat(absmax + (((<usize>i) >> 6) << 2));
    const pairs = v128.load64_zero(q + ((<usize>i) >> 1));
    const at = zip8_low(v128.and(i16x8.shr_u(pairs, 4), nibble), v128.and(pairs, nibble));
    const c0 = lookup(b0, at);
    const c1 = lookup(b1, at);
    const c2 = lookup(b2, at);
    const c3 = lookup(b3, at);
    const l0 = zip8_low(c0, c1);
    const l1 = zip8_low(c2, c3);
    const h0 = zip8_high(c0, c1);
    const h1 = zip8_high(c2, c3);
    const to = y + ((<usize>i) << 2);
    v128.store(to, f32x4.mul(zip16_low(l0, l1), s));
    v128.store(to, f32x4.mul(zip16_high(l0, l1), s), 16);
    v128.store(to, f32x4.mul(zip16_low(h0, h1), s), 32);
    v128.store(to, f32x4.mul(zip16_high(h0, h1), s), 48);
  }
  for (; i < n; ++i) {
    const pair = <usize>load<u8>(q + ((<usize>i) >> 1));
    const level = i & 1 ? pair & 15 : pair >> 4;
    store<f32>(y + ((<usize>i) << 2), load<f32>(LEVELS + (level << 2)) * load<f32>(absmax + (((<usize>i) >> 6) << 2)));
  }
}
