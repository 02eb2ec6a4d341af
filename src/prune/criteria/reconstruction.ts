import type { Kernels } from "../../kernels/kernels.ts";
import { factorize, solve } from "../recover/cholesky.ts";
import type { Sums } from "../recover/sums.ts";
import type { Tap } from "../recover/taps.ts";

/** What each channel that a layer reads is worth to it. */
export type LayerWorth = (kernels: Kernels, tap: Tap, sums: Sums, weight: Float32Array) => Float64Array;

/** A criterion that looks at what layers read. */
export interface SampledCriterion {
  worth: LayerWorth;
  /** Whether what it says of one layer compares with what it says of another. */
  isShare: boolean;
}

/**
 * How much of a layer's output is lost with a channel when all others make up for it as well as they can, as a share of the output: the error of Optimal
 * Brain Surgeon, for all weights of a channel at once (https://proceedings.neurips.cc/paper/1992/hash/303ed4c69846ab36c2904d3ba8573050-Abstract.html).
 */
export const reconstruction: LayerWorth = (kernels, tap, sums, weight) => {
  const { arena, memory } = kernels;
  const { n } = sums;
  const taps = tap.kernel;
  const losses = new Float64Array((tap.k / taps) * tap.groups);
  for (const group of sums.groups.keys()) {
    const mark = arena.mark();
    const [a, work, inverse] = [1, 1, 1].map(() => arena.alloc(n * n * 8)) as [number, number, number];
    const trace = sums.system(group, n, new Float64Array(memory.buffer, a, n * n));
    if (trace > 0 && factorize(kernels, n, a)) {
      const unit = new Float64Array(memory.buffer, inverse, n * n).fill(0);
      for (let i = 0; i < n; i++) unit[i * n + i] = 1;
      solve(kernels, n, a, n, inverse, work);
      const energy = Math.max(sums.groups[group]?.energy ?? 0, Number.MIN_VALUE);
      for (let c = 0; c < tap.k / taps; c++) {
        const block = inverted(unit, n, c * taps, taps);
        if (block) losses[group * (tap.k / taps) + c] = squares(tap, weight, group, c * taps, taps, block) / energy;
      }
    }
    arena.reset(mark);
  }
  return losses;
};

/** What a channel gives to a layer's output when nothing makes up for it, weight by weight: |w| · ‖x‖ (https://arxiv.org/abs/2306.11695). */
export const wanda: LayerWorth = (_kernels, tap, sums, weight) => {
  const taps = tap.kernel;
  const channels = tap.k / taps;
  const worth = new Float64Array(channels * tap.groups);
  for (const [group, { gram }] of sums.groups.entries()) {
    for (let row = 0; row < tap.k; row++) {
      const norm = Math.sqrt(gram[row * sums.n + row] as number);
      let sum = 0;
      for (let column = 0; column < tap.m; column++) sum += Math.abs(weight[tap.place(group, column, row)] as number);
      const c = group * channels + Math.floor(row / taps);
      worth[c] = (worth[c] as number) + sum * norm;
    }
  }
  return worth;
};

/** The inverse of a block on the diagonal of a matrix, [size, size]; undefined where it has none. */
function inverted(matrix: Float64Array, n: number, from: number, size: number): Float64Array | undefined {
  const work = Float64Array.from(
    { length: size * size },
    (_, i) => matrix[(from + Math.floor(i / size)) * n + from + (i % size)] as number,
  );
  const result = Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  for (let p = 0; p < size; p++) {
    const pivot = work[p * size + p] as number;
    if (!(pivot > 0)) return undefined; // positive definite, but for rounding
    for (let j = 0; j < size; j++) {
      work[p * size + j] = (work[p * size + j] as number) / pivot;
      result[p * size + j] = (result[p * size + j] as number) / pivot;
    }
    for (let i = 0; i < size; i++) {
      const factor = work[i * size + p] as number;
      if (i === p || factor === 0) continue;
      for (let j = 0; j < size; j++) {
        work[i * size + j] = (work[i * size + j] as number) - factor * (work[p * size + j] as number);
        result[i * size + j] = (result[i * size + j] as number) - factor * (result[p * size + j] as number);
      }
    }
  }
  return result;
}

/** Σ over columns of w · block · wᵀ, w being the weights of some rows. */
function squares(tap: Tap, weight: Float32Array, group: number, from: number, size: number, block: Float64Array): number {
  let total = 0;
  const w = new Float64Array(size);
  for (let column = 0; column < tap.m; column++) {
    for (let i = 0; i < size; i++) w[i] = weight[tap.place(group, column, from + i)] as number;
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) total += (w[i] as number) * (block[i * size + j] as number) * (w[j] as number);
  }
  return total;
}
