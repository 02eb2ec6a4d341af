import { activation } from "./activation-reference.ts";

/** What the elementwise kernels compute, one element after the other, in double precision. */

export function f32_activate(n: number, x: Float32Array, y: Float32Array, kind: number, alpha: number, beta: number): void {
  for (let i = 0; i < n; i++) y[i] = activation(x[i]!, kind, alpha, beta);
}
