/** Convolutions: the window of a kernel moves over the spatial axes of [N, C, …]. */
import type { Node } from "../graph/graph.ts";
import type { DType } from "../tensor.ts";
import { unknownDims } from "./dims.ts";
import { type Context, int, numbers, type Op, text } from "./op.ts";
import type { Dim, Dims, Value } from "./value.ts";
import { windowDims } from "./window.ts";

/** Dims of a convolution of x[N, C, …] with w[M, C / group, …]. */
export function convShape(node: Node, x: Dims | undefined, w: Dims | undefined, context: Context): Dims | undefined {
  const rank = x?.length ?? w?.length;
  if (rank === undefined || rank < 3 || (x && w && x.length !== w.length)) return undefined;
  const kernel = numbers(node, "kernel_shape") ?? w?.slice(2);
  const spatial = (x && kernel && windowDims(node, x.slice(2), kernel, context)) ?? unknownDims(rank - 2, context);
  return [x?.[0] ?? context.symbol(), w?.[0] ?? context.symbol(), ...spatial];
}

/** A convolution whose weight is the input `w`. */
const conv = (w: number, dtypeOf: (inputs: readonly (Value | undefined)[]) => DType | undefined): Op => ({
  infer: (node, inputs, context) => [{ dtype: dtypeOf(inputs), shape: convShape(node, inputs[0]?.shape, inputs[w]?.shape, context) }],
});

export const Conv = conv(1, ([x, w]) => x?.dtype ?? w?.dtype);
export const DeformConv = conv(1, ([x, w]) => x?.dtype ?? w?.dtype);
export const ConvInteger = conv(1, () => "int32");
/** Inputs x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B. */
export const QLinearConv = conv(3, (inputs) => inputs[7]?.dtype ?? inputs[0]?.dtype);

/** https://onnx.ai/onnx/operators/onnx__ConvTranspose.html */
export const ConvTranspose: Op = {
  infer(node, [x, w], context) {
    const dtype = x?.dtype ?? w?.dtype;
    const rank = x?.shape?.length ?? w?.shape?.length;
    if (rank === undefined || rank < 3 || (w?.shape && w.shape.length !== rank)) return [{ dtype }];
    const channels = w?.shape?.[1];
    const group = int(node, "group", 1);
    const dims = x?.shape && w?.shape ? transposedDims(node, x.shape.slice(2), w.shape.slice(2), context) : unknownDims(rank - 2, context);
    const m = typeof channels === "number" ? channels * group : group === 1 && channels ? channels : context.symbol();
    return [{ dtype, shape: dims && [x?.shape?.[0] ?? context.symbol(), m, ...dims] }];
  },
};

function transposedDims(node: Node, dims: Dims, weight: Dims, context: Context): Dims | undefined {
  const given = numbers(node, "output_shape");
  if (given) return given.length === dims.length ? given : undefined;
  const kernel = numbers(node, "kernel_shape") ?? weight;
  const [strides, dilations, pads, more] = ["strides", "dilations", "pads", "output_padding"].map((name) => numbers(node, name));
  const auto = text(node, "auto_pad", "NOTSET");
  const result = dims.map((dim, i): Dim => {
    const k = kernel[i];
    if (typeof dim !== "number" || typeof k !== "number") return context.symbol();
    const stride = strides?.[i] ?? 1;
    const extra = more?.[i] ?? 0;
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") return dim * stride;
    const padding = auto === "VALID" ? 0 : (pads?.[i] ?? 0) + (pads?.[i + dims.length] ?? 0);
    return stride * (dim - 1) + extra + (k - 1) * (dilations?.[i] ?? 1) + 1 - padding;
  });
  return result;
}
