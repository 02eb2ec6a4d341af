import { madd } from "../lanes";
import { load_or_zero } from "./lanes";

// Four pixels and four channels at once, even and odd rows apart; see depthwise_four.ts.

/** Five taps, stride 1. */
export function five_by_1(
  c: i32,
  rows: i32,
  x: usize,
  line: usize,
  pixel: usize,
  w: usize,
  taps: usize,
  bias: usize,
  y: usize,
  next: usize,
): void {
  for (; c >= 4; c -= 4) {
    let q = w;
    let a = load_or_zero(bias, 0);
    let b = a,
      d = a,
      e = a;
    let f = f32x4.splat(0);
    let g = f,
      i = f,
      j = f;
    let row = x;
    let p: usize, v: v128, w0: v128, w1: v128, w2: v128, w3: v128, w4: v128;
    let ky = rows;
    for (; ky > 1; ky -= 2) {
      w0 = v128.load(q, 0);
      w1 = v128.load(q, 16);
      w2 = v128.load(q, 32);
      w3 = v128.load(q, 48);
      w4 = v128.load(q, 64);
      p = row;
      v = v128.load(p);
      a = madd(v, w0, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      b = madd(v, w0, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w1, b);
      d = madd(v, w0, d);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w3, a);
      b = madd(v, w2, b);
      d = madd(v, w1, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w4, a);
      b = madd(v, w3, b);
      d = madd(v, w2, d);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w4, b);
      d = madd(v, w3, d);
      e = madd(v, w2, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w4, d);
      e = madd(v, w3, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w4, e);
      row += line;
      w0 = v128.load(q, 80);
      w1 = v128.load(q, 96);
      w2 = v128.load(q, 112);
      w3 = v128.load(q, 128);
      w4 = v128.load(q, 144);
      p = row;
      v = v128.load(p);
      f = madd(v, w0, f);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w1, f);
      g = madd(v, w0, g);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w2, f);
      g = madd(v, w1, g);
      i = madd(v, w0, i);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w3, f);
      g = madd(v, w2, g);
      i = madd(v, w1, i);
      j = madd(v, w0, j);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w4, f);
      g = madd(v, w3, g);
      i = madd(v, w2, i);
      j = madd(v, w1, j);
      p += pixel;
      v = v128.load(p);
      g = madd(v, w4, g);
      i = madd(v, w3, i);
      j = madd(v, w2, j);
      p += pixel;
      v = v128.load(p);
      i = madd(v, w4, i);
      j = madd(v, w3, j);
      p += pixel;
      v = v128.load(p);
      j = madd(v, w4, j);
      row += line;
      q += 160;
    }
    if (ky > 0) {
      w0 = v128.load(q, 0);
      w1 = v128.load(q, 16);
      w2 = v128.load(q, 32);
      w3 = v128.load(q, 48);
      w4 = v128.load(q, 64);
      p = row;
      v = v128.load(p);
      a = madd(v, w0, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      b = madd(v, w0, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w1, b);
      d = madd(v, w0, d);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w3, a);
      b = madd(v, w2, b);
      d = madd(v, w1, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w4, a);
      b = madd(v, w3, b);
      d = madd(v, w2, d);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w4, b);
      d = madd(v, w3, d);
      e = madd(v, w2, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w4, d);
      e = madd(v, w3, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w4, e);
      row += line;
      q += 80;
    }
    w += taps << 4;
    v128.store(y, f32x4.add(a, f));
    v128.store(y + next, f32x4.add(b, g));
    v128.store(y + next * 2, f32x4.add(d, i));
    v128.store(y + next * 3, f32x4.add(e, j));
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}

/** Five taps, stride 2. */
export function five_by_2(
  c: i32,
  rows: i32,
  x: usize,
  line: usize,
  pixel: usize,
  w: usize,
  taps: usize,
  bias: usize,
  y: usize,
  next: usize,
): void {
  for (; c >= 4; c -= 4) {
    let q = w;
    let a = load_or_zero(bias, 0);
    let b = a,
      d = a,
      e = a;
    let f = f32x4.splat(0);
    let g = f,
      i = f,
      j = f;
    let row = x;
    let p: usize, v: v128, w0: v128, w1: v128, w2: v128, w3: v128, w4: v128;
    let ky = rows;
    for (; ky > 1; ky -= 2) {
      w0 = v128.load(q, 0);
      w1 = v128.load(q, 16);
      w2 = v128.load(q, 32);
      w3 = v128.load(q, 48);
      w4 = v128.load(q, 64);
      p = row;
      v = v128.load(p);
      a = madd(v, w0, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w0, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w3, a);
      b = madd(v, w1, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w4, a);
      b = madd(v, w2, b);
      d = madd(v, w0, d);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w3, b);
      d = madd(v, w1, d);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w4, b);
      d = madd(v, w2, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w3, d);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w4, d);
      e = madd(v, w2, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w3, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w4, e);
      row += line;
      w0 = v128.load(q, 80);
      w1 = v128.load(q, 96);
      w2 = v128.load(q, 112);
      w3 = v128.load(q, 128);
      w4 = v128.load(q, 144);
      p = row;
      v = v128.load(p);
      f = madd(v, w0, f);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w1, f);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w2, f);
      g = madd(v, w0, g);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w3, f);
      g = madd(v, w1, g);
      p += pixel;
      v = v128.load(p);
      f = madd(v, w4, f);
      g = madd(v, w2, g);
      i = madd(v, w0, i);
      p += pixel;
      v = v128.load(p);
      g = madd(v, w3, g);
      i = madd(v, w1, i);
      p += pixel;
      v = v128.load(p);
      g = madd(v, w4, g);
      i = madd(v, w2, i);
      j = madd(v, w0, j);
      p += pixel;
      v = v128.load(p);
      i = madd(v, w3, i);
      j = madd(v, w1, j);
      p += pixel;
      v = v128.load(p);
      i = madd(v, w4, i);
      j = madd(v, w2, j);
      p += pixel;
      v = v128.load(p);
      j = madd(v, w3, j);
      p += pixel;
      v = v128.load(p);
      j = madd(v, w4, j);
      row += line;
      q += 160;
    }
    if (ky > 0) {
      w0 = v128.load(q, 0);
      w1 = v128.load(q, 16);
      w2 = v128.load(q, 32);
      w3 = v128.load(q, 48);
      w4 = v128.load(q, 64);
      p = row;
      v = v128.load(p);
      a = madd(v, w0, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w0, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w3, a);
      b = madd(v, w1, b);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w4, a);
      b = madd(v, w2, b);
      d = madd(v, w0, d);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w3, b);
      d = madd(v, w1, d);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w4, b);
      d = madd(v, w2, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w3, d);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w4, d);
      e = madd(v, w2, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w3, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w4, e);
      row += line;
      q += 80;
    }
    w += taps << 4;
    v128.store(y, f32x4.add(a, f));
    v128.store(y + next, f32x4.add(b, g));
    v128.store(y + next * 2, f32x4.add(d, i));
    v128.store(y + next * 3, f32x4.add(e, j));
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}
