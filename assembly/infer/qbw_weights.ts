// Weights of int4 or int8 that have a scale and a zero point for each block of k. A panel of eight columns is words[k][2][4], one a column, each of
// the eight int4 or four int8 of as many k, unsigned, the first lowest; k is rounded up to 8. Then come f32[blocks][8] of scales, and as many
// zero points.

/** Bytes of the words of a panel. */
// @ts-ignore: decorator
@inline
export function word_bytes(bits: i32, k: i32): usize {
  return <usize>((k + 7) & ~7) * <usize>bits;
}

/** Bytes of a panel. */
// @ts-ignore: decorator
@inline
export function panel_bytes(bits: i32, k: i32, blocks: i32): usize {
  return word_bytes(bits, k) + ((<usize>blocks) << 6);
}

/** Packs weights of `bits` bits; see src/kernels/infer/integer.ts. */
export function qbw_pack(
  bits: i32,
  n: i32,
  k: i32,
  block: i32,
  w: usize,
  n_stride: i32,
  k_stride: i32,
  w_signed: i32,
  scale: usize,
  zero: usize,
  all_zero: f32,
  scale_n: i32,
  scale_b: i32,
  p: usize,
): void {
  const blocks = (k + block - 1) / block;
  const panel = panel_bytes(bits, k, blocks);
  const words = word_bytes(bits, k);
  const flip = w_signed ? 1 << (bits - 1) : 0;
  memory.fill(p, 0, panel * <usize>((n + 7) >> 3));
  for (let j = 0; j < n; j++) {
    const q = p + panel * <usize>(j >> 3) + ((<usize>(j & 7)) << 2);
    if (bits == 4) column4(k, w, j * n_stride, k_stride, flip, q);
    else column8(k, w + <usize>(j * n_stride), k_stride, flip, q);
    for (let b = 0; b < blocks; b++) {
      const at = (<usize>(j * scale_n + b * scale_b)) << 2;
      const to = q + words + ((<usize>b) << 5);
      store<f32>(to, load<f32>(scale + at));
      store<f32>(to + ((<usize>blocks) << 5), (zero ? load<f32>(zero + at) : all_zero) + <f32>flip);
    }
  }
}

function column4(k: i32, w: usize, first: i32, step: i32, flip: i32, q: usize): void {
  for (let i = 0; i < k; i++) {
    const v = (((<i32>load<u8>(w + <usize>(first >> 1))) >> ((first & 1) << 2)) & 15) ^ flip;
    const to = q + ((<usize>(i >> 3)) << 5);
    store<u32>(to, load<u32>(to) | ((<u32>v) << ((i & 7) << 2)));
    first += step;
  }
}

function column8(k: i32, w: usize, step: i32, flip: i32, q: usize): void {
  for (let i = 0; i < k; i++) {
    store<u8>(q + ((<usize>(i >> 2)) << 5) + <usize>(i & 3), <u8>((<i32>load<u8>(w)) ^ flip));
    w += <usize>step;
  }
}
