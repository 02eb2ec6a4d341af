/** Operators that find elements: how many, only the elements tell. */
import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { bigIntsOf, int64s, type Numbers, numbersOf, picked } from "./elements.ts";
import { axisOf, int, isTensor, type Op } from "./op.ts";
import { offsets, strides } from "./strides.ts";

/** Places of the elements that are not zero: [rank, count]; a scalar counts as a vector. */
export const NonZero: Op = {
  infer(_node, [x], context) {
    const data = x?.constant && (bigIntsOf(x.constant) ?? numbersOf(x.constant));
    const count = data ? Array.from(data as Numbers).filter(isSet).length : context.symbol();
    return [{ dtype: "int64", shape: [x?.shape ? Math.max(x.shape.length, 1) : context.symbol(), count] }];
  },
  fold(_node, [x], { outputs: [y] }) {
    const data = x && (bigIntsOf(x) ?? numbersOf(x));
    if (!data || !y) return undefined;
    const [rank = 0, count = 0] = y.shape;
    const places = new BigInt64Array(rank * count);
    const shape = x.shape.length === 0 ? [1] : x.shape;
    const steps = strides(shape);
    let found = 0;
    for (let i = 0; i < data.length; i++) {
      if (!isSet(data[i] as number | bigint)) continue;
      for (let axis = 0; axis < rank; axis++)
        places[axis * count + found] = BigInt(Math.floor(i / (steps[axis] as number)) % (shape[axis] as number));
      found++;
    }
    return [{ dtype: "int64", shape: y.shape, data: places }];
  },
  compute(node, [x], context) {
    const data = isTensor(x) ? (bigIntsOf(x) ?? numbersOf(x)) : undefined;
    if (!data || !isTensor(x)) return undefined;
    const shape = [Math.max(x.shape.length, 1), Array.from(data as Numbers).filter(isSet).length];
    return NonZero.fold?.(node, [x], { ...context, outputs: [{ dtype: "int64", shape }] });
  },
};

const isSet = (value: number | bigint): boolean => Number(value) !== 0;

/** Elements where the condition holds. */
export const Compress: Op = {
  infer(node, [x, condition], context) {
    const held = condition?.constant && numbersOf(condition.constant)?.filter(isSet);
    const count = held?.length ?? context.symbol();
    if (node.attributes.axis === undefined) return [{ dtype: x?.dtype, shape: [count] }];
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    return [{ dtype: x?.dtype, shape: axis === undefined ? undefined : x?.shape?.map((d, i) => (i === axis ? count : d)) }];
  },
  /** Elements that the condition does not reach are left out. */
  compute(node, [x, condition]) {
    const slices = isTensor(x) && slicesOf(node, x);
    if (!slices || !isTensor(x) || !isTensor(condition) || condition.dtype !== "bool") return undefined;
    const held = [...condition.data.keys()].filter((i) => condition.data[i] && i < slices.count);
    return [slices.picked(held)];
  },
};

/** The slices of a tensor along the attribute `axis`, which are its elements where there is none. */
function slicesOf(node: Node, x: Tensor) {
  const isFlat = node.attributes.axis === undefined;
  const axis = isFlat ? 0 : axisOf(int(node, "axis", 0), x.shape.length);
  if (axis === undefined) return undefined;
  const shape = isFlat ? [elements(x.shape)] : x.shape;
  const steps = strides(shape);
  const step = steps[axis] as number;
  const within = offsets(shape.with(axis, 1), steps);
  return {
    count: shape[axis] as number,
    /** Where the elements of the slice `i` lie. */
    places: (i: number) => within.map((at) => at + i * step),
    picked(which: readonly number[]): Tensor {
      const [outer, inner] = [elements(shape.slice(0, axis)), step];
      const from = new Int32Array(outer * which.length * inner);
      for (let i = 0; i < from.length; i++) {
        const [row, at] = [Math.floor(i / inner / which.length), which[Math.floor(i / inner) % which.length] as number];
        from[i] = (row * (shape[axis] as number) + at) * inner + (i % inner);
      }
      return picked(x, shape.with(axis, which.length), from);
    },
  };
}

/** Values, then where each first stood, which of them each element is, and how many of each. */
export const Unique: Op = {
  infer(node, [x], context) {
    const count = context.symbol();
    const isFlat = node.attributes.axis === undefined;
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    const shape = isFlat ? [count] : axis === undefined ? undefined : x?.shape?.map((d, i) => (i === axis ? count : d));
    return [
      { dtype: x?.dtype, shape },
      { dtype: "int64", shape: [count] },
      { dtype: "int64", shape: [context.symbol()] },
      { dtype: "int64", shape: [count] },
    ];
  },
  /** Slices are ordered by their first elements that differ, or with `sorted` 0 by where each first stood. */
  compute(node, [x]) {
    const slices = isTensor(x) && slicesOf(node, x);
    if (!slices || !isTensor(x)) return undefined;
    const data = bigIntsOf(x) ?? numbersOf(x) ?? x.data;
    const groups = new Map<string, { first: number; count: number; elements: (number | bigint | string)[] }>();
    const keys = Array.from({ length: slices.count }, (_, i) => {
      const elements = Array.from(slices.places(i), (at) => data[at] as number);
      const key = elements.join("\0");
      const group = groups.get(key);
      if (group) group.count++;
      else groups.set(key, { first: i, count: 1, elements });
      return key;
    });
    const found = [...groups];
    if (int(node, "sorted", 1) !== 0) found.sort(([, a], [, b]) => compare(a.elements, b.elements));
    const order = new Map(found.map(([key], i) => [key, i]));
    const firsts = found.map(([, { first }]) => first);
    return [
      slices.picked(firsts),
      int64s([firsts.length], firsts),
      int64s(
        [slices.count],
        keys.map((key) => order.get(key) as number),
      ),
      int64s(
        [firsts.length],
        found.map(([, { count }]) => count),
      ),
    ];
  },
};

/** Numbers before those that are none. */
function compare(a: readonly (number | bigint | string)[], b: readonly (number | bigint | string)[]): number {
  const at = a.findIndex((x, i) => x !== b[i]);
  const [x, y] = [a[at], b[at]];
  if (x === undefined || y === undefined) return 0;
  return x < y || Number.isNaN(y) ? -1 : 1;
}
