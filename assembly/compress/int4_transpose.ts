import { q4_odd } from "./int4_rows";
import { LEAST_SCALE, any_special, extreme, invertible, kept, q4_block, q4x4 } from "./int4";

/** Columns in a group: a cache line of each row. */
const WIDTH: i32 = 16;

/** A group's 32 rows of 16 columns. The rows of a matrix may lie so far apart that they push each other out of the cache; here they do not. */
const TILE: usize = memory.data(2048, 16);

/** The reciprocals of the scales of a group. */
const R: usize = memory.data(64, 16);

/** One column of a panel, with zeros to the end of its block. */
const COLUMN: usize = memory.data(128, 16);

/** Eight columns of one row of the tile, as i16 lanes of 0 to 15. */
// @ts-ignore: decorator
@inline
function q4x8(p: usize, r0: v128, r1: v128, half: v128, top: v128): v128 {
  return i16x8.min_s(i16x8.narrow_i32x4_s(q4x4(v128.load(p), r0, half), q4x4(v128.load(p, 16), r1, half)), top);
}

/** Four rows of eight columns: an i16 lane a column, a nibble a row. */
// @ts-ignore: decorator
@inline
function q4x8x4(p: usize, r0: v128, r1: v128, half: v128, top: v128): v128 {
  const a = q4x8(p, r0, r1, half, top);
  const b = q4x8(p + 64, r0, r1, half, top);
  const c = q4x8(p + 128, r0, r1, half, top);
  const d = q4x8(p + 192, r0, r1, half, top);
  return v128.or(v128.or(a, i16x8.shl(b, 4)), v128.or(i16x8.shl(c, 8), i16x8.shl(d, 12)));
}

/** Two columns' worth of a transposition's last step. */
// @ts-ignore: decorator
@inline
function store2(y: usize, step: usize, a: v128, b: v128): void {
  v128.store(y, v128.shuffle<i64>(a, b, 0, 2));
  v128.store(y + step, v128.shuffle<i64>(a, b, 1, 3));
}

/** Four scales from extremes: writes them a `step` apart and their reciprocals to `r`. */
// @ts-ignore: decorator
@inline
function q4_scales4(signed: v128, unsigned: v128, first: v128, scale: usize, step: usize, r: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const s = f32x4.mul(extreme(signed, unsigned, mask), f32x4.splat(-0.125));
  const ok = invertible(s, mask, i32x4.splat(LEAST_SCALE));
  v128.store(r, v128.and(f32x4.div(f32x4.splat(1), s), ok));
  const scales = kept(s, ok, first);
  v128.store32_lane(scale, scales, 0);
  v128.store32_lane(scale + step, scales, 1);
  v128.store32_lane(scale + 2 * step, scales, 2);
  v128.store32_lane(scale + 3 * step, scales, 3);
}

/** Copies a group of columns to the tile and finds its scales. Says whether an infinity or NaN is among the values. */
function q4_tile(k: i32, stride: usize, x: usize, scale: usize, step: usize): bool {
  let s0 = v128.load(x);
  let s1 = v128.load(x, 16);
  let s2 = v128.load(x, 32);
  let s3 = v128.load(x, 48);
  let u0 = s0;
  let u1 = s1;
  let u2 = s2;
  let u3 = s3;
  for (let t = TILE, end = TILE + ((<usize>k) << 6); t < end; t += 64) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    const c = v128.load(x, 32);
    const d = v128.load(x, 48);
    v128.store(t, a);
    v128.store(t, b, 16);
    v128.store(t, c, 32);
    v128.store(t, d, 48);
    s0 = i32x4.max_s(s0, a);
    u0 = i32x4.max_u(u0, a);
    s1 = i32x4.max_s(s1, b);
    u1 = i32x4.max_u(u1, b);
    s2 = i32x4.max_s(s2, c);
    u2 = i32x4.max_u(u2, c);
    s3 = i32x4.max_s(s3, d);
    u3 = i32x4.max_u(u3, d);
    x += stride;
  }
  q4_scales4(s0, u0, v128.load(TILE), scale, step, R);
  q4_scales4(s1, u1, v128.load(TILE, 16), scale + 4 * step, step, R + 16);
  q4_scales4(s2, u2, v128.load(TILE, 32), scale + 8 * step, step, R + 32);
  q4_scales4(s3, u3, v128.load(TILE, 48), scale + 12 * step, step, R + 48);
  return any_special(i32x4.max_s(i32x4.max_s(s0, s1), i32x4.max_s(s2, s3)), i32x4.max_u(i32x4.max_u(u0, u1), i32x4.max_u(u2, u3)));
}

/** Quantizes and transposes eight columns of the tile. */
function q4_columns8(x: usize, r: usize, y: usize, step: usize): void {
  const half = f32x4.splat(8.5);
  const top = i16x8.splat(15);
  const r0 = v128.load(r);
  const r1 = v128.load(r, 16);
  const a = q4x8x4(x, r0, r1, half, top);
  const b = q4x8x4(x + 256, r0, r1, half, top);
  const c = q4x8x4(x + 512, r0, r1, half, top);
  const d = q4x8x4(x + 768, r0, r1, half, top);
  const e = q4x8x4(x + 1024, r0, r1, half, top);
  const f = q4x8x4(x + 1280, r0, r1, half, top);
  const g = q4x8x4(x + 1536, r0, r1, half, top);
  const h = q4x8x4(x + 1792, r0, r1, half, top);

  // Transposes the 8 by 8 i16 lanes: pairs, then fours, then whole columns.
  const ab0 = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const ab1 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd0 = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const cd1 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  const ef0 = v128.shuffle<i16>(e, f, 0, 8, 1, 9, 2, 10, 3, 11);
  const ef1 = v128.shuffle<i16>(e, f, 4, 12, 5, 13, 6, 14, 7, 15);
  const gh0 = v128.shuffle<i16>(g, h, 0, 8, 1, 9, 2, 10, 3, 11);
  const gh1 = v128.shuffle<i16>(g, h, 4, 12, 5, 13, 6, 14, 7, 15);
  const two = step << 1;
  store2(y, step, v128.shuffle<i32>(ab0, cd0, 0, 4, 1, 5), v128.shuffle<i32>(ef0, gh0, 0, 4, 1, 5));
  store2(y + two, step, v128.shuffle<i32>(ab0, cd0, 2, 6, 3, 7), v128.shuffle<i32>(ef0, gh0, 2, 6, 3, 7));
  store2(y + 2 * two, step, v128.shuffle<i32>(ab1, cd1, 0, 4, 1, 5), v128.shuffle<i32>(ef1, gh1, 0, 4, 1, 5));
  store2(y + 3 * two, step, v128.shuffle<i32>(ab1, cd1, 2, 6, 3, 7), v128.shuffle<i32>(ef1, gh1, 2, 6, 3, 7));
}

/** One column with any values in it. */
function q4_column(k: i32, stride: usize, x: usize, y: usize, scale: usize): void {
  memory.fill(COLUMN, 0, 128);
  for (let i: usize = 0; i < <usize>k; ++i) store<f32>(COLUMN + (i << 2), load<f32>(x + i * stride));
  q4_block(COLUMN, y, scale);
}

/**
 * Quantizes one panel of `k` ≤ 32 rows and `n` columns of a matrix in the MatMul layout, whose rows lie `ld` ≥ `n` floats apart, to block
 * number `block` of `blocks` of each column: bytes at `y + (column * blocks + block) * 16`, scale at
 * `scale + (column * blocks + block) * 4`. The values are those of
 * `f32_qb4w_rows` on the transposed matrix.
 */
export function f32_qb4w_transpose(k: i32, n: i32, ld: i32, x: usize, y: usize, scale: usize, block: i32, blocks: i32): void {
  if (k <= 0) return;
  const stride = (<usize>ld) << 2;
  const used = (<usize>(k + 1)) >> 1;
  const unused: usize = 16 - used;
  const y_step = (<usize>blocks) << 4;
  const scale_step = (<usize>blocks) << 2;
  y += (<usize>block) << 4;
  scale += (<usize>block) << 2;
  // The rows after the last: zeros become 8.
  memory.fill(TILE + ((<usize>k) << 6), 0, (<usize>(32 - k)) << 6);
  for (let i = 0; i < n; i += WIDTH) {
    // The last group may overlap the one before and give the same bytes again.
    const j = <usize>max(0, min(i, n - WIDTH));
    const at = x + (j << 2);
    const to = y + j * y_step;
    const scale_to = scale + j * scale_step;
    if (n < WIDTH || q4_tile(k, stride, at, scale_to, scale_step)) {
      for (let c: usize = 0; c < <usize>min(n, WIDTH); ++c) q4_column(k, stride, at + (c << 2), to + c * y_step, scale_to + c * scale_step);
    } else {
      q4_columns8(TILE, R, to, y_step);
      q4_columns8(TILE + 32, R + 32, to + 8 * y_step, y_step);
    }
    if (k & 1) for (let c: usize = 0; c < <usize>min(n, WIDTH); ++c) q4_odd(to + c * y_step + used - 1, k == 1 && (block & 1) == 0);
    if (unused > 0) for (let c: usize = 0; c < <usize>min(n, WIDTH); ++c) memory.fill(to + c * y_step + used, 0, unused);
  }
}
