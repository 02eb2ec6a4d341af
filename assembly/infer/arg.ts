import { load_part } from "./lanes";

// Where the greatest is. For the least every sign is changed: `flip` holds the bit that does.

/** True where `v` comes before `best`: greater, or the first NaN; or with `last` not less, or NaN. */
// @ts-ignore: decorator
@inline
function beats(v: v128, best: v128, last: i32): v128 {
  const nan = f32x4.ne(v, v);
  if (last) return v128.or(f32x4.ge(v, best), nan);
  return v128.or(f32x4.gt(v, best), v128.andnot(nan, f32x4.ne(best, best)));
}

/** Of up to four columns of `n` rows that lie `ld` bytes apart. */
function columns(n: i32, x: usize, ld: usize, width: i32, flip: v128, last: i32): v128 {
  let best = f32x4.splat(-Infinity);
  let at = i32x4.splat(0);
  for (let i = 0; i < n; i++) {
    const v = v128.xor(width == 4 ? v128.load(x) : load_part(x, width, flip), flip);
    const mask = beats(v, best, last);
    best = v128.bitselect(v, best, mask);
    at = v128.bitselect(i32x4.splat(i), at, mask);
    x += ld;
  }
  return at;
}

/** Of f32[n]: four interleaved columns, then the best of them. */
function row(n: i32, x: usize, flip: v128, last: i32): i32 {
  const whole = n >> 2;
  const at = columns(whole, x, 16, 4, flip, last);
  let found = whole > 0 ? i32x4.extract_lane(at, 0) << 2 : 0;
  if (whole > 0) {
    found = better(x, found, (i32x4.extract_lane(at, 1) << 2) + 1, flip, last);
    found = better(x, found, (i32x4.extract_lane(at, 2) << 2) + 2, flip, last);
    found = better(x, found, (i32x4.extract_lane(at, 3) << 2) + 3, flip, last);
  }
  for (let i = whole << 2; i < n; i++) found = better(x, found, i, flip, last);
  return found;
}

/** The one of two places that wins: by its value, else as the first or last. */
function better(x: usize, i: i32, j: i32, flip: v128, last: i32): i32 {
  const sign = i32x4.extract_lane(flip, 0);
  const a = reinterpret<f32>(load<i32>(x + ((<usize>i) << 2)) ^ sign);
  const b = reinterpret<f32>(load<i32>(x + ((<usize>j) << 2)) ^ sign);
  const same = a == b || (a != a && b != b);
  if (same) return last ? max(i, j) : min(i, j);
  return b > a || b != b ? j : i;
}

/** ArgMax or ArgMin of f32[outer, n, inner] as i64[outer, inner]. */
export function f32_arg(least: i32, last: i32, outer: i32, n: i32, inner: i32, x: usize, y: usize): void {
  const flip = i32x4.splat(least ? 0x80000000 : 0);
  const ld = (<usize>inner) << 2;
  for (; outer > 0; outer--) {
    if (inner == 1) {
      store<i64>(y, <i64>row(n, x, flip, last));
      y += 8;
    } else {
      for (let j = 0; j < inner; j += 4) {
        const width = min(inner - j, 4);
        const at = columns(n, x + ((<usize>j) << 2), ld, width, flip, last);
        store<i64>(y, <i64>i32x4.extract_lane(at, 0));
        if (width > 1) store<i64>(y, <i64>i32x4.extract_lane(at, 1), 8);
        if (width > 2) store<i64>(y, <i64>i32x4.extract_lane(at, 2), 16);
        if (width > 3) store<i64>(y, <i64>i32x4.extract_lane(at, 3), 24);
        y += (<usize>width) << 3;
      }
    }
    x += <usize>n * ld;
  }
}
