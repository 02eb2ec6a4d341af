import { put8 } from "./q8_output";

// Tiles of the int8 products: packed rows times a panel of eight columns. `from` holds what the sums start from, `step` bytes from row to row; `c`
// receives them, `ldc` bytes from row to row but none behind `last`, or bytes of them as `put8` has it. One function a tile, so that V8 has all
// registers for its sums. `k` is rounded up to whole groups of a.

/** Four rows of int16[k/8][4][8] times `wide` weights. */
export function tile_wide(
  k: i32,
  a: usize,
  b: usize,
  from: usize,
  step: usize,
  c: usize,
  ldc: usize,
  last: usize,
  scale: usize,
  emit: usize,
): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  from += step;
  let x1 = v128.load(from),
    y1 = v128.load(from, 16);
  from += step;
  let x2 = v128.load(from),
    y2 = v128.load(from, 16);
  from += step;
  let x3 = v128.load(from),
    y3 = v128.load(from, 16);
  for (; k > 0; k -= 8) {
    let l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(a);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 16);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 32);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 48);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    ((l = v128.load(b, 32)), (r = v128.load(b, 48)));
    s = v128.load32_splat(a, 4);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 20);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 36);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 52);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    ((l = v128.load(b, 64)), (r = v128.load(b, 80)));
    s = v128.load32_splat(a, 8);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 24);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 40);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 56);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    ((l = v128.load(b, 96)), (r = v128.load(b, 112)));
    s = v128.load32_splat(a, 12);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 28);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 44);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(a, 60);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    a += 64;
    b += 128;
  }
  put8(x0, y0, scale, emit, c);
  c = min(c + ldc, last);
  put8(x1, y1, scale, emit, c);
  c = min(c + ldc, last);
  put8(x2, y2, scale, emit, c);
  c = min(c + ldc, last);
  put8(x3, y3, scale, emit, c);
}

// @ts-ignore: decorator
@inline
export function store8(c: usize, x: v128, y: v128): void {
  v128.store(c, x);
  v128.store(c, y, 16);
}

/** The sums of four products of int8 and u7 in each lane, exact: a pair is at most 2 · 128 · 127 < 2^15. */
// @ts-ignore: decorator
@inline
export function dot(s: v128, b: v128, one: v128): v128 {
  return i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(s, b), one);
}

/** Four rows of int8[k/16][4][16] times `narrow` weights, less 64 times the sums of the rows. */
export function tile_narrow(
  k: i32,
  a: usize,
  b: usize,
  from: usize,
  step: usize,
  c: usize,
  ldc: usize,
  last: usize,
  scale: usize,
  emit: usize,
  sums: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const one = i16x8.splat(1);
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  from += step;
  let x1 = v128.load(from),
    y1 = v128.load(from, 16);
  from += step;
  let x2 = v128.load(from),
    y2 = v128.load(from, 16);
  from += step;
  let x3 = v128.load(from),
    y3 = v128.load(from, 16);
  for (; k > 8; k -= 16) {
    let l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(a);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 16);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 32);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 48);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    ((l = v128.load(b, 32)), (r = v128.load(b, 48)));
    s = v128.load32_splat(a, 4);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 20);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 36);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 52);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    ((l = v128.load(b, 64)), (r = v128.load(b, 80)));
    s = v128.load32_splat(a, 8);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 24);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 40);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 56);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    ((l = v128.load(b, 96)), (r = v128.load(b, 112)));
    s = v128.load32_splat(a, 12);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 28);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 44);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 60);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    a += 64;
    b += 128;
  }
  if (k > 0) {
    let l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(a);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 16);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 32);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 48);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    ((l = v128.load(b, 32)), (r = v128.load(b, 48)));
    s = v128.load32_splat(a, 4);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(a, 20);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(a, 36);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(a, 52);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
  }
  let s = v128.load32_splat(sums);
  put8(i32x4.sub(x0, s), i32x4.sub(y0, s), scale, emit, c);
  s = v128.load32_splat(sums, 4);
  c = min(c + ldc, last);
  put8(i32x4.sub(x1, s), i32x4.sub(y1, s), scale, emit, c);
  s = v128.load32_splat(sums, 8);
  c = min(c + ldc, last);
  put8(i32x4.sub(x2, s), i32x4.sub(y2, s), scale, emit, c);
  s = v128.load32_splat(sums, 12);
  c = min(c + ldc, last);
  put8(i32x4.sub(x3, s), i32x4.sub(y3, s), scale, emit, c);
}

/** One row of int16[k], k a multiple of 8, times `wide` weights. */
export function row_wide(k: i32, a: usize, b: usize, from: usize, c: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  let x1 = i32x4.splat(0),
    y1 = x1,
    x2 = x1,
    y2 = x1,
    x3 = x1,
    y3 = x1;
  for (; k > 0; k -= 8) {
    let s = v128.load32_splat(a);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, v128.load(b)));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, v128.load(b, 16)));
    s = v128.load32_splat(a, 4);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, v128.load(b, 32)));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, v128.load(b, 48)));
    s = v128.load32_splat(a, 8);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, v128.load(b, 64)));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, v128.load(b, 80)));
    s = v128.load32_splat(a, 12);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, v128.load(b, 96)));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, v128.load(b, 112)));
    a += 16;
    b += 128;
  }
  store8(c, i32x4.add(i32x4.add(x0, x1), i32x4.add(x2, x3)), i32x4.add(i32x4.add(y0, y1), i32x4.add(y2, y3)));
}

/** One row of int8[k], k a multiple of 16, times `narrow` weights, less 64 times the sum of the row. */
export function row_narrow(k: i32, a: usize, b: usize, from: usize, c: usize, sums: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const one = i16x8.splat(1);
  let x0 = i32x4.sub(v128.load(from), v128.load32_splat(sums)),
    y0 = i32x4.sub(v128.load(from, 16), v128.load32_splat(sums));
  let x1 = i32x4.splat(0),
    y1 = x1,
    x2 = x1,
    y2 = x1,
    x3 = x1,
    y3 = x1;
  for (; k > 0; k -= 16) {
    let s = v128.load32_splat(a);
    x0 = i32x4.add(x0, dot(s, v128.load(b), one));
    y0 = i32x4.add(y0, dot(s, v128.load(b, 16), one));
    s = v128.load32_splat(a, 4);
    x1 = i32x4.add(x1, dot(s, v128.load(b, 32), one));
    y1 = i32x4.add(y1, dot(s, v128.load(b, 48), one));
    s = v128.load32_splat(a, 8);
    x2 = i32x4.add(x2, dot(s, v128.load(b, 64), one));
    y2 = i32x4.add(y2, dot(s, v128.load(b, 80), one));
    s = v128.load32_splat(a, 12);
    x3 = i32x4.add(x3, dot(s, v128.load(b, 96), one));
    y3 = i32x4.add(y3, dot(s, v128.load(b, 112), one));
    a += 16;
    b += 128;
  }
  store8(c, i32x4.add(i32x4.add(x0, x1), i32x4.add(x2, x3)), i32x4.add(i32x4.add(y0, y1), i32x4.add(y2, y3)));
}
