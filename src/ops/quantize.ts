/** Between floats and integers with scale and zero point. */
import { type DType, elements, isFloat } from "../tensor.ts";
import { arrayFor, numbersOf, tensorOf } from "./elements.ts";
import { axisOf, dtypeAttribute, int, type Op } from "./op.ts";
import { strides } from "./strides.ts";

/** https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html */
export const QuantizeLinear: Op = {
  infer(node, [x, , zero_point]) {
    const dtype: DType | undefined = zero_point ? zero_point.dtype : dtypeAttribute(node, "output_dtype", "uint8");
    return [{ dtype, shape: x?.shape }];
  },
};

/** Float32 up to opset 18, then what the scale is, or `output_dtype` (opset 23). */
export const DequantizeLinear: Op = {
  infer(node, [x, scale], { opset }) {
    const dtype = opset < 19 ? "float32" : dtypeAttribute(node, "output_dtype", scale?.dtype);
    return [{ dtype, shape: x?.shape }];
  },
  fold(node, [x, scale, zero_point], { outputs: [y] }) {
    const [from, scales] = [x, scale].map((tensor) => tensor && numbersOf(tensor));
    const zeros = zero_point && numbersOf(zero_point);
    const data = y && arrayFor(y.dtype, elements(y.shape));
    const places = x && scale && scalePlaces(x.shape, scale.shape, int(node, "axis", 1), int(node, "block_size", 0));
    if (!x || !y || !from || !scales || !data || !places || (zero_point && zeros?.length !== scales.length)) return undefined;
    if (isFloat(x.dtype) || !isFloat(y.dtype)) return undefined;
    for (let i = 0; i < from.length; i++) {
      const at = places(i);
      data[i] = Math.fround((from[i] as number) - (zeros?.[at] ?? 0)) * (scales[at] as number);
    }
    return [tensorOf(y.dtype, y.shape, data)];
  },
};

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
};
