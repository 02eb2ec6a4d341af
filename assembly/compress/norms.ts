/** `y = |x| * norm`, any `n`. */
function scaled(n: i32, x: usize, norm: f32, y: usize): void {
  const scale = f32x4.splat(norm);
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.mul(f32x4.abs(v128.load(x + i)), scale));
  for (; i < end; i += 4) store<f32>(y + i, abs(load<f32>(x + i)) * norm);
}

/** `y = |x| * norms`, any `n`. */
function scaled_columns(n: i32, x: usize, norms: usize, y: usize): void {
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.mul(f32x4.abs(v128.load(x + i)), v128.load(norms + i)));
  for (; i < end; i += 4) store<f32>(y + i, abs(load<f32>(x + i)) * load<f32>(norms + i));
}

/**
 * Scores of `x`, read as [outer, channels, inner]: `y = |x| * norms[channel]`, where `norms` is f32[channels], the norm of what each channel is
 * multiplied by. NaN, and an infinity in a channel of norm zero, score NaN. https://arxiv.org/abs/2306.11695
 */
export function f32_scores_wanda(outer: i32, channels: i32, inner: i32, x: usize, norms: usize, y: usize): void {
  for (; outer > 0; --outer) {
    if (inner == 1) scaled_columns(channels, x, norms, y);
    else
      for (let i: usize = 0; i < <usize>channels; ++i) {
        const at = (i * <usize>inner) << 2;
        scaled(inner, x + at, load<f32>(norms + (i << 2)), y + at);
      }
    x += (<usize>(channels * inner)) << 2;
    y += (<usize>(channels * inner)) << 2;
  }
}

/** What two floats at `p` add to a norm, in f64, where no square overflows or is lost. `mask` is all but the signs. */
// @ts-ignore: decorator
@inline
function terms(p: usize, square: bool, mask: v128): v128 {
  const v = f64x2.promote_low_f32x4(v128.load64_zero(p));
  return square ? f64x2.mul(v, v) : v128.and(v, mask);
}

/** What one float at `p` adds to a norm. */
// @ts-ignore: decorator
@inline
function term(p: usize, square: bool): f64 {
  const v = <f64>load<f32>(p);
  return square ? v * v : abs(v);
}

/** Adds the terms of `n` floats to `n` sums. */
// @ts-ignore: decorator
@inline
function add_columns(n: i32, x: usize, acc: usize, square: bool, mask: v128): void {
  const end = x + ((<usize>n) << 2);
  for (; x + 16 <= end; x += 16) {
    v128.store(acc, f64x2.add(v128.load(acc), terms(x, square, mask)));
    v128.store(acc, f64x2.add(v128.load(acc, 16), terms(x + 8, square, mask)), 16);
    acc += 32;
  }
  for (; x < end; x += 4) {
    store<f64>(acc, load<f64>(acc) + term(x, square));
    acc += 8;
  }
}

/** Adds the terms of `n` floats to one sum. */
// @ts-ignore: decorator
@inline
function add_span(n: i32, x: usize, acc: usize, square: bool, mask: v128): void {
  const end = x + ((<usize>n) << 2);
  let a = f64x2.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (; x + 32 <= end; x += 32) {
    a = f64x2.add(a, terms(x, square, mask));
    b = f64x2.add(b, terms(x + 8, square, mask));
    c = f64x2.add(c, terms(x + 16, square, mask));
    d = f64x2.add(d, terms(x + 24, square, mask));
  }
  for (; x + 8 <= end; x += 8) a = f64x2.add(a, terms(x, square, mask));
  a = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
  if (x < end) sum += term(x, square);
  store<f64>(acc, load<f64>(acc) + sum);
}

// @ts-ignore: decorator
@inline
function add_channels(outer: i32, channels: i32, inner: i32, x: usize, acc: usize, square: bool): void {
  const mask = i64x2.splat(i64.MAX_VALUE);
  if (inner == 1 && channels == 1) {
    inner = outer;
    outer = 1;
  }
  for (; outer > 0; --outer) {
    if (inner == 1) add_columns(channels, x, acc, square, mask);
    else for (let c = 0; c < channels; ++c) add_span(inner, x + ((<usize>(c * inner)) << 2), acc + ((<usize>c) << 3), square, mask);
    x += (<usize>(channels * inner)) << 2;
  }
}

/** Adds the sum of |x| over each channel of `x`, read as [outer, channels, inner], to `acc`, f64[channels]. NaN and Infinity pass into it. */
export function f32_l1_channels(outer: i32, channels: i32, inner: i32, x: usize, acc: usize): void {
  add_channels(outer, channels, inner, x, acc, false);
}

/** As `f32_l1_channels`, the sum of squares. */
export function f32_l2_channels(outer: i32, channels: i32, inner: i32, x: usize, acc: usize): void {
  add_channels(outer, channels, inner, x, acc, true);
}
