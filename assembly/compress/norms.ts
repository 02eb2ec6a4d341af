// Sums over the channels of a weight: what structured pruning judges them by.

/** Sum of the four lanes of two pairs of float64. */
// @ts-ignore: decorator
@inline
function total(a: v128, b: v128): f64 {
  const sum = f64x2.add(a, b);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** Sum of |x| over `n` floats at `x`, in float64. */
function l1_span(n: i32, x: usize): f64 {
  const end = x + ((<usize>n) << 2);
  let low = f64x2.splat(0);
  let high = low;
  for (; x + 16 <= end; x += 16) {
    const a = f32x4.abs(v128.load(x));
    low = f64x2.add(low, f64x2.promote_low_f32x4(a));
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i32>(a, a, 2, 3, 2, 3)));
  }
  let sum = total(low, high);
  for (; x < end; x += 4) sum += <f64>abs(load<f32>(x));
  return sum;
}

/** Sum of x² over `n` floats at `x`, in float64. */
function l2_span(n: i32, x: usize): f64 {
  const end = x + ((<usize>n) << 2);
  let low = f64x2.splat(0);
  let high = low;
  for (; x + 16 <= end; x += 16) {
    const a = v128.load(x);
    const p = f64x2.promote_low_f32x4(a);
    const q = f64x2.promote_low_f32x4(v128.shuffle<i32>(a, a, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(p, p));
    high = f64x2.add(high, f64x2.mul(q, q));
  }
  let sum = total(low, high);
  for (; x < end; x += 4) {
    const a = <f64>load<f32>(x);
    sum += a * a;
  }
  return sum;
}

/** Adds the sum of |x| over each channel of `x`, read as [outer, c, inner], to `acc`, f64[c]. NaN and ±Infinity go into it. */
export function f32_l1_channels(outer: i32, c: i32, inner: i32, x: usize, acc: usize): void {
  for (; outer > 0; --outer) {
    for (let i = 0; i < c; ++i) {
      const at = acc + ((<usize>i) << 3);
      store<f64>(at, load<f64>(at) + l1_span(inner, x));
      x += (<usize>inner) << 2;
    }
  }
}

/** Adds the sum of x² over each channel of `x`, read as [outer, c, inner], to `acc`, f64[c]. NaN and ±Infinity go into it. */
export function f32_l2_channels(outer: i32, c: i32, inner: i32, x: usize, acc: usize): void {
  for (; outer > 0; --outer) {
    for (let i = 0; i < c; ++i) {
      const at = acc + ((<usize>i) << 3);
      store<f64>(at, load<f64>(at) + l2_span(inner, x));
      x += (<usize>inner) << 2;
    }
  }
}
