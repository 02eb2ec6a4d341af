/** How constant weights of quantized products are packed. */
import { q8DepthwiseBytes, q8PackedBytes, qbwPackedBytes } from "../kernels/infer/integer-layout.ts";
import { int } from "../ops/op.ts";
import { elements } from "../tensor.ts";
import { isDepthwise } from "./lower/products.ts";
import type { Pack } from "./packing.ts";

/** Where a quantized product has the zero points of its weights, a byte each column. */
const W_ZERO = 6;

/** Groups one after the other, narrow where every weight is. */
export const quantizedConv: Pack = (node, index, { shape, dtype }) => {
  if (index !== 1) return undefined;
  const [n = 0, c = 0, ...kernel] = shape;
  const [group, taps] = [int(node, "group", 1), elements(kernel)];
  const signed = dtype === "int8" ? 1 : 0;
  const zeros = node.input[W_ZERO] ?? "";
  const besides = zeros ? [W_ZERO] : [];
  if (isDepthwise(group, shape) && taps <= 1024) {
    const bytes = q8DepthwiseBytes(n, taps);
    return {
      key: `q8 depthwise ${zeros}`,
      bytes,
      besides,
      pack: (fn, from, to, _variant, [zero = 0]) => fn.q8_pack_depthwise(n, taps, from, signed, zero, to),
    };
  }
  const ng = n / group;
  return {
    key: `q8 conv${group} ${zeros}`,
    bytes: q8PackedBytes(ng, c * taps, false) * group,
    besides,
    pack(fn, from, to, variant, [zero = 0]) {
      const narrow = variant === "relaxed" && signed && !zero && fn.q8_is_narrow(n * c * taps, from) ? 1 : 0;
      const stride = q8PackedBytes(ng, c * taps, narrow === 1);
      for (let g = 0; g < group; g++) {
        const own = zero && zero + g * ng;
        fn.q8_pack(ng, c, taps, from + g * ng * c * taps, c * taps, taps, 1, signed, own, narrow, to + g * stride);
      }
      return { bytes: stride * group, form: narrow, stride };
    },
  };
};

export const quantizedMatmul: Pack = (node, index, { shape: [rows = 0, columns = 0], dtype }) => {
  if (index !== 1) return undefined;
  const isTurned = int(node, "transB", 0) !== 0;
  const [k, n] = isTurned ? [columns, rows] : [rows, columns];
  const signed = dtype === "int8" ? 1 : 0;
  const zeros = node.input[W_ZERO] ?? "";
  return {
    key: `${isTurned ? "q8 bt" : "q8 b"} ${zeros}`,
    bytes: q8PackedBytes(n, k, false),
    besides: zeros ? [W_ZERO] : [],
    pack(fn, from, to, variant, [zero = 0]) {
      const narrow = variant === "relaxed" && signed && !zero && fn.q8_is_narrow(k * n, from) ? 1 : 0;
      fn.q8_pack(n, k, 1, from, isTurned ? k : 1, isTurned ? 1 : n, 0, signed, zero, narrow, to);
      return { bytes: q8PackedBytes(n, k, narrow === 1), form: narrow, stride: 0 };
    },
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
    pack: (fn, from, to, _variant, [scale = 0, zero = 0]) =>
      fn.qbw_pack(bits as number, ...sizes, from, ...strides, scale, zero, ...scales, to),
  };
};
