import { MAX_FINITE, finite, horizontal_max, magnitude } from "../lanes";

/** The bits of max |x|, where an infinity or NaN shows up as a value above `MAX_FINITE`. */
export function absmax_bits(n: i32, x: usize): i32 {
  const mask = i32x4.splat(0x7fffffff);
  const end = x + ((<usize>n) << 2);
  let m0 = i32x4.splat(0);
  let m1 = m0;
  let m2 = m0;
  let m3 = m0;
  for (; x + 64 <= end; x += 64) {
    m0 = i32x4.max_s(m0, magnitude(v128.load(x), mask));
    m1 = i32x4.max_s(m1, magnitude(v128.load(x, 16), mask));
    m2 = i32x4.max_s(m2, magnitude(v128.load(x, 32), mask));
    m3 = i32x4.max_s(m3, magnitude(v128.load(x, 48), mask));
  }
  for (; x + 16 <= end; x += 16) m0 = i32x4.max_s(m0, magnitude(v128.load(x), mask));
  let m = horizontal_max(i32x4.max_s(i32x4.max_s(m0, m1), i32x4.max_s(m2, m3)));
  for (; x < end; x += 4) m = max(m, load<i32>(x) & 0x7fffffff);
  return m;
}

/** The bits of max |x| over the finite values: the rare second look at data that holds an infinity or NaN. */
export function finite_absmax_bits(n: i32, x: usize): i32 {
  let m = 0;
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    const a = load<i32>(x) & 0x7fffffff;
    if (a <= MAX_FINITE) m = max(m, a);
  }
  return m;
}

/** `max |x|` over the finite values of `n` floats at `x`; 0 where there is none. */
export function f32_absmax(n: i32, x: usize): f32 {
  const m = absmax_bits(n, x);
  return reinterpret<f32>(m > MAX_FINITE ? finite_absmax_bits(n, x) : m);
}

/** Four floats, with +0 where one is infinite or NaN. */
// @ts-ignore: decorator
@inline
function only_finite(v: v128, mask: v128, top: v128): v128 {
  return v128.andnot(v, i32x4.gt_s(magnitude(v, mask), top));
}

/** Lowers the float at `lo` and raises the one at `hi` to the finite values of `n` floats at `x`. */
function minmax_span(n: i32, x: usize, lo: usize, hi: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const top = i32x4.splat(MAX_FINITE);
  const end = x + ((<usize>n) << 2);
  let lo0 = v128.load32_splat(lo);
  let hi0 = v128.load32_splat(hi);
  let lo1 = lo0;
  let hi1 = hi0;
  for (; x + 32 <= end; x += 32) {
    const a = only_finite(v128.load(x), mask, top);
    const b = only_finite(v128.load(x, 16), mask, top);
    lo0 = f32x4.pmin(lo0, a);
    hi0 = f32x4.pmax(hi0, a);
    lo1 = f32x4.pmin(lo1, b);
    hi1 = f32x4.pmax(hi1, b);
  }
  lo0 = f32x4.pmin(lo0, lo1);
  hi0 = f32x4.pmax(hi0, hi1);
  lo0 = f32x4.pmin(lo0, v128.shuffle<i64>(lo0, lo0, 1, 0));
  hi0 = f32x4.pmax(hi0, v128.shuffle<i64>(hi0, hi0, 1, 0));
  let least = min(f32x4.extract_lane(lo0, 0), f32x4.extract_lane(lo0, 1));
  let most = max(f32x4.extract_lane(hi0, 0), f32x4.extract_lane(hi0, 1));
  for (; x < end; x += 4) {
    const v = load<f32>(x);
    if (!finite(v)) continue;
    if (v < least) least = v;
    if (v > most) most = v;
  }
  store<f32>(lo, least);
  store<f32>(hi, most);
}

/**
 * Lowers `lo[i]` and raises `hi[i]` to the finite values of every channel of `x`, read as [outer, c, inner].
 * Both are f32[c], running state that the caller zeroes first: zero is always within a range.
 */
export function f32_minmax_channels(outer: i32, c: i32, inner: i32, x: usize, lo: usize, hi: usize): void {
  if (inner == 1 && c == 1) {
    inner = outer;
    outer = 1;
  }
  if (inner == 1 && c >= 4) return minmax_columns(outer, c, x, lo, hi);
  for (; outer > 0; --outer) {
    for (let i: usize = 0; i < (<usize>c) << 2; i += 4) {
      minmax_span(inner, x, lo + i, hi + i);
      x += (<usize>inner) << 2;
    }
  }
}

/** Two rows at a time; the last may be read twice, which neither bound minds. */
function minmax_columns(outer: i32, c: i32, x: usize, lo: usize, hi: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const top = i32x4.splat(MAX_FINITE);
  const stride = (<usize>c) << 2;
  for (let o = 0; o < outer; o += 2) {
    const first = x + <usize>o * stride;
    const second = x + <usize>min(o + 1, outer - 1) * stride;
    for (let j = 0; j < c; j += 4) {
      const at = (<usize>min(j, c - 4)) << 2;
      const a = only_finite(v128.load(first + at), mask, top);
      const b = only_finite(v128.load(second + at), mask, top);
      v128.store(lo + at, f32x4.pmin(v128.load(lo + at), f32x4.pmin(a, b)));
      v128.store(hi + at, f32x4.pmax(v128.load(hi + at), f32x4.pmax(a, b)));
    }
  }
}

/**
 * Raises `m[c]` to the finite absmax of every channel of `x`, read as [outer, c, inner].
 * `m` is f32[c], running state that the caller zeroes first.
 */
export function f32_absmax_channels(outer: i32, c: i32, inner: i32, x: usize, m: usize): void {
  if (inner == 1 && c == 1) {
    inner = outer;
    outer = 1;
  }
  if (inner == 1 && c >= 4) return absmax_columns(outer, c, x, m);
  for (; outer > 0; --outer) {
    for (let i = 0; i < c; ++i) {
      const at = m + ((<usize>i) << 2);
      store<f32>(at, max(load<f32>(at), f32_absmax(inner, x)));
      x += (<usize>inner) << 2;
    }
  }
}

/** Four rows at a time, so that `m` is read and written once for four of them; the last rows may be read twice, which a maximum forgives. */
function absmax_columns(outer: i32, c: i32, x: usize, m: usize): void {
  const stride = (<usize>c) << 2;
  const last = outer - 1;
  for (let o = 0; o < outer; o += 4) {
    const a = x + <usize>o * stride;
    const b = x + <usize>min(o + 1, last) * stride;
    const d = x + <usize>min(o + 2, last) * stride;
    const e = x + <usize>min(o + 3, last) * stride;
    absmax_strip(c, a, b, d, e, m);
  }
}

function absmax_strip(c: i32, a: usize, b: usize, d: usize, e: usize, m: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const top = i32x4.splat(MAX_FINITE);
  for (let j = 0; j < c; j += 4) {
    const at = (<usize>min(j, c - 4)) << 2;
    let va = magnitude(v128.load(a + at), mask);
    let vb = magnitude(v128.load(b + at), mask);
    let vd = magnitude(v128.load(d + at), mask);
    let ve = magnitude(v128.load(e + at), mask);
    let t = i32x4.max_s(i32x4.max_s(va, vb), i32x4.max_s(vd, ve));
    if (v128.any_true(i32x4.gt_s(t, top))) {
      va = v128.andnot(va, i32x4.gt_s(va, top));
      vb = v128.andnot(vb, i32x4.gt_s(vb, top));
      vd = v128.andnot(vd, i32x4.gt_s(vd, top));
      ve = v128.andnot(ve, i32x4.gt_s(ve, top));
      t = i32x4.max_s(i32x4.max_s(va, vb), i32x4.max_s(vd, ve));
    }
    v128.store(m + at, i32x4.max_s(v128.load(m + at), t));
  }
}
