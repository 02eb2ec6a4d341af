import { madd } from "../lanes";
import { activate } from "./activation";
import { load_or_zero } from "./lanes";
import { four_3_1, four_3_2, four_5_1, four_5_2 } from "./depthwise_four";

/** A convolution of every channel by itself, with weights of f32_pack_depthwise; see src/kernels/infer/float.ts. */
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
  const line = <usize>(dh * wd) * pixel;
  // Columns from `left` to `right` have all their taps in the image.
  const left = min(ow, (pl + sw - 1) / sw);
  const room = wd + pl - (kw - 1) * dw - 1;
  const right = room < 0 ? 0 : min(ow, room / sw + 1);
  const quick = dw == 1 && (kw == 3 || kw == 5) && (sw == 1 || sw == 2) && right - left >= 4;
  for (let oy = 0; oy < oh; oy++) {
    const top = oy * sh - pt;
    const ky = first(top, dh, kh);
    const rows = last(top, dh, kh, h) - ky;
    const from = x + <usize>((top + ky * dh) * wd) * pixel;
    const weights = w + ((<usize>(ky * kw)) << 4);
    const skip = (<usize>((kh - rows) * kw)) << 4;
    for (let ox = 0; ox < ow;) {
      if (quick && ox >= left && ox < right) {
        ox = min(ox, right - 4);
        const at = from + <usize>(ox * sw - pl) * pixel;
        const to = y + <usize>ox * pixel;
        if (kw == 3 && sw == 1) four_3_1(c, rows, at, line, weights, skip, bias, to, pixel);
        else if (kw == 3) four_3_2(c, rows, at, line, weights, skip, bias, to, pixel);
        else if (sw == 1) four_5_1(c, rows, at, line, weights, skip, bias, to, pixel);
        else four_5_2(c, rows, at, line, weights, skip, bias, to, pixel);
        if ((c & 3) != 0) rest(4, c, rows, kw, kw, at, line, pixel, <usize>sw * pixel, weights, skip, bias, to);
        ox += 4;
      } else {
        const ix = ox * sw - pl;
        const kx = first(ix, dw, kw);
        const taps = last(ix, dw, kw, wd) - kx;
        const at = from + <usize>(ix + kx * dw) * pixel;
        const own = weights + ((<usize>kx) << 4);
        const to = y + <usize>ox * pixel;
        one(c, rows, taps, kw, at, line, <usize>dw * pixel, own, skip, bias, to);
        if ((c & 3) != 0) rest(1, c, rows, taps, kw, at, line, <usize>dw * pixel, 0, own, skip, bias, to);
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

/** One pixel, with `taps` of the `kw` taps of a row, `tap` bytes apart. */
function one(c: i32, rows: i32, taps: i32, kw: i32, x: usize, line: usize, tap: usize, w: usize, skip: usize, bias: usize, y: usize): void {
  const next = (<usize>(kw - taps)) << 4;
  for (; c >= 4; c -= 4) {
    let a = load_or_zero(bias);
    let row = x;
    for (let ky = rows; ky > 0; ky--) {
      let p = row;
      for (let kx = taps; kx > 0; kx--) {
        a = madd(v128.load(p), v128.load(w), a);
        p += tap;
        w += 16;
      }
      w += next;
      row += line;
    }
    w += skip;
    v128.store(y, a);
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}

/** The channels that are left over when they go four by four, of some pixels, `step` bytes apart in the image. */
function rest(
  pixels: i32,
  c: i32,
  rows: i32,
  taps: i32,
  kw: i32,
  x: usize,
  line: usize,
  tap: usize,
  step: usize,
  w: usize,
  skip: usize,
  bias: usize,
  y: usize,
): void {
  const blocks = <usize>(c >> 2);
  const next = (<usize>(kw - taps)) << 4;
  w += blocks * (((<usize>(rows * kw)) << 4) + skip);
  for (; pixels > 0; pixels--) {
    for (let i = blocks << 4; i < (<usize>c) << 2; i += 4) {
      let a: f32 = bias != 0 ? load<f32>(bias + i) : 0;
      let q = w + (i & 15);
      for (let ky = 0; ky < rows; ky++) {
        let p = x + i + <usize>ky * line;
        for (let kx = taps; kx > 0; kx--) {
          a += load<f32>(p) * load<f32>(q);
          p += tap;
          q += 16;
        }
        q += next;
      }
      store<f32>(y + i, a);
    }
    x += step;
    y += (<usize>c) << 2;
  }
}
