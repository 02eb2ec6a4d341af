import type { Kernels } from "../../kernels/kernels.ts";
import { factorize, solve } from "./cholesky.ts";
import type { Sums } from "./sums.ts";
import type { Tap } from "./taps.ts";

/**
 * Changes a layer's weight, and its bias where there is one, so that it gives what it lacks: of all that is left, the least squares
 * (https://arxiv.org/abs/1707.06168, section 3.1), from the weights as they are. False where the samples do not tell it.
 */
export function fitLayer(kernels: Kernels, tap: Tap, sums: Sums, weight: Float32Array, bias: Float32Array | undefined): boolean {
  const { arena, memory } = kernels;
  const n = bias ? sums.n : sums.n - 1; // without a bias there is no row of ones
  let isDone = true;
  for (const [group, { lack }] of sums.groups.entries()) {
    const mark = arena.mark();
    const [a, work, b] = [n * n * 8, n * n * 8, tap.m * n * 8].map((bytes) => arena.alloc(bytes)) as [number, number, number];
    const trace = sums.system(group, n, new Float64Array(memory.buffer, a, n * n));
    const right = new Float64Array(memory.buffer, b, tap.m * n);
    for (let i = 0; i < tap.m; i++) right.set(lack.subarray(i * sums.n, i * sums.n + n), i * n);
    if (trace > 0 && factorize(kernels, n, a)) {
      solve(kernels, n, a, tap.m, b, work);
      for (let column = 0; column < tap.m; column++) {
        for (let row = 0; row < tap.k; row++) {
          const at = tap.place(group, column, row);
          weight[at] = (weight[at] as number) + (right[column * n + row] as number) / tap.alpha;
        }
        const at = group * tap.m + column;
        if (bias) bias[at] = (bias[at] as number) + (right[column * n + tap.k] as number) / tap.beta;
      }
    } else isDone = false;
    arena.reset(mark);
  }
  return isDone;
}
