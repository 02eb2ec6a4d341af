import { madd } from "../lanes";
import { load_part, store_part } from "./lanes";

// Resizing of NHWC images. The caller's tables say which rows and columns a pixel is made of, and of how much of each.

// @ts-ignore: decorator
@inline
function entry(table: usize, i: i32): i32 {
  return load<i32>(table + ((<usize>i) << 2));
}

/** Pixels of `n` bytes, each a copy of one of an image that is `w` wide. */
export function resize_nearest(w: i32, n: usize, oh: i32, ow: i32, x: usize, y: usize, rows: usize, columns: usize): void {
  const bytes = <usize>ow * n;
  for (let i = 0; i < oh; i++) {
    if (i > 0 && entry(rows, i) == entry(rows, i - 1)) {
      memory.copy(y, y - bytes, bytes);
      y += bytes;
      continue;
    }
    const row = x + <usize>entry(rows, i) * w * n;
    for (let j = 0; j < ow; j++) {
      pixel(n, row + <usize>entry(columns, j) * n, y);
      y += n;
    }
  }
}

function pixel(n: usize, x: usize, y: usize): void {
  let at: usize = 0;
  for (; at + 16 <= n; at += 16) v128.store(y + at, v128.load(x + at));
  for (; at + 4 <= n; at += 4) store<u32>(y + at, load<u32>(x + at));
  for (; at < n; at++) store<u8>(y + at, load<u8>(x + at));
}

/** Pixels that are weighted sums of `taps_h` by `taps_w` of an image that is `w` wide. */
export function f32_resize(
  w: i32,
  c: i32,
  oh: i32,
  ow: i32,
  taps_h: i32,
  taps_w: i32,
  x: usize,
  y: usize,
  rows: usize,
  row_weights: usize,
  columns: usize,
  column_weights: usize,
): void {
  const bytes = (<usize>c) << 2;
  for (let i = 0; i < oh; i++) {
    for (let j = 0; j < ow; j++) {
      const column = columns + ((<usize>j * taps_w) << 2);
      const weight = column_weights + ((<usize>j * taps_w) << 2);
      blend(c, <usize>w * bytes, taps_h, taps_w, x, y, rows, row_weights, column, weight);
      y += bytes;
    }
    rows += (<usize>taps_h) << 2;
    row_weights += (<usize>taps_h) << 2;
  }
}

/** One pixel. */
function blend(
  c: i32,
  row_bytes: usize,
  taps_h: i32,
  taps_w: i32,
  x: usize,
  y: usize,
  rows: usize,
  row_weights: usize,
  columns: usize,
  column_weights: usize,
): void {
  const bytes = (<usize>c) << 2;
  if (c >= 8) {
    // The last block may take channels that the one before has done.
    for (let k = 0; k < c; k += 8) {
      const at = (<usize>min(k, c - 8)) << 2;
      let a = f32x4.splat(0);
      let b = a;
      for (let i = 0; i < taps_h; i++) {
        const row = x + at + <usize>entry(rows, i) * row_bytes;
        const weight = v128.load32_splat(row_weights + ((<usize>i) << 2));
        let d = f32x4.splat(0);
        let e = d;
        for (let j = 0; j < taps_w; j++) {
          const p = row + <usize>entry(columns, j) * bytes;
          const v = v128.load32_splat(column_weights + ((<usize>j) << 2));
          d = madd(v128.load(p), v, d);
          e = madd(v128.load(p, 16), v, e);
        }
        a = madd(d, weight, a);
        b = madd(e, weight, b);
      }
      v128.store(y + at, a);
      v128.store(y + at, b, 16);
    }
    return;
  }
  for (let k = 0; k < c; k += 4) {
    const width = min(c - k, 4);
    const zero = f32x4.splat(0);
    const at = (<usize>k) << 2;
    let a = zero;
    for (let i = 0; i < taps_h; i++) {
      const row = x + at + <usize>entry(rows, i) * row_bytes;
      let d = zero;
      for (let j = 0; j < taps_w; j++) {
        const p = row + <usize>entry(columns, j) * bytes;
        const v = width == 4 ? v128.load(p) : load_part(p, width, zero);
        d = madd(v, v128.load32_splat(column_weights + ((<usize>j) << 2)), d);
      }
      a = madd(d, v128.load32_splat(row_weights + ((<usize>i) << 2)), a);
    }
    if (width == 4) v128.store(y + at, a);
    else store_part(y + at, a, width);
  }
}
