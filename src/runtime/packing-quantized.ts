/** How constant weights of quantized products are packed. */
import {
  Q8_FORMS,
  type Q8Form,
  q8DepthwiseBytes,
  q8DepthwiseFits,
  q8PackedBytes,
  q8WinogradBytes,
  qbwPackedBytes,
} from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { int, numbers } from "../ops/op.ts";
import { elements } from "../tensor.ts";
import { isDepthwise, isPlain3x3 } from "./lower/products.ts";
import type { Form, Pack } from "./packing.ts";

/** Where a quantized product has the zero points of its weights, a byte each column. */
const W_ZERO = 6;

/** The quickest form that weights can be packed in, all of one tensor: only the wide one takes uint8 and zero points. */
function q8Form(fn: InferKernels, variant: string, isWide: boolean, count: number, from: number): Q8Form {
  if (isWide) return Q8_FORMS.wide;
  return variant === "relaxed" && fn.q8_is_narrow(count, from) ? Q8_FORMS.narrow : Q8_FORMS.bytes;
}

/** Most bytes of any form. */
const q8Bytes = (n: number, k: number, isWide: boolean): number => q8PackedBytes(n, k, isWide ? Q8_FORMS.wide : Q8_FORMS.narrow);

const WIDE: Form = { form: Q8_FORMS.wide, bytes: 0, stride: 0 };

/** The form of weights that `q8_winograd_conv` reads, beside those of `q8_pack`. */
export const Q8_WINOGRAD = 3;
/** Transformed int8 weights, at most: they become eight times as large, and the gain is in images that are large beside them. */
const MAX_TRANSFORMED_BYTES = 10.5 * 2 ** 20;

/** Groups one after the other. */
export const quantizedConv: Pack = (node, index, { shape, dtype }) => {
  if (index !== 1) return undefined;
  const [n = 0, c = 0, ...kernel] = shape;
  const [group, taps] = [int(node, "group", 1), elements(kernel)];
  const signed = dtype === "int8" ? 1 : 0;
  const zeros = node.input[W_ZERO] ?? "";
  const besides = zeros ? [W_ZERO] : [];
  const [kh, kw] = kernel.length === 1 ? [1, kernel[0] as number] : (kernel as [number, number]);
  if (isDepthwise(group, shape) && q8DepthwiseFits(kh, kw, numbers(node, "dilations")?.at(-1) ?? 1)) {
    const bytes = q8DepthwiseBytes(n, kh, kw);
    const key = `q8 depthwise ${zeros}`;
    return { key, bytes, besides, pack: (fn, from, to, [zero = 0]) => fn.q8_pack_depthwise(n, kh, kw, from, signed, zero, to) };
  }
  const ng = n / group;
  const isWide = signed === 0 || zeros !== "";
  const transformed = isPlain3x3(node, shape) ? q8WinogradBytes(n, c) : Number.POSITIVE_INFINITY;
  const mayTransform = !isWide && transformed <= MAX_TRANSFORMED_BYTES;
  return {
    key: `q8 conv${group}${mayTransform ? " 3×3" : ""} ${zeros}`,
    bytes: mayTransform ? transformed : q8Bytes(ng, c * taps, isWide) * group,
    besides,
    look(fn, from, variant) {
      if (mayTransform && fn.q8_winograd_fits(n, c * taps, from)) return { form: Q8_WINOGRAD, bytes: transformed, stride: 0 };
      const form = q8Form(fn, variant, isWide, n * c * taps, from);
      const stride = q8PackedBytes(ng, c * taps, form);
      return { form, bytes: stride * group, stride };
    },
    pack(fn, from, to, [zero = 0], { form, stride } = WIDE) {
      if (form === Q8_WINOGRAD) {
        fn.q8_winograd_pack(n, c, from, to);
        return;
      }
      for (let g = 0; g < group; g++) {
        const own = zero && zero + g * ng;
        fn.q8_pack(ng, c, taps, from + g * ng * c * taps, c * taps, taps, 1, signed, own, form, to + g * stride);
      }
    },
  };
};

export const quantizedMatmul: Pack = (node, index, { shape: [rows = 0, columns = 0], dtype }) => {
  if (index !== 1) return undefined;
  const isTurned = int(node, "transB", 0) !== 0;
  const [k, n] = isTurned ? [columns, rows] : [rows, columns];
  const signed = dtype === "int8" ? 1 : 0;
  const zeros = node.input[W_ZERO] ?? "";
  const isWide = signed === 0 || zeros !== "";
  const [n_stride, c_stride] = isTurned ? [k, 1] : [1, n];
  return {
    key: `${isTurned ? "q8 bt" : "q8 b"} ${zeros}`,
    bytes: q8Bytes(n, k, isWide),
    besides: zeros ? [W_ZERO] : [],
    look(fn, from, variant) {
      const form = q8Form(fn, variant, isWide, k * n, from);
      return { form, bytes: q8PackedBytes(n, k, form), stride: 0 };
    },
    pack: (fn, from, to, [zero = 0], { form } = WIDE) => fn.q8_pack(n, k, 1, from, n_stride, c_stride, 0, signed, zero, form, to),
  };
};

/** Weights of 4 or 8 bits with their scales and zero points, inputs 3 and 4. */
export const blockMatmul: Pack = ({ attributes, input }, index) => {
  if (index !== 1) return undefined;
  const { bits, n, k, block, n_stride, k_stride, w_signed, all_zero, scale_n, scale_b } = attributes as Record<string, number>;
  const sizes = [n, k, block] as [number, number, number];
  const strides = [n_stride, k_stride, w_signed] as [number, number, number];
  const scales = [all_zero, scale_n, scale_b] as [number, number, number];
  return {
    key: `block ${bits} ${sizes} ${strides} ${scales} ${input[3]} ${input[4] ?? ""}`,
    bytes: qbwPackedBytes(bits as 4 | 8, ...sizes),
    besides: [3, 4],
    pack: (fn, from, to, [scale = 0, zero = 0]) => fn.qbw_pack(bits as number, ...sizes, from, ...strides, scale, zero, ...scales, to),
  };
};
