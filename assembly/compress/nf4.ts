import { finite } from "../lanes";

// NF4 in blocks of 64, as MatMulBnb4 reads it: a value's share of the block's absmax goes to the nearest of sixteen levels, which cut a
// normal distribution into parts of equal weight (https://arxiv.org/abs/2305.14314, section 3). The level of p = f32(x * f32(1 / absmax)) is
// the number of bounds below it; a bound is the float nearest to the middle of two levels.

// biome-ignore format: tables
const BOUNDS: usize = memory.data<u32>([
  0xbf591cd9, 0xbf1c5270, 0xbeeb8480, 0xbeadea76, 0xbe703cec, 0xbe0d38bc, 0xbd3a7871, 0x3d22faff,
  0x3df64863, 0x3e5067e0, 0x3e9582d4, 0x3ec753f9, 0x3f006d03, 0x3f248daf, 0x3f5c89d9,
], 16);

const LEVELS: usize = memory.data<f32>([
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
], 16);

const BLOCK: i32 = 64;

/** A last block, with zeros to its end. */
const REST: usize = memory.data(256, 16);

/** The levels of four values; NaN is zero, which is level 7. */
// @ts-ignore: decorator
@inline
function nf4x4(p: usize, r: v128): v128 {
  const product = f32x4.mul(v128.load(p), r);
  const share = v128.and(product, f32x4.eq(product, product));
  let level = i32x4.splat(0);
  for (let i: usize = 0; i < 60; i += 4) level = i32x4.sub(level, f32x4.gt(share, v128.load32_splat(BOUNDS + i)));
  return level;
}

/** The levels of sixteen values as eight bytes, the earlier of a pair in the high nibble: an i16 lane a byte. */
// @ts-ignore: decorator
@inline
function nf4x16(p: usize, r: v128): v128 {
  const even = i16x8.narrow_i32x4_s(nf4x4(p, r), nf4x4(p + 16, r));
  const odd = i16x8.narrow_i32x4_s(nf4x4(p + 32, r), nf4x4(p + 48, r));
  const pairs = i8x16.narrow_i16x8_s(even, odd);
  return v128.and(v128.or(i16x8.shl(pairs, 4), i16x8.shr_u(pairs, 8)), i16x8.splat(255));
}

function nf4_absmax(x: usize): f32 {
  let m: f32 = 0;
  for (let i: usize = 0; i < 256; i += 4) {
    const v = load<f32>(x + i);
    if (finite(v)) m = max(m, abs(v));
  }
  return m;
}

/** One block: 32 bytes at `y`, its absmax at `absmax`. */
function nf4_block(x: usize, y: usize, absmax: usize): void {
  let largest = i32x4.splat(0);
  const mask = i32x4.splat(0x7fffffff);
  for (let i: usize = 0; i < 256; i += 16) largest = i32x4.max_s(largest, v128.and(v128.load(x + i), mask));
  largest = i32x4.max_s(largest, v128.shuffle<i64>(largest, largest, 1, 0));
  largest = i32x4.max_s(largest, v128.shuffle<i32>(largest, largest, 1, 0, 3, 2));
  let m = f32x4.extract_lane(largest, 0);
  if (!finite(m)) m = nf4_absmax(x);
  store<f32>(absmax, m);
  const inverse = <f32>1 / m;
  const r = f32x4.splat(finite(inverse) ? inverse : 0);
  v128.store(y, i8x16.narrow_i16x8_u(nf4x16(x, r), nf4x16(x + 64, r)));
  v128.store(y + 16, i8x16.narrow_i16x8_u(nf4x16(x + 128, r), nf4x16(x + 192, r)));
}

/** Quantizes `n` floats at `x` to ceil(n / 2) bytes at `y` and ceil(n / 64) floats at `absmax`. */
export function f32_nf4(n: i32, x: usize, y: usize, absmax: usize): void {
  for (; n >= BLOCK; n -= BLOCK) {
    nf4_block(x, y, absmax);
    x += 256;
    y += 32;
    absmax += 4;
  }
  if (n <= 0) return;
  memory.fill(REST, 0, 256);
  memory.copy(REST, x, (<usize>n) << 2);
  nf4_block(REST, REST, absmax);
  memory.copy(y, REST, (<usize>(n + 1)) >> 1);
}

/** The `n` floats that bytes at `q` and `absmax` stand for. */
export function nf4_f32(n: i32, q: usize, absmax: usize, y: usize): void {
  for (let i = 0; i < n; ++i) {
    const pair = <usize>load<u8>(q + ((<usize>i) >> 1));
    const level = i & 1 ? pair & 15 : pair >> 4;
    store<f32>(y + ((<usize>i) << 2), load<f32>(LEVELS + (level << 2)) * load<f32>(absmax + (((<usize>i) >> 6) << 2)));
  }
}

/** Writes the `k` rows of `n` floats at `x`, which lie `ld` floats apart, as `n` rows of `k`, which lie `to` floats apart. */
export function f32_transpose(k: i32, n: i32, ld: i32, x: usize, y: usize, to: i32): void {
  const x_step = (<usize>ld) << 2;
  const y_step = (<usize>to) << 2;
  let i = 0;
  for (; i + 4 <= k; i += 4) {
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      const p = x + <usize>i * x_step + ((<usize>j) << 2);
      const a = v128.load(p);
      const b = v128.load(p + x_step);
      const c = v128.load(p + 2 * x_step);
      const d = v128.load(p + 3 * x_step);
      const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
      const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
      const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      const q = y + <usize>j * y_step + ((<usize>i) << 2);
      v128.store(q, v128.shuffle<i64>(ab0, cd0, 0, 2));
      v128.store(q + y_step, v128.shuffle<i64>(ab0, cd0, 1, 3));
      v128.store(q + 2 * y_step, v128.shuffle<i64>(ab1, cd1, 0, 2));
      v128.store(q + 3 * y_step, v128.shuffle<i64>(ab1, cd1, 1, 3));
    }
    for (; j < n; ++j) for (let r = i; r < i + 4; ++r) move(r, j, x, x_step, y, y_step);
  }
  for (; i < k; ++i) for (let j = 0; j < n; ++j) move(i, j, x, x_step, y, y_step);
}

// @ts-ignore: decorator
@inline
function move(i: i32, j: i32, x: usize, x_step: usize, y: usize, y_step: usize): void {
  store<u32>(y + <usize>j * y_step + ((<usize>i) << 2), load<u32>(x + <usize>i * x_step + ((<usize>j) << 2)));
}
