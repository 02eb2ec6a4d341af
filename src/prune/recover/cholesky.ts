/** Symmetric positive definite systems in float64, where kernels reach them: matrices are addresses in WebAssembly memory, row by row. */
import type { Kernels } from "../../kernels/kernels.ts";

/** Columns that are factorized at a time: what lies left of them is subtracted by a kernel. */
const BLOCK = 64;

/**
 * Overwrites the lower triangle of `a`, f64[n, n], with its Cholesky factor L, where a = L · Lᵀ (Golub and Van Loan, Matrix Computations,
 * section 4.2). False where `a` is not positive definite, as far as float64 tells.
 */
export function factorize({ memory, fn }: Kernels, n: number, a: number): boolean {
  const at = (i: number, j: number): number => a + (i * n + j) * 8;
  const all = new Float64Array(memory.buffer, a, n * n);
  for (let top = 0; top < n; top += BLOCK) {
    const end = Math.min(top + BLOCK, n);
    if (top > 0) fn.f64_less_dots(n - top, end - top, top, at(top, 0), n, at(top, 0), n, at(top, top), n);
    for (let i = top; i < n; i++) {
      for (let j = top; j <= Math.min(i, end - 1); j++) {
        const sum = (all[i * n + j] as number) - dot(all, i * n + top, all, j * n + top, j - top);
        if (i > j) all[i * n + j] = sum / (all[j * n + j] as number);
        else if (sum > 0) all[i * n + i] = Math.sqrt(sum);
        else return false;
      }
    }
  }
  return true;
}

/** Solves L · Lᵀ · x = b for each of the `m` rows of `b`, f64[m, n], in their place; `work` is f64[n, n], for the transpose of L. */
export function solve(kernels: Kernels, n: number, l: number, m: number, b: number, work: number): void {
  substitute(kernels, n, l, m, b);
  const [all, turned] = [new Float64Array(kernels.memory.buffer, l, n * n), new Float64Array(kernels.memory.buffer, work, n * n)];
  // Backwards is forwards with rows and columns of Lᵀ in the opposite order.
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) turned[(n - 1 - j) * n + (n - 1 - i)] = all[i * n + j] as number;
  const rows = new Float64Array(kernels.memory.buffer, b, m * n);
  for (let r = 0; r < m; r++) rows.subarray(r * n, (r + 1) * n).reverse();
  substitute(kernels, n, work, m, b);
  for (let r = 0; r < m; r++) rows.subarray(r * n, (r + 1) * n).reverse();
}

/** Solves L · x = b for each row of `b`. */
function substitute({ memory, fn }: Kernels, n: number, l: number, m: number, b: number): void {
  const [lower, rows] = [new Float64Array(memory.buffer, l, n * n), new Float64Array(memory.buffer, b, m * n)];
  for (let top = 0; top < n; top += BLOCK) {
    const end = Math.min(top + BLOCK, n);
    if (top > 0) fn.f64_less_dots(m, end - top, top, b, n, l + top * n * 8, n, b + top * 8, n);
    for (let r = 0; r < m; r++)
      for (let i = top; i < end; i++)
        rows[r * n + i] =
          ((rows[r * n + i] as number) - dot(rows, r * n + top, lower, i * n + top, i - top)) / (lower[i * n + i] as number);
  }
}

function dot(a: Float64Array, from: number, b: Float64Array, at: number, n: number): number {
  let [even, odd] = [0, 0];
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    even += (a[from + i] as number) * (b[at + i] as number);
    odd += (a[from + i + 1] as number) * (b[at + i + 1] as number);
  }
  return i < n ? even + odd + (a[from + i] as number) * (b[at + i] as number) : even + odd;
}
