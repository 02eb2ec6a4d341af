/** Between floats and integers with scale and zero point. */
import type { Node } from "../graph/graph.ts";
import { type DType, elements, isFloat, type Tensor } from "../tensor.ts";
import { ofTensors, one, quantized } from "./compute.ts";
import { arrayFor, type Numbers, numbersOf, tensorOf } from "./elements.ts";
import { anyNumbers, isFloat8, storedAny } from "./narrow.ts";
import { axisOf, dtypeAttribute, int, type Op } from "./op.ts";
import { strides } from "./strides.ts";

/** https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html */
export const QuantizeLinear: Op = {
  infer(node, [x, , zero_point]) {
    const dtype: DType | undefined = zero_point ? zero_point.dtype : dtypeAttribute(node, "output_dtype", "uint8");
    return [{ dtype, shape: x?.shape }];
  },
  compute: ofTensors(
    (node, [x, scale, zero_point], { outputs: [y] }) => x && scale && y?.dtype && one(quantizedBy(node, x, scale, zero_point, y.dtype)),
  ),
};

/** Divided by its scale in float32, and rounded to even. */
export function quantizedBy(node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | undefined, dtype: DType): Tensor | undefined {
  const [from, scales, zeros] = [numbersOf(x), numbersOf(scale), zero_point && anyNumbers(zero_point)];
  const places = scalePlaces(x.shape, scale.shape, int(node, "axis", 1), int(node, "block_size", 0));
  if (!from || !scales || !places || (zero_point && (zeros?.length !== scales.length || zero_point.dtype !== dtype))) return undefined;
  const divided = Float64Array.from(from, (value, i) => Math.fround(value / (scales[places(i)] as number)));
  if (!isFloat8(dtype))
    for (let i = 0; i < divided.length; i++) divided[i] = quantized(divided[i] as number, zeros?.[places(i)] ?? 0, dtype);
  return storedAny(dtype, x.shape, divided, int(node, "saturate", 1) !== 0);
}

/** Float32 up to opset 18, then what the scale is, or `output_dtype` (opset 23). */
export const DequantizeLinear: Op = {
  infer(node, [x, scale], { opset }) {
    const dtype = opset < 19 ? "float32" : dtypeAttribute(node, "output_dtype", scale?.dtype);
    return [{ dtype, shape: x?.shape }];
  },
  fold: (node, [x, scale, zero_point], { outputs: [y] }) => x && scale && y && one(dequantized(node, x, scale, zero_point, y.dtype)),
  compute: ofTensors(
    (node, [x, scale, zero_point], { outputs: [y] }) => x && scale && y?.dtype && one(dequantized(node, x, scale, zero_point, y.dtype)),
  ),
};

export function dequantized(node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | undefined, dtype: DType): Tensor | undefined {
  const [from, scales, zeros] = [anyNumbers(x), numbersOf(scale), zero_point && anyNumbers(zero_point)];
  const data = isFloat(dtype) ? (arrayFor(dtype, elements(x.shape)) as Numbers | undefined) : undefined;
  const places = scalePlaces(x.shape, scale.shape, int(node, "axis", 1), int(node, "block_size", 0));
  if (!from || !scales || !data || !places || isFloat(x.dtype)) return undefined;
  if (zero_point && (zeros?.length !== scales.length || zero_point.dtype !== x.dtype)) return undefined;
  for (let i = 0; i < from.length; i++) {
    const at = places(i);
    data[i] = Math.fround((from[i] as number) - (zeros?.[at] ?? 0)) * (scales[at] as number);
  }
  return tensorOf(dtype, x.shape, data);
}

/** Which scale each element has: the one, that of its place along an axis, or that of its block along it. */
function scalePlaces(
  shape: readonly number[],
  scale: readonly number[],
  given: number,
  block_size: number,
): ((i: number) => number) | undefined {
  if (elements(scale) === 1 && block_size === 0) return () => 0;
  const axis = axisOf(given, shape.length);
  if (axis === undefined || !Number.isInteger(block_size) || block_size < 0) return undefined;
  const [size, step] = [shape[axis] as number, strides(shape)[axis] as number];
  if (block_size === 0) {
    if (scale.length !== 1 || scale[0] !== size) return undefined;
    return (i) => Math.floor(i / step) % size;
  }
  const blocks = Math.ceil(size / block_size);
  if (scale.join() !== shape.with(axis, blocks).join()) return undefined;
  return (i) => (Math.floor(i / (step * size)) * blocks + Math.floor((Math.floor(i / step) % size) / block_size)) * step + (i % step);
}

export const DynamicQuantizeLinear: Op = {
  infer: (_node, [x]) => [
    { dtype: "uint8", shape: x?.shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
  compute: ofTensors((node, [x]) => {
    const parts = x && dynamicScale(x);
    const y = parts && quantizedBy(node, x, parts.scale, parts.zero, "uint8");
    return y && [y, parts.scale, parts.zero];
  }),
};

/** Scale and zero point of uint8 that cover a tensor's range, and zero. */
export function dynamicScale(x: Tensor): { scale: Tensor; zero: Tensor } | undefined {
  const data = numbersOf(x);
  if (x.dtype !== "float32" || !data) return undefined;
  let [low, high] = [0, 0];
  for (const value of data) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = high === low ? 1 : Math.fround(Math.fround(high - low) / 255);
  const zero = quantized(Math.fround(-low / scale), 0, "uint8");
  return {
    scale: { dtype: "float32", shape: [], data: Float32Array.of(scale) },
    zero: { dtype: "uint8", shape: [], data: Uint8Array.of(zero) },
  };
}
