import { madd, nmadd } from "../lanes";
import { load_or_zero } from "./lanes";

// F(4×4, 3×3) of Winograd's minimal filtering, https://arxiv.org/abs/1509.09308, at the points 0, ±3/4, ±3/2 and infinity: at the usual 0, ±1, ±2
// the error is three times as large. All but G's denominators are exact in float32.

/** The points, and what the transforms make of them. */
const A: f32 = 0.75;
const B: f32 = 1.5;
const AA: f32 = A * A;
const BB: f32 = B * B;
const SUM: f32 = AA + BB;
const PRODUCT: f32 = AA * BB;

/** Where a transform of columns leaves its vectors for the one of rows. */
const BETWEEN: usize = memory.data(36 * 16, 16);

/** Transforms four channels of a window of 6×6 pixels, whose addresses stand at `pixels`, `offset` bytes on, to 36 vectors `step` bytes apart. */
export function to_frequencies(pixels: usize, offset: usize, y: usize, step: usize): void {
  const aa = f32x4.splat(AA),
    bb = f32x4.splat(BB),
    sum = f32x4.splat(SUM),
    product = f32x4.splat(PRODUCT);
  const a = f32x4.splat(A),
    b = f32x4.splat(B);
  for (let i: usize = 0; i < 6; i++) {
    const p = pixels + (i << alignof<usize>());
    const d0 = v128.load(load<usize>(p) + offset);
    const d1 = v128.load(load<usize>(p, 6 * sizeof<usize>()) + offset);
    const d2 = v128.load(load<usize>(p, 12 * sizeof<usize>()) + offset);
    const d3 = v128.load(load<usize>(p, 18 * sizeof<usize>()) + offset);
    const d4 = v128.load(load<usize>(p, 24 * sizeof<usize>()) + offset);
    const d5 = v128.load(load<usize>(p, 30 * sizeof<usize>()) + offset);
    const to = BETWEEN + (i << 4);
    const e1 = nmadd(bb, d2, d4),
      o1 = nmadd(bb, d1, d3),
      e2 = nmadd(aa, d2, d4),
      o2 = nmadd(aa, d1, d3);
    v128.store(to, madd(product, d0, nmadd(sum, d2, d4)));
    v128.store(to, madd(a, o1, e1), 96);
    v128.store(to, nmadd(a, o1, e1), 192);
    v128.store(to, madd(b, o2, e2), 288);
    v128.store(to, nmadd(b, o2, e2), 384);
    v128.store(to, madd(product, d1, nmadd(sum, d3, d5)), 480);
  }
  for (let i: usize = 0; i < 6; i++) {
    const p = BETWEEN + i * 96;
    const d0 = v128.load(p),
      d1 = v128.load(p, 16),
      d2 = v128.load(p, 32),
      d3 = v128.load(p, 48),
      d4 = v128.load(p, 64),
      d5 = v128.load(p, 80);
    const e1 = nmadd(bb, d2, d4),
      o1 = nmadd(bb, d1, d3),
      e2 = nmadd(aa, d2, d4),
      o2 = nmadd(aa, d1, d3);
    v128.store(y, madd(product, d0, nmadd(sum, d2, d4)));
    y += step;
    v128.store(y, madd(a, o1, e1));
    y += step;
    v128.store(y, nmadd(a, o1, e1));
    y += step;
    v128.store(y, madd(b, o2, e2));
    y += step;
    v128.store(y, nmadd(b, o2, e2));
    y += step;
    v128.store(y, madd(product, d1, nmadd(sum, d3, d5)));
    y += step;
  }
}

/** Transforms 36 vectors `step` bytes apart to the 16 pixels of a tile, on top of `bias` if it is not 0, at `y`: [4][4] vectors. */
export function from_frequencies(x: usize, step: usize, bias: usize, y: usize): void {
  const aa = f32x4.splat(AA),
    bb = f32x4.splat(BB);
  const a = f32x4.splat(A),
    b = f32x4.splat(B),
    aaa = f32x4.splat(A * AA),
    bbb = f32x4.splat(B * BB);
  const row = step * 6;
  for (let i: usize = 0; i < 6; i++) {
    let p = x + i * step;
    const m0 = v128.load(p);
    p += row;
    const m1 = v128.load(p);
    p += row;
    const m2 = v128.load(p);
    p += row;
    const m3 = v128.load(p);
    p += row;
    const m4 = v128.load(p);
    const m5 = v128.load(p + row);
    const to = BETWEEN + (i << 4);
    const s1 = f32x4.add(m1, m2),
      t1 = f32x4.sub(m1, m2),
      s2 = f32x4.add(m3, m4),
      t2 = f32x4.sub(m3, m4);
    v128.store(to, f32x4.add(f32x4.add(m0, s1), s2));
    v128.store(to, madd(b, t2, f32x4.mul(a, t1)), 96);
    v128.store(to, madd(bb, s2, f32x4.mul(aa, s1)), 192);
    v128.store(to, madd(bbb, t2, madd(aaa, t1, m5)), 288);
  }
  const above = load_or_zero(bias);
  for (let i: usize = 0; i < 4; i++) {
    const p = BETWEEN + i * 96;
    const m0 = v128.load(p),
      m1 = v128.load(p, 16),
      m2 = v128.load(p, 32),
      m3 = v128.load(p, 48),
      m4 = v128.load(p, 64),
      m5 = v128.load(p, 80);
    const to = y + (i << 6);
    const s1 = f32x4.add(m1, m2),
      t1 = f32x4.sub(m1, m2),
      s2 = f32x4.add(m3, m4),
      t2 = f32x4.sub(m3, m4);
    v128.store(to, f32x4.add(f32x4.add(m0, above), f32x4.add(s1, s2)));
    v128.store(to, madd(b, t2, madd(a, t1, above)), 16);
    v128.store(to, madd(bb, s2, madd(aa, s1, above)), 32);
    v128.store(to, madd(bbb, t2, madd(aaa, t1, f32x4.add(m5, above))), 48);
  }
}

/** Transforms the weights [n, c, 3, 3] to [36][ceil(n / 8)][c][8], in double precision. */
export function f32_winograd_pack(n: i32, c: i32, w: usize, y: usize): void {
  const panels = (n + 7) >> 3;
  const step = (<usize>panels * c) << 5;
  for (let j = 0; j < panels << 3; j++) {
    for (let i = 0; i < c; i++) {
      const to = y + ((((<usize>(j >> 3) * c + i) << 3) + (j & 7)) << 2);
      if (j < n) kernel_to_frequencies(w + <usize>(j * c + i) * 36, to, step);
      else for (let f: usize = 0; f < 36; f++) store<f32>(to + f * step, 0);
    }
  }
}

function kernel_to_frequencies(w: usize, y: usize, step: usize): void {
  for (let f = 0; f < 6; f++) {
    const g0 = value(f, w, 12),
      g1 = value(f, w + 4, 12),
      g2 = value(f, w + 8, 12);
    for (let l = 0; l < 6; l++) {
      store<f32>(y, <f32>at_point(l, g0, g1, g2));
      y += step;
    }
  }
}

/** The polynomial of three weights `stride` bytes apart at point `f`. */
// @ts-ignore: decorator
@inline
function value(f: i32, w: usize, stride: usize): f64 {
  return at_point(f, load<f32>(w), load<f32>(w + stride), load<f32>(w + stride * 2));
}

/** `g0 + g1 p + g2 p²` at point `f`, over the product of its distances from the others. */
function at_point(f: i32, g0: f64, g1: f64, g2: f64): f64 {
  if (f == 0) return g0 * (1 / <f64>PRODUCT);
  if (f == 5) return g2;
  const p: f64 = f < 3 ? A : B;
  const even = g0 + g2 * p * p;
  const odd = g1 * p;
  const sum = (f & 1) != 0 ? even + odd : even - odd;
  return sum * (f < 3 ? 1 / <f64>(2 * AA * (AA - BB)) : 1 / <f64>(2 * BB * (BB - AA)));
}
