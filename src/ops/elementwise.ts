/** Operators on each element of several tensors, and copies. */
import { type DType, elements, isFloat, type Tensor } from "../tensor.ts";
import { castTo } from "./cast.ts";
import { ofKnown } from "./compute.ts";
import { broadcast } from "./dims.ts";
import { eachOf, eachPair } from "./each.ts";
import { arrayFor, isBig, larger, numbersOf, picked, smaller, tensorOf } from "./elements.ts";
import { type Inputs, int, type Op } from "./op.ts";
import { broadcastStrides, offsets } from "./strides.ts";
import { elementsOf, type Value } from "./value.ts";

/** Takes an element of the second input where the condition holds, else of the third. */
export const Where: Op = {
  infer(_node, inputs, context) {
    const shape = broadcast(
      inputs.map((value) => value?.shape),
      context,
    );
    return [{ dtype: inputs[1]?.dtype ?? inputs[2]?.dtype, shape, elements: shape?.length === 1 ? chosen(inputs, shape[0]) : undefined }];
  },
  fold(_node, [condition, a, b], { outputs: [y] }) {
    if (!condition || !a || !b || !y || a.dtype !== b.dtype || condition.dtype !== "bool") return undefined;
    const [where, yes, no] = [condition, a, b].map((x) => offsets(y.shape, broadcastStrides(x.shape, y.shape))) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    const both = joined(a, b);
    const split = elements(a.shape);
    const from = where.map((at, i) => (condition.data[at] ? (yes[i] as number) : split + (no[i] as number)));
    return [picked(both, y.shape, from)];
  },
};

/** The elements of two tensors of one type, one after the other. */
function joined(a: Tensor, b: Tensor): Tensor {
  if (Array.isArray(a.data)) return { ...a, data: [...(a.data as readonly string[]), ...(b.data as readonly string[])] };
  const data = new (a.data.constructor as Float32ArrayConstructor)(a.data.length + b.data.length);
  data.set(a.data as Float32Array);
  data.set(b.data as Float32Array, a.data.length);
  return { ...a, data };
}

function chosen(inputs: Inputs, length: unknown): Value["elements"] {
  const [condition, a, b] = inputs.map((value) => ((value?.shape?.length ?? 2) <= 1 ? elementsOf(value) : undefined));
  if (!condition || !a || !b || typeof length !== "number") return undefined;
  return Array.from({ length }, (_, i) => {
    const [which, yes, no] = [condition, a, b].map((list) => list[list.length === 1 ? 0 : i]);
    return which === 1 ? yes : which === 0 ? no : yes === no ? yes : undefined;
  });
}

/** The largest finite numbers: absent bounds. */
const LARGEST: Partial<Record<DType, number>> = { float32: 2 ** 128 - 2 ** 104, float64: Number.MAX_VALUE, float16: 65504 };

/** Bounds are attributes up to opset 10; without them infinity is cut to the largest number. */
export const Clip: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  fold(node, [x, low, high], { outputs: [y] }) {
    if (!x || !y) return undefined;
    const largest = LARGEST[x.dtype];
    const bound = (name: string, otherwise: number | undefined): Tensor | undefined => {
      if (otherwise === undefined) return undefined;
      return castTo({ dtype: "float64", shape: [], data: Float64Array.of(int(node, name, otherwise)) }, x.dtype);
    };
    const [min, max] = [low ?? bound("min", largest && -largest), high ?? bound("max", largest)];
    const lower = { number: larger, bigint: larger };
    const upper = { number: smaller, bigint: smaller };
    const raised = min ? eachPair(x, min, x.dtype, x.shape, lower) : x;
    const result = raised && max ? eachPair(raised, max, x.dtype, x.shape, upper) : raised;
    return result && [result];
  },
};

/** A copy, with all that is known. */
export const Identity: Op = { infer: (_node, [x]) => [x ?? {}], compute: (_node, [x]) => [x] };

/** Elements are dropped in training alone, which an input says from opset 12 on. */
export const Dropout: Op = {
  infer(_node, [x], { opset }) {
    const y: Value = { dtype: x?.dtype, shape: x?.shape };
    return [y, { dtype: opset < 10 ? x?.dtype : "bool", shape: x?.shape }];
  },
  compute: ofKnown((_node, [x, given, training], { random, outputs: [, kept] }) => {
    const [ratio = 0.5] = given ? (numbersOf(given) ?? []) : [];
    const isTraining = training?.data[0] === 1 && ratio > 0;
    const mask = kept && arrayFor(kept.dtype, elements(kept.shape));
    if (!x || !mask || !kept || isBig(mask)) return undefined;
    for (let i = 0; i < mask.length; i++) mask[i] = isTraining && random() < ratio ? 0 : 1;
    let at = 0;
    const y = isTraining ? eachOf(x, x.dtype, { number: (a) => (mask[at++] ? a / (1 - ratio) : 0), accepts: isFloat }) : x;
    return y && [y, tensorOf(kept.dtype, kept.shape, mask)];
  }),
};
