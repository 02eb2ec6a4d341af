/** Between floats and integers with scale and zero point. */
import type { DType } from "../tensor.ts";
import { dtypeAttribute, type Op } from "./op.ts";

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
};

export const DynamicQuantizeLinear: Op = {
  infer: (_node, [x]) => [
    { dtype: "uint8", shape: x?.shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
};
