import { madd } from "../lanes";

// Tiles of a product: rows of packed a, [k][rows], times a panel of packed b, [k][8], added to what stands at `from`. `ldf` and `ldy` are bytes
// from row to row; with ldf = 0 every row starts from the same eight floats. One function a tile, so that V8 has registers for nothing else.
//
// Of a panel without its zero blocks there are `count` blocks, [k][8] each, whose first rows of k are T at `starts`, and `k` is a multiple of 4; otherwise T is void.

/** Six rows: twelve sums, two vectors of b and one of a fill the registers where multiply and add are one instruction. */
export function tile6<T>(count: i32, starts: usize, k: i32, a: usize, b: usize, from: usize, ldf: usize, y: usize, ldy: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  from += ldf;
  let x1 = v128.load(from),
    y1 = v128.load(from, 16);
  from += ldf;
  let x2 = v128.load(from),
    y2 = v128.load(from, 16);
  from += ldf;
  let x3 = v128.load(from),
    y3 = v128.load(from, 16);
  from += ldf;
  let x4 = v128.load(from),
    y4 = v128.load(from, 16);
  from += ldf;
  let x5 = v128.load(from),
    y5 = v128.load(from, 16);
  while (true) {
    let p = a;
    let i = k;
    if (!isVoid<T>()) {
      if (count-- == 0) break;
      p += <usize>load<T>(starts) * 24;
      starts += sizeof<T>();
    }
    for (; i > 0; i--) {
      const l = v128.load(b),
        r = v128.load(b, 16);
      let s = v128.load32_splat(p, 0);
      x0 = madd(s, l, x0);
      y0 = madd(s, r, y0);
      s = v128.load32_splat(p, 4);
      x1 = madd(s, l, x1);
      y1 = madd(s, r, y1);
      s = v128.load32_splat(p, 8);
      x2 = madd(s, l, x2);
      y2 = madd(s, r, y2);
      s = v128.load32_splat(p, 12);
      x3 = madd(s, l, x3);
      y3 = madd(s, r, y3);
      s = v128.load32_splat(p, 16);
      x4 = madd(s, l, x4);
      y4 = madd(s, r, y4);
      s = v128.load32_splat(p, 20);
      x5 = madd(s, l, x5);
      y5 = madd(s, r, y5);
      p += 24;
      b += 32;
    }
    if (isVoid<T>()) break;
  }
  v128.store(y, x0);
  v128.store(y, y0, 16);
  y += ldy;
  v128.store(y, x1);
  v128.store(y, y1, 16);
  y += ldy;
  v128.store(y, x2);
  v128.store(y, y2, 16);
  y += ldy;
  v128.store(y, x3);
  v128.store(y, y3, 16);
  y += ldy;
  v128.store(y, x4);
  v128.store(y, y4, 16);
  y += ldy;
  v128.store(y, x5);
  v128.store(y, y5, 16);
}

/** Four rows: where a product needs a register of its own, and rows that six leave over. */
export function tile4<T>(count: i32, starts: usize, k: i32, a: usize, b: usize, from: usize, ldf: usize, y: usize, ldy: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  from += ldf;
  let x1 = v128.load(from),
    y1 = v128.load(from, 16);
  from += ldf;
  let x2 = v128.load(from),
    y2 = v128.load(from, 16);
  from += ldf;
  let x3 = v128.load(from),
    y3 = v128.load(from, 16);
  while (true) {
    let p = a;
    let i = k;
    if (!isVoid<T>()) {
      if (count-- == 0) break;
      p += <usize>load<T>(starts) * 16;
      starts += sizeof<T>();
    }
    for (; i > 0; i--) {
      const l = v128.load(b),
        r = v128.load(b, 16);
      let s = v128.load32_splat(p, 0);
      x0 = madd(s, l, x0);
      y0 = madd(s, r, y0);
      s = v128.load32_splat(p, 4);
      x1 = madd(s, l, x1);
      y1 = madd(s, r, y1);
      s = v128.load32_splat(p, 8);
      x2 = madd(s, l, x2);
      y2 = madd(s, r, y2);
      s = v128.load32_splat(p, 12);
      x3 = madd(s, l, x3);
      y3 = madd(s, r, y3);
      p += 16;
      b += 32;
    }
    if (isVoid<T>()) break;
  }
  v128.store(y, x0);
  v128.store(y, y0, 16);
  y += ldy;
  v128.store(y, x1);
  v128.store(y, y1, 16);
  y += ldy;
  v128.store(y, x2);
  v128.store(y, y2, 16);
  y += ldy;
  v128.store(y, x3);
  v128.store(y, y3, 16);
}

/** Two rows, two steps at a time, as two sums a row would wait for each other. */
export function tile2<T>(count: i32, starts: usize, k: i32, a: usize, b: usize, from: usize, ldf: usize, y: usize, ldy: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  from += ldf;
  let x1 = v128.load(from),
    y1 = v128.load(from, 16);
  let u0 = f32x4.splat(0),
    v0 = u0,
    u1 = u0,
    v1 = u0;
  while (true) {
    let p = a;
    let i = k;
    if (!isVoid<T>()) {
      if (count-- == 0) break;
      p += <usize>load<T>(starts) * 8;
      starts += sizeof<T>();
    }
    for (; i > 1; i -= 2) {
      let l = v128.load(b),
        r = v128.load(b, 16);
      let s = v128.load32_splat(p);
      x0 = madd(s, l, x0);
      y0 = madd(s, r, y0);
      s = v128.load32_splat(p, 4);
      x1 = madd(s, l, x1);
      y1 = madd(s, r, y1);
      ((l = v128.load(b, 32)), (r = v128.load(b, 48)));
      s = v128.load32_splat(p, 8);
      u0 = madd(s, l, u0);
      v0 = madd(s, r, v0);
      s = v128.load32_splat(p, 12);
      u1 = madd(s, l, u1);
      v1 = madd(s, r, v1);
      p += 16;
      b += 64;
    }
    if (isVoid<T>() && i > 0) {
      const l = v128.load(b),
        r = v128.load(b, 16);
      let s = v128.load32_splat(p);
      x0 = madd(s, l, x0);
      y0 = madd(s, r, y0);
      s = v128.load32_splat(p, 4);
      x1 = madd(s, l, x1);
      y1 = madd(s, r, y1);
    }
    if (isVoid<T>()) break;
  }
  v128.store(y, f32x4.add(x0, u0));
  v128.store(y, f32x4.add(y0, v0), 16);
  y += ldy;
  v128.store(y, f32x4.add(x1, u1));
  v128.store(y, f32x4.add(y1, v1), 16);
}

/** One row, four steps at a time: as fast as b comes from memory. Four of a in a load, since loads are what limits it in the second cache. */
export function tile1<T>(count: i32, starts: usize, k: i32, a: usize, b: usize, from: usize, y: usize): void {
  let x0 = v128.load(from),
    y0 = v128.load(from, 16);
  let x1 = f32x4.splat(0),
    y1 = x1,
    x2 = x1,
    y2 = x1,
    x3 = x1,
    y3 = x1;
  while (true) {
    let p = a;
    let i = k;
    if (!isVoid<T>()) {
      if (count-- == 0) break;
      p += <usize>load<T>(starts) * 4;
      starts += sizeof<T>();
    }
    for (; i > 3; i -= 4) {
      const v = v128.load(p);
      let s = v128.shuffle<i32>(v, v, 0, 0, 0, 0);
      x0 = madd(s, v128.load(b), x0);
      y0 = madd(s, v128.load(b, 16), y0);
      s = v128.shuffle<i32>(v, v, 1, 1, 1, 1);
      x1 = madd(s, v128.load(b, 32), x1);
      y1 = madd(s, v128.load(b, 48), y1);
      s = v128.shuffle<i32>(v, v, 2, 2, 2, 2);
      x2 = madd(s, v128.load(b, 64), x2);
      y2 = madd(s, v128.load(b, 80), y2);
      s = v128.shuffle<i32>(v, v, 3, 3, 3, 3);
      x3 = madd(s, v128.load(b, 96), x3);
      y3 = madd(s, v128.load(b, 112), y3);
      p += 16;
      b += 128;
    }
    for (; isVoid<T>() && i > 0; i--) {
      const s = v128.load32_splat(p);
      x0 = madd(s, v128.load(b), x0);
      y0 = madd(s, v128.load(b, 16), y0);
      p += 4;
      b += 32;
    }
    if (isVoid<T>()) break;
  }
  v128.store(y, f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)));
  v128.store(y, f32x4.add(f32x4.add(y0, y1), f32x4.add(y2, y3)), 16);
}
