/** Operators that look along one axis. */
import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { ofKnown } from "./compute.ts";
import { computed } from "./dims.ts";
import { arrayFor, bigIntsOf, isBig, type Numbers, numbersOf, picked, tensorOf } from "./elements.ts";
import { axisOf, type FoldContext, int, type Op } from "./op.ts";
import { reduced } from "./reduce.ts";
import { offsets, strides } from "./strides.ts";
import { integerOf } from "./value.ts";

type Better = (a: number | bigint, b: number | bigint) => boolean;

/** Where `isBetter` finds the best element along the axis: the first of equals, or with `select_last_index` the last. */
const arg = (isBetter: Better): Op => ({
  infer: (node, [x]) => [{ dtype: "int64", shape: reduced(x?.shape, [int(node, "axis", 0)], int(node, "keepdims", 1) !== 0) }],
  fold: (node, [x], { outputs: [y] }) => (x && y && !hasNaN(x) ? found(node, x, y.shape, isBetter) : undefined),
  compute: ofKnown((node, [x], { outputs: [y] }) => x && y && found(node, x, y.shape, isBetter)),
});

function found(node: Node, x: Tensor, shape: readonly number[], isBetter: Better): readonly Tensor[] | undefined {
  const lines = along(x, int(node, "axis", 0));
  const isLast = int(node, "select_last_index", 0) !== 0;
  if (!lines || lines.size === 0) return undefined;
  const { data, starts, size, step } = lines;
  const places = BigInt64Array.from(starts, (start) => {
    let best = 0;
    for (let i = 1; i < size; i++) {
      const [value, so_far] = [data[start + i * step], data[start + best * step]] as [number, number];
      if (isBetter(value, so_far) || (isLast && value === so_far)) best = i;
    }
    return BigInt(best);
  });
  return [{ dtype: "int64", shape, data: places }];
}

export const ArgMax = arg((a, b) => a > b);
export const ArgMin = arg((a, b) => a < b);

const hasNaN = (x: Tensor): boolean => numbersOf(x)?.some(Number.isNaN) === true;

/** The elements as lines along an axis, in the order of what is left without it. */
function along(x: Tensor, given: number) {
  const axis = axisOf(given, x.shape.length);
  const data = bigIntsOf(x) ?? numbersOf(x);
  if (axis === undefined || !data) return undefined;
  const steps = strides(x.shape);
  const starts = offsets(x.shape.toSpliced(axis, 1), steps.toSpliced(axis, 1));
  return { data, starts, size: x.shape[axis] as number, step: steps[axis] as number };
}

export const CumSum: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  fold: (node, inputs, context) => (inputs[0] && hasNaN(inputs[0]) ? undefined : summed(node, inputs, context)),
  compute: ofKnown(summed),
};

function summed(node: Node, [x, axis]: readonly (Tensor | undefined)[], { outputs: [y] }: Pick<FoldContext, "outputs">) {
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
}

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
  /** Of equals the first. */
  compute: ofKnown((node, [x], { outputs: [y] }) => {
    const [given, isLargest] = [int(node, "axis", -1), int(node, "largest", 1) !== 0];
    const lines = x && along(x, given);
    if (!x || !y || !lines) return undefined;
    const { data, starts, size, step } = lines;
    const axis = axisOf(given, x.shape.length) as number;
    const k = y.shape[axis] as number;
    if (k > size) return undefined;
    const inner = elements(x.shape.slice(axis + 1));
    const [from, places] = [new Int32Array(elements(y.shape)), new BigInt64Array(elements(y.shape))];
    const order = new Int32Array(size);
    for (let line = 0; line < starts.length; line++) {
      const start = starts[line] as number;
      const value = (i: number) => data[start + i * step] as number;
      for (let i = 0; i < size; i++) order[i] = i;
      order.sort((a, b) => {
        const [p, q] = isLargest ? [value(b), value(a)] : [value(a), value(b)];
        return p < q ? -1 : p > q ? 1 : a - b;
      });
      for (let i = 0; i < k; i++) {
        const to = (Math.floor(line / inner) * k + i) * inner + (line % inner);
        from[to] = start + (order[i] as number) * step;
        places[to] = BigInt(order[i] as number);
      }
    }
    return [picked(x, y.shape, from), { dtype: "int64", shape: y.shape, data: places }];
  }),
};
