import { madd } from "../lanes";
import { activate } from "./activation";

/** A convolution of every channel by itself, with weights [kh * kw][c]; see src/kernels/infer/float.ts. */
export function f32_depthwise(
  x: usize,
  w: usize,
  y: usize,
  bias: usize,
  h: i32,
  wd: i32,
  c: i32,
  oh: i32,
  ow: i32,
  kh: i32,
  kw: i32,
  sh: i32,
  sw: i32,
  dh: i32,
  dw: i32,
  pt: i32,
  pl: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
): void {
  const pixel = (<usize>c) << 2;
  const line = <usize>wd * pixel;
  // Columns from `left` to `right` have all their taps in the image.
  const left = min(ow, (pl + sw - 1) / sw);
  const room = wd + pl - (kw - 1) * dw - 1;
  const right = room < 0 ? 0 : min(ow, room / sw + 1);
  for (let oy = 0; oy < oh; oy++) {
    const iy = oy * sh - pt;
    const ky = first(iy, dh, kh);
    const rows = last(iy, dh, kh, h) - ky;
    const from = x + <usize>(iy + ky * dh) * line;
    const weights = w + <usize>(ky * kw) * pixel;
    for (let ox = 0; ox < ow;) {
      const ix = ox * sw - pl;
      const to = y + <usize>ox * pixel;
      if (c >= 4 && ox >= left && ox < right && right - left >= 4) {
        const at = min(ox, right - 4);
        four(
          c,
          rows,
          kw,
          from + <usize>(at * sw - pl) * pixel,
          <usize>dh * line,
          <usize>dw * pixel,
          <usize>sw * pixel,
          weights,
          bias,
          y + <usize>at * pixel,
        );
        ox = at + 4;
      } else {
        const kx = first(ix, dw, kw);
        const taps = last(ix, dw, kw, wd) - kx;
        const at = from + <usize>(ix + kx * dw) * pixel;
        one(c, rows, taps, kw, at, <usize>dh * line, <usize>dw * pixel, weights + <usize>kx * pixel, bias, to);
        ox++;
      }
    }
    if (kind != 0) activate(ow * c, y, y, kind, alpha, beta);
    y += <usize>ow * pixel;
  }
}

/** The first tap that is in the image, of those at `at`, `at + step` and so on. */
// @ts-ignore: decorator
@inline
function first(at: i32, step: i32, taps: i32): i32 {
  return at >= 0 ? 0 : min(taps, (step - 1 - at) / step);
}

/** One past the last tap that is in an image of `size`; not less than the first. */
// @ts-ignore: decorator
@inline
function last(at: i32, step: i32, taps: i32, size: i32): i32 {
  return at >= size ? first(at, step, taps) : max(first(at, step, taps), min(taps, (size - 1 - at) / step + 1));
}

/** Four pixels whose taps are all in the image's columns. `line`, `tap` and `step` are bytes from tap to tap and from pixel to pixel. */
function four(c: i32, rows: i32, kw: i32, x: usize, line: usize, tap: usize, step: usize, w: usize, bias: usize, y: usize): void {
  const pixel = (<usize>c) << 2;
  for (;;) {
    let a = bias != 0 ? v128.load(bias) : f32x4.splat(0);
    let b = a,
      d = a,
      e = a;
    let q = w;
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      let p = row;
      for (let kx = kw; kx > 0; kx--) {
        const t = v128.load(q);
        a = madd(v128.load(p), t, a);
        b = madd(v128.load(p + step), t, b);
        d = madd(v128.load(p + step * 2), t, d);
        e = madd(v128.load(p + step * 3), t, e);
        p += tap;
        q += pixel;
      }
      row += line;
    }
    v128.store(y, a);
    v128.store(y + pixel, b);
    v128.store(y + pixel * 2, d);
    v128.store(y + pixel * 3, e);
    c -= 4;
    if (c <= 0) return;
    const next = (<usize>min(c, 4)) << 2;
    x += next;
    w += next;
    y += next;
    bias += bias != 0 ? next : 0;
  }
}

/** One pixel, with `taps` of the `kw` taps of a row. */
function one(c: i32, rows: i32, taps: i32, kw: i32, x: usize, line: usize, tap: usize, w: usize, bias: usize, y: usize): void {
  const pixel = (<usize>c) << 2;
  const skip = <usize>(kw - taps) * pixel;
  for (; c >= 4; c -= 4) {
    let a = bias != 0 ? v128.load(bias) : f32x4.splat(0);
    let q = w;
    for (let ky = 0; ky < rows; ky++) {
      let p = x + <usize>ky * line;
      for (let kx = taps; kx > 0; kx--) {
        a = madd(v128.load(p), v128.load(q), a);
        p += tap;
        q += pixel;
      }
      q += skip;
    }
    v128.store(y, a);
    x += 16;
    w += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
  for (; c > 0; c--) {
    let a: f32 = bias != 0 ? load<f32>(bias) : 0;
    let q = w;
    for (let ky = 0; ky < rows; ky++) {
      let p = x + <usize>ky * line;
      for (let kx = taps; kx > 0; kx--) {
        a += load<f32>(p) * load<f32>(q);
        p += tap;
        q += pixel;
      }
      q += skip;
    }
    store<f32>(y, a);
    x += 4;
    w += 4;
    y += 4;
    bias += bias != 0 ? 4 : 0;
  }
}
