import type { Kernels } from "../../kernels/kernels.ts";
import type { Tensor } from "../../tensor.ts";
import { placesOf, type Tap } from "./taps.ts";

/** Rows that sums are made of at a time: below the diagonal alone. */
const BAND = 64;

/** What is summed up of one group of a layer. */
export interface GroupSums {
  /** f64[n, n], the lower triangle: products of rows with rows, where the last row is 1, for the bias. */
  gram: Float64Array;
  /** f64[m, n]: products with rows of what the layer's output lacks; empty where nobody asked. */
  lack: Float64Array;
  /** Σ (y − mean)² of what it gives. */
  energy: number;
}

/** Sums over samples of what a layer reads, and of what its output lacks of another's: all that least squares need to know. */
export class Sums {
  /** Numbers a row of the sums has: what a group reads, and a 1. */
  readonly n: number;
  readonly groups: readonly GroupSums[];
  readonly #kernels: Kernels;
  readonly #tap: Tap;
  #samples = 0;
  #places = 0;

  constructor(kernels: Kernels, tap: Tap, lacks: boolean) {
    this.#kernels = kernels;
    this.#tap = tap;
    this.n = tap.k + 1;
    this.groups = Array.from({ length: tap.groups }, () => ({
      gram: new Float64Array(this.n * this.n),
      lack: new Float64Array(lacks ? tap.m * this.n : 0),
      energy: 0,
    }));
  }

  /** Places that were looked at. */
  get places(): number {
    return this.#places;
  }

  /** Takes a sample: what the layer reads and gives, and what it should give. `wanted` places of it are looked at. */
  add(x: Tensor, y: Tensor, wanted: number, target?: Tensor): void {
    const { arena, fn, memory } = this.#kernels;
    const tap = this.#tap;
    const [n, m] = [this.n, target ? tap.m : 0];
    const places = placesOf(tap.count(y), wanted, this.#samples++);
    this.#places += places.length;
    const step = Math.ceil(places.length / 4) * 4; // the rest is zero
    const mark = arena.mark();
    const [rows, lack, gram, product] = [n * step * 4, m * step * 4, n * n * 8, m * n * 8].map((bytes) => arena.alloc(bytes)) as Four;
    for (const [group, sums] of this.groups.entries()) {
      const r = new Float32Array(memory.buffer, rows, n * step).fill(0);
      tap.rows(x, y, group, places, r, step);
      r.fill(1, tap.k * step, tap.k * step + places.length);
      const g = new Float64Array(memory.buffer, gram, n * n);
      g.set(sums.gram);
      for (let i = 0; i < n; i += BAND) {
        const end = Math.min(i + BAND, n);
        fn.f32_dots(end - i, end, step, rows + i * step * 4, step, rows, step, gram + i * n * 8, n);
      }
      sums.gram.set(g);
      const given = new Float32Array(tap.m * step);
      tap.columns(y, group, places, given, step);
      if (!target) {
        sums.energy += energyOf(given, tap.m, step, places.length);
        continue;
      }
      const d = new Float32Array(memory.buffer, lack, m * step).fill(0);
      tap.columns(target, group, places, d, step);
      for (let i = 0; i < d.length; i++) d[i] = (d[i] as number) - (given[i] as number);
      const p = new Float64Array(memory.buffer, product, m * n);
      p.set(sums.lack);
      fn.f32_dots(m, n, step, lack, step, rows, step, product, n);
      sums.lack.set(p);
    }
    arena.reset(mark);
  }

  /**
   * Writes the system of a group to `to`, f64[size, size] of which the lower triangle counts: the sums, with what keeps it from saying more than
   * the samples do. `size` is n, or n − 1 without the row of ones. Zero where nothing was read.
   */
  system(group: number, size: number, to: Float64Array): number {
    const { gram } = this.groups[group] as GroupSums;
    const { k } = this.#tap;
    let trace = 0;
    for (let i = 0; i < size; i++) {
      to.set(gram.subarray(i * this.n, i * this.n + i + 1), i * size);
      if (i < k) trace += gram[i * this.n + i] as number;
    }
    const damping = ((DAMPING + FEW * (k / this.#places) ** 2) * trace) / k;
    for (let i = 0; i < k; i++) to[i * size + i] = (to[i * size + i] as number) + damping;
    return trace;
  }
}

/** Σ (y − mean)² of `m` rows that lie `step` apart, over their first `count` numbers. */
function energyOf(y: Float32Array, m: number, step: number, count: number): number {
  let energy = 0;
  for (let row = 0; row < m; row++) {
    let [sum, square] = [0, 0];
    for (let i = row * step; i < row * step + count; i++) {
      sum += y[i] as number;
      square += (y[i] as number) ** 2;
    }
    energy += square - (sum * sum) / count;
  }
  return energy;
}

/** Share of the mean square of a row that is added to each: what samples do not tell stays as it is. The more so the fewer there are for a row. */
const DAMPING = 1e-3;
const FEW = 0.1;

type Four = [number, number, number, number];
