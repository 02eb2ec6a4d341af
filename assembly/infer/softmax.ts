import { madd } from "../lanes";
import { exponential } from "./exponential";
import { load_part, store_part } from "./lanes";
import { exp_negative } from "./math";
import { sum } from "./reduce";

/** The greatest of four; a NaN may hide, and shows in the exponential. */
// @ts-ignore: decorator
@inline
function greatest(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<i64>(v, v, 1, 0));
  return f32x4.extract_lane(f32x4.pmax(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2)), 0);
}

function row_max(n: i32, x: usize): f32 {
  let a = f32x4.splat(-Infinity);
  let b = a;
  for (; n >= 8; n -= 8) {
    a = f32x4.pmax(a, v128.load(x));
    b = f32x4.pmax(b, v128.load(x, 16));
    x += 32;
  }
  a = f32x4.pmax(a, b);
  if (n >= 4) {
    a = f32x4.pmax(a, v128.load(x));
    x += 16;
  }
  if ((n & 3) > 0) a = f32x4.pmax(a, load_part(x, n & 3, a));
  return greatest(a);
}

/** `e^(v - alpha)`, where alpha is the greatest. */
@unmanaged
class Shifted {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.sub(v, alpha);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return madd(p, s, s);
  }
}

/** `x * factor` */
function row_scale(n: i32, x: usize, y: usize, factor: f32): void {
  const f = f32x4.splat(factor);
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.mul(v128.load(x), f));
    x += 16;
    y += 16;
  }
  if (n > 0) store_part(y, f32x4.mul(load_part(x, n, f), f), n);
}

/** `(x - shift) - logarithm`, in this order, so that digits are lost once. */
function row_log(n: i32, x: usize, y: usize, shift: f32, logarithm: f32): void {
  const s = f32x4.splat(shift);
  const l = f32x4.splat(logarithm);
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.sub(f32x4.sub(v128.load(x), s), l));
    x += 16;
    y += 16;
  }
  if (n > 0) store_part(y, f32x4.sub(f32x4.sub(load_part(x, n, s), s), l), n);
}

/** Up to four columns of `n` rows that lie `ld` bytes apart. */
function columns(n: i32, ld: usize, width: i32, x: usize, y: usize, logarithm: i32): void {
  const zero = f32x4.splat(0);
  let shift = f32x4.splat(-Infinity);
  for (let i = 0, p = x; i < n; i++, p += ld) shift = f32x4.pmax(shift, width == 4 ? v128.load(p) : load_part(p, width, zero));
  let total = zero;
  for (let i = 0, p = x, q = y; i < n; i++, p += ld, q += ld) {
    const e = exp_negative(f32x4.sub(width == 4 ? v128.load(p) : load_part(p, width, zero), shift));
    total = f32x4.add(total, e);
    if (logarithm) continue;
    if (width == 4) v128.store(q, e);
    else store_part(q, e, width);
  }
  if (logarithm) {
    for (let i = 0; i < width; i++) {
      const s = <f32>Math.log(<f64>lane(total, i));
      for (let j = 0, at = (<usize>i) << 2; j < n; j++, at += ld) store<f32>(y + at, load<f32>(x + at) - lane(shift, i) - s);
    }
    return;
  }
  const factor = f32x4.div(f32x4.splat(1), total);
  for (let i = 0; i < n; i++, y += ld) {
    if (width == 4) v128.store(y, f32x4.mul(v128.load(y), factor));
    else store_part(y, f32x4.mul(load_part(y, width, zero), factor), width);
  }
}

// @ts-ignore: decorator
@inline
function lane(v: v128, i: i32): f32 {
  if (i == 0) return f32x4.extract_lane(v, 0);
  if (i == 1) return f32x4.extract_lane(v, 1);
  return i == 2 ? f32x4.extract_lane(v, 2) : f32x4.extract_lane(v, 3);
}

function softmax(outer: i32, n: i32, inner: i32, x: usize, y: usize, logarithm: i32): void {
  const ld = (<usize>inner) << 2;
  for (; outer > 0; outer--) {
    if (inner == 1) {
      const shift = row_max(n, x);
      exponential<Shifted>(n, x, y, shift, 0);
      const total = sum(n, y);
      if (logarithm) row_log(n, x, y, shift, <f32>Math.log(total));
      else row_scale(n, y, y, <f32>(1 / total));
    } else {
      for (let j = 0; j < inner; j += 4) {
        const at = (<usize>j) << 2;
        columns(n, ld, min(inner - j, 4), x + at, y + at, logarithm);
      }
    }
    x += <usize>n * ld;
    y += <usize>n * ld;
  }
}

/** Softmax along the middle of f32[outer, n, inner]. */
export function f32_softmax(outer: i32, n: i32, inner: i32, x: usize, y: usize): void {
  softmax(outer, n, inner, x, y, 0);
}

/** Its logarithm. */
export function f32_log_softmax(outer: i32, n: i32, inner: i32, x: usize, y: usize): void {
  softmax(outer, n, inner, x, y, 1);
}
