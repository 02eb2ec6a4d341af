import type { Node } from "../graph/graph.ts";
import { Q8_FORMS, type Q8Form, q8DepthwiseBytes, q8PackedBytes } from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { int } from "../ops/op.ts";
import { elements, type TensorInfo } from "../tensor.ts";
import { isDepthwise, isWinograd, packedBytes } from "./lower/products.ts";

/** How a constant input is laid out once, when the model is loaded, for the kernel that reads it. */
export interface Packing {
  /** The same for the same layout. */
  readonly key: string;
  /** The most that it takes. */
  readonly bytes: number;
  /** Looks at the tensor at `from`, where the layout depends on its elements. */
  look?(kernels: InferKernels, from: number, variant: "simd" | "relaxed"): Form;
  /** Packs the tensor at `from` to `to`. */
  pack(kernels: InferKernels, from: number, to: number, form?: Form): void;
}

/** A layout that was chosen for the elements. */
export interface Form {
  readonly form: Q8Form;
  /** The bytes it takes, and those from group to group. */
  readonly bytes: number;
  readonly stride: number;
}

/** The packing of input `index` of a node, where it has one. */
export type Pack = (node: Node, index: number, info: TensorInfo) => Packing | undefined;

const conv: Pack = (node, index, { shape }) => {
  if (index !== 1) return undefined;
  const [n = 0, c = 0, ...kernel] = shape;
  const [group, taps] = [int(node, "group", 1), elements(kernel)];
  if (isDepthwise(group, shape))
    return { key: "depthwise", bytes: Math.ceil(n / 4) * 16 * taps, pack: (fn, from, to) => fn.f32_pack_depthwise(n, taps, from, to) };
  if (isWinograd(node, shape)) {
    const bytes = 36 * Math.ceil(n / 8) * 8 * c * 4;
    return { key: "winograd", bytes, pack: (fn, from, to) => fn.f32_winograd_pack(n, c, from, to) };
  }
  const [ng, from_group, to_group] = [n / group, (n / group) * c * taps * 4, packedBytes(c * taps, n / group)];
  return {
    key: `conv${group}`,
    bytes: to_group * group,
    pack(fn, from, to) {
      for (let g = 0; g < group; g++) fn.f32_pack_conv(ng, c, taps, from + g * from_group, to + g * to_group);
    },
  };
};

const convTranspose: Pack = (_node, index, { shape }) => {
  if (index !== 1) return undefined;
  const [c = 0, n = 0, ...kernel] = shape;
  const taps = elements(kernel);
  return {
    key: "transposed",
    bytes: packedBytes(c, taps * n),
    pack: (fn, from, to) => fn.f32_pack_conv_transpose(c, n, taps, from, to),
  };
};

const matmul: Pack = (node, index, { shape: [rows = 0, columns = 0] }) => {
  if (index !== 1) return undefined;
  if (int(node, "transB", 0))
    return { key: "bt", bytes: packedBytes(columns, rows), pack: (fn, from, to) => fn.f32_pack_bt(columns, rows, from, columns, to) };
  return { key: "b", bytes: packedBytes(rows, columns), pack: (fn, from, to) => fn.f32_pack_b(rows, columns, from, columns, to) };
};

/** The quickest form that int8 or uint8 weights can be packed in, all of one tensor. */
function q8Form(fn: InferKernels, variant: string, signed: number, count: number, from: number): Q8Form {
  if (!signed) return Q8_FORMS.wide;
  return variant === "relaxed" && fn.q8_is_narrow(count, from) ? Q8_FORMS.narrow : Q8_FORMS.bytes;
}

/** Most bytes of any form. */
const q8Bytes = (n: number, k: number, signed: number): number => q8PackedBytes(n, k, signed ? Q8_FORMS.narrow : Q8_FORMS.wide);

/** Groups one after the other. Weights with zero points have them in the node. */
const quantizedConv: Pack = (node, index, { shape, dtype }) => {
  if (index !== 1) return undefined;
  const [n = 0, c = 0, ...kernel] = shape;
  const [group, taps] = [int(node, "group", 1), elements(kernel)];
  const signed = dtype === "int8" ? 1 : 0;
  if (isDepthwise(group, shape) && taps <= 1024) {
    const bytes = q8DepthwiseBytes(n, taps);
    return { key: "q8 depthwise", bytes, pack: (fn, from, to) => fn.q8_pack_depthwise(n, taps, from, signed, 0, to) };
  }
  const ng = n / group;
  return {
    key: `q8 conv${group}`,
    bytes: q8Bytes(ng, c * taps, signed) * group,
    look(fn, from, variant) {
      const form = q8Form(fn, variant, signed, n * c * taps, from);
      const stride = q8PackedBytes(ng, c * taps, form);
      return { form, bytes: stride * group, stride };
    },
    pack(fn, from, to, { form, stride } = WIDE) {
      for (let g = 0; g < group; g++)
        fn.q8_pack(ng, c, taps, from + g * ng * c * taps, c * taps, taps, 1, signed, 0, form, to + g * stride);
    },
  };
};

const WIDE: Form = { form: Q8_FORMS.wide, bytes: 0, stride: 0 };

const quantizedMatmul: Pack = (node, index, { shape: [rows = 0, columns = 0], dtype }) => {
  if (index !== 1) return undefined;
  const isTurned = int(node, "transB", 0) !== 0;
  const [k, n] = isTurned ? [columns, rows] : [rows, columns];
  const signed = dtype === "int8" ? 1 : 0;
  return {
    key: isTurned ? "q8 bt" : "q8 b",
    bytes: q8Bytes(n, k, signed),
    look(fn, from, variant) {
      const form = q8Form(fn, variant, signed, k * n, from);
      return { form, bytes: q8PackedBytes(n, k, form), stride: 0 };
    },
    pack: (fn, from, to, { form } = WIDE) => fn.q8_pack(n, k, 1, from, isTurned ? k : 1, isTurned ? 1 : n, 0, signed, 0, form, to),
  };
};

const PACKS: Readonly<Record<string, Pack>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MatMul: matmul,
  QConv: quantizedConv,
  QMatMul: quantizedMatmul,
};

/** The packing of a node's constant input; undefined where it is read as it is. Only fused operators pack. */
export const packingOf: Pack = (node, index, info) => (node.domain === "edgeslim" ? PACKS[node.op_type]?.(node, index, info) : undefined);
