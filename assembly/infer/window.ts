import { ROWS, rows_of, strip } from "./pack";

// Rows of a that are the windows of an image, one an output pixel, floats in the order ky, kx, c. They are packed straight from the image.

/** The most floats of a row that are packed at once. */
export const DEPTH = 512;

/** What lies outside of the image. */
export const ZEROS: usize = memory.data(DEPTH * 4, 16);

/** Row, column and address of the upper left corners of up to six windows; eight bytes for an address. */
const CORNERS: usize = memory.data(6 * 16, 16);

// Where windows are: in the image, over its upper or lower end, or over its sides.
const INSIDE = 0;
const OVER_ENDS = 1;
const OVER_SIDES = 2;

// The image and its windows, as f32_conv has them. ldx is in bytes.
let x: usize = 0;
let ldx: usize = 0;
let h: i32 = 0;
let wd: i32 = 0;
let c: i32 = 0;
let ow: i32 = 0;
let kh: i32 = 0;
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
  kh_: i32,
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
  kh = kh_;
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
  const place = corners(i, rows);
  // Where the taps of a kernel row are neighbours and all in the image, they are one run.
  const taps = place != OVER_SIDES && dw == 1 && ldx == (<usize>c) << 2 ? kw : 1;
  const length = taps * c;
  const run = at / length;
  let from = at - run * length;
  let ky = (run * taps) / kw;
  let kx = run * taps - ky * kw;
  while (at < end) {
    const n = min(length - from, end - at);
    const dy = ky * dh;
    const dx = kx * dw;
    const offset = <usize>(dy * wd + dx) * ldx + ((<usize>from) << 2);
    if (place == INSIDE) locate(rows, offset);
    else locate_inside(rows, dy, dx, offset);
    strip(rows, n, y);
    y += (<usize>(rows * n)) << 2;
    at += n;
    from = 0;
    kx += taps;
    if (kx == kw) {
      kx = 0;
      ky++;
    }
  }
}

/** Notes the corners of the windows of pixels from `i` on; says where they are. */
function corners(i: i32, rows: i32): i32 {
  let oy = i / ow;
  let ox = i - oy * ow;
  let place = INSIDE;
  for (let p = CORNERS; rows > 0; rows--) {
    const top = oy * sh - pt;
    const left = ox * sw - pl;
    store<i32>(p, top);
    store<i32>(p, left, 4);
    store<usize>(p, x + <usize>(top * wd + left) * ldx, 8);
    if (left < 0 || left + (kw - 1) * dw >= wd) place = OVER_SIDES;
    else if (top < 0 || top + (kh - 1) * dh >= h) place = max(place, OVER_ENDS);
    p += 16;
    if (++ox == ow) {
      ox = 0;
      oy++;
    }
  }
  return place;
}

/** Notes where the rows have the floats that lie `offset` bytes after their corners. */
function locate(rows: i32, offset: usize): void {
  let corner = CORNERS;
  let to = ROWS;
  for (; rows > 0; rows--) {
    store<usize>(to, load<usize>(corner, 8) + offset);
    corner += 16;
    to += sizeof<usize>();
  }
}

/** The same, if the tap `dy` below and `dx` right of the corner is in the image; else zeros. */
function locate_inside(rows: i32, dy: i32, dx: i32, offset: usize): void {
  let corner = CORNERS;
  let to = ROWS;
  for (; rows > 0; rows--) {
    const inside = <u32>(load<i32>(corner) + dy) < <u32>h && <u32>(load<i32>(corner, 4) + dx) < <u32>wd;
    store<usize>(to, inside ? load<usize>(corner, 8) + offset : ZEROS);
    corner += 16;
    to += sizeof<usize>();
  }
}
