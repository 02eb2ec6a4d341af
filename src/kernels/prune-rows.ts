// The rows of the pruning kernels.
import { bench, bits, bytes, CHANNELS, COUNTS, EDGE, each, product, scales, vector, weights, words } from "./fills.ts";
import type { CompressKernels } from "./kernels.ts";
import * as reference from "./prune-reference.ts";
import { type Arg, input, output, type Row } from "./row.ts";

/** The key of one of the values, the one below or above it, or the least or greatest there is. */
function anyKey(x: Float32Array, next: () => number): number {
  const key = (bits(x)[Math.floor(next() * x.length)] ?? 0) & 0x7fffffff;
  return [key, key, Math.max(key - 1, 0), Math.min(key + 1, 0x7fffffff), 0, 0x7fffffff][Math.floor(next() * 6)]!;
}
const anyTies = (n: number, next: () => number): number => [0, 1, 3, 4, n, Math.floor(next() * n)][Math.floor(next() * 6)]!;

/** The digit that a pass counts, and where the prefix that it is told begins. */
const DIGITS: readonly [prefix_shift: number, shift: number, bits: number][] = [
  [31, 20, 11],
  [20, 10, 10],
  [10, 0, 10],
  [31, 28, 3],
  [28, 24, 4],
  [24, 22, 2],
  [2, 0, 2],
];

/** [outer, groups, m, keep, inner] */
const GROUPS: readonly [outer: number, groups: number, m: number, keep: number, inner: number][] = [
  ...[0, 1, 3, 4, 5, 8, 17].flatMap((groups): [number, number, number, number, number][] => [
    [1, groups, 4, 2, 1],
    [2, groups, 8, 4, 1],
    [1, groups, 5, 1, 1],
    [2, groups, 4, 2, 5],
  ]),
  ...[0, 2, 3, 4, 7, 8, 9].flatMap((inner): [number, number, number, number, number][] => [
    [1, 2, 4, 2, inner],
    [1, 2, 8, 4, inner],
  ]),
  [1, 9, 32, 16, 1],
  [1, 70, 8, 4, 1],
  [2, 70, 4, 3, 1],
  [1, 9, 8, 3, 13],
  [1, 2, 8, 4, 70],
  [2, 1, 4, 1, 70],
  [1, 3, 32, 31, 6],
  [3, 20, 1, 1, 1],
  [1, 20, 2, 0, 1],
  [2, 21, 4, 1, 1],
  [0, 3, 4, 2, 4],
];

/** [n, k, inner, n_stride, k_stride]: rows of [n, k, inner], of [k, n, inner], and with gaps. */
const BLOCKS: readonly [n: number, k: number, inner: number, n_stride: number, k_stride: number][] = [
  [0, 4, 1, 4, 1],
  [8, 0, 1, 1, 1],
  ...[1, 3, 4, 5, 7, 8, 9, 17].flatMap((n) =>
    [1, 2, 3, 4, 5, 9].flatMap((k): [number, number, number, number, number][] => [
      [n, k, 1, k, 1],
      [n, k, 1, 1, n],
    ]),
  ),
  ...[0, 2, 3, 4, 5, 9].flatMap((inner): [number, number, number, number, number][] => [
    [9, 5, inner, 5 * inner, inner],
    [10, 7, inner, inner, 10 * inner],
    [8, 4, inner, 4 * (inner + 1), inner + 1],
  ]),
  [9, 6, 1, 8, 1],
  [9, 6, 1, 1, 11],
];
const extent = ([n, k, inner, n_stride, k_stride]: (typeof BLOCKS)[number]): number =>
  n * k * inner === 0 ? 0 : (n - 1) * n_stride + (k - 1) * k_stride + inner;
const blocks = ([n, k, inner]: readonly number[]): number => Math.ceil(n! / 8) * Math.ceil(k! / 4) * inner!;

const doubles = (n: number, next: () => number): Arg => output(Float64Array.from({ length: n }, next));
const anyKept = (n: number, next: () => number): Arg => input(Uint8Array.from({ length: n }, () => [0, 1, 128][Math.floor(next() * 3)]!));

/** Floats and where they go: elsewhere or in place. */
function fromTo(x: Float32Array, next: () => number): [Arg, Arg] {
  const inPlace = output(bits(x));
  return next() < 0.5 ? [inPlace, inPlace] : [input(bits(x)), words(x.length)];
}

/** Every other value, about, is a zero of either sign. */
const sparse = (x: Float32Array, next: () => number): Float32Array => x.map((v) => [v, v, 0, -0][Math.floor(next() * 4)]!);

/** A byte, a half or a word of each float. */
function elements(x: Float32Array, size: number): Uint8Array | Uint16Array | Uint32Array {
  if (size === 4) return bits(x);
  return size === 2 ? Uint16Array.from(bits(x), (v) => v >>> 16) : Uint8Array.from(bits(x), (v) => v >>> 20);
}

/** The key that half of a benchmark's weights are below, about. */
export const MIDDLE = 0x3d0b0000;

export const pruneRows: readonly Row<keyof CompressKernels>[] = [
  {
    name: "f32_key_counts",
    doc: "how often each digit of a key comes, of all keys",
    reference: reference.f32_key_counts,
    cases: () =>
      each(
        [...COUNTS.flatMap((n) => DIGITS.map((d) => [n, ...d] as const)), ...DIGITS.map((d) => [5000, ...d] as const)],
        ([n]) => n,
        ([n, prefix_shift, shift, digit], x, next) => [
          n,
          input(bits(x)),
          prefix_shift === 31 ? 0 : anyKey(x, next) >> prefix_shift,
          prefix_shift,
          shift,
          digit,
          words(1 << digit),
        ],
      ),
    bench: bench((n) => [n, input(weights(n)), 0, 31, 20, 11, words(2048)]),
  },
  {
    name: "f32_count_below",
    doc: "how many keys are below one",
    reference: reference.f32_count_below,
    cases: vector((n, x, next) => [n, input(bits(x)), anyKey(x, next)]),
    bench: bench((n) => [n, input(weights(n)), MIDDLE]),
  },
  {
    name: "f32_count_nonzero",
    doc: "how many are not zero",
    reference: reference.f32_count_nonzero,
    cases: vector((n, x, next) => [n, input(sparse(x, next))]),
    bench: bench((n) => [n, input(weights(n))]),
  },
  {
    name: "f32_mask",
    doc: "zeros where a key is below one",
    reference: reference.f32_mask,
    cases: vector((n, x, next) => [n, ...fromTo(x, next), anyKey(x, next), anyTies(n, next)]),
    bench: bench((n) => [n, input(weights(n)), scales(n), MIDDLE, 0]),
  },
  {
    name: "f32_mask_by",
    doc: "zeros where a score is below a key",
    reference: reference.f32_mask_by,
    cases: vector((n, x, next) => [n, input(bits(x)), ...fromTo(Float32Array.from(x, next), next), anyKey(x, next), anyTies(n, next)]),
    bench: bench((n) => [n, input(weights(n)), input(weights(n)), scales(n), MIDDLE, 0]),
  },
  {
    name: "f32_scores_wanda",
    doc: "magnitude times the norm of each channel of [outer, c, inner]",
    reference: reference.f32_scores_wanda,
    cases: () =>
      each(CHANNELS, product, (s, x, next) => [
        ...s,
        input(x),
        input(Float32Array.from({ length: s[1] }, () => (next() < 0.1 ? 0 : 10 ** (next() * 40 - 20)))),
        scales(product(s)),
      ]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), input(new Float32Array(EDGE).fill(3)), scales(n)]),
  },
  {
    name: "f32_nm",
    doc: "N:M sparsity, measured as 2:4 of neighbours",
    reference: reference.f32_nm,
    cases: () =>
      each(
        GROUPS,
        ([outer, groups, m, , inner]) => outer * groups * m * inner,
        (s, x, next) => {
          const values = input(bits(x));
          return [...s, next() < 0.5 ? values : input(bits(sparse(x, next))), values, words(x.length)];
        },
      ),
    bench: bench((n) => {
      const x = input(weights(n));
      return [1, n / 4, 4, 2, 1, x, x, scales(n)];
    }),
  },
  {
    name: "f32_l1_channels",
    doc: "sum of magnitudes of each channel of [outer, c, inner]",
    tolerance: 1e-12,
    reference: reference.f32_l1_channels,
    cases: () => each(CHANNELS, product, (s, x, next) => [...s, input(x), doubles(s[1], next)]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), output(new Float64Array(EDGE))]),
  },
  {
    name: "f32_l2_channels",
    doc: "sum of squares of each channel of [outer, c, inner]",
    tolerance: 1e-12,
    reference: reference.f32_l2_channels,
    cases: () => each(CHANNELS, product, (s, x, next) => [...s, input(x), doubles(s[1], next)]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), output(new Float64Array(EDGE))]),
  },
  {
    name: "f32_block_l2",
    doc: "sum of squares of each block of 8 × 4",
    tolerance: 1e-5,
    // Squares below the least normal float are rounded to its steps.
    absolute: 2 ** -140,
    reference: reference.f32_block_l2,
    cases: () => each(BLOCKS, extent, (s, x) => [...s, input(x), scales(blocks(s))]),
    bench: bench((n) => [n / EDGE, EDGE, 1, EDGE, 1, input(weights(n)), scales(n / 32)]),
  },
  {
    name: "f32_block_mask",
    doc: "zeros in blocks of 8 × 4",
    reference: reference.f32_block_mask,
    cases: () => each(BLOCKS, extent, (s, x, next) => [...s, ...fromTo(x, next), anyKept(blocks(s), next)]),
    bench: bench((n) => [
      n / EDGE,
      EDGE,
      1,
      EDGE,
      1,
      input(weights(n)),
      scales(n),
      input(Uint8Array.from({ length: n / 32 }, (_, i) => i & 1)),
    ]),
  },
  {
    name: "compact",
    doc: "values that are not zero, and a bit for each, measured with half of them zero",
    reference: reference.compact,
    cases: () =>
      each(
        COUNTS.flatMap((n) => [1, 2, 4].map((size) => [n, size] as const)),
        ([n]) => n,
        ([n, size], x, next) => {
          const data = elements(x, size);
          return [n, size, input(data), input(sparse(x, next)), output(data.slice().fill(85)), bytes(Math.ceil(n / 8))];
        },
      ),
    bench: bench((n) => [n, 4, input(weights(n)), input(weights(n).map((v) => (Math.abs(v) < 0.034 ? 0 : v))), scales(n), bytes(n / 8)]),
  },
];
