import { any_special, extreme, invertible, q4_block, q4x4 } from "./int4";

/** One column of a panel, with zeros to the end of its block. */
const COLUMN: usize = memory.data(128, 16);

/** A row of zeros, read in place of the rows after the last. */
const ZEROS: usize = memory.data(32, 16);

/** Eight columns of one row, as i16 lanes of 0 to 15. */
// @ts-ignore: decorator
@inline
function q4x8(p: usize, r0: v128, r1: v128, half: v128): v128 {
  return i16x8.min_s(i16x8.narrow_i32x4_s(q4x4(v128.load(p), r0, half), q4x4(v128.load(p, 16), r1, half)), i16x8.splat(15));
}

/** Four rows of eight columns: an i16 lane a column, a nibble a row. `left` is the number of rows that exist from `p` on. */
// @ts-ignore: decorator
@inline
function q4x8x4(p: usize, stride: usize, left: i32, r0: v128, r1: v128, half: v128): v128 {
  const a = q4x8(left > 0 ? p : ZEROS, r0, r1, half);
  const b = q4x8(left > 1 ? p + stride : ZEROS, r0, r1, half);
  const c = q4x8(left > 2 ? p + 2 * stride : ZEROS, r0, r1, half);
  const d = q4x8(left > 3 ? p + 3 * stride : ZEROS, r0, r1, half);
  return v128.or(v128.or(a, i16x8.shl(b, 4)), v128.or(i16x8.shl(c, 8), i16x8.shl(d, 12)));
}

/** Two columns' worth of a transposition's last step. */
// @ts-ignore: decorator
@inline
function store2(y: usize, step: usize, a: v128, b: v128): void {
  v128.store(y, v128.shuffle<i64>(a, b, 0, 2));
  v128.store(y + step, v128.shuffle<i64>(a, b, 1, 3));
}

/** Eight columns by any number of rows up to 32. */
function q4_columns8(k: i32, stride: usize, x: usize, y: usize, y_step: usize, scale: usize, scale_step: usize): void {
  let s0 = v128.load(x);
  let s1 = v128.load(x, 16);
  let u0 = s0;
  let u1 = s1;
  let p = x + stride;
  for (let i = 1; i < k; ++i) {
    const a = v128.load(p);
    const b = v128.load(p, 16);
    s0 = i32x4.max_s(s0, a);
    u0 = i32x4.max_u(u0, a);
    s1 = i32x4.max_s(s1, b);
    u1 = i32x4.max_u(u1, b);
    p += stride;
  }
  if (any_special(s0, u0) || any_special(s1, u1)) {
    for (let j: usize = 0; j < 8; ++j) q4_column(k, stride, x + (j << 2), y + j * y_step, scale + j * scale_step);
    return;
  }
  const half = f32x4.splat(8.5);
  const one = f32x4.splat(1);
  s0 = f32x4.mul(extreme(s0, u0), f32x4.splat(-0.125));
  s1 = f32x4.mul(extreme(s1, u1), f32x4.splat(-0.125));
  u0 = invertible(s0);
  u1 = invertible(s1);
  const r0 = v128.and(f32x4.div(one, s0), u0);
  const r1 = v128.and(f32x4.div(one, s1), u1);
  s0 = v128.bitselect(s0, f32x4.splat(-0.0), u0);
  s1 = v128.bitselect(s1, f32x4.splat(-0.0), u1);
  v128.store32_lane(scale, s0, 0);
  v128.store32_lane(scale + scale_step, s0, 1);
  v128.store32_lane(scale + 2 * scale_step, s0, 2);
  v128.store32_lane(scale + 3 * scale_step, s0, 3);
  scale += 4 * scale_step;
  v128.store32_lane(scale, s1, 0);
  v128.store32_lane(scale + scale_step, s1, 1);
  v128.store32_lane(scale + 2 * scale_step, s1, 2);
  v128.store32_lane(scale + 3 * scale_step, s1, 3);

  const four = stride << 2;
  const a = q4x8x4(x, stride, k, r0, r1, half);
  const b = q4x8x4(x + four, stride, k - 4, r0, r1, half);
  const c = q4x8x4(x + 2 * four, stride, k - 8, r0, r1, half);
  const d = q4x8x4(x + 3 * four, stride, k - 12, r0, r1, half);
  const e = q4x8x4(x + 4 * four, stride, k - 16, r0, r1, half);
  const f = q4x8x4(x + 5 * four, stride, k - 20, r0, r1, half);
  const g = q4x8x4(x + 6 * four, stride, k - 24, r0, r1, half);
  const h = q4x8x4(x + 7 * four, stride, k - 28, r0, r1, half);

  // Transposes the 8 by 8 i16 lanes: pairs, then fours, then whole columns.
  const ab0 = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const ab1 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd0 = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const cd1 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  const ef0 = v128.shuffle<i16>(e, f, 0, 8, 1, 9, 2, 10, 3, 11);
  const ef1 = v128.shuffle<i16>(e, f, 4, 12, 5, 13, 6, 14, 7, 15);
  const gh0 = v128.shuffle<i16>(g, h, 0, 8, 1, 9, 2, 10, 3, 11);
  const gh1 = v128.shuffle<i16>(g, h, 4, 12, 5, 13, 6, 14, 7, 15);
  const step2 = y_step << 1;
  store2(y, y_step, v128.shuffle<i32>(ab0, cd0, 0, 4, 1, 5), v128.shuffle<i32>(ef0, gh0, 0, 4, 1, 5));
  store2(y + step2, y_step, v128.shuffle<i32>(ab0, cd0, 2, 6, 3, 7), v128.shuffle<i32>(ef0, gh0, 2, 6, 3, 7));
  store2(y + 2 * step2, y_step, v128.shuffle<i32>(ab1, cd1, 0, 4, 1, 5), v128.shuffle<i32>(ef1, gh1, 0, 4, 1, 5));
  store2(y + 3 * step2, y_step, v128.shuffle<i32>(ab1, cd1, 2, 6, 3, 7), v128.shuffle<i32>(ef1, gh1, 2, 6, 3, 7));
}

/** One column with any values in it. */
function q4_column(k: i32, stride: usize, x: usize, y: usize, scale: usize): void {
  memory.fill(COLUMN, 0, 128);
  for (let i: usize = 0; i < <usize>k; ++i) store<f32>(COLUMN + (i << 2), load<f32>(x + i * stride));
  q4_block(COLUMN, y, scale);
}

/**
 * Quantizes one panel of `k` ≤ 32 rows of a [K, n] matrix (the MatMul layout) to block number `block` of `blocks` of each of its `n`
 * columns: bytes at `y + (column * blocks + block) * 16`, scale at `scale + (column * blocks + block) * 4`. The values are those of
 * `f32_qb4w_rows` on the transposed matrix.
 */
export function f32_qb4w_transpose(k: i32, n: i32, x: usize, y: usize, scale: usize, block: i32, blocks: i32): void {
  if (k <= 0) return;
  const stride = (<usize>n) << 2;
  const y_step = (<usize>blocks) << 4;
  const scale_step = (<usize>blocks) << 2;
  y += (<usize>block) << 4;
  scale += (<usize>block) << 2;
  if (n < 8) {
    for (let j: usize = 0; j < <usize>n; ++j) q4_column(k, stride, x + (j << 2), y + j * y_step, scale + j * scale_step);
    return;
  }
  for (let i = 0; i < n; i += 8) {
    // The last eight columns may overlap the ones before and give the same bytes again.
    const j = <usize>min(i, n - 8);
    q4_columns8(k, stride, x + (j << 2), y + j * y_step, y_step, scale + j * scale_step, scale_step);
  }
}
