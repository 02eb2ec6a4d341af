import { madd } from "../lanes";

// One row times block-wise weights as they lie: a mask leaves one int4 or int8 of each word, at its place, and the value of a is divided by the power
// of two that this multiplies it with.

/** Most of k whose sum of products includes the zero point's: what is taken off must not be far greater than what is left. */
const CHUNK: i32 = 64;

/** Copies a row, each value divided by what its place in a word multiplies it with, zeros up to a multiple of 8; and sums its chunks. */
export function prepare(bits: i32, k: i32, block: i32, a: usize, y: usize, sums: usize): void {
  const places = bits == 4 ? f32x4(1, 0.0625, 0.00390625, 0.000244140625) : f32x4(1, 0.00390625, 0.0000152587890625, 1);
  for (let i = 0; i < k; i += block) {
    const length = min(block, k - i);
    for (let at = 0; at < length; at += CHUNK) {
      const count = min(CHUNK, length - at);
      let sum = f32x4.splat(0);
      let j = 0;
      for (; j + 4 <= count; j += 4) {
        const v = v128.load(a);
        sum = f32x4.add(sum, v);
        v128.store(y, f32x4.mul(v, places));
        a += 16;
        y += 16;
      }
      if (j < count) {
        v128.store(y, f32x4.splat(0));
        for (let end = a + ((<usize>(count - j)) << 2), to = y; a < end; a += 4, to += 4) store<f32>(to, load<f32>(a));
        const v = v128.load(y);
        sum = f32x4.add(sum, v);
        v128.store(y, f32x4.mul(v, places));
        y += 16;
      }
      if ((((count + 3) >> 2) & 1) != 0) {
        v128.store(y, f32x4.splat(0));
        y += 16;
      }
      sum = f32x4.add(sum, v128.shuffle<i64>(sum, sum, 1, 0));
      store<f32>(sums, f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1));
      sums += 4;
    }
  }
}

/** Adds to eight sums the products of a prepared row and int4. */
export function row4(k: i32, block: i32, a: usize, sums: usize, b: usize, scale: usize, zeros: usize, y: usize): void {
  const m0 = i32x4.splat(0xf),
    m1 = i32x4.splat(0xf0),
    m2 = i32x4.splat(0xf00),
    m3 = i32x4.splat(0xf000);
  for (; k > 0; k -= block) {
    let p = f32x4.splat(0),
      q = p;
    for (let left = min(k, block); left > 0; left -= CHUNK) {
      let x0 = f32x4.splat(0),
        y0 = x0,
        x1 = x0,
        y1 = x0;
      for (let i = min(left, CHUNK); i > 0; i -= 8) {
        let l = v128.load(b),
          r = v128.load(b, 16);
        let s = v128.load32_splat(a);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m0)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m0)), y0);
        s = v128.load32_splat(a, 4);
        x1 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m1)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m1)), y1);
        s = v128.load32_splat(a, 8);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m2)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m2)), y0);
        s = v128.load32_splat(a, 12);
        x1 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m3)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m3)), y1);
        l = i32x4.shr_u(l, 16);
        r = i32x4.shr_u(r, 16);
        s = v128.load32_splat(a, 16);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m0)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m0)), y0);
        s = v128.load32_splat(a, 20);
        x1 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m1)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m1)), y1);
        s = v128.load32_splat(a, 24);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m2)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m2)), y0);
        s = v128.load32_splat(a, 28);
        x1 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m3)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m3)), y1);
        a += 32;
        b += 32;
      }
      const sum = v128.load32_splat(sums);
      sums += 4;
      p = f32x4.add(p, f32x4.sub(f32x4.add(x0, x1), f32x4.mul(sum, v128.load(scale + zeros))));
      q = f32x4.add(q, f32x4.sub(f32x4.add(y0, y1), f32x4.mul(sum, v128.load(scale + zeros, 16))));
    }
    v128.store(y, madd(p, v128.load(scale), v128.load(y)));
    v128.store(y, madd(q, v128.load(scale, 16), v128.load(y, 16)), 16);
    scale += 32;
  }
}

/** Adds to eight sums the products of a prepared row and int8. */
export function row8(k: i32, block: i32, a: usize, sums: usize, b: usize, scale: usize, zeros: usize, y: usize): void {
  const m0 = i32x4.splat(0xff),
    m1 = i32x4.splat(0xff00),
    m2 = i32x4.splat(0xff0000);
  for (; k > 0; k -= block) {
    let p = f32x4.splat(0),
      q = p;
    for (let left = min(k, block); left > 0; left -= CHUNK) {
      let x0 = f32x4.splat(0),
        y0 = x0,
        x1 = x0,
        y1 = x0;
      for (let i = min(left, CHUNK); i > 0; i -= 4) {
        const l = v128.load(b),
          r = v128.load(b, 16);
        let s = v128.load32_splat(a);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m0)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m0)), y0);
        s = v128.load32_splat(a, 4);
        x1 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m1)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m1)), y1);
        s = v128.load32_splat(a, 8);
        x0 = madd(s, f32x4.convert_i32x4_s(v128.and(l, m2)), x0);
        y0 = madd(s, f32x4.convert_i32x4_s(v128.and(r, m2)), y0);
        s = v128.load32_splat(a, 12);
        x1 = madd(s, f32x4.convert_i32x4_s(i32x4.shr_u(l, 24)), x1);
        y1 = madd(s, f32x4.convert_i32x4_s(i32x4.shr_u(r, 24)), y1);
        a += 16;
        b += 32;
      }
      const sum = v128.load32_splat(sums);
      sums += 4;
      p = f32x4.add(p, f32x4.sub(f32x4.add(x0, x1), f32x4.mul(sum, v128.load(scale + zeros))));
      q = f32x4.add(q, f32x4.sub(f32x4.add(y0, y1), f32x4.mul(sum, v128.load(scale + zeros, 16))));
    }
    v128.store(y, madd(p, v128.load(scale), v128.load(y)));
    v128.store(y, madd(q, v128.load(scale, 16), v128.load(y, 16)), 16);
    scale += 32;
  }
}
