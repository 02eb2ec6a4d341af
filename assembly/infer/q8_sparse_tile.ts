import { put8 } from "./q8_output";
import { dot, store8 } from "./q8_tile";

// Tiles of the int8 products with weights that have no zero blocks: packed rows times those blocks of a panel that there are. `rows` has their first
// rows of k, where packed rows have 32 bytes each fourth: int16[4][4], or int8[4][4] and int32[4], 64 times their sums. Otherwise as in q8_tile.ts.

/** Eight weights, those from `at` on, as int16. */
// @ts-ignore: decorator
@inline
function wide<T>(b: usize, at: usize): v128 {
  if (sizeof<T>() == 1) return v128.load_ext<i8>(b + at);
  return v128.load(b + (at << 1));
}

/** Four rows of int16 times `wide` weights, or those of `bytes`. */
export function sparse_wide<T>(
  count: i32,
  a: usize,
  b: usize,
  rows: usize,
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
  for (; count > 0; count--) {
    const p = a + ((<usize>load<u16>(rows)) << 3);
    let l = wide<T>(b, 0),
      r = wide<T>(b, 8);
    let s = v128.load32_splat(p);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 8);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 16);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 24);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    l = wide<T>(b, 16);
    r = wide<T>(b, 24);
    s = v128.load32_splat(p, 4);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, l));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 12);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, l));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 20);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, l));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, r));
    s = v128.load32_splat(p, 28);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, l));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, r));
    rows += 2;
    b += sizeof<T>() << 5;
  }
  put8(x0, y0, scale, emit, c);
  c = min(c + ldc, last);
  put8(x1, y1, scale, emit, c);
  c = min(c + ldc, last);
  put8(x2, y2, scale, emit, c);
  c = min(c + ldc, last);
  put8(x3, y3, scale, emit, c);
}

/** Four rows of int8 times `narrow` weights, less 64 times the sums of what was multiplied. */
export function sparse_narrow(
  count: i32,
  a: usize,
  b: usize,
  rows: usize,
  from: usize,
  step: usize,
  c: usize,
  ldc: usize,
  last: usize,
  scale: usize,
  emit: usize,
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
  let sums = i32x4.splat(0);
  for (; count > 0; count--) {
    const p = a + ((<usize>load<u16>(rows)) << 3);
    const l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(p);
    x0 = i32x4.add(x0, dot(s, l, one));
    y0 = i32x4.add(y0, dot(s, r, one));
    s = v128.load32_splat(p, 4);
    x1 = i32x4.add(x1, dot(s, l, one));
    y1 = i32x4.add(y1, dot(s, r, one));
    s = v128.load32_splat(p, 8);
    x2 = i32x4.add(x2, dot(s, l, one));
    y2 = i32x4.add(y2, dot(s, r, one));
    s = v128.load32_splat(p, 12);
    x3 = i32x4.add(x3, dot(s, l, one));
    y3 = i32x4.add(y3, dot(s, r, one));
    sums = i32x4.add(sums, v128.load(p, 16));
    rows += 2;
    b += 32;
  }
  let s = v128.shuffle<i32>(sums, sums, 0, 0, 0, 0);
  put8(i32x4.sub(x0, s), i32x4.sub(y0, s), scale, emit, c);
  s = v128.shuffle<i32>(sums, sums, 1, 1, 1, 1);
  c = min(c + ldc, last);
  put8(i32x4.sub(x1, s), i32x4.sub(y1, s), scale, emit, c);
  s = v128.shuffle<i32>(sums, sums, 2, 2, 2, 2);
  c = min(c + ldc, last);
  put8(i32x4.sub(x2, s), i32x4.sub(y2, s), scale, emit, c);
  s = v128.shuffle<i32>(sums, sums, 3, 3, 3, 3);
  c = min(c + ldc, last);
  put8(i32x4.sub(x3, s), i32x4.sub(y3, s), scale, emit, c);
}

/** The first row of int16 alone. */
export function sparse_row_wide<T>(count: i32, a: usize, b: usize, rows: usize, from: usize, c: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  let x1 = i32x4.splat(0),
    y1 = x1;
  for (; count > 0; count--) {
    const p = a + ((<usize>load<u16>(rows)) << 3);
    let s = v128.load32_splat(p);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, wide<T>(b, 0)));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, wide<T>(b, 8)));
    s = v128.load32_splat(p, 4);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, wide<T>(b, 16)));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, wide<T>(b, 24)));
    rows += 2;
    b += sizeof<T>() << 5;
  }
  store8(c, i32x4.add(x0, x1), i32x4.add(y0, y1));
}

/** The first row of int8 alone. */
export function sparse_row_narrow(count: i32, a: usize, b: usize, rows: usize, from: usize, c: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const one = i16x8.splat(1);
  let x = v128.load(from),
    y = v128.load(from, 16);
  let sum = 0;
  for (; count > 1; count -= 2) {
    let p = a + ((<usize>load<u16>(rows)) << 3);
    let s = v128.load32_splat(p);
    sum += load<i32>(p, 16);
    x = i32x4.add(x, dot(s, v128.load(b), one));
    y = i32x4.add(y, dot(s, v128.load(b, 16), one));
    p = a + ((<usize>load<u16>(rows, 2)) << 3);
    s = v128.load32_splat(p);
    sum += load<i32>(p, 16);
    x = i32x4.add(x, dot(s, v128.load(b, 32), one));
    y = i32x4.add(y, dot(s, v128.load(b, 48), one));
    rows += 4;
    b += 64;
  }
  if (count > 0) {
    const p = a + ((<usize>load<u16>(rows)) << 3);
    const s = v128.load32_splat(p);
    sum += load<i32>(p, 16);
    x = i32x4.add(x, dot(s, v128.load(b), one));
    y = i32x4.add(y, dot(s, v128.load(b, 16), one));
  }
  const s = i32x4.splat(sum);
  store8(c, i32x4.sub(x, s), i32x4.sub(y, s));
}
