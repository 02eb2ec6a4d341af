/** What the vector kernels compute, one element after the other. */

export function f32_clip(n: number, x: Float32Array, y: Float32Array, low: number, high: number): void {
  for (let i = 0; i < n; i++) y[i] = Math.min(Math.max(x[i] as number, low), high);
}
