import { ROWS, rows_of, strip } from "./pack";

// Rows of a that are the windows of an image, one an output pixel, floats in the order ky, kx, c. They are packed straight from the image.

/** The most floats of a row that are packed at once. */
export const DEPTH = 512;

/** What lies outside of the image. */
export const ZEROS: usize = memory.data(DEPTH * 4, 16);

/** Row and column of the upper left corners of up to six windows. */
const CORNERS: usize = memory.data(6 * 8, 16);

// The image and its windows, as f32_conv has them. ldx is in bytes.
let x: usize = 0;
let ldx: usize = 0;
let h: i32 = 0;
let wd: i32 = 0;
let c: i32 = 0;
let ow: i32 = 0;
let kw: i32 = 0;
let sh: i32 = 0;
let sw: i32 = 0;
let dh: i32 = 0;
let dw: i32 = 0;
let pt: i32 = 0;
let pl: i32 = 0;

/** Says what the windows are, until the next call. */
export function set_windows(
  x_: usize,
  ldx_: i32,
  h_: i32,
  wd_: i32,
  c_: i32,
  ow_: i32,
  kw_: i32,
  sh_: i32,
  sw_: i32,
  dh_: i32,
  dw_: i32,
  pt_: i32,
  pl_: i32,
): void {
  x = x_;
  ldx = (<usize>ldx_) << 2;
  h = h_;
  wd = wd_;
  c = c_;
  ow = ow_;
  kw = kw_;
  sh = sh_;
  sw = sw_;
  dh = dh_;
  dw = dw_;
  pt = pt_;
  pl = pl_;
}

/** Floats `at` to `at + k`, at most DEPTH, of the windows of `m` pixels from pixel `i` on. */
export function pack_windows(i: i32, m: i32, at: i32, k: i32, y: usize): void {
  while (m > 0) {
    const rows = rows_of(m);
    pack_strip(i, rows, at, at + k, y);
    y += (<usize>(rows * k)) << 2;
    i += rows;
    m -= rows;
  }
}

function pack_strip(i: i32, rows: i32, at: i32, end: i32, y: usize): void {
  // Where the taps of a kernel row are neighbours and all in the image, they are one run.
  const taps = corners(i, rows) && dw == 1 && ldx == (<usize>c) << 2 ? kw : 1;
  const length = taps * c;
  while (at < end) {
    const run = at / length;
    const from = at - run * length;
    const n = min(length - from, end - at);
    const tap = run * taps;
    const ky = tap / kw;
    locate(rows, ky * dh, (tap - ky * kw) * dw, (<usize>from) << 2);
    strip(rows, n, y);
    y += (<usize>(rows * n)) << 2;
    at += n;
  }
}

/** Notes the corners of the windows of pixels from `i` on; whether all their columns are in the image. */
function corners(i: i32, rows: i32): bool {
  let oy = i / ow;
  let ox = i - oy * ow;
  let inside = true;
  for (let p = CORNERS; rows > 0; rows--) {
    const left = ox * sw - pl;
    store<i32>(p, oy * sh - pt);
    store<i32>(p, left, 4);
    inside = inside && left >= 0 && left + (kw - 1) * dw < wd;
    p += 8;
    if (++ox == ow) {
      ox = 0;
      oy++;
    }
  }
  return inside;
}

/** Notes where the rows have the tap that lies `dy` below and `dx` right of their corners, `offset` bytes into its channels. */
function locate(rows: i32, dy: i32, dx: i32, offset: usize): void {
  let corner = CORNERS;
  let to = ROWS;
  for (; rows > 0; rows--) {
    const iy = load<i32>(corner) + dy;
    const ix = load<i32>(corner, 4) + dx;
    const inside = <u32>iy < <u32>h && <u32>ix < <u32>wd;
    store<usize>(to, inside ? x + <usize>(iy * wd + ix) * ldx + offset : ZEROS);
    corner += 8;
    to += sizeof<usize>();
  }
}
