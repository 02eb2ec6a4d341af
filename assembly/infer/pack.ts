// Packs rows of a for the tiles: strips of [k][6], [k][4], [k][2] or [k][1], each as tall as what is left allows.

/** The addresses of up to six rows that `strip` reads. */
export const ROWS: usize = memory.data(6 * sizeof<usize>(), 16);

/** How many of `m` rows the next strip takes. Without a fused multiply-add six do not fit the registers. */
// @ts-ignore: decorator
@inline
export function rows_of(m: i32): i32 {
  if (ASC_FEATURE_RELAXED_SIMD && m >= 6) return 6;
  return m >= 4 ? 4 : m >= 2 ? 2 : 1;
}

/** `m` rows of `k` floats. */
export function pack_rows(m: i32, k: i32, a: usize, lda: i32, y: usize): void {
  while (m > 0) {
    const rows = rows_of(m);
    for (let i = 0; i < rows; i++) {
      store<usize>(ROWS + ((<usize>i) << alignof<usize>()), a);
      a += (<usize>lda) << 2;
    }
    strip(rows, k, y);
    y += (<usize>(rows * k)) << 2;
    m -= rows;
  }
}

/** Interleaves `n` floats of each of the rows. */
export function strip(rows: i32, n: i32, y: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && rows == 6) strip6(n, y);
  else if (rows == 4) strip4(n, y);
  else if (rows == 2) strip2(n, y);
  else memory.copy(y, load<usize>(ROWS), (<usize>n) << 2);
}

function strip6(n: i32, y: usize): void {
  let a = load<usize>(ROWS, 0 * sizeof<usize>());
  let b = load<usize>(ROWS, 1 * sizeof<usize>());
  let c = load<usize>(ROWS, 2 * sizeof<usize>());
  let d = load<usize>(ROWS, 3 * sizeof<usize>());
  let e = load<usize>(ROWS, 4 * sizeof<usize>());
  let f = load<usize>(ROWS, 5 * sizeof<usize>());
  for (; n >= 4; n -= 4) {
    const av = v128.load(a);
    const bv = v128.load(b);
    const cv = v128.load(c);
    const dv = v128.load(d);
    const ev = v128.load(e);
    const fv = v128.load(f);
    const ab = v128.shuffle<f32>(av, bv, 0, 4, 1, 5),
      ab2 = v128.shuffle<f32>(av, bv, 2, 6, 3, 7);
    const cd = v128.shuffle<f32>(cv, dv, 0, 4, 1, 5),
      cd2 = v128.shuffle<f32>(cv, dv, 2, 6, 3, 7);
    const ef = v128.shuffle<f32>(ev, fv, 0, 4, 1, 5),
      ef2 = v128.shuffle<f32>(ev, fv, 2, 6, 3, 7);
    v128.store(y, v128.shuffle<i64>(ab, cd, 0, 2));
    v128.store(y, v128.shuffle<i64>(ef, ab, 0, 3), 16);
    v128.store(y, v128.shuffle<i64>(cd, ef, 1, 3), 32);
    v128.store(y, v128.shuffle<i64>(ab2, cd2, 0, 2), 48);
    v128.store(y, v128.shuffle<i64>(ef2, ab2, 0, 3), 64);
    v128.store(y, v128.shuffle<i64>(cd2, ef2, 1, 3), 80);
    a += 16;
    b += 16;
    c += 16;
    d += 16;
    e += 16;
    f += 16;
    y += 96;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(a), 0);
    store<f32>(y, load<f32>(b), 4);
    store<f32>(y, load<f32>(c), 8);
    store<f32>(y, load<f32>(d), 12);
    store<f32>(y, load<f32>(e), 16);
    store<f32>(y, load<f32>(f), 20);
    a += 4;
    b += 4;
    c += 4;
    d += 4;
    e += 4;
    f += 4;
    y += 24;
  }
}

function strip4(n: i32, y: usize): void {
  let a = load<usize>(ROWS, 0 * sizeof<usize>());
  let b = load<usize>(ROWS, 1 * sizeof<usize>());
  let c = load<usize>(ROWS, 2 * sizeof<usize>());
  let d = load<usize>(ROWS, 3 * sizeof<usize>());
  for (; n >= 4; n -= 4) {
    const av = v128.load(a);
    const bv = v128.load(b);
    const cv = v128.load(c);
    const dv = v128.load(d);
    const ab = v128.shuffle<f32>(av, bv, 0, 4, 1, 5),
      ab2 = v128.shuffle<f32>(av, bv, 2, 6, 3, 7);
    const cd = v128.shuffle<f32>(cv, dv, 0, 4, 1, 5),
      cd2 = v128.shuffle<f32>(cv, dv, 2, 6, 3, 7);
    v128.store(y, v128.shuffle<i64>(ab, cd, 0, 2));
    v128.store(y, v128.shuffle<i64>(ab, cd, 1, 3), 16);
    v128.store(y, v128.shuffle<i64>(ab2, cd2, 0, 2), 32);
    v128.store(y, v128.shuffle<i64>(ab2, cd2, 1, 3), 48);
    a += 16;
    b += 16;
    c += 16;
    d += 16;
    y += 64;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(a), 0);
    store<f32>(y, load<f32>(b), 4);
    store<f32>(y, load<f32>(c), 8);
    store<f32>(y, load<f32>(d), 12);
    a += 4;
    b += 4;
    c += 4;
    d += 4;
    y += 16;
  }
}

function strip2(n: i32, y: usize): void {
  let a = load<usize>(ROWS),
    b = load<usize>(ROWS, sizeof<usize>());
  for (; n >= 4; n -= 4) {
    const av = v128.load(a),
      bv = v128.load(b);
    v128.store(y, v128.shuffle<f32>(av, bv, 0, 4, 1, 5));
    v128.store(y, v128.shuffle<f32>(av, bv, 2, 6, 3, 7), 16);
    a += 16;
    b += 16;
    y += 32;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(a));
    store<f32>(y, load<f32>(b), 4);
    a += 4;
    b += 4;
    y += 8;
  }
}
