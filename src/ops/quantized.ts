/** Integers with zero points and scales. */
import { elements, type Tensor } from "../tensor.ts";
import { quantized, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { strides } from "./strides.ts";

/** For each element which of the `count` numbers it has: the one, or that of its place along the axis. Undefined where they do not fit. */
export function alongAxis(shape: readonly number[], axis: number, count: number): ((i: number) => number) | undefined {
  if (count === 1) return () => 0;
  const [size, step] = [shape[axis], strides(shape)[axis] as number];
  return size === count ? (i) => Math.floor(i / step) % count : undefined;
}

/** Integers less their zero point, of which there may be one for each place along the axis. */
export function centered(x: Tensor, zero: Tensor | undefined, axis: number): Float64Array | undefined {
  const [data, zeros] = [numbersOf(x), zero && numbersOf(zero)];
  const place = alongAxis(x.shape, axis, zeros?.length ?? 1);
  if (!data || !place || (zero && zero.dtype !== x.dtype)) return undefined;
  return Float64Array.from(data, (value, i) => value - (zeros?.[place(i)] ?? 0));
}

/** The one number of a tensor. */
export const scalar = (x: Tensor | undefined): number | undefined => (x?.data.length === 1 ? numbersOf(x)?.[0] : undefined);

/** Integer sums in the scale and type of an output: `scales` are those of x, of w (one, or one for each place along the axis) and of y. */
export function requantized(
  sums: Float64Array,
  shape: readonly number[],
  axis: number,
  scales: readonly (Tensor | undefined)[],
  zero: Tensor | undefined,
): Tensor | undefined {
  const [x, w, y] = scales.map((tensor) => tensor && numbersOf(tensor));
  const place = w && alongAxis(shape, axis, w.length);
  const shift = scalar(zero);
  if (x?.length !== 1 || y?.length !== 1 || !place || !zero || shift === undefined || sums.length !== elements(shape)) return undefined;
  const factors = Float32Array.from(w, (scale) => Math.fround((x[0] as number) * scale) / (y[0] as number));
  const data = sums.map((sum, i) => quantized(Math.fround(Math.fround(sum) * (factors[place(i)] as number)), shift, zero.dtype));
  return stored(zero.dtype, shape, data);
}
