/** Reductions over axes. */
import { isFloat } from "../tensor.ts";
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

/** How to reduce; floats are gathered as doubles and rounded once. Integers that overflow are not folded. */
interface Reduce {
  start: number;
  number: (sum: number, x: number) => number;
  bigint: (sum: bigint, x: bigint) => bigint;
  /** What comes of `count` elements. */
  end?: (sum: number, count: number) => number;
  /** Has no result of no elements. */
  isPartial?: boolean;
}

const folding = ({ start, number, bigint, end, isPartial }: Reduce): Op => ({
  ...reduction,
  fold(node, [x, list], { outputs: [y] }) {
    const given = integers(node, "axes", list && constantValue(list), []);
    const isAll = given?.length === 0 && int(node, "noop_with_empty_axes", 0) === 0;
    const axes = x && axesOf(isAll ? [...x.shape.keys()] : given, x.shape.length);
    const from = x && (bigIntsOf(x) ?? numbersOf(x));
    if (!x || !axes || !from || !y || x.dtype === "bool") return undefined;
    // The other axes, then those that are reduced.
    const kept = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
    const steps = strides(x.shape);
    const by = (some: readonly number[]) =>
      offsets(
        some.map((axis) => x.shape[axis] as number),
        some.map((axis) => steps[axis] as number),
      );
    const [starts, within] = [by(kept), by(axes)];
    if (within.length === 0 && isPartial) return undefined;
    const data = arrayFor(x.dtype, starts.length);
    if (!data) return undefined;
    for (let i = 0; i < starts.length; i++) {
      if (isBig(from)) {
        let sum = BigInt(
          start === Number.NEGATIVE_INFINITY || start === Number.POSITIVE_INFINITY ? (from[starts[i] as number] as bigint) : start,
        );
        for (const at of within) sum = bigint(sum, from[(starts[i] as number) + at] as bigint);
        const result = end ? sum / BigInt(within.length) : sum;
        data[i] = result as never;
        if ((data[i] as unknown) !== result) return undefined;
      } else {
        let sum = start;
        for (const at of within) sum = number(sum, from[(starts[i] as number) + at] as number);
        const result = end ? end(sum, within.length) : sum;
        data[i] = result as never;
        if (!isFloat(x.dtype) && data[i] !== Math.trunc(result)) return undefined;
      }
    }
    return [tensorOf(x.dtype, y.shape, data)];
  },
});

export const ReduceL1 = reduction;
export const ReduceL2 = reduction;
export const ReduceLogSum = reduction;
export const ReduceLogSumExp = reduction;
export const ReduceMax = folding({
  start: Number.NEGATIVE_INFINITY,
  number: Math.max,
  bigint: larger,
  isPartial: true,
});
export const ReduceMean = folding({
  start: 0,
  number: (a, b) => a + b,
  bigint: (a, b) => a + b,
  end: (sum, count) => sum / count,
  isPartial: true,
});
export const ReduceMin = folding({
  start: Number.POSITIVE_INFINITY,
  number: Math.min,
  bigint: smaller,
  isPartial: true,
});
export const ReduceProd = folding({ start: 1, number: (a, b) => a * b, bigint: (a, b) => a * b });
export const ReduceSum = folding({ start: 0, number: (a, b) => a + b, bigint: (a, b) => a + b });
export const ReduceSumSquare = reduction;
