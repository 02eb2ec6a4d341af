/** How constant weights of quantized products are packed. */
import {
  Q8_FORMS,
  q8DepthwiseBytes,
  q8DepthwiseFits,
  q8PackedBytes,
  q8WinogradBytes,
  qbwPackedBytes,
} from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { SPARSE } from "../kernels/infer/sparse.ts";
import { int, numbers } from "../ops/op.ts";
import { elements } from "../tensor.ts";
import { isDepthwise, isPlain3x3 } from "./lower/products.ts";
import type { Form, Pack } from "./packing.ts";
import { LEAST_ZEROS, LEAST_ZEROS_WINOGRAD, packGroups, sparseFormOf, type Weights } from "./packing-sparse.ts";

/** Where a quantized product has the zero points of its weights, a byte each column. */
const W_ZERO = 6;

/** The quickest form that weights can be packed in, all of one tensor: only wide ones take uint8 and zero points. */
function q8FormOf(fn: InferKernels, variant: string, isWide: boolean, weights: Weights, from: number, zero: number, least: number): Form {
  const { n, c, taps, group } = weights;
  const isNarrow = !isWide && variant === "relaxed" && fn.q8_is_narrow(n * c * taps * group, from) !== 0;
  const form = isWide ? Q8_FORMS.wide : isNarrow ? Q8_FORMS.narrow : Q8_FORMS.bytes;
  const stride = q8PackedBytes(n, c * taps, form);
  return sparseFormOf(fn, weights, from, zero, form, least, stride * group) ?? { form, bytes: stride * group, stride };
}

/** Weights in the form that was found for them. */
function pack(fn: InferKernels, weights: Weights, from: number, zero: number, form: Form, to: number): void {
  packGroups(form.form < SPARSE ? fn.q8_pack : fn.sparse_pack, weights, from, zero, form, to);
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
  const isWide = signed === 0 || zeros !== "";
  const k = c * taps;
  const weights: Weights = { n: n / group, c, taps, strides: [k, taps, 1], group, bytes: (n / group) * k, signed };
  const transformed = isPlain3x3(node, shape) ? q8WinogradBytes(n, c) : Number.POSITIVE_INFINITY;
  const mayTransform = !isWide && transformed <= MAX_TRANSFORMED_BYTES;
  return {
    key: `q8 conv${group}${mayTransform ? " 3×3" : ""} ${zeros}`,
    bytes: mayTransform ? transformed : q8Bytes(n / group, k, isWide) * group,
    besides,
    look(fn, from, variant, [zero = 0]) {
      const transforms = mayTransform && fn.q8_winograd_fits(n, k, from) !== 0;
      const form = q8FormOf(fn, variant, isWide, weights, from, zero, transforms ? LEAST_ZEROS_WINOGRAD.int8 : LEAST_ZEROS);
      return transforms && form.form < SPARSE ? { form: Q8_WINOGRAD, bytes: transformed, stride: 0 } : form;
    },
    pack(fn, from, to, [zero = 0], form = WIDE) {
      if (form.form === Q8_WINOGRAD) fn.q8_winograd_pack(n, c, from, to);
      else pack(fn, weights, from, zero, form, to);
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
  const weights: Weights = { n, c: k, taps: 1, strides: isTurned ? [k, 1, 0] : [1, n, 0], group: 1, bytes: 0, signed };
  return {
    key: `${isTurned ? "q8 bt" : "q8 b"} ${zeros}`,
    bytes: q8Bytes(n, k, isWide),
    besides: zeros ? [W_ZERO] : [],
    look: (fn, from, variant, [zero = 0]) => q8FormOf(fn, variant, isWide, weights, from, zero, LEAST_ZEROS),
    pack: (fn, from, to, [zero = 0], form = WIDE) => pack(fn, weights, from, zero, form, to),
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
