import type { Affine } from "../encoding.ts";
import type { Range } from "./observers/observer.ts";

/** The integers that stand for a range. */
export interface Integers {
  dtype: "int8" | "uint8";
  /** Bits of int8 that are used; 8 unless said. */
  bits?: 7;
}

/** Activations of static quantization: every runtime has integer kernels for them. */
export const ACTIVATION: Integers = { dtype: "uint8" };

/** The least scale that is used as it is: the smallest normal float32. */
const TINY = 2 ** -126;

/** The least and the greatest integer. Seven bits leave an accumulator of 16 bits room for the sum of two products with uint8. */
export const integers = ({ dtype, bits }: Integers): [low: number, high: number] =>
  dtype === "uint8" ? [0, 255] : bits === 7 ? [-63, 63] : [-128, 127];

/**
 * What stands for a range that zero is in: uint8 over [min, max], so that zero is exact; int8 over ±absmax with zero point 0. As numpy computes it in
 * onnxruntime's tools: the range in float32, the quotient in float64.
 */
export function parameters({ min, max }: Range, to: Integers): Affine {
  const signed = to.dtype === "int8";
  const [, high] = integers(to);
  const scale = signed ? Math.fround(2 * Math.max(-min, max)) / (2 * high) : Math.fround(max - min) / 255;
  if (!(scale >= TINY)) return { scale: 1, zero_point: 0 };
  return { scale: Math.fround(scale), zero_point: signed ? 0 : roundHalfEven(0 - min / scale) };
}

/** What stands for an activation with the given range, which need not hold zero. */
export const activation = ({ min, max }: Range): Affine => parameters({ min: Math.min(min, 0), max: Math.max(max, 0) }, ACTIVATION);

export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}
