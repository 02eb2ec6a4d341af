import type { Kernels } from "../../kernels/kernels.ts";
import { factorize, solve } from "../recover/cholesky.ts";
import type { Sums } from "../recover/sums.ts";
import type { Tap } from "../recover/taps.ts";

/** How many weights of a layer go: a share of all, or all but `keep` of every `of` along what it reads. */
export type Amount = { share: number } | { keep: number; of: number };

/** Sets weights of a layer to zero, and changes others where that helps. Says how many elements it set; undefined where the samples do not tell. */
export type Sparsify = (kernels: Kernels, tap: Tap, sums: Sums, weight: Float32Array, amount: Amount) => number | undefined;

/** Columns that are decided about together, about. */
const BLOCK = 128;

/** A layer's group as rows of weights that are worked on: [m, k]. */
interface Rows {
  w: Float64Array;
  m: number;
  k: number;
  /** Rows of one channel. */
  kernel: number;
}

/** Counts how many of so many elements go, so that in the end the share is exact. */
class Quota {
  readonly #share: number;
  #seen = 0;
  #gone = 0;

  constructor(share: number) {
    this.#share = share;
  }

  of(count: number): number {
    this.#seen += count;
    const gone = Math.round(this.#seen * this.#share) - this.#gone;
    this.#gone += gone;
    return gone;
  }
}

/**
 * Sets those weights to zero that the others make up for best, column after column, and lets them make up for it (https://arxiv.org/abs/2301.00774,
 * algorithm 1). Of every 128 columns the same share goes.
 */
export const sparsegpt: Sparsify = (kernels, tap, sums, weight, amount) =>
  everyGroup(tap, sums, weight, amount, (rows, group, quota) => {
    const factor = inverseFactor(kernels, tap, sums, group);
    return factor && update(rows, factor, amount, quota);
  });

/** Sets the weights to zero that give least to the output, |w| · ‖x‖, of each output alone (https://arxiv.org/abs/2306.11695). */
export const wandaMask: Sparsify = (_kernels, tap, sums, weight, amount) =>
  everyGroup(tap, sums, weight, amount, (rows, group, quota) => {
    const gram = sums.groups[group]?.gram ?? new Float64Array(0);
    const norms = Float64Array.from({ length: tap.k }, (_, row) => Math.sqrt(gram[row * sums.n + row] as number));
    const { w, m, k } = rows;
    const gone = new Uint8Array(m * k);
    const score = (at: number): number => Math.abs(w[at] as number) * (norms[at % k] as number);
    if ("share" in amount) for (let row = 0; row < m; row++) dropLeast(range(row * k, k), quota.of(k), score, gone);
    else
      for (let first = 0; first < k; first += 1)
        if (isFirst(first, rows, amount)) for (let row = 0; row < m; row++) dropOf(rows, row, first, amount, score, gone);
    return zero(w, gone);
  });

/** Works on the groups of a layer, one after the other. */
function everyGroup(
  tap: Tap,
  sums: Sums,
  weight: Float32Array,
  amount: Amount,
  work: (rows: Rows, group: number, quota: Quota) => number | undefined,
): number | undefined {
  const { k, m, kernel } = tap;
  if (sums.places === 0 || ("of" in amount && (k / kernel) % amount.of !== 0)) return undefined;
  const quota = new Quota("share" in amount ? amount.share : 0);
  let dropped = 0;
  for (let group = 0; group < tap.groups; group++) {
    const w = Float64Array.from({ length: m * k }, (_, i) => weight[tap.place(group, Math.floor(i / k), i % k)] as number);
    const gone = work({ w, m, k, kernel }, group, quota);
    if (gone === undefined) return undefined;
    dropped += gone;
    w.forEach((value, i) => {
      weight[tap.place(group, Math.floor(i / k), i % k)] = value;
    });
  }
  return dropped;
}

/** U, f64[k, k], where the inverse of a group's sums is Uᵀ · U and U is upper triangular; undefined where it has none. */
function inverseFactor(kernels: Kernels, tap: Tap, sums: Sums, group: number): Float64Array | undefined {
  const { arena, memory } = kernels;
  const { k } = tap;
  const mark = arena.mark();
  try {
    const [a, work, b] = [1, 1, 1].map(() => arena.alloc(k * k * 8)) as [number, number, number];
    if (sums.system(group, k, new Float64Array(memory.buffer, a, k * k)) <= 0 || !factorize(kernels, k, a)) return undefined;
    const inverse = new Float64Array(memory.buffer, b, k * k).fill(0);
    for (let i = 0; i < k; i++) inverse[i * k + i] = 1;
    solve(kernels, k, a, k, b, work);
    // The upper factor of Aᵀ's kind: inverse = L · Lᵀ, and its rows as columns are U = Lᵀ.
    if (!factorize(kernels, k, b)) return undefined;
    const upper = new Float64Array(k * k);
    const lower = new Float64Array(memory.buffer, b, k * k);
    for (let i = 0; i < k; i++) for (let j = i; j < k; j++) upper[i * k + j] = lower[j * k + i] as number;
    return upper;
  } finally {
    arena.reset(mark);
  }
}

/** Goes over the columns in blocks; what a block loses, those behind it make up for. */
function update(rows: Rows, u: Float64Array, amount: Amount, quota: Quota): number {
  const { w, m, k, kernel } = rows;
  const step = "of" in amount ? amount.of * kernel : 1;
  const width = Math.max(step, Math.floor(BLOCK / step) * step);
  const gone = new Uint8Array(m * k);
  const score = (at: number): number => ((w[at] as number) / (u[(at % k) * k + (at % k)] as number)) ** 2;
  for (let from = 0; from < k; from += width) {
    const to = Math.min(from + width, k);
    if ("share" in amount) {
      const all = Array.from({ length: m }, (_, row) => range(row * k + from, to - from)).flat();
      dropLeast(all, quota.of(all.length), score, gone);
    }
    const errors = new Float64Array(m * (to - from));
    for (let column = from; column < to; column++) {
      if ("of" in amount && isFirst(column, rows, amount)) for (let row = 0; row < m; row++) dropOf(rows, row, column, amount, score, gone);
      const pivot = u[column * k + column] as number;
      for (let row = 0; row < m; row++) {
        const at = row * k + column;
        if (gone[at] === 0) continue;
        const error = (w[at] as number) / pivot;
        errors[row * (to - from) + column - from] = error;
        for (let j = column; j < to; j++) w[row * k + j] = (w[row * k + j] as number) - error * (u[column * k + j] as number);
      }
    }
    for (let row = 0; row < m; row++) {
      for (let column = from; column < to; column++) {
        const error = errors[row * (to - from) + column - from] as number;
        if (error === 0) continue;
        for (let j = to; j < k; j++) w[row * k + j] = (w[row * k + j] as number) - error * (u[column * k + j] as number);
      }
    }
  }
  return zero(w, gone);
}

const range = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i);

/** Marks the `count` of least score; of equals the first. */
function dropLeast(all: number[], count: number, score: (at: number) => number, gone: Uint8Array): void {
  const scores = new Map(all.map((at) => [at, score(at)]));
  for (const at of all.sort((a, b) => (scores.get(a) as number) - (scores.get(b) as number) || a - b).slice(0, count)) gone[at] = 1;
}

/** Whether a column is that of the first channel of a group of channels. */
const isFirst = (column: number, { kernel }: Rows, amount: Amount): boolean =>
  "of" in amount && Math.floor(column / kernel) % amount.of === 0;

/** Marks all but the best of a group of channels at one tap. */
function dropOf({ k, kernel }: Rows, row: number, first: number, amount: Amount, score: (at: number) => number, gone: Uint8Array): void {
  if (!("of" in amount)) return;
  const group = Array.from({ length: amount.of }, (_, i) => row * k + first + i * kernel);
  dropLeast(group, amount.of - amount.keep, score, gone);
}

/** Sets what is marked to zero, and counts it. */
function zero(w: Float64Array, gone: Uint8Array): number {
  let count = 0;
  gone.forEach((isGone, at) => {
    if (isGone === 0) return;
    w[at] = 0;
    count++;
  });
  return count;
}
