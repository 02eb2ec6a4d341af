/** Operators that make a tensor from little. */
import { elements } from "../tensor.ts";
import { arrayFor, bigIntsOf, emptyLike, type Numbers, numbersOf, tensorOf } from "./elements.ts";
import { axisOf, type Context, dtypeAttribute, int, numbers, type Op, texts } from "./op.ts";
import { constantValue, type Dim, elementsOf, floatsOf, MAX_RANK, type Value } from "./value.ts";

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
    const whole = (shape: readonly number[], list: readonly number[]): Value =>
      list.every(Number.isSafeInteger)
        ? constantValue({ dtype: "int64", shape, data: BigInt64Array.from(list, BigInt) })
        : { dtype: "int64", shape };
    if (typeof value_int === "number") return [whole([], [value_int])];
    if (typeof value_float === "number") return [constantValue({ dtype: "float32", shape: [], data: Float32Array.of(value_float) })];
    if (ints) return [whole(vector(ints), ints)];
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

/** The attribute `value` holds one element; without it there are zeros of float32. */
export const ConstantOfShape: Op = {
  infer: (node, [shape], context) => [{ dtype: context.tensor(node, "value")?.dtype ?? "float32", shape: spelled(shape, context) }],
  fold(node, _inputs, { outputs: [y], tensor }) {
    const value = tensor(node, "value");
    const data = y && arrayFor(y.dtype, elements(y.shape));
    const from = value?.constant?.data;
    if (!data || (value && from?.length !== 1)) return undefined;
    const result = y.dtype === "float16" || y.dtype === "bfloat16" ? new Uint16Array(data.length) : data;
    return [{ dtype: y.dtype, shape: y.shape, data: from ? (result as Numbers).fill(from[0] as number) : result }];
  },
};

/** Ones on the diagonal `k`. */
export const EyeLike: Op = {
  infer: (node, [x]) => [{ dtype: dtypeAttribute(node, "dtype", x?.dtype), shape: x?.shape }],
  fold(node, _inputs, { outputs: [y] }) {
    const [rows, columns] = y?.shape ?? [];
    const data = y && arrayFor(y.dtype, elements(y.shape));
    if (!data || y.shape.length !== 2 || rows === undefined || columns === undefined) return undefined;
    const k = int(node, "k", 0);
    const one = bigIntsOf({ ...y, data }) ? 1n : 1;
    for (let i = Math.max(0, -k); i < rows && i + k < columns; i++) data[i * columns + i + k] = one as never;
    return [tensorOf(y.dtype, y.shape, data)];
  },
};

export const Range: Op = {
  infer: (_node, [start, limit, delta], context) => [
    { dtype: start?.dtype ?? limit?.dtype ?? delta?.dtype, shape: [rangeLength(start, limit, delta) ?? context.symbol()] },
  ],
  fold(_node, [start, , delta], { outputs: [y] }) {
    const data = y && arrayFor(y.dtype, y.shape[0] as number);
    const [first, step] = [start?.data[0], delta?.data[0]];
    if (!y || !data || start?.dtype !== y.dtype || delta?.dtype !== y.dtype || first === undefined || step === undefined) return undefined;
    for (let i = 0, at = first as number; i < data.length; i++, at = (at + (step as number)) as number) {
      data[i] = at as never;
      at = data[i] as number;
    }
    return [tensorOf(y.dtype, y.shape, data)];
  },
};

function rangeLength(...inputs: (Value | undefined)[]): Dim | undefined {
  const [start, limit, delta] = inputs.map((value) => {
    const data = value?.constant?.data;
    return data?.length === 1 && typeof data[0] !== "string" && !value?.dtype?.endsWith("float16") ? Number(data[0]) : undefined;
  });
  const end = elementsOf(inputs[1])?.[0];
  if (start === 0 && delta === 1 && typeof end === "string") return end;
  if (start === undefined || limit === undefined || !delta) return undefined;
  const length = inputs[0]?.dtype === "float32" ? Math.fround(limit - start) : limit - start;
  return Math.max(0, Math.ceil(length / delta));
}

/** The dimension of `depth` stands at `axis`; the type is that of `values`. */
export const OneHot: Op = {
  infer(node, [indices, depth, values], context) {
    const rank = (indices?.shape?.length ?? 0) + 1;
    const axis = indices?.shape && axisOf(int(node, "axis", -1), rank);
    if (!indices?.shape || axis === undefined) return [{ dtype: values?.dtype }];
    const size = elementsOf(depth)?.[0] ?? floatsOf(depth)?.map(Math.trunc)[0] ?? context.symbol();
    return [{ dtype: values?.dtype, shape: [...indices.shape.slice(0, axis), size, ...indices.shape.slice(axis)] }];
  },
  /** Indices that are out of range set no element; negative ones count from the end. */
  fold(node, [indices, , values], { outputs: [y] }) {
    const at = indices && (bigIntsOf(indices) ?? numbersOf(indices));
    const axis = y && axisOf(int(node, "axis", -1), y.shape.length);
    if (!y || !at || !values || axis === undefined || values.data.length !== 2 || Array.isArray(values.data)) return undefined;
    const size = y.shape[axis] as number;
    const inner = y.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
    const result = emptyLike(values.data as Numbers, elements(y.shape)).fill(values.data[0] as number);
    for (let i = 0; i < at.length; i++) {
      const index = Number(at[i]);
      const place = index < 0 ? index + size : index;
      if (!Number.isInteger(place) || place < 0 || place >= size) continue;
      result[(Math.floor(i / inner) * size + place) * inner + (i % inner)] = values.data[1] as number;
    }
    return [{ dtype: y.dtype, shape: y.shape, data: result }];
  },
};
