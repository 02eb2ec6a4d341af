import { load_part, store_part } from "./lanes";

// Pools of NHWC images. A window is cut to what lies within the image; how many of its rows and columns that leaves is found once.

/** `missing` gathers where a NaN was, which the quick instruction passes over. */
@unmanaged
class Max {
  @inline
  start(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline
  of(a: v128, v: v128): v128 {
    return f32x4.pmax(a, v);
  }
  @inline
  missing(m: v128, v: v128): v128 {
    return v128.or(m, f32x4.ne(v, v));
  }
  @inline
  end(a: v128, m: v128, factor: v128): v128 {
    return v128.or(a, m);
  }
}

@unmanaged
class Average {
  @inline
  start(): v128 {
    return f32x4.splat(0);
  }
  @inline
  of(a: v128, v: v128): v128 {
    return f32x4.add(a, v);
  }
  @inline
  missing(m: v128, v: v128): v128 {
    return m;
  }
  @inline
  end(a: v128, m: v128, factor: v128): v128 {
    return f32x4.mul(a, factor);
  }
}

/** The first tap at or after 0, for a window that begins at `at`. */
// @ts-ignore: decorator
@inline
function first(at: i32, dilation: i32): i32 {
  return at < 0 ? (dilation - 1 - at) / dilation : 0;
}

/** How many of `taps` lie before `end`. */
// @ts-ignore: decorator
@inline
function before(end: i32, at: i32, taps: i32, dilation: i32): i32 {
  return max(min((end - at + dilation - 1) / dilation, taps), 0);
}

/** One pixel: `rows` by `columns` pixels of `c` channels that lie `down` and `across` bytes apart. */
function pixel<Op>(c: i32, rows: i32, columns: i32, x: usize, down: usize, across: usize, y: usize, factor: v128): void {
  const op = changetype<Op>(0);
  if (c >= 16) {
    // The last block may take channels that the one before has done.
    for (let j = 0; j < c; j += 16) {
      const at = (<usize>min(j, c - 16)) << 2;
      let a0 = op.start();
      let a1 = a0;
      let a2 = a0;
      let a3 = a0;
      let m0 = f32x4.splat(0);
      let m1 = m0;
      let m2 = m0;
      let m3 = m0;
      let row = x + at;
      for (let i = rows; i > 0; i--) {
        let p = row;
        for (let k = columns; k > 0; k--) {
          const v0 = v128.load(p);
          const v1 = v128.load(p, 16);
          const v2 = v128.load(p, 32);
          const v3 = v128.load(p, 48);
          a0 = op.of(a0, v0);
          a1 = op.of(a1, v1);
          a2 = op.of(a2, v2);
          a3 = op.of(a3, v3);
          m0 = op.missing(m0, v0);
          m1 = op.missing(m1, v1);
          m2 = op.missing(m2, v2);
          m3 = op.missing(m3, v3);
          p += across;
        }
        row += down;
      }
      v128.store(y + at, op.end(a0, m0, factor));
      v128.store(y + at, op.end(a1, m1, factor), 16);
      v128.store(y + at, op.end(a2, m2, factor), 32);
      v128.store(y + at, op.end(a3, m3, factor), 48);
    }
    return;
  }
  for (let j = 0; j < c; j += 4) {
    const at = c >= 4 ? (<usize>min(j, c - 4)) << 2 : 0;
    let a = op.start();
    let m = f32x4.splat(0);
    let row = x + at;
    for (let i = rows; i > 0; i--) {
      let p = row;
      for (let k = columns; k > 0; k--) {
        const v = c >= 4 ? v128.load(p) : load_part(p, c, a);
        a = op.of(a, v);
        m = op.missing(m, v);
        p += across;
      }
      row += down;
    }
    a = op.end(a, m, factor);
    if (c >= 4) v128.store(y + at, a);
    else store_part(y, a, c);
  }
}

/** The greatest of each window. */
export function f32_max_pool(
  h: i32,
  w: i32,
  c: i32,
  kh: i32,
  kw: i32,
  stride_h: i32,
  stride_w: i32,
  dilation_h: i32,
  dilation_w: i32,
  top: i32,
  left: i32,
  oh: i32,
  ow: i32,
  x: usize,
  y: usize,
): void {
  const bytes = (<usize>c) << 2;
  const down = <usize>dilation_h * w * bytes;
  const across = <usize>dilation_w * bytes;
  for (let i = 0; i < oh; i++) {
    const top_row = i * stride_h - top;
    const ky = first(top_row, dilation_h);
    const rows = before(h, top_row, kh, dilation_h) - ky;
    for (let j = 0; j < ow; j++) {
      const left_column = j * stride_w - left;
      const kx = first(left_column, dilation_w);
      const columns = before(w, left_column, kw, dilation_w) - kx;
      const at = x + (<usize>(top_row + ky * dilation_h) * w + (left_column + kx * dilation_w)) * bytes;
      pixel<Max>(c, rows, columns, at, down, across, y, f32x4.splat(0));
      y += bytes;
    }
  }
}

/** The mean of each window, with or without what it has in the padding. */
export function f32_average_pool(
  h: i32,
  w: i32,
  c: i32,
  kh: i32,
  kw: i32,
  stride_h: i32,
  stride_w: i32,
  dilation_h: i32,
  dilation_w: i32,
  top: i32,
  left: i32,
  bottom: i32,
  right: i32,
  oh: i32,
  ow: i32,
  include_pad: i32,
  x: usize,
  y: usize,
): void {
  const bytes = (<usize>c) << 2;
  const down = <usize>dilation_h * w * bytes;
  const across = <usize>dilation_w * bytes;
  for (let i = 0; i < oh; i++) {
    const top_row = i * stride_h - top;
    const ky = first(top_row, dilation_h);
    const rows = before(h, top_row, kh, dilation_h) - ky;
    const high = include_pad ? before(h + bottom, top_row, kh, dilation_h) : rows;
    for (let j = 0; j < ow; j++) {
      const left_column = j * stride_w - left;
      const kx = first(left_column, dilation_w);
      const columns = before(w, left_column, kw, dilation_w) - kx;
      const wide = include_pad ? before(w + right, left_column, kw, dilation_w) : columns;
      const at = x + (<usize>(top_row + ky * dilation_h) * w + (left_column + kx * dilation_w)) * bytes;
      pixel<Average>(c, rows, columns, at, down, across, y, f32x4.splat(1 / <f32>(high * wide)));
      y += bytes;
    }
  }
}
