import { madd } from "../lanes";
import { load_or_zero } from "./lanes";

// Four pixels and eight channels at once; see depthwise_four.ts. The last eight channels may overlap those before.

/** Three taps, stride 1. */
export function three_by_1(
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
  for (let i = 0; i < c; i += 8) {
    const at = (<usize>min(i, c - 8)) << 2;
    let a = load_or_zero(bias, at),
      f = load_or_zero(bias, at + 16);
    let b = a,
      d = a,
      e = a,
      g = f,
      h = f,
      j = f;
    let row = x + at;
    let q = w + at * taps;
    let r = q + (taps << 4);
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(q, 0),
        u0 = v128.load(r, 0);
      const w1 = v128.load(q, 16),
        u1 = v128.load(r, 16);
      const w2 = v128.load(q, 32),
        u2 = v128.load(r, 32);
      let p = row;
      let v: v128;
      v = v128.load(p);
      a = madd(v, w0, a);
      v = v128.load(p, 16);
      f = madd(v, u0, f);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      b = madd(v, w0, b);
      v = v128.load(p, 16);
      f = madd(v, u1, f);
      g = madd(v, u0, g);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w1, b);
      d = madd(v, w0, d);
      v = v128.load(p, 16);
      f = madd(v, u2, f);
      g = madd(v, u1, g);
      h = madd(v, u0, h);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w2, b);
      d = madd(v, w1, d);
      e = madd(v, w0, e);
      v = v128.load(p, 16);
      g = madd(v, u2, g);
      h = madd(v, u1, h);
      j = madd(v, u0, j);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w2, d);
      e = madd(v, w1, e);
      v = v128.load(p, 16);
      h = madd(v, u2, h);
      j = madd(v, u1, j);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w2, e);
      v = v128.load(p, 16);
      j = madd(v, u2, j);
      row += line;
      q += 48;
      r += 48;
    }
    let to = y + at;
    v128.store(to, a);
    v128.store(to, f, 16);
    to += next;
    v128.store(to, b);
    v128.store(to, g, 16);
    to += next;
    v128.store(to, d);
    v128.store(to, h, 16);
    to += next;
    v128.store(to, e);
    v128.store(to, j, 16);
  }
}

/** Three taps, stride 2. */
export function three_by_2(
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
  for (let i = 0; i < c; i += 8) {
    const at = (<usize>min(i, c - 8)) << 2;
    let a = load_or_zero(bias, at),
      f = load_or_zero(bias, at + 16);
    let b = a,
      d = a,
      e = a,
      g = f,
      h = f,
      j = f;
    let row = x + at;
    let q = w + at * taps;
    let r = q + (taps << 4);
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(q, 0),
        u0 = v128.load(r, 0);
      const w1 = v128.load(q, 16),
        u1 = v128.load(r, 16);
      const w2 = v128.load(q, 32),
        u2 = v128.load(r, 32);
      let p = row;
      let v: v128;
      v = v128.load(p);
      a = madd(v, w0, a);
      v = v128.load(p, 16);
      f = madd(v, u0, f);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w1, a);
      v = v128.load(p, 16);
      f = madd(v, u1, f);
      p += pixel;
      v = v128.load(p);
      a = madd(v, w2, a);
      b = madd(v, w0, b);
      v = v128.load(p, 16);
      f = madd(v, u2, f);
      g = madd(v, u0, g);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w1, b);
      v = v128.load(p, 16);
      g = madd(v, u1, g);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w2, b);
      d = madd(v, w0, d);
      v = v128.load(p, 16);
      g = madd(v, u2, g);
      h = madd(v, u0, h);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w1, d);
      v = v128.load(p, 16);
      h = madd(v, u1, h);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w2, d);
      e = madd(v, w0, e);
      v = v128.load(p, 16);
      h = madd(v, u2, h);
      j = madd(v, u0, j);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w1, e);
      v = v128.load(p, 16);
      j = madd(v, u1, j);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w2, e);
      v = v128.load(p, 16);
      j = madd(v, u2, j);
      row += line;
      q += 48;
      r += 48;
    }
    let to = y + at;
    v128.store(to, a);
    v128.store(to, f, 16);
    to += next;
    v128.store(to, b);
    v128.store(to, g, 16);
    to += next;
    v128.store(to, d);
    v128.store(to, h, 16);
    to += next;
    v128.store(to, e);
    v128.store(to, j, 16);
  }
}
