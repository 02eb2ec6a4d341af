import { madd } from "../lanes";

// Tiles whose rows of a lie as they were computed; see tile.ts.

/** Six rows that are not packed, `lda` bytes apart, from zero; `k` is a multiple of 4. */
export function loose6(k: i32, a: usize, lda: usize, b: usize, y: usize, ldy: usize): void {
  let x0 = f32x4.splat(0),
    y0 = x0;
  let x1 = x0,
    y1 = x0,
    a1 = a + lda;
  let x2 = x0,
    y2 = x0,
    a2 = a1 + lda;
  let x3 = x0,
    y3 = x0,
    a3 = a2 + lda;
  let x4 = x0,
    y4 = x0,
    a4 = a3 + lda;
  let x5 = x0,
    y5 = x0,
    a5 = a4 + lda;
  for (; k > 0; k -= 4) {
    let l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(a);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 0);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 0);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 0);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    s = v128.load32_splat(a4, 0);
    x4 = madd(s, l, x4);
    y4 = madd(s, r, y4);
    s = v128.load32_splat(a5, 0);
    x5 = madd(s, l, x5);
    y5 = madd(s, r, y5);
    l = v128.load(b, 32);
    r = v128.load(b, 48);
    s = v128.load32_splat(a, 4);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 4);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 4);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 4);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    s = v128.load32_splat(a4, 4);
    x4 = madd(s, l, x4);
    y4 = madd(s, r, y4);
    s = v128.load32_splat(a5, 4);
    x5 = madd(s, l, x5);
    y5 = madd(s, r, y5);
    l = v128.load(b, 64);
    r = v128.load(b, 80);
    s = v128.load32_splat(a, 8);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 8);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 8);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 8);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    s = v128.load32_splat(a4, 8);
    x4 = madd(s, l, x4);
    y4 = madd(s, r, y4);
    s = v128.load32_splat(a5, 8);
    x5 = madd(s, l, x5);
    y5 = madd(s, r, y5);
    l = v128.load(b, 96);
    r = v128.load(b, 112);
    s = v128.load32_splat(a, 12);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 12);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 12);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 12);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    s = v128.load32_splat(a4, 12);
    x4 = madd(s, l, x4);
    y4 = madd(s, r, y4);
    s = v128.load32_splat(a5, 12);
    x5 = madd(s, l, x5);
    y5 = madd(s, r, y5);
    a += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
    a4 += 16;
    a5 += 16;
    b += 128;
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

/** Four rows that are not packed, `lda` bytes apart, from zero; `k` is a multiple of 4. */
export function loose4(k: i32, a: usize, lda: usize, b: usize, y: usize, ldy: usize): void {
  let x0 = f32x4.splat(0),
    y0 = x0;
  let x1 = x0,
    y1 = x0,
    a1 = a + lda;
  let x2 = x0,
    y2 = x0,
    a2 = a1 + lda;
  let x3 = x0,
    y3 = x0,
    a3 = a2 + lda;
  for (; k > 0; k -= 4) {
    let l = v128.load(b),
      r = v128.load(b, 16);
    let s = v128.load32_splat(a);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 0);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 0);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 0);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    l = v128.load(b, 32);
    r = v128.load(b, 48);
    s = v128.load32_splat(a, 4);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 4);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 4);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 4);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    l = v128.load(b, 64);
    r = v128.load(b, 80);
    s = v128.load32_splat(a, 8);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 8);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 8);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 8);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    l = v128.load(b, 96);
    r = v128.load(b, 112);
    s = v128.load32_splat(a, 12);
    x0 = madd(s, l, x0);
    y0 = madd(s, r, y0);
    s = v128.load32_splat(a1, 12);
    x1 = madd(s, l, x1);
    y1 = madd(s, r, y1);
    s = v128.load32_splat(a2, 12);
    x2 = madd(s, l, x2);
    y2 = madd(s, r, y2);
    s = v128.load32_splat(a3, 12);
    x3 = madd(s, l, x3);
    y3 = madd(s, r, y3);
    a += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
    b += 128;
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
