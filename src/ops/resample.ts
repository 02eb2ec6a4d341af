/** Resampling along one axis at a time. */
import { elements } from "../tensor.ts";
import { roomFor } from "./compute.ts";

/** Which elements along an axis one of the output is made of, and how much of each. */
export interface Taps {
  indices: readonly number[];
  weights: readonly number[];
}

/** Keys' cubic. */
export function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d >= 2) return 0;
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

export const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** The elements around `x` by a filter of some radius, which `scale` below 1 widens; those at the ends stand for what lies outside, or nothing. */
export function tapsAround(x: number, length: number, f: (x: number) => number, radius: number, scale: number, excludes: boolean): Taps {
  const [indices, weights] = [[], []] as [number[], number[]];
  let total = 0;
  const last = Math.floor(x + radius / scale);
  for (let i = Math.ceil(x - radius / scale); i <= last; i++) {
    const weight = f((i - x) * scale);
    if (weight === 0 || (excludes && (i < 0 || i >= length))) continue;
    indices.push(Math.min(length - 1, Math.max(0, i)));
    weights.push(weight);
    total += weight;
  }
  return { indices, weights: weights.map((weight) => weight / total) };
}

/** Elements with those along an axis made of others. */
export function resampled(
  data: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  taps: readonly Taps[],
): Float64Array | undefined {
  const y = roomFor(shape.with(axis, taps.length));
  const [outer, length, inner] = [elements(shape.slice(0, axis)), shape[axis] as number, elements(shape.slice(axis + 1))];
  if (!y) return undefined;
  for (let i = 0, to = 0; i < outer; i++) {
    for (const { indices, weights } of taps) {
      for (let t = 0; t < indices.length; t++) {
        const from = (i * length + (indices[t] as number)) * inner;
        for (let k = 0; k < inner; k++) y[to + k]! += (weights[t] as number) * (data[from + k] as number);
      }
      to += inner;
    }
  }
  return y;
}
