import { activate } from "./activation";
import { multiply } from "./gemm";
import { copy } from "./q8_window";
import { prepare, row4, row8 } from "./qbw_row";
import { panel_bytes, word_bytes } from "./qbw_weights";

// float32 times block-wise weights. A few rows are multiplied with the weights as they lie. More meet panels that become floats once for all.

/** Rows that are multiplied one by one: making floats of weights costs as much as two rows. */
const FEW: i32 = 4;
/** Most of k that is multiplied at once. */
const SLICE: i32 = 32768;
/** The longest columns that become floats. */
const MAX_DEPTH: i32 = 8184;
// The work area: that of the float product; then panels of floats, or a scaled row of a, and sums of its chunks.
const FLOATS: usize = 1 << 18;
const CHUNKS: usize = FLOATS + ((<usize>SLICE) << 2);
const OWN: usize = CHUNKS + ((<usize>(SLICE / 8)) << 2);

/** y[m, n] = act(a[m, k] * weights + bias); see src/kernels/infer/integer.ts. */
export function f32_qbw_gemm(
  bits: i32,
  m: i32,
  n: i32,
  k: i32,
  block: i32,
  a: usize,
  lda: i32,
  b: usize,
  y: usize,
  ldy: i32,
  bias: usize,
  kind: i32,
  alpha: f32,
  beta: f32,
  work: usize,
): void {
  if (m > FEW && k <= MAX_DEPTH) return many(bits, m, n, k, block, a, lda, b, y, ldy, bias, kind, alpha, beta, work);
  for (; m > 0; m--) {
    if (finite(k, a)) one(bits, n, k, block, a, b, y, bias, work);
    else exactly(bits, n, k, block, a, b, y, bias);
    if (kind) activate(n, y, y, kind, alpha, beta);
    a += (<usize>lda) << 2;
    y += (<usize>ldy) << 2;
  }
}

/** Columns become floats, a few panels at a time. */
function many(
  bits: i32,
  m: i32,
  n: i32,
  k: i32,
  block: i32,
  a: usize,
  lda: i32,
  b: usize,
  y: usize,
  ldy: i32,
  bias: usize,
  kind: i32,
  alpha: f32,
  beta: f32,
  work: usize,
): void {
  const panel = panel_bytes(bits, k, (k + block - 1) / block);
  const columns = min(MAX_DEPTH / max(k, 1), 32) << 3;
  for (let j = 0; j < n; j += columns) {
    const count = min(columns, n - j);
    let to = work + FLOATS;
    for (let i = 0; i < count; i += 8) {
      dequantize(bits, k, block, b, to);
      b += panel;
      to += (<usize>k) << 5;
    }
    const at = (<usize>j) << 2;
    multiply(m, count, k, a, lda, work + FLOATS, 0, y + at, ldy, bias ? bias + at : 0, 0, 0, 0, kind, alpha, beta, work);
  }
}

/** The weights of a panel as f32[k][8], and up to seven rows more. */
function dequantize(bits: i32, k: i32, block: i32, b: usize, y: usize): void {
  const blocks = (k + block - 1) / block;
  let scale = b + word_bytes(bits, k);
  const zeros = (<usize>blocks) << 5;
  const mask = i32x4.splat((1 << bits) - 1);
  for (let i = 0; i < k; i += block) {
    const s = v128.load(scale),
      t = v128.load(scale, 16);
    const z = v128.load(scale + zeros),
      u = v128.load(scale + zeros, 16);
    for (let at = i; at < min(k, i + block);) {
      let l = v128.load(b),
        r = v128.load(b, 16);
      for (let shift = 0; shift < 32; shift += bits) {
        v128.store(y, f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(v128.and(l, mask)), z), s));
        v128.store(y, f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(v128.and(r, mask)), u), t), 16);
        l = i32x4.shr_u(l, bits);
        r = i32x4.shr_u(r, bits);
        y += 32;
        at++;
      }
      b += 32;
    }
    scale += 32;
  }
}

/** One row, slice by slice of k. */
function one(bits: i32, n: i32, k: i32, block: i32, a: usize, b: usize, y: usize, bias: usize, work: usize): void {
  const blocks = (k + block - 1) / block;
  const panel = panel_bytes(bits, k, blocks);
  const words = word_bytes(bits, k);
  const slice = block >= SLICE ? SLICE : SLICE - (SLICE % block);
  const own = work + OWN;
  if (bias) memory.copy(y, bias, n << 2);
  else memory.fill(y, 0, n << 2);
  for (let at = 0; at < k; at += slice) {
    const length = min(slice, k - at);
    prepare(bits, length, block, a + ((<usize>at) << 2), work + FLOATS, work + CHUNKS);
    let q = b + <usize>at * bits;
    let scale = b + words + ((<usize>(at / block)) << 5);
    for (let j = 0; j < n; j += 8) {
      const left = min(8, n - j) << 2;
      const to = y + ((<usize>j) << 2);
      const c = left == 32 ? to : own;
      if (c == own) copy(left, to, own);
      if (bits == 4) row4(length, block, work + FLOATS, work + CHUNKS, q, scale, (<usize>blocks) << 5, c);
      else row8(length, block, work + FLOATS, work + CHUNKS, q, scale, (<usize>blocks) << 5, c);
      if (c == own) copy(left, own, to);
      q += panel;
      scale += panel;
    }
  }
}

/** Whether all of f32[k] are finite. */
function finite(k: i32, a: usize): bool {
  let sum = f32x4.splat(0);
  const zero = sum;
  let rest: f32 = 0;
  for (; k >= 4; k -= 4) {
    // A finite value times zero is zero, any other NaN.
    sum = f32x4.add(sum, f32x4.mul(v128.load(a), zero));
    a += 16;
  }
  for (; k > 0; k--) {
    rest += load<f32>(a) * 0;
    a += 4;
  }
  return rest == 0 && !v128.any_true(f32x4.ne(sum, zero));
}

/** One row with values that are not finite: they must not meet the zero points by themselves. */
function exactly(bits: i32, n: i32, k: i32, block: i32, a: usize, b: usize, y: usize, bias: usize): void {
  const blocks = (k + block - 1) / block;
  const panel = panel_bytes(bits, k, blocks);
  const words = word_bytes(bits, k);
  const each = bits == 4 ? 3 : 2;
  for (let j = 0; j < n; j++) {
    const q = b + panel * <usize>(j >> 3) + ((<usize>(j & 7)) << 2);
    let sum: f32 = bias ? load<f32>(bias + ((<usize>j) << 2)) : 0;
    for (let i = 0; i < k; i++) {
      const word = load<u32>(q + ((<usize>(i >> each)) << 5));
      const v = (word >> ((i & ((1 << each) - 1)) * bits)) & ((1 << bits) - 1);
      const scale = q + words + ((<usize>(i / block)) << 5);
      sum += load<f32>(a + ((<usize>i) << 2)) * ((<f32>v - load<f32>(scale + ((<usize>blocks) << 5))) * load<f32>(scale));
    }
    store<f32>(y + ((<usize>j) << 2), sum);
  }
}
