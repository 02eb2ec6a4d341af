/** Reductions over axes, and what looks along one. */
import { computed } from "./dims.ts";
import { axesOf, axisOf, int, integers, type Op } from "./op.ts";
import { type Dims, integerOf } from "./value.ts";

function reduced(shape: Dims | undefined, axes: readonly number[] | undefined, keepdims: boolean): Dims | undefined {
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

export const ReduceL1 = reduction;
export const ReduceL2 = reduction;
export const ReduceLogSum = reduction;
export const ReduceLogSumExp = reduction;
export const ReduceMax = reduction;
export const ReduceMean = reduction;
export const ReduceMin = reduction;
export const ReduceProd = reduction;
export const ReduceSum = reduction;
export const ReduceSumSquare = reduction;

const arg: Op = {
  infer: (node, [x]) => [{ dtype: "int64", shape: reduced(x?.shape, [int(node, "axis", 0)], int(node, "keepdims", 1) !== 0) }],
};

export const ArgMax = arg;
export const ArgMin = arg;

export const CumSum: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

/** k is an attribute up to opset 9. */
export const TopK: Op = {
  infer(node, [x, count], context) {
    const k = count ? integerOf(count) : int(node, "k", -1);
    const axis = x?.shape && axisOf(int(node, "axis", -1), x.shape.length);
    const size = k === undefined ? context.symbol() : computed("topk", [k], context, (n) => n);
    const shape = axis === undefined || size === undefined ? undefined : x?.shape?.map((d, i) => (i === axis ? size : d));
    return [
      { dtype: x?.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
};
