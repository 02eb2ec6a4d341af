/** Reductions over axes. */
import type { Node } from "../graph/graph.ts";
import { isFloat, type Tensor } from "../tensor.ts";
import { ofKnown } from "./compute.ts";
import { arrayFor, bigIntsOf, isBig, larger, numbersOf, smaller, tensorOf } from "./elements.ts";
import { axesOf, int, integers, type Op } from "./op.ts";
import { offsets, strides } from "./strides.ts";
import { constantValue, type Dims } from "./value.ts";

/** Without the axes, or with 1 in their place. */
export function reduced(shape: Dims | undefined, axes: readonly number[] | undefined, keepdims: boolean): Dims | undefined {
  const counted = shape && axesOf(axes, shape.length);
  if (!shape || !counted) return undefined;
  return keepdims ? shape.map((d, i) => (counted.includes(i) ? 1 : d)) : shape.filter((_, i) => !counted.includes(i));
}

/** Axes are an attribute up to opset 17 (12 for ReduceSum), then an input; none means all, or none with `noop_with_empty_axes`. */
const reduction: Op = {
  infer(node, [x, list], context) {
    const shape = x?.shape;
    const given = integers(node, "axes", list, []);
    const all = shape && (given?.length === 0 && int(node, "noop_with_empty_axes", 0) === 0 ? [...shape.keys()] : given);
    const keepdims = int(node, "keepdims", 1) !== 0;
    if (shape && !all && keepdims) return [{ dtype: x.dtype, shape: shape.map(() => context.symbol()) }];
    return [{ dtype: x?.dtype, shape: reduced(shape, all, keepdims) }];
  },
};

/** How to reduce; floats are gathered as doubles and rounded once. */
interface Reduce {
  start: number;
  number: (sum: number, x: number) => number;
  /** Without it 64-bit integers are gathered as doubles too. */
  bigint?: (sum: bigint, x: bigint) => bigint;
  /** What comes of `count` elements. */
  end?: (sum: number, count: number) => number;
  /** Has no result of no elements that is folded. */
  isPartial?: boolean;
}

/** Integers that overflow are left out where the result is to be `exact`, and else wrap around. */
function gathered(
  node: Node,
  [x, list]: readonly (Tensor | undefined)[],
  shape: readonly number[],
  { start, number, bigint, end, isPartial }: Reduce,
  exact: boolean,
): Tensor | undefined {
  const given = integers(node, "axes", list && constantValue(list), []);
  const isAll = given?.length === 0 && int(node, "noop_with_empty_axes", 0) === 0;
  const axes = x && axesOf(isAll ? [...x.shape.keys()] : given, x.shape.length);
  const all = x && (bigIntsOf(x) ?? numbersOf(x));
  const from = bigint || !isBig(all) ? all : Float64Array.from(all, Number);
  if (!x || !axes || !from || (exact && x.dtype === "bool")) return undefined;
  // The other axes, then those that are reduced.
  const kept = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
  const steps = strides(x.shape);
  const by = (some: readonly number[]) =>
    offsets(
      some.map((axis) => x.shape[axis] as number),
      some.map((axis) => steps[axis] as number),
    );
  const [starts, within] = [by(kept), by(axes)];
  if (within.length === 0 && isPartial && (exact || !isFloat(x.dtype))) return undefined;
  const data = arrayFor(x.dtype, starts.length);
  if (!data) return undefined;
  for (let i = 0; i < starts.length; i++) {
    if (bigint && isBig(from)) {
      let sum = Number.isFinite(start) ? BigInt(start) : (from[starts[i] as number] as bigint);
      for (const at of within) sum = bigint(sum, from[(starts[i] as number) + at] as bigint);
      const result = end ? sum / BigInt(within.length) : sum;
      data[i] = result as never;
      if (exact && (data[i] as unknown) !== result) return undefined;
    } else {
      let sum = start;
      for (const at of within) sum = number(sum, from[(starts[i] as number) + at] as number);
      const result = end ? end(sum, within.length) : sum;
      data[i] = (isBig(data) ? BigInt(Math.trunc(result) || 0) : result) as never;
      if (exact && !isFloat(x.dtype) && data[i] !== Math.trunc(result)) return undefined;
    }
  }
  return tensorOf(x.dtype, shape, data);
}

const computing = (reduce: Reduce): Op => ({
  ...reduction,
  compute: ofKnown((node, inputs, { outputs: [y] }) => {
    const result = y && gathered(node, inputs, y.shape, reduce, false);
    return result && [result];
  }),
});

const folding = (reduce: Reduce): Op => ({
  ...computing(reduce),
  fold(node, inputs, { outputs: [y] }) {
    const result = y && gathered(node, inputs, y.shape, reduce, true);
    return result && [result];
  },
});

const sum = { start: 0, number: (a: number, b: number) => a + b, bigint: (a: bigint, b: bigint) => a + b };
const squares = { start: 0, number: (a: number, b: number) => a + b * b, bigint: (a: bigint, b: bigint) => a + b * b };

export const ReduceL1 = computing({
  start: 0,
  number: (a, b) => a + Math.abs(b),
  bigint: (a, b) => a + (b < 0n ? -b : b),
});
export const ReduceL2 = computing({ start: 0, number: squares.number, end: Math.sqrt });
export const ReduceLogSum = computing({ start: 0, number: sum.number, end: Math.log });
/** Without overflow: the logarithm of two exponentials' sum is the larger one's, and a bit. */
export const ReduceLogSumExp = computing({
  start: Number.NEGATIVE_INFINITY,
  number: (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
});
export const ReduceMax = folding({
  start: Number.NEGATIVE_INFINITY,
  number: Math.max,
  bigint: larger,
  isPartial: true,
});
export const ReduceMean = folding({
  ...sum,
  end: (total, count) => total / count,
  isPartial: true,
});
export const ReduceMin = folding({
  start: Number.POSITIVE_INFINITY,
  number: Math.min,
  bigint: smaller,
  isPartial: true,
});
export const ReduceProd = folding({ start: 1, number: (a, b) => a * b, bigint: (a, b) => a * b });
export const ReduceSum = folding(sum);
export const ReduceSumSquare = computing(squares);
