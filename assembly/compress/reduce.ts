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

/** Writes the least and the greatest finite value of `n` floats at `x` to `y`, as f32[2]; 0 and 0 where there is none, and never -0. */
export function f32_minmax(n: i32, x: usize, y: usize): void {
  const end = x + ((<usize>n) << 2);
  let p = x;
  // A comparison with NaN is false, so pmin and pmax skip NaN here; an infinity wins and is seen below.
  let lo0 = f32x4.splat(f32.POSITIVE_INFINITY);
  let hi0 = f32x4.splat(f32.NEGATIVE_INFINITY);
  let lo1 = lo0;
  let hi1 = hi0;
  let lo2 = lo0;
  let hi2 = hi0;
  let lo3 = lo0;
  let hi3 = hi0;
  for (; p + 64 <= end; p += 64) {
    const a = v128.load(p);
    lo0 = f32x4.pmin(lo0, a);
    hi0 = f32x4.pmax(hi0, a);
    const b = v128.load(p, 16);
    lo1 = f32x4.pmin(lo1, b);
    hi1 = f32x4.pmax(hi1, b);
    const c = v128.load(p, 32);
    lo2 = f32x4.pmin(lo2, c);
    hi2 = f32x4.pmax(hi2, c);
    const d = v128.load(p, 48);
    lo3 = f32x4.pmin(lo3, d);
    hi3 = f32x4.pmax(hi3, d);
  }
  lo0 = f32x4.pmin(f32x4.pmin(lo0, lo1), f32x4.pmin(lo2, lo3));
  hi0 = f32x4.pmax(f32x4.pmax(hi0, hi1), f32x4.pmax(hi2, hi3));
  lo0 = f32x4.pmin(lo0, v128.shuffle<i64>(lo0, lo0, 1, 0));
  hi0 = f32x4.pmax(hi0, v128.shuffle<i64>(hi0, hi0, 1, 0));
  let lo = min(f32x4.extract_lane(lo0, 0), f32x4.extract_lane(lo0, 1));
  let hi = max(f32x4.extract_lane(hi0, 0), f32x4.extract_lane(hi0, 1));
  if (lo == f32.NEGATIVE_INFINITY || hi == f32.POSITIVE_INFINITY) {
    p = x;
    lo = f32.POSITIVE_INFINITY;
    hi = f32.NEGATIVE_INFINITY;
  }
  for (; p < end; p += 4) {
    const v = load<f32>(p);
    if (!finite(v)) continue;
    lo = min(lo, v);
    hi = max(hi, v);
  }
  store<f32>(y, lo > hi ? 0 : lo + 0);
  store<f32>(y, lo > hi ? 0 : hi + 0, 4);
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
