import { f32_clip } from "./clip";

/** Applies an activation to f32[n]: 0 none, 1 Relu, 2 Clip(alpha, beta). `y` may be `x`. */
export function activate(n: i32, x: usize, y: usize, kind: i32, alpha: f32, beta: f32): void {
  if (kind == 1) f32_clip(n, x, y, 0, Infinity as f32);
  else if (kind == 2) f32_clip(n, x, y, alpha, beta);
}
