/** Convolutions: the window of a kernel moves over the spatial axes of [N, C, …]. */
import type { Node } from "../graph/graph.ts";
import { type DType, elements } from "../tensor.ts";
import { type Compute, ofTensors, one, roomFor, stored } from "./compute.ts";
import { deformed } from "./deform.ts";
import { mayEqual, unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { type Context, int, numbers, type Op, text } from "./op.ts";
import { centered, requantized } from "./quantized.ts";
import type { Dim, Dims, Value } from "./value.ts";
import { slide, type Window, windowDims, windowOf } from "./window.ts";

/** Whether a bias is one number for each of `m` channels, as far as that is known. */
const isRow = (bias: Dims | undefined, m: Dim | undefined): boolean => !bias || (bias.length === 1 && mayEqual(bias[0], m));

/** Dims of a convolution of x[N, C, …] with w[M, C / group, …] and a bias [M]. */
export function convShape(
  node: Node,
  x: Dims | undefined,
  w: Dims | undefined,
  context: Context,
  bias?: Dims | undefined,
): Dims | undefined {
  const rank = x?.length ?? w?.length;
  if (rank === undefined || rank < 3 || (x && w && x.length !== w.length)) return undefined;
  const group = int(node, "group", 1);
  const [m, depth] = w ?? [];
  const isGrouped = group >= 1 && (typeof m !== "number" || m % group === 0);
  const fits = mayEqual(x?.[1], typeof depth === "number" ? depth * group : undefined) && isGrouped && isRow(bias, m);
  const kernel = numbers(node, "kernel_shape") ?? w?.slice(2);
  if (!fits || (w && kernel && (kernel.length !== rank - 2 || !kernel.every((k, i) => mayEqual(k, w[i + 2]))))) return undefined;
  const spatial = (x && kernel && windowDims(node, x.slice(2), kernel, context)) ?? unknownDims(rank - 2, context);
  return [x?.[0] ?? context.symbol(), w?.[0] ?? context.symbol(), ...spatial];
}

/** A convolution whose weight is the input `w`, and its bias, where it takes one, the input `b`. */
const conv = (w: number, b: number, dtypeOf: (inputs: readonly (Value | undefined)[]) => DType | undefined, compute?: Compute): Op => ({
  infer: (node, inputs, context) => [
    { dtype: dtypeOf(inputs), shape: convShape(node, inputs[0]?.shape, inputs[w]?.shape, context, inputs[b]?.shape) },
  ],
  ...(compute && { compute }),
});

/** A tensor's numbers and its shape. */
interface Numbered {
  data: ArrayLike<number>;
  shape: readonly number[];
}

/** Sums of x[N, C, …] under w[M, C / group, …] at the places of a window, with a bias for each channel. */
export function convolved(
  node: Node,
  x: Numbered,
  w: Numbered,
  shape: readonly number[] | undefined,
  bias?: ArrayLike<number>,
): Float64Array | undefined {
  const y = roomFor(shape);
  const group = int(node, "group", 1);
  const [n = 0, channels = 0, ...dims] = x.shape;
  const [m = 0, depth = 0, ...kernel] = w.shape;
  const isGrouped = group >= 1 && m % group === 0 && depth * group === channels && kernel.length === dims.length;
  if (!y || !shape || !isGrouped || (numbers(node, "kernel_shape") ?? kernel).join() !== kernel.join()) return undefined;
  if (shape.length !== x.shape.length || shape[0] !== n || shape[1] !== m || (bias && bias.length !== m)) return undefined;
  const window = windowOf(node, dims, shape.slice(2), kernel);
  const [area, size, places] = [dims, kernel, shape.slice(2)].map(elements) as [number, number, number];
  const isDone =
    window &&
    slide(window, (place, count, from, by) => {
      for (let image = 0; image < n; image++) {
        for (let channel = 0; channel < m; channel++) {
          let sum = bias?.[channel] ?? 0;
          const first = image * channels + Math.floor(channel / (m / group)) * depth;
          for (let c = 0; c < depth; c++) {
            const [at, weights] = [(first + c) * area, (channel * depth + c) * size];
            for (let t = 0; t < count; t++)
              sum += (x.data[at + (from[t] as number)] as number) * (w.data[weights + (by[t] as number)] as number);
          }
          y[(image * m + channel) * places + place] = sum;
        }
      }
    });
  return isDone ? y : undefined;
}

const computeConv = ofTensors((node, [x, w, b], { outputs: [y] }) => {
  const [xs, ws, bias] = [x, w, b].map((tensor) => tensor && numbersOf(tensor));
  if (!x || !w || !xs || !ws || !y || x.dtype !== w.dtype || (b && !bias)) return undefined;
  const sums = convolved(node, { ...x, data: xs }, { ...w, data: ws }, y.shape, bias);
  return sums && one(stored(x.dtype, y.shape as number[], sums));
});

const computeInteger = ofTensors((node, [x, w, x_zero, w_zero], { outputs: [y] }) => {
  const [xs, ws] = [x && centered(x, x_zero, 1), w && centered(w, w_zero, 0)];
  const sums = x && w && xs && ws && convolved(node, { ...x, data: xs }, { ...w, data: ws }, y?.shape);
  return sums && one(stored("int32", y?.shape as number[], sums));
});

const computeQLinear = ofTensors((node, inputs, { outputs: [y] }) => {
  const [x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b] = inputs;
  const [xs, ws, bias] = [x && centered(x, x_zero, 1), w && centered(w, w_zero, 0), b && numbersOf(b)];
  const sums = x && w && xs && ws && (!b || bias) && convolved(node, { ...x, data: xs }, { ...w, data: ws }, y?.shape, bias);
  return sums && one(requantized(sums, y?.shape as number[], 1, [x_scale, w_scale, y_scale], y_zero));
});

export const Conv = conv(1, 2, ([x, w]) => x?.dtype ?? w?.dtype, computeConv);
export const DeformConv = conv(1, 3, ([x, w]) => x?.dtype ?? w?.dtype, deformed);
export const ConvInteger = conv(1, -1, () => "int32", computeInteger);
/** Inputs x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B. */
export const QLinearConv = conv(3, 8, (inputs) => inputs[7]?.dtype ?? inputs[0]?.dtype, computeQLinear);

/** https://onnx.ai/onnx/operators/onnx__ConvTranspose.html */
export const ConvTranspose: Op = {
  infer(node, [x, w, b], context) {
    const dtype = x?.dtype ?? w?.dtype;
    const rank = x?.shape?.length ?? w?.shape?.length;
    const isOf = (rank: number) => rank >= 3 && (!w?.shape || w.shape.length === rank) && mayEqual(x?.shape?.[1], w?.shape?.[0]);
    if (rank === undefined || !isOf(rank)) return [{ dtype }];
    const channels = w?.shape?.[1];
    const group = int(node, "group", 1);
    const dims = x?.shape && w?.shape ? transposedDims(node, x.shape.slice(2), w.shape.slice(2), context) : unknownDims(rank - 2, context);
    const m = typeof channels === "number" ? channels * group : group === 1 && channels ? channels : context.symbol();
    if (!isRow(b?.shape, m)) return [{ dtype }];
    return [{ dtype, shape: dims && [x?.shape?.[0] ?? context.symbol(), m, ...dims] }];
  },
  /** Each input is spread by the kernel: the window moves over the output, and its places are the input's. */
  compute: ofTensors((node, [x, w, b], { outputs: [told] }) => {
    const [xs, ws, bias] = [x, w, b].map((tensor) => tensor && numbersOf(tensor));
    const [shape, group] = [told?.shape, int(node, "group", 1)];
    const sums = roomFor(shape);
    if (!x || !w || !xs || !ws || !sums || !shape || x.dtype !== w.dtype || (b && bias?.length !== shape[1])) return undefined;
    const [n = 0, channels = 0, ...places] = x.shape;
    const [inputs, depth = 0, ...kernel] = w.shape;
    const isWell =
      inputs === channels && group >= 1 && channels % group === 0 && (numbers(node, "kernel_shape") ?? kernel).join() === kernel.join();
    const window = isWell ? transposedWindow(node, shape.slice(2), places, kernel) : undefined;
    const [area, size, count] = [shape.slice(2), kernel, places].map(elements) as [number, number, number];
    if (bias) for (let i = 0; i < sums.length; i++) sums[i] = bias[Math.floor(i / area) % (shape[1] as number)] as number;
    const isDone =
      window &&
      slide(window, (place, taps, from, by) => {
        for (let i = 0; i < n * channels; i++) {
          const channel = i % channels;
          const value = xs[i * count + place] as number;
          const first = (Math.floor(i / channels) * group + Math.floor(channel / (channels / group))) * depth;
          for (let m = 0; m < depth; m++) {
            const [at, weights] = [(first + m) * area, (channel * depth + m) * size];
            for (let t = 0; t < taps; t++) sums[at + (from[t] as number)]! += value * (ws[weights + (by[t] as number)] as number);
          }
        }
      });
    return isDone ? one(stored(x.dtype, shape, sums)) : undefined;
  }),
};

/** Where `output_shape` or `auto_pad` asks for it, padding is what is left over. */
function transposedWindow(node: Node, dims: readonly number[], places: readonly number[], kernel: readonly number[]): Window | undefined {
  const window = windowOf({ ...node, attributes: { ...node.attributes, auto_pad: "NOTSET" } }, dims, places, kernel);
  const auto = text(node, "auto_pad", "NOTSET");
  if (!window || (!numbers(node, "output_shape") && auto === "NOTSET")) return window;
  const more = numbers(node, "output_padding");
  const before = dims.map((dim, i) => {
    const reach = ((kernel[i] as number) - 1) * (window.dilations[i] as number) + 1;
    const total = Math.max(0, (window.strides[i] as number) * ((places[i] as number) - 1) + (more?.[i] ?? 0) + reach - dim);
    return auto === "SAME_UPPER" ? total >> 1 : (total + 1) >> 1;
  });
  return { ...window, before };
}

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
