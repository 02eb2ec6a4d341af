// Weights with zero blocks, which the cases of the kernels share.
import { random } from "../row.ts";
import { BLOCK_COLUMNS, BLOCK_ROWS } from "./sparse.ts";

/** Weights [n, c, taps] whose blocks stay with a probability of `density`; the others are `zero` of their column, at each other one with a sign. */
export function withBlocks<T extends Uint8Array | Float32Array>(
  w: T,
  n: number,
  c: number,
  taps: number,
  density: number,
  zero: ArrayLike<number> | 0 = 0,
): T {
  const next = random(Math.round(density * 100) + n);
  for (let j = 0; j < n; j += BLOCK_COLUMNS)
    for (let tap = 0; tap < taps; tap++)
      for (let i = 0; i < c; i += BLOCK_ROWS) {
        if (next() < density) continue;
        for (let column = j; column < Math.min(n, j + BLOCK_COLUMNS); column++)
          for (let row = i; row < Math.min(c, i + BLOCK_ROWS); row++)
            w[(column * c + row) * taps + tap] = zero === 0 ? (row & 1 && w instanceof Float32Array ? -0 : 0) : zero[column]!;
      }
  return w;
}

export const DENSITIES = [0, 0.05, 0.5, 1] as const;
