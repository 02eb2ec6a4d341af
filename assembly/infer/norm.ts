import { madd } from "../lanes";
import { load_part, promote_high, store_part } from "./lanes";
import { f32_reduce, sum, sum_square } from "./reduce";

/** Vectors that are summed in float32 before they go into the total. */
const BLOCK = 64;

/** `Σ (x - mean)^2` of f32[n]. */
function deviation(n: i32, x: usize, mean: f32): f64 {
  const shift = f32x4.splat(mean);
  let total: f64 = 0;
  while (n > 0) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let i = 0; i < BLOCK && n >= 8; i++) {
      const v = f32x4.sub(v128.load(x), shift);
      const w = f32x4.sub(v128.load(x, 16), shift);
      a = madd(v, v, a);
      b = madd(w, w, b);
      x += 32;
      n -= 8;
    }
    for (; n < 8 && n > 0; n -= 4) {
      const v = f32x4.sub(n >= 4 ? v128.load(x) : load_part(x, n, shift), shift);
      a = madd(v, v, a);
      x += 16;
    }
    a = f32x4.add(a, b);
    const s = f64x2.add(f64x2.promote_low_f32x4(a), promote_high(a));
    total += f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  }
  return total;
}

/** `(x - mean) * factor * scale + bias`; without a bias where its address is 0. */
function scaled(n: i32, x: usize, y: usize, mean: f32, factor: f32, scale: usize, bias: usize): void {
  const shift = f32x4.splat(mean);
  const f = f32x4.splat(factor);
  const zero = f32x4.splat(0);
  for (; n >= 4; n -= 4) {
    const v = f32x4.mul(f32x4.sub(v128.load(x), shift), f);
    v128.store(y, madd(v, v128.load(scale), bias ? v128.load(bias) : zero));
    x += 16;
    y += 16;
    scale += 16;
    if (bias) bias += 16;
  }
  if (n == 0) return;
  const v = f32x4.mul(f32x4.sub(load_part(x, n, zero), shift), f);
  store_part(y, madd(v, load_part(scale, n, zero), bias ? load_part(bias, n, zero) : zero), n);
}

/** y = a + b */
function add(n: i32, a: usize, b: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    y += 16;
  }
  const zero = f32x4.splat(0);
  if (n > 0) store_part(y, f32x4.add(load_part(a, n, zero), load_part(b, n, zero)), n);
}

/** Layer normalization of each row, and with `centered` 0 root mean square normalization. */
export function f32_layer_norm(
  rows: i32,
  n: i32,
  x: usize,
  y: usize,
  scale: usize,
  bias: usize,
  epsilon: f32,
  centered: i32,
  skip: usize,
  total: usize,
): void {
  const bytes = (<usize>n) << 2;
  for (; rows > 0; rows--) {
    let from = x;
    if (skip != 0) {
      from = total != 0 ? total : y;
      add(n, x, skip, from);
      skip += bytes;
      if (total != 0) total += bytes;
    }
    const mean = centered ? <f32>(sum(n, from) / n) : 0;
    const variance = (centered ? deviation(n, from, mean) : sum_square(n, from)) / n;
    scaled(n, from, y, mean, <f32>(1 / sqrt(variance + epsilon)), scale, bias);
    x += bytes;
    y += bytes;
  }
}

/** `Σ (x - mean)^2` of `width` in 1..4 columns of c that have `n` rows, to `y`. */
function column_deviations(n: i32, c: i32, width: i32, x: usize, mean: usize, y: usize): void {
  const zero = f32x4.splat(0);
  const shift = width == 4 ? v128.load(mean) : load_part(mean, width, zero);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  while (n > 0) {
    let a = zero;
    const count = min(n, BLOCK);
    n -= count;
    for (let i = 0; i < count; i++) {
      const v = f32x4.sub(width == 4 ? v128.load(x) : load_part(x, width, zero), shift);
      a = madd(v, v, a);
      x += (<usize>c) << 2;
    }
    low = f64x2.add(low, f64x2.promote_low_f32x4(a));
    high = f64x2.add(high, promote_high(a));
  }
  const v = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  if (width == 4) v128.store(y, v);
  else store_part(y, v, width);
}

/** Sets each group of f32[c] to its mean. */
function average_groups(c: i32, groups: i32, y: usize): void {
  const width = c / groups;
  for (; groups > 0; groups--) {
    const mean = <f32>(sum(width, y) / width);
    for (let i = 0; i < width; i++) {
      store<f32>(y, mean);
      y += 4;
    }
  }
}

/** Group normalization of f32[n, c], c in groups. */
export function f32_group_norm(
  n: i32,
  c: i32,
  groups: i32,
  x: usize,
  y: usize,
  scale: usize,
  bias: usize,
  epsilon: f32,
  work: usize,
): void {
  if (n == 0) return;
  const mean = work;
  const factor = work + ((<usize>c) << 2);
  f32_reduce(1, 1, n, c, x, mean);
  average_groups(c, groups, mean);
  for (let j = 0; j < c; j += 4) {
    const at = (<usize>j) << 2;
    column_deviations(n, c, min(c - j, 4), x + at, mean + at, factor + at);
  }
  average_groups(c, groups, factor);
  for (let j: usize = 0; j < (<usize>c) << 2; j += 4) {
    store<f32>(factor + j, <f32>(<f64>load<f32>(scale + j) / sqrt(<f64>load<f32>(factor + j) / n + epsilon)));
  }
  const zero = f32x4.splat(0);
  for (; n > 0; n--) {
    let at: usize = 0;
    let left = c;
    for (; left >= 4; left -= 4) {
      const v = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      v128.store(y + at, madd(v, v128.load(factor + at), v128.load(bias + at)));
      at += 16;
    }
    if (left > 0) {
      const v = f32x4.sub(load_part(x + at, left, zero), load_part(mean + at, left, zero));
      store_part(y + at, madd(v, load_part(factor + at, left, zero), load_part(bias + at, left, zero)), left);
    }
    x += (<usize>c) << 2;
    y += (<usize>c) << 2;
  }
}

/** `x * scale + bias` by channels of f32[outer, c, inner]. */
export function f32_affine(outer: i32, c: i32, inner: i32, x: usize, y: usize, scale: usize, bias: usize): void {
  const zero = f32x4.splat(0);
  for (; outer > 0; outer--) {
    if (inner == 1) {
      scaled(c, x, y, 0, 1, scale, bias);
      x += (<usize>c) << 2;
      y += (<usize>c) << 2;
      continue;
    }
    for (let j: usize = 0; j < (<usize>c) << 2; j += 4) {
      const a = v128.load32_splat(scale + j);
      const b = v128.load32_splat(bias + j);
      let n = inner;
      for (; n >= 4; n -= 4) {
        v128.store(y, madd(v128.load(x), a, b));
        x += 16;
        y += 16;
      }
      if (n > 0) {
        store_part(y, madd(load_part(x, n, zero), a, b), n);
        x += (<usize>n) << 2;
        y += (<usize>n) << 2;
      }
    }
  }
}
