import { put8 } from "./q8_output";
import { store8 } from "./q8_tile";

// Tiles of weights of `bytes`: those of `wide` weights, but for widening on the way.

/** Four rows of int16[k/8][4][8] times weights of `bytes`. */
export function tile_bytes(
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
    let l = v128.load_ext<i8>(b),
      r = v128.load_ext<i8>(b, 8);
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
    ((l = v128.load_ext<i8>(b, 16)), (r = v128.load_ext<i8>(b, 24)));
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
    ((l = v128.load_ext<i8>(b, 32)), (r = v128.load_ext<i8>(b, 40)));
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
    ((l = v128.load_ext<i8>(b, 48)), (r = v128.load_ext<i8>(b, 56)));
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
    b += 64;
  }
  put8(x0, y0, scale, emit, c);
  c = min(c + ldc, last);
  put8(x1, y1, scale, emit, c);
  c = min(c + ldc, last);
  put8(x2, y2, scale, emit, c);
  c = min(c + ldc, last);
  put8(x3, y3, scale, emit, c);
}

/** One row of int16[k], k a multiple of 8, times weights of `bytes`. */
export function row_bytes(k: i32, a: usize, b: usize, from: usize, c: usize): void {
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
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b)));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 8)));
    s = v128.load32_splat(a, 4);
    x1 = i32x4.add(x1, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 16)));
    y1 = i32x4.add(y1, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 24)));
    s = v128.load32_splat(a, 8);
    x2 = i32x4.add(x2, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 32)));
    y2 = i32x4.add(y2, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 40)));
    s = v128.load32_splat(a, 12);
    x3 = i32x4.add(x3, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 48)));
    y3 = i32x4.add(y3, i32x4.dot_i16x8_s(s, v128.load_ext<i8>(b, 56)));
    a += 16;
    b += 64;
  }
  store8(c, i32x4.add(i32x4.add(x0, x1), i32x4.add(x2, x3)), i32x4.add(i32x4.add(y0, y1), i32x4.add(y2, y3)));
}
