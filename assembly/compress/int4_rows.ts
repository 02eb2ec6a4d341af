import { LEAST_SCALE, any_special, extreme, invertible, kept, q4_block, q4x4 } from "./int4";

/** Scratch for blocks that are short or few, read and written as four whole ones: 128 floats, their bytes and their scales. */
const BLOCKS: usize = memory.data(512, 16);
const BYTES: usize = memory.data(64, 16);
const SCALES: usize = memory.data(16, 16);

/** Blocks in a batch: 1 KiB of floats. */
const BATCH: i32 = 8;

/** The reciprocals of a batch's scales. */
const R: usize = memory.data(32, 16);

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

/** Sixteen values to bytes of 0 to 15. */
// @ts-ignore: decorator
@inline
function q4x16(x: usize, r: v128, half: v128, top: v128): v128 {
  const a = i16x8.narrow_i32x4_s(q4x4(v128.load(x), r, half), q4x4(v128.load(x, 16), r, half));
  const b = i16x8.narrow_i32x4_s(q4x4(v128.load(x, 32), r, half), q4x4(v128.load(x, 48), r, half));
  return i8x16.min_u(i8x16.narrow_i16x8_u(a, b), top);
}

/** The factors 1 and 16 for the even and the odd byte, or what `nibbles` needs without a dot product: a mask. */
// @ts-ignore: decorator
@inline
function pairing(): v128 {
  return i16x8.splat(ASC_FEATURE_RELAXED_SIMD ? 0x1001 : 0xff);
}

/** Eight i16 lanes of `even | odd << 4` from sixteen bytes. */
// @ts-ignore: decorator
@inline
function nibbles(b: v128, pairs: v128): v128 {
  // Both factors are small and positive, so the relaxed dot product has but one answer.
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(b, pairs);
  else return v128.and(v128.or(b, i16x8.shr_u(b, 4)), pairs);
}

/** Writes the `scale` of four times `n` blocks and its reciprocal to `R`. Says whether an infinity or NaN is among them. */
function q4_scales(n: i32, x: usize, scale: usize): bool {
  const mask = i32x4.splat(0x7fffffff);
  const least = i32x4.splat(LEAST_SCALE);
  const eighth = f32x4.splat(-0.125);
  const one = f32x4.splat(1);
  let special = false;
  for (let i: usize = 0; i < <usize>n; ++i) {
    let s0 = v128.load(x);
    let s1 = v128.load(x, 128);
    let s2 = v128.load(x, 256);
    let s3 = v128.load(x, 384);
    let u0 = s0;
    let u1 = s1;
    let u2 = s2;
    let u3 = s3;
    for (let p = x + 16; p < x + 128; p += 16) {
      const a = v128.load(p);
      s0 = i32x4.max_s(s0, a);
      u0 = i32x4.max_u(u0, a);
      const b = v128.load(p, 128);
      s1 = i32x4.max_s(s1, b);
      u1 = i32x4.max_u(u1, b);
      const c = v128.load(p, 256);
      s2 = i32x4.max_s(s2, c);
      u2 = i32x4.max_u(u2, c);
      const d = v128.load(p, 384);
      s3 = i32x4.max_s(s3, d);
      u3 = i32x4.max_u(u3, d);
    }
    // One vector of four extremes, so that four blocks share a division.
    const signed = max4_s(s0, s1, s2, s3);
    const unsigned = max4_u(u0, u1, u2, u3);
    special = special || any_special(signed, unsigned);
    const s = f32x4.mul(extreme(signed, unsigned, mask), eighth);
    const ok = invertible(s, mask, least);
    v128.store(R + (i << 4), v128.and(f32x4.div(one, s), ok));
    let first = v128.load32_zero(x);
    first = v128.load32_lane(x + 128, first, 1);
    first = v128.load32_lane(x + 256, first, 2);
    first = v128.load32_lane(x + 384, first, 3);
    v128.store(scale + (i << 4), kept(s, ok, first));
    x += 512;
  }
  return special;
}

/** Up to `BATCH` blocks, four by four. All scales come first: a block that had to wait for its own division would take half as long again. */
function q4_blocks4(n: i32, x: usize, y: usize, scale: usize): void {
  const blocks = (<usize>n) << 2;
  if (q4_scales(n, x, scale)) {
    for (let i: usize = 0; i < blocks; ++i) q4_block(x + (i << 7), y + (i << 4), scale + (i << 2));
    return;
  }
  const half = f32x4.splat(8.5);
  const top = i8x16.splat(15);
  const pairs = pairing();
  for (let i: usize = 0; i < blocks; ++i) {
    const r = v128.load32_splat(R + (i << 2));
    const a = q4x16(x, r, half, top);
    const b = q4x16(x + 64, r, half, top);
    v128.store(y, i8x16.narrow_i16x8_u(nibbles(a, pairs), nibbles(b, pairs)));
    x += 128;
    y += 16;
  }
}

/** `n` contiguous values, ceil(n / 32) blocks. Zeros that fill up the last block change neither its extreme nor its other nibbles. */
function q4_span(n: i32, x: usize, y: usize, scale: usize): void {
  while (n >= 128) {
    const four = min(n >> 7, BATCH >> 2);
    q4_blocks4(four, x, y, scale);
    x += (<usize>four) << 9;
    y += (<usize>four) << 6;
    scale += (<usize>four) << 4;
    n -= four << 7;
  }
  if (n == 0) return;
  const blocks = (<usize>(n + 31)) >> 5;
  memory.fill(BLOCKS, 0, 512);
  memory.copy(BLOCKS, x, (<usize>n) << 2);
  q4_blocks4(1, BLOCKS, BYTES, SCALES);
  const bytes = (<usize>(n + 1)) >> 1;
  memory.copy(y, BYTES, bytes);
  memory.fill(y + bytes, 0, (blocks << 4) - bytes);
  memory.copy(scale, SCALES, blocks << 2);
}

/** The unused nibble of a row's last byte, as MLAS leaves it: what the byte before has there, or 0 where it starts 64 rows anew. */
export function q4_odd(last: usize, anew: bool): void {
  const high = anew ? 0 : load<u8>(last - 1) & 0xf0;
  store<u8>(last, (load<u8>(last) & 15) | high);
}

/**
 * Quantizes `rows` of `k` floats to int4 in blocks of 32 for MatMulNBits: `y` is [rows, ceil(k / 32), 16] bytes, the even value of a pair
 * in the low nibble; after the end of a row come zeros, and in its last byte what `q4_odd` says; `scale` is f32[rows, ceil(k / 32)].
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
    if (k & 1) q4_odd(y + ((<usize>(k - 1)) >> 1), (k & 63) == 1);
    x += (<usize>k) << 2;
    y += blocks << 4;
    scale += blocks << 2;
  }
}
