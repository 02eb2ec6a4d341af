import { madd } from "../lanes";
import { load_or_zero } from "./lanes";

// Four neighbouring pixels at once, four channels after four, with taps that are neighbours too, so that what they share is loaded once.
// `rows` counts the kernel's rows that are in the image, `skip` the bytes of weights of those that are not, `line` and `pixel` the bytes to
// the next row of taps and to the next pixel.

/** Four pixels, 3 taps a row, stride 1. */
export function four_3_1(c: i32, rows: i32, x: usize, line: usize, w: usize, skip: usize, bias: usize, y: usize, pixel: usize): void {
  for (; c >= 4; c -= 4) {
    let a = load_or_zero(bias);
    let b = a,
      d = a,
      e = a;
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(w, 0);
      const w1 = v128.load(w, 16);
      const w2 = v128.load(w, 32);
      let p = row;
      let v: v128;
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
      b = madd(v, w2, b);
      d = madd(v, w1, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w2, d);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w2, e);
      row += line;
      w += 48;
    }
    w += skip;
    v128.store(y, a);
    v128.store(y + pixel, b);
    v128.store(y + pixel * 2, d);
    v128.store(y + pixel * 3, e);
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}

/** Four pixels, 3 taps a row, stride 2. */
export function four_3_2(c: i32, rows: i32, x: usize, line: usize, w: usize, skip: usize, bias: usize, y: usize, pixel: usize): void {
  for (; c >= 4; c -= 4) {
    let a = load_or_zero(bias);
    let b = a,
      d = a,
      e = a;
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(w, 0);
      const w1 = v128.load(w, 16);
      const w2 = v128.load(w, 32);
      let p = row;
      let v: v128;
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
      b = madd(v, w1, b);
      p += pixel;
      v = v128.load(p);
      b = madd(v, w2, b);
      d = madd(v, w0, d);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w1, d);
      p += pixel;
      v = v128.load(p);
      d = madd(v, w2, d);
      e = madd(v, w0, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w1, e);
      p += pixel;
      v = v128.load(p);
      e = madd(v, w2, e);
      row += line;
      w += 48;
    }
    w += skip;
    v128.store(y, a);
    v128.store(y + pixel, b);
    v128.store(y + pixel * 2, d);
    v128.store(y + pixel * 3, e);
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}

/** Four pixels, 5 taps a row, stride 1. */
export function four_5_1(c: i32, rows: i32, x: usize, line: usize, w: usize, skip: usize, bias: usize, y: usize, pixel: usize): void {
  for (; c >= 4; c -= 4) {
    let a = load_or_zero(bias);
    let b = a,
      d = a,
      e = a;
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(w, 0);
      const w1 = v128.load(w, 16);
      const w2 = v128.load(w, 32);
      const w3 = v128.load(w, 48);
      const w4 = v128.load(w, 64);
      let p = row;
      let v: v128;
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
      w += 80;
    }
    w += skip;
    v128.store(y, a);
    v128.store(y + pixel, b);
    v128.store(y + pixel * 2, d);
    v128.store(y + pixel * 3, e);
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}

/** Four pixels, 5 taps a row, stride 2. */
export function four_5_2(c: i32, rows: i32, x: usize, line: usize, w: usize, skip: usize, bias: usize, y: usize, pixel: usize): void {
  for (; c >= 4; c -= 4) {
    let a = load_or_zero(bias);
    let b = a,
      d = a,
      e = a;
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      const w0 = v128.load(w, 0);
      const w1 = v128.load(w, 16);
      const w2 = v128.load(w, 32);
      const w3 = v128.load(w, 48);
      const w4 = v128.load(w, 64);
      let p = row;
      let v: v128;
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
      w += 80;
    }
    w += skip;
    v128.store(y, a);
    v128.store(y + pixel, b);
    v128.store(y + pixel * 2, d);
    v128.store(y + pixel * 3, e);
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}
