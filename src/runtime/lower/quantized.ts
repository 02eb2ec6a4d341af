/** Products of bytes. */
import { type Output, outputWords, q8WinogradWorkBytes, windowWords } from "../../kernels/infer/integer-layout.ts";
import { axisOf, int, numbers, text } from "../../ops/op.ts";
import { elements } from "../../tensor.ts";
import { Q8_WINOGRAD } from "../packing.ts";
import type { Call, Lower } from "./lower.ts";
import { type Pair, planeOf } from "./plane.ts";
import { isDepthwise } from "./products.ts";

/** What becomes of the sums, as the node says it. */
function outputOf({ node }: Call): Output {
  const number = (name: string, otherwise: number) => {
    const value = node.attributes[name];
    return typeof value === "number" ? value : otherwise;
  };
  return {
    kind: text(node, "out", "float") as Output["kind"],
    zero: number("y_zero", 0),
    low: number("low", 0),
    high: number("high", 255),
    y_scale: number("y_scale", 1),
    activation: number("kind", 0),
    alpha: number("alpha", 0),
    beta: number("beta", 0),
  };
}

const signed = (dtype: string): number => (dtype === "int8" ? 1 : 0);
/** Bytes of an element. */
const width = (dtype: string): number => (/8$/.test(dtype) ? 1 : 4);

export const QConv: Lower = (call) => {
  const { inputs, outputs, fn, work, node, table } = call;
  const [x, w, bias, scale, map] = inputs;
  const [y] = outputs;
  if (!x || !w || !y || !scale) return undefined;
  const plane = planeOf(call, x.shape, y.shape, w.shape.slice(2));
  if (!plane) return undefined;
  const {
    dims: [h, wd],
    places: [oh, ow],
    kernel: [kh, kw],
    strides: [sh, sw],
    dilations: [dh, dw],
    before: [pt, pl],
  } = plane;
  const [images = 0] = x.shape;
  const [c, n] = [x.shape.at(-1), y.shape.at(-1)] as Pair;
  const group = int(node, "group", 1);
  const [cg, ng] = [c / group, n / group];
  const isSpread = isDepthwise(group, w.shape) && kh * kw <= 1024;
  const window = table(windowWords({ h, w: wd, c: isSpread ? c : cg, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, ldx: c }));
  const output = table(outputWords(outputOf(call)));
  const [x_signed, x_zero] = [signed(x.dtype), int(node, "x_zero", 0)];
  const size = width(y.dtype);
  const panel = w.stride ?? 0;
  const room = w.form === Q8_WINOGRAD ? call.temporary(q8WinogradWorkBytes(c)) : work;
  return () => {
    for (let i = 0; i < images; i++) {
      const [from, to] = [x.address + i * h * wd * c, y.address + i * oh * ow * n * size];
      const [added, mapped] = [bias?.address ?? 0, map?.address ?? 0];
      if (w.form === Q8_WINOGRAD) {
        fn.q8_winograd_conv(
          ...([from, window, x_signed, x_zero, w.address, n, to, n, added, scale.address, mapped, output, room] as const),
        );
        continue;
      }
      if (isSpread) {
        fn.q8_depthwise(from, window, x_signed, x_zero, w.address, to, n, added, scale.address, mapped, output, work);
        continue;
      }
      for (let g = 0; g < group; g++) {
        const [own, b] = [added && added + g * ng * 4, w.address + g * panel];
        fn.q8_conv(
          ...([from + g * cg, window, x_signed, x_zero, b, w.form ?? 0, ng, to + g * ng * size, n, own] as const),
          ...([scale.address + g * ng * 4, mapped, output, work] as const),
        );
      }
    }
  };
};

export const QMatMul: Lower = (call) => {
  const { inputs, outputs, fn, work, node, table } = call;
  const [a, b, bias, scale, map] = inputs;
  const [y] = outputs;
  if (!a || !b || !y || !scale) return undefined;
  const [k, n] = [a.shape.at(-1), y.shape.at(-1)] as Pair;
  const m = elements(a.shape.slice(0, -1));
  const output = table(outputWords(outputOf(call)));
  const [a_signed, a_zero] = [signed(a.dtype), int(node, "x_zero", 0)];
  return () =>
    fn.q8_gemm(
      ...([m, n, k, a.address, k, a_signed, a_zero, b.address, b.form ?? 0, y.address, n, bias?.address ?? 0] as const),
      ...([scale.address, map?.address ?? 0, output, work] as const),
    );
};

/** https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, with one scale or one along an axis. */
const linear =
  (isQuantizing: boolean): Lower =>
  ({ node, inputs: [x, scale, zero], outputs: [y], fn, table }) => {
    const bytes = isQuantizing ? y : x;
    const isPlain = [x?.dtype, y?.dtype].every((dtype) => /^(float32|u?int8)$/.test(dtype ?? "")) && int(node, "block_size", 0) === 0;
    if (!x || !y || !scale || !bytes || !isPlain || scale.dtype !== "float32" || scale.shape.length > 1) return undefined;
    const c = elements(scale.shape);
    const axis = c === 1 ? 0 : axisOf(int(node, "axis", 1), x.shape.length);
    if (axis === undefined || (c > 1 && x.shape[axis] !== c)) return undefined;
    const [outer, inner] = c === 1 ? [1, elements(x.shape)] : [elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis + 1))];
    const zeros = zero?.address ?? table(new Int32Array(Math.ceil(c / 4)));
    const [low, high] = bytes.dtype === "int8" ? [-128, 127] : [0, 255];
    return isQuantizing
      ? () => fn.f32_qa8_channels(outer, c, inner, x.address, y.address, scale.address, zeros, low as number, high as number)
      : () => fn.qa8_f32_channels(outer, c, inner, x.address, y.address, scale.address, zeros, low as number);
  };

export const QuantizeLinear = linear(true);
export const DequantizeLinear = linear(false);

export const QLookup: Lower = ({ inputs: [x, map], outputs: [y], fn }) => {
  if (!x || !map || !y) return undefined;
  const n = elements(x.shape);
  return () => fn.q8_lookup(1, n, x.address, n, y.address, n, map.address);
};

export const QBinary: Lower = ({ node, inputs: [a, b], outputs: [y], fn }) => {
  if (!a || !b || !y) return undefined;
  const n = elements(y.shape);
  const { a_scale, a_zero, b_scale, b_zero, y_scale, y_zero } = node.attributes as Record<string, number>;
  const isSigned = signed(y.dtype);
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  const kernel = text(node, "kind", "Add") === "Add" ? fn.q8_add : fn.q8_mul;
  const numbers = [a_scale, a_zero, b_scale, b_zero, y_scale, y_zero] as [number, number, number, number, number, number];
  const [p, q, r, s, t, u] = numbers;
  return () => kernel(n, n, a.address, p, q, b.address, r, s, y.address, t, u, isSigned, low as number, high as number);
};

/** A pool of bytes whose kernel takes one image. */
const pool =
  (make: (call: Call, window: number) => (x: number, y: number) => void, isGlobal = false): Lower =>
  (call) => {
    const [[x], [y]] = [call.inputs, call.outputs];
    if (!x || !y) return undefined;
    const kernel = isGlobal ? x.shape.slice(1, -1) : (numbers(call.node, "kernel_shape") ?? []);
    const plane = planeOf(call, x.shape, y.shape, kernel);
    if (!plane) return undefined;
    const {
      dims: [h, w],
      places: [oh, ow],
      kernel: [kh, kw],
      strides: [sh, sw],
      dilations: [dh, dw],
      before: [pt, pl],
    } = plane;
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
