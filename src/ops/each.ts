/** Operators that compute each element by itself. */
import { type DType, elements, isFloat, type Tensor } from "../tensor.ts";
import { arrayFor, bigIntsOf, numbersOf, tensorOf } from "./elements.ts";
import type { Op } from "./op.ts";
import { broadcastStrides, offsets } from "./strides.ts";

type Fold = NonNullable<Op["fold"]>;

/**
 * How to compute an element. Results of `number` are rounded to the type they are stored in, 16-bit floats by way of float32, and integers
 * wrap around. Undefined from either says that onnxruntime's result is not defined, and the node is not folded.
 */
export interface Each<Arguments extends "one" | "two"> {
  number: Arguments extends "one" ? (x: number) => number | undefined : (a: number, b: number) => number | undefined;
  /** For 64-bit integers. */
  bigint?: Arguments extends "one" ? (x: bigint) => bigint | number | undefined : (a: bigint, b: bigint) => bigint | number | undefined;
  /** Where it differs for integers. */
  integer?: Each<Arguments>["number"];
  accepts?: (dtype: DType) => boolean;
}

/** Computes every element of a tensor. */
export function eachOf(x: Tensor, dtype: DType, { number, integer, bigint, accepts }: Each<"one">): Tensor | undefined {
  if (accepts && !accepts(x.dtype)) return undefined;
  const from = bigint ? (bigIntsOf(x) ?? numbersOf(x)) : numbersOf(x);
  const to = arrayFor(dtype, elements(x.shape));
  if (!from || !to) return undefined;
  const f = bigIntsOf(x) ? bigint : isFloat(x.dtype) ? number : (integer ?? number);
  for (let i = 0; i < from.length; i++) {
    const y = (f as (x: number | bigint) => number | bigint | undefined)(from[i] as number | bigint);
    if (y === undefined) return undefined;
    to[i] = y as never;
  }
  return tensorOf(dtype, x.shape, to);
}

/** Computes every element of two tensors of one type that are broadcast to `shape`. */
export function eachPair(
  a: Tensor,
  b: Tensor,
  dtype: DType,
  shape: readonly number[],
  { number, integer, bigint, accepts }: Each<"two">,
): Tensor | undefined {
  if (a.dtype !== b.dtype || (accepts && !accepts(a.dtype))) return undefined;
  const [x, y] = [a, b].map((tensor) => (bigint ? (bigIntsOf(tensor) ?? numbersOf(tensor)) : numbersOf(tensor)));
  const to = arrayFor(dtype, elements(shape));
  if (!x || !y || !to) return undefined;
  const [left, right] = [a, b].map((tensor) => offsets(shape, broadcastStrides(tensor.shape, shape))) as [Int32Array, Int32Array];
  const f = bigIntsOf(a) ? bigint : isFloat(a.dtype) ? number : (integer ?? number);
  for (let i = 0; i < to.length; i++) {
    const z = (f as (a: unknown, b: unknown) => unknown)(x[left[i] as number], y[right[i] as number]);
    if (z === undefined) return undefined;
    to[i] = z as never;
  }
  return tensorOf(dtype, shape, to);
}

export const foldEach =
  (each: Each<"one">): Fold =>
  (_node, [x], { outputs: [y] }) => {
    const result = x && y && eachOf(x, y.dtype, each);
    return result && [result];
  };

/** Two tensors; or any number, from the left. */
export const foldPairs =
  (each: Each<"two">): Fold =>
  (_node, [first, ...rest], { outputs: [y] }) => {
    if (!first || !y || (rest.length === 0 && !numbersOf(first) && !bigIntsOf(first))) return undefined;
    let result: Tensor | undefined = first;
    for (const next of rest) result = result && next && eachPair(result, next, y.dtype, shapeOf(result, next), each);
    return result && [result];
  };

/** Shape of two tensors that are broadcast. */
function shapeOf(a: Tensor, b: Tensor): number[] {
  const rank = Math.max(a.shape.length, b.shape.length);
  const dim = (shape: readonly number[], i: number) => shape[i - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, i) => (dim(a.shape, i) === 1 ? dim(b.shape, i) : dim(a.shape, i)));
}
