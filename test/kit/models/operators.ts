/** Operators that ONNX has changed, in the form of the trace's opset, and small groups of nodes that exporters write for one of PyTorch. */
import { DataType, tensor } from "../onnx.ts";
import { product } from "./model.ts";
import type { Trace } from "./trace.ts";

const { FLOAT, INT64 } = DataType;

/** Axes: an attribute before `since`, an input from there on. */
function axial(
  t: Trace,
  op_type: string,
  x: string,
  axes: readonly number[],
  since: number,
  attributes: Record<string, number> = {},
): string {
  return t.opset < since ? t.op(op_type, [x], { axes, ...attributes }) : t.op(op_type, [x, t.ints(axes)], attributes);
}

export const unsqueeze = (t: Trace, x: string, ...axes: number[]): string => axial(t, "Unsqueeze", x, axes, 13);
export const squeeze = (t: Trace, x: string, ...axes: number[]): string => axial(t, "Squeeze", x, axes, 13);

/** ReduceSum takes its axes as an input from opset 13, the others from 18. */
export const reduce = (t: Trace, op_type: string, x: string, axes: readonly number[], keepdims = 1): string =>
  axial(t, op_type, x, axes, op_type === "ReduceSum" ? 13 : 18, { keepdims });

export function split(t: Trace, x: string, sizes: readonly number[], axis: number): string[] {
  return t.opset < 13
    ? t.ops("Split", [x], sizes.length, { axis, split: sizes })
    : t.ops("Split", [x, t.ints(sizes)], sizes.length, { axis });
}

/** `x[start:end]` along an axis; what is computed can be cut by from opset 10 only. */
export function slice(t: Trace, x: string, axis: number, start: number | string, end: number | string): string {
  if (t.opset >= 10) {
    const bound = (at: number | string) => (typeof at === "string" ? at : t.ints([at]));
    return t.op("Slice", [x, bound(start), bound(end), t.ints([axis]), t.ints([1])]);
  }
  if (typeof start === "string" || typeof end === "string") throw new RangeError("Slice takes its bounds as inputs from opset 10 on");
  return t.op("Slice", [x], { axes: [axis], starts: [start], ends: [end] });
}

/** Past every end. */
export const TO_END = 2 ** 31 - 1;

export function clip(t: Trace, x: string, min: number, max?: number): string {
  if (t.opset < 11) return t.op("Clip", [x], { min: { float: min }, ...(max !== undefined && { max: { float: max } }) });
  return t.op("Clip", [x, t.float(min), max === undefined ? "" : t.float(max)]);
}

export function pad(t: Trace, x: string, pads: readonly number[]): string {
  return t.opset < 11 ? t.op("Pad", [x], { pads, mode: "constant" }) : t.op("Pad", [x, t.ints(pads), t.float(0)], { mode: "constant" });
}

/** Along the last axis, where all definitions agree. */
export const softmax = (t: Trace, x: string, rank: number): string => t.op("Softmax", [x], { axis: t.opset < 13 ? rank - 1 : -1 });

/** Layer normalization: an operator from opset 17, nine nodes before. */
export function layerNorm(t: Trace, x: string, name: string, size: number, epsilon = 1e-5): string {
  const [scale, bias] = [t.weight(`${name}.weight`, [size], 0.1, 1), t.weight(`${name}.bias`, [size], 0.1)];
  if (t.opset >= 17) return t.op("LayerNormalization", [x, scale, bias], { axis: -1, epsilon: { float: epsilon } });
  const centred = t.op("Sub", [x, reduce(t, "ReduceMean", x, [-1])]);
  const variance = reduce(t, "ReduceMean", t.op("Pow", [centred, t.float(2)]), [-1]);
  const deviation = t.op("Sqrt", [t.op("Add", [variance, t.float(epsilon)])]);
  return t.op("Add", [t.op("Mul", [t.op("Div", [centred, deviation]), scale]), bias]);
}

/** x · Φ(x): by Erf, or as an operator from opset 20 where `named`. */
export function gelu(t: Trace, x: string, named = false): string {
  if (named && t.opset >= 20) return t.op("Gelu", [x], { approximate: "none" });
  const erf = t.op("Erf", [t.op("Div", [x, t.float(Math.SQRT2)])]);
  return t.op("Mul", [t.op("Mul", [x, t.op("Add", [erf, t.float(1)])]), t.float(0.5)]);
}

export const silu = (t: Trace, x: string): string => t.op("Mul", [x, t.op("Sigmoid", [x])]);

/** x · clip(x + 3, 0, 6) / 6: in four nodes, or as an operator from opset 14 where `named`. */
export function hardSwish(t: Trace, x: string, named = false): string {
  if (named && t.opset >= 14) return t.op("HardSwish", [x]);
  return t.op("Div", [t.op("Mul", [x, clip(t, t.op("Add", [x, t.float(3)]), 0, 6)]), t.float(6)]);
}

/** max(0, min(1, x / 6 + 1 / 2)). */
export const hardSigmoid = (t: Trace, x: string): string => t.op("HardSigmoid", [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });

/** A linear layer on more than two dimensions. Its weight has been turned and has lost its name. */
export function linear(t: Trace, x: string, name: string, k: number, n: number, biased = true): string {
  const product = t.op("MatMul", [x, t.weight(`onnx::MatMul_${100 + t.nodes.length}`, [k, n], 1 / Math.sqrt(k))]);
  return biased ? t.op("Add", [t.weight(`${name}.bias`, [n], 0.1), product]) : product;
}

/** A linear layer on two dimensions. */
export const gemm = (t: Trace, x: string, name: string, k: number, n: number): string =>
  t.op("Gemm", [x, t.weight(`${name}.weight`, [n, k], 1 / Math.sqrt(k)), t.weight(`${name}.bias`, [n], 0.1)], {
    alpha: { float: 1 },
    beta: { float: 1 },
    transB: 1,
  });

interface Convolution {
  kernel: readonly number[];
  stride?: number;
  group?: number;
  pads?: readonly number[];
  biased?: boolean;
  /** What the weights are larger than those that keep the size of what they see. */
  gain?: number;
}

/** A convolution that keeps the size but for its stride. */
export function conv(
  t: Trace,
  x: string,
  name: string,
  cin: number,
  cout: number,
  { kernel, stride = 1, group = 1, ...rest }: Convolution,
) {
  const dims = [cout, cin / group, ...kernel];
  const weight = t.weight(`${name}.weight`, dims, (rest.gain ?? 1) / Math.sqrt(product(dims.slice(1))));
  const inputs = rest.biased === false ? [x, weight] : [x, weight, t.weight(`${name}.bias`, [cout], 0.1)];
  const half = kernel.map((size) => size >> 1);
  const ones = kernel.map(() => 1);
  return t.op("Conv", inputs, {
    dilations: ones,
    group,
    kernel_shape: kernel,
    pads: rest.pads ?? [...half, ...half],
    strides: ones.map((one) => one * stride),
  });
}

export function batchNorm(t: Trace, x: string, name: string, size: number, epsilon = 1e-5): string {
  const parts = [
    t.weight(`${name}.weight`, [size], 0.2, 1),
    t.weight(`${name}.bias`, [size], 0.1),
    t.weight(`${name}.running_mean`, [size], 0.1),
    t.weight(`${name}.running_var`, [size], 0.05, 0.6),
  ];
  return t.op("BatchNormalization", [x, ...parts], { epsilon: { float: epsilon }, momentum: { float: 0.9 } });
}

/** One dimension of a value, as a scalar. */
export const size = (t: Trace, x: string, axis: number): string => t.op("Gather", [t.op("Shape", [x]), t.ints(axis)], { axis: 0 });

/** A shape of numbers and of scalars that the graph computes. */
export function shape(t: Trace, ...dims: (number | string)[]): string {
  const parts = dims.map((dim) => (typeof dim === "string" ? unsqueeze(t, dim, 0) : t.ints([dim])));
  return t.op("Concat", parts, { axis: 0 });
}

export const reshape = (t: Trace, x: string, ...dims: (number | string)[]): string =>
  t.op("Reshape", [x, dims.every((dim) => typeof dim === "number") ? t.ints(dims) : shape(t, ...dims)]);

export const transpose = (t: Trace, x: string, ...perm: number[]): string => t.op("Transpose", [x], { perm });

/** A tensor of one value everywhere. */
export function filled(t: Trace, shape: string, x: number, data_type: number = FLOAT): string {
  const data = data_type === INT64 ? BigInt64Array.of(BigInt(x)) : Float32Array.of(x);
  return t.op("ConstantOfShape", [shape], { value: { tensor: tensor("", data_type, [1], data) } });
}

/** `x.expand(dims)`, where −1 keeps a dimension: PyTorch's exporter computes that in the graph. */
export function expand(t: Trace, x: string, ...dims: (number | string)[]): string {
  const target = t.op("Reshape", [shape(t, ...dims), t.ints([-1])]);
  const ones = filled(t, t.op("Shape", [target]), 1, INT64);
  const kept = t.op("Equal", [target, t.op("Mul", [ones, t.ints(-1)])]);
  return t.op("Expand", [x, t.op("Where", [kept, ones, target])]);
}

/** 0, 1, …, n − 1 as int64, n a scalar. Before Range came with opset 11, the indices of ones that are not zero. */
export function arange(t: Trace, n: string): string {
  if (t.opset >= 11) return t.op("Range", [t.ints(0), n, t.ints(1)]);
  const ones = filled(t, unsqueeze(t, n, 0), 1, INT64);
  return squeeze(t, transpose(t, t.op("NonZero", [ones]), 1, 0), 1);
}

export const toFloat = (t: Trace, x: string): string => t.op("Cast", [x], { to: FLOAT });
export const toInt = (t: Trace, x: string): string => t.op("Cast", [x], { to: INT64 });

/** Twice as large, nearest: Upsample at opset 9, Resize to a size that is computed from 11 on. */
export function upsample(t: Trace, x: string): string {
  if (t.opset < 10) return t.op("Upsample", [x, t.tensor("scales", 1, [4], Float32Array.of(1, 1, 2, 2))], { mode: "nearest" });
  const attributes = {
    coordinate_transformation_mode: "asymmetric",
    mode: "nearest",
    nearest_mode: "floor",
    cubic_coeff_a: { float: -0.75 },
  };
  const double = (axis: number) => t.op("Cast", [t.op("Floor", [t.op("Mul", [toFloat(t, size(t, x, axis)), t.float(2)])])], { to: 7 });
  const sizes = t.op("Concat", [slice(t, t.op("Shape", [x]), 0, 0, 2), shape(t, double(2), double(3))], { axis: 0 });
  const none = t.opset < 13 ? t.tensor("roi", 1, [0], new Float32Array(0)) : "";
  return t.op("Resize", [x, none, none, sizes], attributes);
}
