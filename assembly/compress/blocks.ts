// Element (i, j, t) of a weight lies at x[i * n_stride + j * k_stride + t]. A block is 8 along n by 4 along k at one t, less at the ends;
// block (bi, bj, t) is number (bi * ceil(k / 4) + bj) * inner + t. Here the rows of a block are along the axis of the longer stride, so that
// blocks are visited as they lie in memory, and a row's columns are neighbours where the layout has any. Steps are in bytes, `down` and
// `right` the distances of a block's number to those of its neighbours.

/** The sums of squares of the `inner` blocks at `x`. */
function squares(rows: i32, columns: i32, inner: i32, row_step: usize, column_step: usize, x: usize, y: usize): void {
  if (inner >= 4) {
    for (let t = 0; t < inner; t += 4) {
      const at = (<usize>min(t, inner - 4)) << 2;
      let s = f32x4.splat(0);
      for (let i = 0; i < rows; ++i) {
        let p = x + at + <usize>i * row_step;
        for (let j = 0; j < columns; ++j) {
          const v = v128.load(p);
          s = f32x4.add(s, f32x4.mul(v, v));
          p += column_step;
        }
      }
      v128.store(y + at, s);
    }
  } else if (inner == 1 && column_step == 4 && (columns & 3) == 0) {
    let s = f32x4.splat(0);
    for (; rows > 0; --rows) {
      for (let p = x; p < x + ((<usize>columns) << 2); p += 16) {
        const v = v128.load(p);
        s = f32x4.add(s, f32x4.mul(v, v));
      }
      x += row_step;
    }
    s = f32x4.add(s, v128.shuffle<i64>(s, s, 1, 0));
    store<f32>(y, f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1));
  } else {
    for (let t: usize = 0; t < (<usize>inner) << 2; t += 4) {
      let s: f32 = 0;
      for (let i = 0; i < rows; ++i) {
        for (let j = 0; j < columns; ++j) {
          const v = load<f32>(x + t + <usize>i * row_step + <usize>j * column_step);
          s += v * v;
        }
      }
      store<f32>(y + t, s);
    }
  }
}

/** Block by block, numbers `down` and `right` apart. */
function square_blocks(
  rows: i32,
  columns: i32,
  tall: i32,
  wide: i32,
  inner: i32,
  row_step: usize,
  column_step: usize,
  x: usize,
  y: usize,
  down: usize,
  right: usize,
): void {
  for (; rows > 0; rows -= tall) {
    let p = x;
    let q = y;
    for (let j = columns; j > 0; j -= wide) {
      squares(min(rows, tall), min(j, wide), inner, row_step, column_step, p, q);
      p += <usize>wide * column_step;
      q += right << 2;
    }
    x += <usize>tall * row_step;
    y += down << 2;
  }
}

/** One row, in blocks of `wide` columns, to `y`: +0 where the byte of `keep` is zero. */
function mask_row(columns: i32, wide: i32, inner: i32, step: usize, x: usize, y: usize, keep: usize, right: usize): void {
  const plain = inner == 1 && step == 4;
  for (; columns > 0; columns -= wide) {
    if (plain && columns >= wide) {
      const mask = i32x4.splat(load<u8>(keep) != 0 ? -1 : 0);
      v128.store(y, v128.and(v128.load(x), mask));
      if (wide == 8) v128.store(y, v128.and(v128.load(x, 16), mask), 16);
    } else {
      const end = <usize>min(columns, wide) * step;
      let t: usize = 0;
      for (; t + 4 <= <usize>inner; t += 4) {
        const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(keep + t));
        const mask = i32x4.ne(i32x4.extend_low_i16x8_u(bytes), i32x4.splat(0));
        for (let at = t << 2; at < end; at += step) v128.store(y + at, v128.and(v128.load(x + at), mask));
      }
      for (; t < <usize>inner; ++t) {
        const mask = load<u8>(keep + t) != 0 ? -1 : 0;
        for (let at = t << 2; at < end; at += step) store<u32>(y + at, load<u32>(x + at) & mask);
      }
    }
    x += <usize>wide * step;
    y += <usize>wide * step;
    keep += right;
  }
}

/** Row by row, as rows of blocks may lie so far apart that they push each other out of the cache. */
function mask_blocks(
  rows: i32,
  columns: i32,
  tall: i32,
  wide: i32,
  inner: i32,
  row_step: usize,
  column_step: usize,
  x: usize,
  y: usize,
  keep: usize,
  down: usize,
  right: usize,
): void {
  for (let i = 0; i < rows; ++i) {
    const at = <usize>i * row_step;
    mask_row(columns, wide, inner, column_step, x + at, y + at, keep + <usize>(i / tall) * down, right);
  }
}

/**
 * Writes the sum of squares of each block of a weight, whose strides are in floats, to `y`, f32[ceil(n / 8), ceil(k / 4), inner]. Sums are
 * f32: beyond its range they are infinite, and NaN passes into them.
 */
export function f32_block_l2(n: i32, k: i32, inner: i32, n_stride: i32, k_stride: i32, x: usize, y: usize): void {
  const n_step = (<usize>n_stride) << 2;
  const k_step = (<usize>k_stride) << 2;
  const number = <usize>inner;
  const across = <usize>((k + 3) >> 2) * number;
  if (n_step >= k_step) square_blocks(n, k, 8, 4, inner, n_step, k_step, x, y, across, number);
  else square_blocks(k, n, 4, 8, inner, k_step, n_step, x, y, number, across);
}

/**
 * Writes the floats of a weight to `y`, laid out as `x`, which it may be: bit for bit where the byte of their block in `keep`,
 * u8[ceil(n / 8), ceil(k / 4), inner], is not zero, else +0. What lies between the floats is left alone.
 */
export function f32_block_mask(n: i32, k: i32, inner: i32, n_stride: i32, k_stride: i32, x: usize, y: usize, keep: usize): void {
  const n_step = (<usize>n_stride) << 2;
  const k_step = (<usize>k_stride) << 2;
  const number = <usize>inner;
  const across = <usize>((k + 3) >> 2) * number;
  if (n_step >= k_step) mask_blocks(n, k, 8, 4, inner, n_step, k_step, x, y, keep, across, number);
  else mask_blocks(k, n, 4, 8, inner, k_step, n_step, x, y, keep, number, across);
}
