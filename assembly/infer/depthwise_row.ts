import { madd } from "../lanes";
import { four, knows_four } from "./depthwise_four";
import { load_or_zero } from "./lanes";

/** A row of outputs, straight from the image: by four where all their taps are in its columns, else pixel by pixel with those that are. */
export function depthwise_row(
  x: usize,
  w: usize,
  y: usize,
  bias: usize,
  h: i32,
  wd: i32,
  c: i32,
  ow: i32,
  kh: i32,
  kw: i32,
  sw: i32,
  dh: i32,
  dw: i32,
  top: i32,
  pl: i32,
): void {
  const pixel = (<usize>c) << 2;
  const line = <usize>(dh * wd) * pixel;
  const ky = first(top, dh, kh);
  const rows = last(top, dh, kh, h) - ky;
  const skip = (<usize>((kh - rows) * kw)) << 4;
  const from = x + <usize>((top + ky * dh) * wd) * pixel;
  w += (<usize>(ky * kw)) << 4;
  const left = min(ow, (pl + sw - 1) / sw);
  const room = wd + pl - (kw - 1) * dw - 1;
  const right = room < 0 ? 0 : min(ow, room / sw + 1);
  const quick = knows_four(c, kw, sw, dw) && right - left >= 4;
  for (let ox = 0; ox < ow;) {
    if (quick && ox >= left && ox < right) {
      ox = min(ox, right - 4);
      const at = from + <usize>(ox * sw - pl) * pixel;
      const to = y + <usize>ox * pixel;
      four(c, rows, kw, sw, at, line, pixel, w, <usize>(kh * kw), bias, to, pixel);
      if ((c & 3) != 0)
        for (let i: usize = 0; i < 4; i++) rest(c, rows, kw, kw, at + i * <usize>sw * pixel, line, pixel, w, skip, bias, to + i * pixel);
      ox += 4;
    } else {
      const ix = ox * sw - pl;
      const kx = first(ix, dw, kw);
      const taps = last(ix, dw, kw, wd) - kx;
      const at = from + <usize>(ix + kx * dw) * pixel;
      const own = w + ((<usize>kx) << 4);
      const to = y + <usize>ox * pixel;
      one(c, rows, taps, kw, at, line, <usize>dw * pixel, own, skip, bias, to);
      if ((c & 3) != 0) rest(c, rows, taps, kw, at, line, <usize>dw * pixel, own, skip, bias, to);
      ox++;
    }
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

/** The channels that are left over when they go four by four. */
function rest(
  c: i32,
  rows: i32,
  taps: i32,
  kw: i32,
  x: usize,
  line: usize,
  tap: usize,
  w: usize,
  skip: usize,
  bias: usize,
  y: usize,
): void {
  const blocks = <usize>(c >> 2);
  const next = (<usize>(kw - taps)) << 4;
  w += blocks * (((<usize>(rows * kw)) << 4) + skip);
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
}
