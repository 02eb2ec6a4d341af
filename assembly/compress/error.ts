import { finite } from "../lanes";

// Every error kernel adds to f64[3] at `acc`: Σ x², Σ (x - x_hat)² and the number of x that are not finite, which it leaves out of both sums.
// Up to PAGE values are dequantized into scratch and summed in f32x4, then promoted: a sum of at most 128 squares a lane.

/** Values in a page. */
export const PAGE: i32 = 512;

/** One page of dequantized values. */
export const X_HAT: usize = memory.data(2048, 16);

/** The sum of four lanes, as f64. */
// @ts-ignore: decorator
@inline
function sum(v: v128): f64 {
  const s = f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)));
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** A page of `rows` × `width` values, `stride` bytes from a row of `x` to the next, `x_hat` without gaps. */
export function measure(rows: i32, width: i32, x: usize, stride: usize, x_hat: usize, acc: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let e0 = s0;
  let e1 = s0;
  let ts: f64 = 0;
  let te: f64 = 0;
  let row = x;
  let h = x_hat;
  for (let r = 0; r < rows; ++r) {
    let p = row;
    const end = p + ((<usize>width) << 2);
    for (; p + 32 <= end; p += 32) {
      const a = v128.load(p);
      const b = v128.load(p, 16);
      const d = f32x4.sub(a, v128.load(h));
      const e = f32x4.sub(b, v128.load(h, 16));
      s0 = f32x4.add(s0, f32x4.mul(a, a));
      s1 = f32x4.add(s1, f32x4.mul(b, b));
      e0 = f32x4.add(e0, f32x4.mul(d, d));
      e1 = f32x4.add(e1, f32x4.mul(e, e));
      h += 32;
    }
    for (; p < end; p += 4) {
      const a = <f64>load<f32>(p);
      const d = a - <f64>load<f32>(h);
      ts += a * a;
      te += d * d;
      h += 4;
    }
    row += stride;
  }
  ts += sum(f32x4.add(s0, s1));
  te += sum(f32x4.add(e0, e1));
  // Fails where an x is infinite or NaN, and where a square of f32 overflows: both are for the slow loop.
  if (ts + te < f64.POSITIVE_INFINITY) add(acc, ts, te, 0);
  else measure_slowly(rows, width, x, stride, x_hat, acc);
}

function measure_slowly(rows: i32, width: i32, x: usize, stride: usize, x_hat: usize, acc: usize): void {
  let s: f64 = 0;
  let e: f64 = 0;
  let skipped = 0;
  for (; rows > 0; --rows) {
    for (let i: usize = 0; i < <usize>width; ++i) {
      const v = load<f32>(x + (i << 2));
      if (finite(v)) {
        const d = <f64>v - <f64>load<f32>(x_hat + (i << 2));
        s += <f64>v * <f64>v;
        e += d * d;
      } else ++skipped;
    }
    x += stride;
    x_hat += (<usize>width) << 2;
  }
  add(acc, s, e, skipped);
}

function add(acc: usize, s: f64, e: f64, skipped: i32): void {
  store<f64>(acc, load<f64>(acc) + s);
  store<f64>(acc, load<f64>(acc, 8) + e, 8);
  store<f64>(acc, load<f64>(acc, 16) + <f64>skipped, 16);
}

/** `n` floats at `x` against `n` floats at `x_hat`. */
export function f32_error(n: i32, x: usize, x_hat: usize, acc: usize): void {
  for (; n > 0; n -= PAGE) {
    measure(1, min(n, PAGE), x, 0, x_hat, acc);
    x += (<usize>PAGE) << 2;
    x_hat += (<usize>PAGE) << 2;
  }
}

/** `y = q * scale`, any `n`. */
function dequantize8(n: i32, q: usize, scale: f32, y: usize): void {
  const s = f32x4.splat(scale);
  let i: usize = 0;
  for (; i + 8 <= <usize>n; i += 8) {
    const v = v128.load8x8_s(q + i);
    v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), s));
    v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), s), 16);
  }
  for (; i < <usize>n; ++i) store<f32>(y + (i << 2), <f32>load<i8>(q + i) * scale);
}

/** `y = q * scale`, each with its own scale. */
function dequantize8_columns(n: i32, q: usize, scale: usize, y: usize): void {
  let i: usize = 0;
  for (; i + 8 <= <usize>n; i += 8) {
    const v = v128.load8x8_s(q + i);
    const s = scale + (i << 2);
    v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), v128.load(s)));
    v128.store(y + (i << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), v128.load(s, 16)), 16);
  }
  for (; i < <usize>n; ++i) store<f32>(y + (i << 2), <f32>load<i8>(q + i) * load<f32>(scale + (i << 2)));
}

/** `x`, read as [outer, c, inner], against the int8 `q` and f32[c] `scale` of `f32_qc8w_rows` (outer 1) or `f32_qc8w_channels`. */
export function qc8w_error_channels(outer: i32, c: i32, inner: i32, x: usize, q: usize, scale: usize, acc: usize): void {
  for (; outer > 0; --outer) {
    if (inner != 1) qb8w_error_rows(c, inner, inner, x, q, scale, acc);
    else {
      for (let i = 0; i < c; i += PAGE) {
        const n = min(c - i, PAGE);
        dequantize8_columns(n, q + <usize>i, scale + ((<usize>i) << 2), X_HAT);
        measure(1, n, x + ((<usize>i) << 2), 0, X_HAT, acc);
      }
    }
    x += (<usize>(c * inner)) << 2;
    q += <usize>(c * inner);
  }
}

/** `rows` of `k` floats against the int8 `q` and the `scale` of `f32_qb8w_rows`. */
export function qb8w_error_rows(rows: i32, k: i32, block_size: i32, x: usize, q: usize, scale: usize, acc: usize): void {
  let held = 0;
  for (; rows > 0; --rows) {
    for (let left = k; left > 0; left -= block_size) {
      const s = load<f32>(scale);
      scale += 4;
      // A page takes as many blocks, or as much of one, as it can.
      for (let block = min(left, block_size); block > 0;) {
        const n = min(block, PAGE - held);
        dequantize8(n, q, s, X_HAT + ((<usize>held) << 2));
        q += <usize>n;
        block -= n;
        held += n;
        if (held == PAGE) {
          measure(1, held, x, 0, X_HAT, acc);
          x += (<usize>held) << 2;
          held = 0;
        }
      }
    }
  }
  measure(1, held, x, 0, X_HAT, acc);
}
