// Products of rows with rows, which lie one after the other in memory: sums over samples, and what a Cholesky factorization subtracts.

/** Samples that are added up in float32 before the sum goes on in float64. */
const RUN: i32 = 512;

// @ts-ignore: decorator
@inline
function sum(v: v128): f64 {
  const low = f64x2.promote_low_f32x4(v);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
  const s = f64x2.add(low, high);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

// @ts-ignore: decorator
@inline
function add(c: usize, x: f64): void {
  store<f64>(c, load<f64>(c) + x);
}

/** Two rows with four, over `p` floats, a multiple of 4. */
function dots_2x4(p: i32, a0: usize, a1: usize, b: usize, ldb: usize, c0: usize, c1: usize): void {
  const b1 = b + ldb;
  const b2 = b1 + ldb;
  const b3 = b2 + ldb;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s02 = s00;
  let s03 = s00;
  let s10 = s00;
  let s11 = s00;
  let s12 = s00;
  let s13 = s00;
  for (let i: usize = 0, n = (<usize>p) << 2; i < n; i += 16) {
    const x = v128.load(a0 + i);
    const y = v128.load(a1 + i);
    let w = v128.load(b + i);
    s00 = f32x4.add(s00, f32x4.mul(x, w));
    s10 = f32x4.add(s10, f32x4.mul(y, w));
    w = v128.load(b1 + i);
    s01 = f32x4.add(s01, f32x4.mul(x, w));
    s11 = f32x4.add(s11, f32x4.mul(y, w));
    w = v128.load(b2 + i);
    s02 = f32x4.add(s02, f32x4.mul(x, w));
    s12 = f32x4.add(s12, f32x4.mul(y, w));
    w = v128.load(b3 + i);
    s03 = f32x4.add(s03, f32x4.mul(x, w));
    s13 = f32x4.add(s13, f32x4.mul(y, w));
  }
  add(c0, sum(s00));
  add(c0 + 8, sum(s01));
  add(c0 + 16, sum(s02));
  add(c0 + 24, sum(s03));
  add(c1, sum(s10));
  add(c1 + 8, sum(s11));
  add(c1 + 16, sum(s12));
  add(c1 + 24, sum(s13));
}

/** One row with one, over any number of floats. */
function dot(p: i32, a: usize, b: usize): f64 {
  let s = f32x4.splat(0);
  const end = a + ((<usize>(p & ~3)) << 2);
  for (; a < end; a += 16, b += 16) s = f32x4.add(s, f32x4.mul(v128.load(a), v128.load(b)));
  let total = sum(s);
  for (let i = p & 3; i > 0; --i, a += 4, b += 4) total += <f64>(load<f32>(a) * load<f32>(b));
  return total;
}

/**
 * Adds to `c`, f64[m, n] of rows `ldc` apart, the products of each row of `a`, f32[m, p], with each row of `b`, f32[n, p], whose rows lie `lda` and
 * `ldb` floats apart. Sums are float32 over at most 512 samples, then float64.
 */
export function f32_dots(m: i32, n: i32, p: i32, a: usize, lda: i32, b: usize, ldb: i32, c: usize, ldc: i32): void {
  const from_a = (<usize>lda) << 2;
  const from_b = (<usize>ldb) << 2;
  const from_c = (<usize>ldc) << 3;
  for (let done = 0; done < p; done += RUN) {
    const run = min(RUN, p - done);
    const whole = run & ~3;
    for (let i = 0; i < m; i += 2) {
      const both = i + 1 < m;
      const a0 = a + <usize>i * from_a;
      const c0 = c + <usize>i * from_c;
      let j = 0;
      if (both && whole == run)
        for (; j + 4 <= n; j += 4)
          dots_2x4(run, a0, a0 + from_a, b + <usize>j * from_b, from_b, c0 + ((<usize>j) << 3), c0 + from_c + ((<usize>j) << 3));
      for (; j < n; ++j) {
        const row = b + <usize>j * from_b;
        const to = c0 + ((<usize>j) << 3);
        add(to, dot(run, a0, row));
        if (both) add(to + from_c, dot(run, a0 + from_a, row));
      }
    }
    a += (<usize>run) << 2;
    b += (<usize>run) << 2;
  }
}

/** Two rows of float64 with four. */
function less_2x4(k: i32, a0: usize, a1: usize, b: usize, ldb: usize, c0: usize, c1: usize): void {
  const b1 = b + ldb;
  const b2 = b1 + ldb;
  const b3 = b2 + ldb;
  let s00 = f64x2.splat(0);
  let s01 = s00;
  let s02 = s00;
  let s03 = s00;
  let s10 = s00;
  let s11 = s00;
  let s12 = s00;
  let s13 = s00;
  for (let i: usize = 0, n = (<usize>k) << 3; i < n; i += 16) {
    const x = v128.load(a0 + i);
    const y = v128.load(a1 + i);
    let w = v128.load(b + i);
    s00 = f64x2.add(s00, f64x2.mul(x, w));
    s10 = f64x2.add(s10, f64x2.mul(y, w));
    w = v128.load(b1 + i);
    s01 = f64x2.add(s01, f64x2.mul(x, w));
    s11 = f64x2.add(s11, f64x2.mul(y, w));
    w = v128.load(b2 + i);
    s02 = f64x2.add(s02, f64x2.mul(x, w));
    s12 = f64x2.add(s12, f64x2.mul(y, w));
    w = v128.load(b3 + i);
    s03 = f64x2.add(s03, f64x2.mul(x, w));
    s13 = f64x2.add(s13, f64x2.mul(y, w));
  }
  less(c0, s00);
  less(c0 + 8, s01);
  less(c0 + 16, s02);
  less(c0 + 24, s03);
  less(c1, s10);
  less(c1 + 8, s11);
  less(c1 + 16, s12);
  less(c1 + 24, s13);
}

// @ts-ignore: decorator
@inline
function less(c: usize, s: v128): void {
  store<f64>(c, load<f64>(c) - (f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1)));
}

function less_1x1(k: i32, a: usize, b: usize, c: usize): void {
  let s = f64x2.splat(0);
  const end = a + ((<usize>(k & ~1)) << 3);
  for (; a < end; a += 16, b += 16) s = f64x2.add(s, f64x2.mul(v128.load(a), v128.load(b)));
  if (k & 1) s = f64x2.add(s, f64x2.replace_lane(f64x2.splat(0), 0, load<f64>(a) * load<f64>(b)));
  less(c, s);
}

/** Subtracts from `c`, f64[m, n], the products of each row of `a`, f64[m, k], with each row of `b`, f64[n, k]; rows lie `lda`, `ldb` and `ldc` apart. */
export function f64_less_dots(m: i32, n: i32, k: i32, a: usize, lda: i32, b: usize, ldb: i32, c: usize, ldc: i32): void {
  const from_a = (<usize>lda) << 3;
  const from_b = (<usize>ldb) << 3;
  const from_c = (<usize>ldc) << 3;
  for (let i = 0; i < m; i += 2) {
    const both = i + 1 < m;
    const a0 = a + <usize>i * from_a;
    const c0 = c + <usize>i * from_c;
    let j = 0;
    if (both && (k & 1) == 0)
      for (; j + 4 <= n; j += 4)
        less_2x4(k, a0, a0 + from_a, b + <usize>j * from_b, from_b, c0 + ((<usize>j) << 3), c0 + from_c + ((<usize>j) << 3));
    for (; j < n; ++j) {
      const row = b + <usize>j * from_b;
      const to = c0 + ((<usize>j) << 3);
      less_1x1(k, a0, row, to);
      if (both) less_1x1(k, a0 + from_a, row, to + from_c);
    }
  }
}
