import type { Kernels } from "../../kernels/kernels.ts";
import type { Tensor } from "../../tensor.ts";
import { factorize, solve } from "./cholesky.ts";
import { placesOf, type Tap } from "./taps.ts";

/** Share of the mean square of a row that is added to each: what samples do not tell stays as it is. */
const DAMPING = 1e-3;
/** Rows that sums are made of at a time: below the diagonal alone. */
const BAND = 64;

/** Sums over samples of what a layer reads, and of what its output lacks. */
interface Sums {
  /** f64[n, n], the lower triangle: products of rows with rows, where the last row is 1, for the bias. */
  gram: Float64Array;
  /** f64[m, n]: products of what is lacking with rows. */
  lack: Float64Array;
}

/**
 * Fits a layer's weights, and its bias, to what the layer gave before others were pruned: of all that is left, the least squares
 * (https://arxiv.org/abs/1707.06168, section 3.1), from the weights as they are. Sums are held of one layer after the other.
 */
export class LeastSquares {
  readonly #kernels: Kernels;
  readonly #tap: Tap;
  readonly #n: number;
  readonly #sums: Sums[];
  #count = 0;

  constructor(kernels: Kernels, tap: Tap) {
    this.#kernels = kernels;
    this.#tap = tap;
    this.#n = tap.k + 1;
    this.#sums = Array.from({ length: tap.groups }, () => ({
      gram: new Float64Array(this.#n * this.#n),
      lack: new Float64Array(tap.m * this.#n),
    }));
  }

  /** Takes a sample: what the layer reads and gives now, and what it gave. `wanted` places of it are looked at. */
  add(x: Tensor, y: Tensor, target: Tensor, wanted: number): void {
    const { arena, fn, memory } = this.#kernels;
    const tap = this.#tap;
    const [n, m] = [this.#n, tap.m];
    const places = placesOf(tap.count(y), wanted, this.#count++);
    const step = Math.ceil(places.length / 4) * 4; // the rest is zero
    const mark = arena.mark();
    const [rows, lack, gram, product] = [n * step * 4, m * step * 4, n * n * 8, m * n * 8].map((bytes) => arena.alloc(bytes)) as [
      number,
      number,
      number,
      number,
    ];
    for (const [group, sums] of this.#sums.entries()) {
      const [r, d] = [new Float32Array(memory.buffer, rows, n * step), new Float32Array(memory.buffer, lack, m * step)];
      r.fill(0);
      d.fill(0);
      tap.rows(x, y, group, places, r, step);
      r.fill(1, tap.k * step, tap.k * step + places.length);
      tap.columns(target, group, places, d, step);
      const given = new Float32Array(m * step);
      tap.columns(y, group, places, given, step);
      for (let i = 0; i < d.length; i++) d[i] = (d[i] as number) - (given[i] as number);
      const [g, p] = [new Float64Array(memory.buffer, gram, n * n), new Float64Array(memory.buffer, product, m * n)];
      g.set(sums.gram);
      p.set(sums.lack);
      for (let i = 0; i < n; i += BAND) {
        const end = Math.min(i + BAND, n);
        fn.f32_dots(end - i, end, step, rows + i * step * 4, step, rows, step, gram + i * n * 8, n);
      }
      fn.f32_dots(m, n, step, lack, step, rows, step, product, n);
      sums.gram.set(g);
      sums.lack.set(p);
    }
    arena.reset(mark);
  }

  /** Changes the weight, and the bias where there is one, by what is lacking. False where the samples do not tell it. */
  apply(weight: Float32Array, bias: Float32Array | undefined): boolean {
    const { arena, memory } = this.#kernels;
    const tap = this.#tap;
    const all = this.#n;
    const n = bias ? all : all - 1; // without a bias there is no row of ones
    let isDone = true;
    for (const [group, { gram, lack }] of this.#sums.entries()) {
      const mark = arena.mark();
      const [a, work, b] = [n * n * 8, n * n * 8, tap.m * n * 8].map((bytes) => arena.alloc(bytes)) as [number, number, number];
      const [system, right] = [new Float64Array(memory.buffer, a, n * n), new Float64Array(memory.buffer, b, tap.m * n)];
      let trace = 0;
      for (let i = 0; i < n; i++) {
        system.set(gram.subarray(i * all, i * all + i + 1), i * n);
        if (i < tap.k) trace += gram[i * all + i] as number;
      }
      for (let i = 0; i < tap.k; i++) system[i * n + i] = (system[i * n + i] as number) + (DAMPING * trace) / tap.k;
      for (let i = 0; i < tap.m; i++) right.set(lack.subarray(i * all, i * all + n), i * n);
      if (trace > 0 && factorize(this.#kernels, n, a)) {
        solve(this.#kernels, n, a, tap.m, b, work);
        for (let column = 0; column < tap.m; column++) {
          for (let row = 0; row < tap.k; row++) {
            const at = tap.place(group, column, row);
            weight[at] = (weight[at] as number) + (right[column * n + row] as number);
          }
          const at = group * tap.m + column;
          if (bias) bias[at] = (bias[at] as number) + (right[column * n + tap.k] as number);
        }
      } else isDone = false;
      arena.reset(mark);
    }
    return isDone;
  }
}
