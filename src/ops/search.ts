/** Operators that find elements: how many, only the elements tell. */
import { bigIntsOf, type Numbers, numbersOf } from "./elements.ts";
import { axisOf, int, type Op } from "./op.ts";
import { strides } from "./strides.ts";

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
};

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
};
