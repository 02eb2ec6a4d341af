// Winograd's F(4×4, 3×3) on integers, exactly. An image is transformed by Bᵀ, whose entries are integers: 255 becomes at most 25500, an int16. G
// has fractions, so weights are transformed by integer multiples of its rows: 4, -6, -6, 24, 24 and 1 times. What a product is then short of is
// made up before Aᵀ, by 6, -4, -4, 1, 1 and 24: outputs come 24² = 576 times too large. Sums may wrap: they are right modulo 2^32, dividing by 9 is
// multiplying by its inverse, and a shift by 6 leaves outputs of less than 2^25. https://arxiv.org/abs/1509.09308

/** The inverse of 9 modulo 2^32. */
const NINTH: i32 = 954437177;

/** Six by six vectors in between. */
const BETWEEN: usize = memory.data(36 * 16, 16);

/** Six vectors of int16 at `p`, `step` bytes apart, times Bᵀ: to `y`, `to` bytes apart. */
// @ts-ignore: decorator
@inline
function image6(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, y: usize, to: usize): void {
  const e = i16x8.sub(d4, d2);
  const f = i16x8.sub(d3, d1);
  v128.store(y, i16x8.add(i16x8.shl(i16x8.sub(d0, d2), 2), e));
  const g = i16x8.sub(d4, i16x8.shl(d2, 2));
  const h = i16x8.sub(d3, i16x8.shl(d1, 2));
  v128.store(y + to, i16x8.add(g, h));
  v128.store(y + 2 * to, i16x8.sub(g, h));
  const k = i16x8.shl(f, 1);
  v128.store(y + 3 * to, i16x8.add(e, k));
  v128.store(y + 4 * to, i16x8.sub(e, k));
  v128.store(y + 5 * to, i16x8.sub(i16x8.sub(d5, d3), i16x8.shl(f, 2)));
}

/** Eight bytes as int16 less the zero point. */
// @ts-ignore: decorator
@inline
function tap<T>(taps: usize, at: usize, zero: v128): v128 {
  return i16x8.sub(v128.load_ext<T>(load<usize>(taps) + at), zero);
}

/**
 * Transforms `c` channels of a window of 6 × 6 pixels, whose addresses are at `taps`: to int16[36][groups][rows][8], `position` bytes from one of
 * the 36 to the next and `group` bytes from eight channels to the next. The last eight end with the last channel.
 */
export function transform_image<T>(c: i32, taps: usize, zero: i32, y: usize, group: usize, position: usize): void {
  const z = i16x8.splat(<i16>zero);
  const row = 6 * sizeof<usize>();
  for (let j = 0; j < c; j += 8) {
    const at = <usize>min(j, c - 8);
    let p = taps;
    let between = BETWEEN;
    for (let i = 0; i < 6; i++) {
      image6(
        tap<T>(p, at, z),
        tap<T>(p + row, at, z),
        tap<T>(p + 2 * row, at, z),
        tap<T>(p + 3 * row, at, z),
        tap<T>(p + 4 * row, at, z),
        tap<T>(p + 5 * row, at, z),
        between,
        96,
      );
      p += sizeof<usize>();
      between += 16;
    }
    between = BETWEEN;
    let to = y;
    for (let i = 0; i < 6; i++) {
      image6(
        v128.load(between),
        v128.load(between, 16),
        v128.load(between, 32),
        v128.load(between, 48),
        v128.load(between, 64),
        v128.load(between, 80),
        to,
        position,
      );
      between += 96;
      to += 6 * position;
    }
    y += group;
  }
}

/** Six vectors of int32 times what makes up for the weights, times Aᵀ: to `y`, `to` bytes apart. */
// @ts-ignore: decorator
@inline
function output4(m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128, y: usize, to: usize): void {
  const p = i32x4.add(m1, m2),
    q = i32x4.sub(m1, m2);
  const r = i32x4.add(m3, m4),
    t = i32x4.sub(m3, m4);
  const m = i32x4.add(i32x4.shl(m0, 2), i32x4.shl(m0, 1));
  v128.store(y, i32x4.add(i32x4.sub(m, i32x4.shl(p, 2)), r));
  v128.store(y + to, i32x4.shl(i32x4.sub(t, i32x4.shl(q, 1)), 1));
  v128.store(y + 2 * to, i32x4.shl(i32x4.sub(r, p), 2));
  const u = i32x4.add(i32x4.shl(m5, 2), i32x4.shl(m5, 1));
  v128.store(y + 3 * to, i32x4.shl(i32x4.add(i32x4.sub(i32x4.shl(t, 1), q), u), 2));
}

/** A value that is 576 times too large. */
// @ts-ignore: decorator
@inline
function divided(p: usize, ninth: v128, start: v128): v128 {
  return i32x4.add(i32x4.shr_s(i32x4.mul(v128.load(p), ninth), 6), start);
}

/** Transforms `n` columns of int32[36][…], `position` bytes from one to the next, to the sums of 4 × 4 pixels, `next` bytes from pixel to pixel. */
export function transform_sums(n: i32, m: usize, position: usize, start: usize, y: usize, next: usize): void {
  const ninth = i32x4.splat(NINTH);
  for (let j = 0; j < n; j += 4) {
    let p = m;
    let between = BETWEEN;
    for (let i = 0; i < 6; i++) {
      output4(
        v128.load(p),
        v128.load(p + 6 * position),
        v128.load(p + 12 * position),
        v128.load(p + 18 * position),
        v128.load(p + 24 * position),
        v128.load(p + 30 * position),
        between,
        96,
      );
      p += position;
      between += 16;
    }
    const s = v128.load(start);
    between = BETWEEN;
    let to = y;
    for (let i = 0; i < 4; i++) {
      output4(
        v128.load(between),
        v128.load(between, 16),
        v128.load(between, 32),
        v128.load(between, 48),
        v128.load(between, 64),
        v128.load(between, 80),
        between,
        16,
      );
      v128.store(to, divided(between, ninth, s));
      v128.store(to + next, divided(between + 16, ninth, s));
      v128.store(to + 2 * next, divided(between + 32, ninth, s));
      v128.store(to + 3 * next, divided(between + 48, ninth, s));
      between += 96;
      to += 4 * next;
    }
    m += 16;
    start += 16;
    y += 16;
  }
}

/** Three weights times the integer multiples of the rows of G: to `y`, `to` apart. */
// @ts-ignore: decorator
@inline
function weight6(g0: i32, g1: i32, g2: i32, y: usize, to: usize): void {
  store<i32>(y, g0);
  store<i32>(y + to, g0 + g1 + g2);
  store<i32>(y + 2 * to, g0 - g1 + g2);
  store<i32>(y + 3 * to, g0 + 2 * g1 + 4 * g2);
  store<i32>(y + 4 * to, g0 - 2 * g1 + 4 * g2);
  store<i32>(y + 5 * to, g2);
}

/** Nine int8 weights at `w` as 36 int16, `position` bytes apart. */
export function transform_weights(w: usize, y: usize, position: usize): void {
  for (let i: usize = 0; i < 3; i++) {
    weight6(<i32>load<i8>(w + i), <i32>load<i8>(w + i, 3), <i32>load<i8>(w + i, 6), BETWEEN + (i << 2), 12);
  }
  for (let i: usize = 0; i < 6; i++) {
    const p = BETWEEN + i * 12;
    const own = BETWEEN + 256;
    weight6(load<i32>(p), load<i32>(p, 4), load<i32>(p, 8), own, 4);
    for (let j: usize = 0; j < 6; j++) {
      store<i16>(y, <i16>load<i32>(own + (j << 2)));
      y += position;
    }
  }
}
