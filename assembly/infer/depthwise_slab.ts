import { four, knows_four } from "./depthwise_four";

/** Channels that are copied together: a line of the cache. */
const SLAB = 16;
const PIXEL: usize = (<usize>SLAB) << 2;

/** Some rows of a slab of channels with zeros for what lies outside of the image. */
const ROWS: usize = memory.data(49152, 64);
const ROWS_BYTES = 49152;

/**
 * How many rows of outputs can be computed from copies at a time; 0 where the image itself is as good. A copy has no edges, which are much of a
 * small image, and its pixels do not share a few sets of the cache, as those of 256 channels do. It pays where enough taps read it.
 */
export function slab_rows(c: i32, ow: i32, kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32): i32 {
  const able = (c & 3) == 0 && c >= SLAB && ow >= 4 && knows_four(c, kw, sw, dw);
  const shared = (c & 255) == 0;
  if (!able || !(kw == 3 ? sw == 1 && ow <= 8 : shared || (sw == 1 && ow <= 32))) return 0;
  const fitting = ROWS_BYTES / (SLAB * 4) / ((ow - 1) * sw + kw);
  const reach = (kh - 1) * dh + 1;
  return fitting < reach ? 0 : (fitting - reach) / sh + 1;
}

/** `count` rows of outputs, slab by slab; `top` is the first row of the image that they read. */
export function depthwise_slabs(
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
  sh: i32,
  sw: i32,
  dh: i32,
  top: i32,
  pl: i32,
  count: i32,
): void {
  const pixel = (<usize>c) << 2;
  const width = (ow - 1) * sw + kw;
  const rows = (count - 1) * sh + (kh - 1) * dh + 1;
  for (let i = 0; i < c; i += SLAB) {
    // The last slab may overlap the one before.
    const at = (<usize>min(i, c - SLAB)) << 2;
    copy(rows, width, x + at, h, wd, pixel, top, -pl);
    for (let r = 0; r < count; r++) {
      const from = ROWS + <usize>(r * sh * width) * PIXEL;
      const to = y + <usize>(r * ow) * pixel + at;
      const own = bias != 0 ? bias + at : 0;
      for (let ox = 0; ox < ow; ox += 4) {
        const p = <usize>min(ox, ow - 4);
        four(
          SLAB,
          kh,
          kw,
          sw,
          from + p * sw * PIXEL,
          <usize>(dh * width) * PIXEL,
          PIXEL,
          w + at * (kh * kw),
          <usize>(kh * kw),
          own,
          to + p * pixel,
          pixel,
        );
      }
    }
  }
}

/** Copies a slab of `rows` × `width` pixels from row `iy` and column `ix` on to ROWS, with zeros for those outside. */
function copy(rows: i32, width: i32, x: usize, h: i32, wd: i32, pixel: usize, iy: i32, ix: i32): void {
  let y = ROWS;
  for (let r = iy; r < iy + rows; r++) {
    const inside = <u32>r < <u32>h;
    const left = inside ? min(width, max(0, -ix)) : width;
    const right = max(left, min(width, wd - ix));
    for (const end = y + ((<usize>(left * SLAB)) << 2); y < end; y += 16) v128.store(y, f32x4.splat(0));
    let p = x + <usize>(r * wd + ix + left) * pixel;
    for (let s = left; s < right; s++) {
      v128.store(y, v128.load(p));
      v128.store(y, v128.load(p, 16), 16);
      v128.store(y, v128.load(p, 32), 32);
      v128.store(y, v128.load(p, 48), 48);
      p += pixel;
      y += 64;
    }
    for (const end = y + ((<usize>((width - right) * SLAB)) << 2); y < end; y += 16) v128.store(y, f32x4.splat(0));
  }
}
