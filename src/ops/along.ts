/** Operators that look along one axis. */
import { elements, type Tensor } from "../tensor.ts";
import { computed } from "./dims.ts";
import { arrayFor, bigIntsOf, isBig, type Numbers, numbersOf, tensorOf } from "./elements.ts";
import { axisOf, int, type Op } from "./op.ts";
import { reduced } from "./reduce.ts";
import { offsets, strides } from "./strides.ts";
import { integerOf } from "./value.ts";

/** Where `isBetter` finds the best element along the axis: the first of equals, or with `select_last_index` the last. */
const arg = (isBetter: (a: number | bigint, b: number | bigint) => boolean): Op => ({
  infer: (node, [x]) => [{ dtype: "int64", shape: reduced(x?.shape, [int(node, "axis", 0)], int(node, "keepdims", 1) !== 0) }],
  fold(node, [x], { outputs: [y] }) {
    const lines = x && along(x, int(node, "axis", 0));
    const isLast = int(node, "select_last_index", 0) !== 0;
    if (!lines || !y || lines.size === 0) return undefined;
    const { data, starts, size, step } = lines;
    const found = BigInt64Array.from(starts, (start) => {
      let best = 0;
      for (let i = 1; i < size; i++) {
        const [value, so_far] = [data[start + i * step], data[start + best * step]] as [number, number];
        if (isBetter(value, so_far) || (isLast && value === so_far)) best = i;
      }
      return BigInt(best);
    });
    return [{ dtype: "int64", shape: y.shape, data: found }];
  },
});

export const ArgMax = arg((a, b) => a > b);
export const ArgMin = arg((a, b) => a < b);

/** The elements as lines along an axis, in the order of what is left without it. Undefined for floats that are not numbers. */
function along(x: Tensor, given: number) {
  const axis = axisOf(given, x.shape.length);
  const data = bigIntsOf(x) ?? numbersOf(x);
  if (axis === undefined || !data || (data as Numbers).some(Number.isNaN)) return undefined;
  const steps = strides(x.shape);
  const starts = offsets(x.shape.toSpliced(axis, 1), steps.toSpliced(axis, 1));
  return { data, starts, size: x.shape[axis] as number, step: steps[axis] as number };
}

export const CumSum: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  fold(node, [x, axis], { outputs: [y] }) {
    const lines = x && axis && along(x, Number(axis.data[0]));
    const [data, sum] = [elements(y?.shape ?? []), 1].map((length) => x && arrayFor(x.dtype, length)) as (Numbers | undefined)[];
    if (!lines || !data || !sum || !y) return undefined;
    const [isReverse, isExclusive] = [int(node, "reverse", 0) !== 0, int(node, "exclusive", 0) !== 0];
    const { data: from, starts, size, step } = lines;
    for (const start of starts) {
      sum.fill((isBig(from) ? 0n : 0) as number);
      for (let i = 0; i < size; i++) {
        const at = start + (isReverse ? size - 1 - i : i) * step;
        if (isExclusive) data[at] = sum[0] as number;
        sum[0] = (sum[0] as number) + (from[at] as number);
        if (!isExclusive) data[at] = sum[0] as number;
      }
    }
    return [tensorOf(y.dtype, y.shape, data)];
  },
};

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
