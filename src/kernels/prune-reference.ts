// The pruning kernels in plain TypeScript: the oracle of their tests, and nothing that is shipped. Floats that are passed on are bits.

const MAGNITUDE = 0x7fffffff;

export function f32_key_counts(
  n: number,
  x: Uint32Array,
  prefix: number,
  prefix_shift: number,
  shift: number,
  bits: number,
  counts: Uint32Array,
): void {
  for (let i = 0; i < n; i++) {
    const key = x[i]! & MAGNITUDE;
    if (key >> prefix_shift === prefix) counts[(key >> shift) & ((1 << bits) - 1)]! += 1;
  }
}

export function f32_count_below(n: number, x: Uint32Array, key: number): number {
  return x.subarray(0, n).filter((v) => (v & MAGNITUDE) < key).length;
}

export function f32_count_nonzero(n: number, x: Float32Array): number {
  return x.subarray(0, n).filter((v) => v !== 0).length;
}

export function f32_mask_by(n: number, s: Uint32Array, x: Uint32Array, y: Uint32Array, key: number, ties: number): number {
  for (let i = 0; i < n; i++) {
    const own = s[i]! & MAGNITUDE;
    const tied = own === key && ties > 0;
    if (tied) ties--;
    y[i] = own < key || tied ? 0 : x[i]!;
  }
  return ties;
}

export function f32_mask(n: number, x: Uint32Array, y: Uint32Array, key: number, ties: number): number {
  return f32_mask_by(n, x, x, y, key, ties);
}

/** https://arxiv.org/abs/2306.11695, section 3 */
export function f32_scores_wanda(
  outer: number,
  channels: number,
  inner: number,
  x: Float32Array,
  norms: Float32Array,
  y: Float32Array,
): void {
  for (let i = 0; i < outer * channels * inner; i++) y[i] = Math.abs(x[i]!) * norms[Math.floor(i / inner) % channels]!;
}

/** Of each group, by keys from large to small; sorting is stable. */
export function f32_nm(
  outer: number,
  groups: number,
  m: number,
  keep: number,
  inner: number,
  s: Uint32Array,
  x: Uint32Array,
  y: Uint32Array,
): void {
  for (let g = 0; g < outer * groups; g++) {
    for (let i = 0; i < inner; i++) {
      const group = Array.from({ length: m }, (_, p) => (g * m + p) * inner + i);
      const sorted = group.toSorted((a, b) => (s[b]! & MAGNITUDE) - (s[a]! & MAGNITUDE));
      for (const [rank, at] of sorted.entries()) y[at] = rank < keep ? x[at]! : 0;
    }
  }
}

/** Adds a term of each value to its channel. */
function channels(term: (v: number) => number) {
  return (outer: number, channels: number, inner: number, x: Float32Array, acc: Float64Array): void => {
    for (let i = 0; i < outer * channels * inner; i++) acc[Math.floor(i / inner) % channels]! += term(x[i]!);
  };
}

export const f32_l1_channels = channels(Math.abs);
export const f32_l2_channels = channels((v) => v * v);

/** The number of the block and the place of each element of a weight. */
function* elements(n: number, k: number, inner: number, n_stride: number, k_stride: number): Iterable<[block: number, at: number]> {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) {
      for (let t = 0; t < inner; t++) yield [((i >> 3) * Math.ceil(k / 4) + (j >> 2)) * inner + t, i * n_stride + j * k_stride + t];
    }
  }
}

export function f32_block_l2(
  n: number,
  k: number,
  inner: number,
  n_stride: number,
  k_stride: number,
  x: Float32Array,
  y: Float32Array,
): void {
  y.fill(0);
  for (const [block, at] of elements(n, k, inner, n_stride, k_stride)) y[block]! += x[at]! * x[at]!;
}

export function f32_block_mask(
  n: number,
  k: number,
  inner: number,
  n_stride: number,
  k_stride: number,
  x: Uint32Array,
  y: Uint32Array,
  keep: Uint8Array,
): void {
  for (const [block, at] of elements(n, k, inner, n_stride, k_stride)) y[at] = keep[block] === 0 ? 0 : x[at]!;
}

export function compact(
  n: number,
  _size: number,
  x: Uint8Array | Uint16Array | Uint32Array,
  mask_values: Float32Array,
  y: Uint8Array | Uint16Array | Uint32Array,
  bits: Uint8Array,
): number {
  bits.fill(0);
  let count = 0;
  for (let i = 0; i < n; i++) {
    // Written over unless it stays.
    y[count] = x[i]!;
    if (mask_values[i] === 0) continue;
    bits[i >> 3]! |= 1 << (i & 7);
    count++;
  }
  return count;
}
