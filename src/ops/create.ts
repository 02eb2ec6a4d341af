/** Operators that make a tensor from little: constants, ranges, random numbers, windows. */
import type { Node } from "../graph/graph.ts";
import { computed } from "./dims.ts";
import { axisOf, type Context, dtypeAttribute, int, numbers, type Op, texts } from "./op.ts";
import { constantValue, type Dim, elementsOf, integerOf, MAX_RANK, type Value } from "./value.ts";

/** Several attributes may hold the value: https://onnx.ai/onnx/operators/onnx__Constant.html */
export const Constant: Op = {
  infer(node, _inputs, context) {
    const { value_int, value_float } = node.attributes;
    const [ints, floats, strings] = [numbers(node, "value_ints"), numbers(node, "value_floats"), texts(node, "value_strings")];
    for (const name of ["value", "value_floats", "value_ints", "sparse_value"]) {
      const value = context.tensor(node, name);
      if (value) return [value];
    }
    const vector = (list: { length: number }) => [list.length];
    const data = (list: readonly number[]) => BigInt64Array.from(list.map((x) => (Number.isSafeInteger(x) ? BigInt(x) : 0n)));
    if (typeof value_int === "number") return [constantValue({ dtype: "int64", shape: [], data: data([value_int]) })];
    if (typeof value_float === "number") return [constantValue({ dtype: "float32", shape: [], data: Float32Array.of(value_float) })];
    if (ints) return [constantValue({ dtype: "int64", shape: vector(ints), data: data(ints) })];
    if (floats) return [constantValue({ dtype: "float32", shape: vector(floats), data: Float32Array.from(floats) })];
    if (strings) return [constantValue({ dtype: "string", shape: vector(strings), data: strings })];
    return [typeof node.attributes.value_string === "string" ? { dtype: "string", shape: [] } : {}];
  },
};

/** A shape that an integer input spells out. */
function spelled(value: Value | undefined, context: Context): readonly Dim[] | undefined {
  const rank = value?.shape?.[0];
  const dims =
    elementsOf(value) ?? (typeof rank === "number" && rank <= MAX_RANK ? Array.from({ length: rank }, () => undefined) : undefined);
  return dims?.map((d) => d ?? context.symbol());
}

export const ConstantOfShape: Op = {
  infer: (node, [shape], context) => [
    {
      dtype: node.attributes.value === undefined ? (context.tensor(node, "value")?.dtype ?? "float32") : undefined,
      shape: spelled(shape, context),
    },
  ],
};

export const EyeLike: Op = { infer: (node, [x]) => [{ dtype: dtypeAttribute(node, "dtype", x?.dtype), shape: x?.shape }] };

export const Range: Op = {
  infer: (_node, [start, limit, delta], context) => [
    { dtype: start?.dtype ?? limit?.dtype ?? delta?.dtype, shape: [rangeLength(start, limit, delta) ?? context.symbol()] },
  ],
};

function rangeLength(...inputs: (Value | undefined)[]): Dim | undefined {
  const [start, limit, delta] = inputs.map((value) => {
    const data = value?.constant?.data;
    return data?.length === 1 && typeof data[0] !== "string" && value?.dtype !== "float16" ? Number(data[0]) : undefined;
  });
  const end = elementsOf(inputs[1])?.[0];
  if (start === 0 && delta === 1 && typeof end === "string") return end;
  if (start === undefined || limit === undefined || !delta) return undefined;
  return Math.max(0, Math.ceil((limit - start) / delta));
}

/** The dimension of `depth` stands at `axis`; the type is that of `values`. */
export const OneHot: Op = {
  infer(node, [indices, depth, values], context) {
    const rank = (indices?.shape?.length ?? 0) + 1;
    const axis = indices?.shape && axisOf(int(node, "axis", -1), rank);
    if (!indices?.shape || axis === undefined) return [{ dtype: values?.dtype }];
    const size = elementsOf(depth)?.[0] ?? context.symbol();
    return [{ dtype: values?.dtype, shape: [...indices.shape.slice(0, axis), size, ...indices.shape.slice(axis)] }];
  },
};

const random: Op = { infer: (node) => [{ dtype: dtypeAttribute(node, "dtype", "float32"), shape: numbers(node, "shape") }] };
const randomLike: Op = { infer: (node, [x]) => [{ dtype: dtypeAttribute(node, "dtype", x?.dtype), shape: x?.shape }] };

export const Bernoulli = randomLike;
export const RandomNormal = random;
export const RandomNormalLike = randomLike;
export const RandomUniform = random;
export const RandomUniformLike = randomLike;

export const Multinomial: Op = {
  infer: (node, [x], context) => [
    { dtype: dtypeAttribute(node, "dtype", "int32"), shape: [x?.shape?.[0] ?? context.symbol(), int(node, "sample_size", 1)] },
  ],
};

const window: Op = {
  infer: (node, [size], context) => [
    { dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: [elementsOf(size)?.[0] ?? context.symbol()] },
  ],
};

export const BlackmanWindow = window;
export const HammingWindow = window;
export const HannWindow = window;

/** [bins of the spectrum, mel bins]. */
export const MelWeightMatrix: Op = {
  infer(node, [bins, length], context) {
    const spectrum = integerOf(length);
    const rows = spectrum === undefined ? context.symbol() : computed("mel", [spectrum], context, (n) => Math.floor(n / 2) + 1);
    const columns = elementsOf(bins)?.[0] ?? context.symbol();
    return [{ dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: rows === undefined ? undefined : [rows, columns] }];
  },
};

/** Places of the elements that are not zero: [rank, count]. */
export const NonZero: Op = {
  infer: (_node, [x], context) => [{ dtype: "int64", shape: [x?.shape?.length ?? context.symbol(), context.symbol()] }],
};

/** Elements where the condition holds. */
export const Compress: Op = {
  infer(node, [x], context) {
    if (node.attributes.axis === undefined) return [{ dtype: x?.dtype, shape: [context.symbol()] }];
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    return [{ dtype: x?.dtype, shape: axis === undefined ? undefined : x?.shape?.map((d, i) => (i === axis ? context.symbol() : d)) }];
  },
};

/** Values, then where each first stood, which of them each element is, and how many of each. */
export const Unique: Op = {
  infer(node: Node, [x], context) {
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
