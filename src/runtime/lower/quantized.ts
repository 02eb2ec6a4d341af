/** Between floats and bytes, and what bytes become besides products. */
import { windowWords } from "../../kernels/infer/integer-layout.ts";
import { axisOf, int, numbers, text } from "../../ops/op.ts";
import { broadcastStrides, offsets } from "../../ops/strides.ts";
import { elements } from "../../tensor.ts";
import type { Call, Lower } from "./lower.ts";
import { type Pair, planeOf } from "./plane.ts";
import { signed } from "./quantized-products.ts";

/** https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, with one scale or one along an axis. */
const linear =
  (isQuantizing: boolean): Lower =>
  ({ node, inputs: [x, scale, zero], outputs: [y], fn, table }) => {
    const bytes = isQuantizing ? y : x;
    const isPlain = [x?.dtype, y?.dtype].every((dtype) => /^(float32|u?int8)$/.test(dtype ?? "")) && int(node, "block_size", 0) === 0;
    if (!x || !y || !scale || !bytes || !isPlain || scale.dtype !== "float32" || scale.shape.length > 1) return undefined;
    const c = elements(scale.shape);
    const axis = c === 1 ? 0 : axisOf(int(node, "axis", 1), x.shape.length);
    if (axis === undefined || (c > 1 && x.shape[axis] !== c) || (zero && elements(zero.shape) !== c)) return undefined;
    const [outer, inner] = c === 1 ? [1, elements(x.shape)] : [elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis + 1))];
    const zeros = zero?.address ?? table(new Int32Array(Math.ceil(c / 4)));
    const [low, high] = bytes.dtype === "int8" ? [-128, 127] : [0, 255];
    return isQuantizing
      ? () => fn.f32_qa8_channels(outer, c, inner, x.address, y.address, scale.address, zeros, low as number, high as number)
      : () => fn.qa8_f32_channels(outer, c, inner, x.address, y.address, scale.address, zeros, low as number);
  };

export const QuantizeLinear = linear(true);
export const DequantizeLinear = linear(false);

/** https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html */
export const DynamicQuantizeLinear: Lower = ({ inputs: [x], outputs: [y, scale, zero], fn, temporary }) => {
  if (!x || !y) return undefined;
  const [at, byte] = [scale?.address ?? temporary(4), zero?.address ?? temporary(1)];
  const n = elements(x.shape);
  return () => fn.f32_dynamic_quantize(n, x.address, y.address, at, byte);
};

export const QLookup: Lower = ({ inputs: [x, map], outputs: [y], fn }) => {
  if (!x || !map || !y) return undefined;
  const n = elements(x.shape);
  return () => fn.q8_lookup(1, n, x.address, n, y.address, n, map.address);
};

export const QBinary: Lower = ({ node, inputs: [left, right], outputs: [y], fn }) => {
  if (!left || !right || !y) return undefined;
  const isTurned = elements(left.shape) !== elements(y.shape);
  const [a, b] = isTurned ? [right, left] : [left, right];
  if (elements(a.shape) !== elements(y.shape)) return undefined;
  // A kernel repeats c elements of the second over n of the first: up to the last dimension along which it is repeated, and those right before.
  const shape = [...new Array<number>(y.shape.length - b.shape.length).fill(1), ...b.shape];
  const last = shape.findLastIndex((d, i) => d !== y.shape[i]) + 1;
  const first = last && shape.slice(0, last).findLastIndex((d, i) => d === y.shape[i] && d !== 1) + 1;
  const outer = y.shape.slice(0, first);
  const blocks = offsets(outer, broadcastStrides(shape.slice(0, first), outer));
  const [n, c] = [elements(y.shape.slice(first)), elements(shape.slice(last))];
  const isSigned = signed(y.dtype);
  const { a_scale = 1, a_zero = 0, b_scale = 1, b_zero = 0, y_scale = 1, y_zero = 0 } = node.attributes as Record<string, number>;
  const [low, high] = [int(node, "low", isSigned ? -128 : 0), int(node, "high", isSigned ? 127 : 255)];
  const kernel = text(node, "kind", "Add") === "Add" ? fn.q8_add : fn.q8_mul;
  const pairs: [Pair, Pair] = [[a_scale, a_zero], [b_scale, b_zero]]; // biome-ignore format: pairs
  const [one, other] = isTurned ? (pairs.toReversed() as [Pair, Pair]) : pairs;
  return () => {
    for (let i = 0; i < blocks.length; i++) {
      const [from, by, to] = [a.address + i * n, b.address + (blocks[i] as number) * c, y.address + i * n];
      kernel(n, c, from, ...one, by, ...other, to, y_scale, y_zero, isSigned, low, high);
    }
  };
};

/** A pool of bytes whose kernel takes one image. */
const pool =
  (make: (call: Call, window: number) => (x: number, y: number) => void, isGlobal = false): Lower =>
  (call) => {
    const [[x], [y]] = [call.inputs, call.outputs];
    if (!x || !y) return undefined;
    const kernel = isGlobal ? x.shape.slice(1, -1) : (numbers(call.node, "kernel_shape") ?? []);
    const plane = planeOf(call, x.shape, y.shape, kernel);
    if (!plane?.isFull) return undefined;
    const { h, wd: w, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl } = plane;
    const c = x.shape.at(-1) as number;
    const run = make(call, call.table(windowWords({ h, w, c, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, ldx: c })));
    const [images = 0] = x.shape;
    return () => {
      for (let i = 0; i < images; i++) run(x.address + i * h * w * c, y.address + i * oh * ow * c);
    };
  };

export const QMaxPool = pool(({ fn, inputs: [image] }, window) => {
  const c = image?.shape.at(-1) as number;
  const isSigned = signed(image?.dtype as string);
  return (x, y) => fn.q8_max_pool(x, window, isSigned, y, c);
});

const average = ({ fn, node, inputs: [image] }: Call, window: number) => {
  const c = image?.shape.at(-1) as number;
  const isSigned = signed(image?.dtype as string);
  const { x_zero = 0, y_zero = 0, scale = 1 } = node.attributes as Record<string, number>;
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  const count = int(node, "count_include_pad", 0);
  return (x: number, y: number) =>
    fn.q8_average_pool(x, window, isSigned, x_zero, scale, count, y, c, y_zero, low as number, high as number);
};

export const QAveragePool = pool(average);
export const QGlobalAveragePool = pool(average, true);
