import type { Node } from "../graph/graph.ts";
import type { Q8Form } from "../kernels/infer/integer-layout.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { FLOAT_FORM, type SparseForm } from "../kernels/infer/sparse.ts";
import { int } from "../ops/op.ts";
import { elements, type TensorInfo } from "../tensor.ts";
import { isDepthwise, isWinograd, packedBytes } from "./lower/products.ts";
import { blockMatmul, type Q8_WINOGRAD, quantizedConv, quantizedMatmul } from "./packing-quantized.ts";
import { LEAST_ZEROS, LEAST_ZEROS_WINOGRAD, packGroups, sparseFormOf, type Weights } from "./packing-sparse.ts";

/** How a constant input is laid out once, when the model is loaded, for the kernel that reads it. */
export interface Packing {
  /** The same for the same layout. */
  readonly key: string;
  /** The most that it takes. */
  readonly bytes: number;
  /** Looks at the tensor at `from`, and at those of `besides`, where the layout depends on its elements; undefined where it stays the usual one. */
  look?(kernels: InferKernels, from: number, variant: "simd" | "relaxed", besides: readonly number[]): Form | undefined;
  /** Inputs of the node whose tensors go into it, and are not read on their own. */
  readonly besides?: readonly number[];
  /** Packs the tensor at `from` to `to`. `besides` are addresses, 0 where an input is absent. */
  pack(kernels: InferKernels, from: number, to: number, besides: readonly number[], form?: Form): void;
}

/** A layout that was chosen for the elements. */
export interface Form {
  readonly form: Q8Form | typeof Q8_WINOGRAD | SparseForm;
  /** The bytes it takes, and those from group to group. */
  readonly bytes: number;
  readonly stride: number;
}

/** The packing of input `index` of a node, where it has one. */
export type Pack = (node: Node, index: number, info: TensorInfo) => Packing | undefined;

/** Float weights, which are packed without their zero blocks where at least so many are; else by `pack`. */
function sparse(key: string, bytes: number, weights: Omit<Weights, "signed">, least: number, pack: Packing["pack"]): Packing {
  const own = { ...weights, signed: 0 };
  return {
    key,
    bytes,
    look: (fn, from) => sparseFormOf(fn, own, from, 0, FLOAT_FORM, least, bytes),
    pack(fn, from, to, besides, form) {
      if (form) packGroups(fn.sparse_pack, own, from, 0, form, to);
      else pack(fn, from, to, besides);
    },
  };
}

const conv: Pack = (node, index, { shape }) => {
  if (index !== 1) return undefined;
  const [n = 0, c = 0, ...kernel] = shape;
  const [group, taps] = [int(node, "group", 1), elements(kernel)];
  if (isDepthwise(group, shape))
    return { key: "depthwise", bytes: Math.ceil(n / 4) * 16 * taps, pack: (fn, from, to) => fn.f32_pack_depthwise(n, taps, from, to) };
  const k = c * taps;
  const weights = { n: n / group, c, taps, strides: [k, taps, 1], group, bytes: (n / group) * k * 4 } as const;
  if (isWinograd(node, shape)) {
    const bytes = 36 * Math.ceil(n / 8) * 8 * c * 4;
    return sparse("winograd", bytes, weights, LEAST_ZEROS_WINOGRAD.float32, (fn, from, to) => fn.f32_winograd_pack(n, c, from, to));
  }
  const stride = packedBytes(k, n / group);
  return sparse(`conv${group}`, stride * group, weights, LEAST_ZEROS, (fn, from, to) => {
    for (let g = 0; g < group; g++) fn.f32_pack_conv(n / group, c, taps, from + g * weights.bytes, to + g * stride);
  });
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
  const isTurned = int(node, "transB", 0) !== 0;
  const [k, n] = isTurned ? [columns, rows] : [rows, columns];
  const strides: Weights["strides"] = isTurned ? [k, 1, 0] : [1, n, 0];
  const name = isTurned ? "f32_pack_bt" : "f32_pack_b";
  return sparse(isTurned ? "bt" : "b", packedBytes(k, n), { n, c: k, taps: 1, strides, group: 1, bytes: 0 }, LEAST_ZEROS, (fn, from, to) =>
    fn[name](k, n, from, columns, to),
  );
};

/** W [directions, gates · hidden, K] and R, direction by direction; of a GRU's R the last gate apart. */
const recurrent: Pack = (node, index, { shape: [directions = 0, width = 0, k = 0] }) => {
  if (index !== 1 && index !== 2) return undefined;
  const isSplit = index === 2 && node.op_type === "GRU";
  const parts = isSplit ? [2 * k, k] : [width];
  const bytes = parts.reduce((sum, n) => sum + packedBytes(k, n), 0);
  return {
    key: isSplit ? "split rows" : "rows",
    bytes: bytes * directions,
    pack(fn, from, to) {
      for (let d = 0; d < directions; d++) {
        let [source, target] = [from + d * width * k * 4, to + d * bytes];
        for (const n of parts) {
          fn.f32_pack_bt(k, n, source, k, target);
          source += n * k * 4;
          target += packedBytes(k, n);
        }
      }
    },
  };
};

const PACKS: Readonly<Record<string, Pack>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MatMul: matmul,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  QConv: quantizedConv,
  QMatMul: quantizedMatmul,
  BlockMatMul: blockMatmul,
};

/** Inputs of a node that are packed with another one. */
export function packedAway(node: Node, infoOf: (name: string) => TensorInfo | undefined): ReadonlySet<number> {
  const away = node.input.flatMap((name, i) => {
    const info = name ? infoOf(name) : undefined;
    return (info && packingOf(node, i, info)?.besides) ?? [];
  });
  return new Set(away);
}

/** The packing of a node's constant input; undefined where it is read as it is. Only fused operators pack. */
export const packingOf: Pack = (node, index, info) => (node.domain === "edgeslim" ? PACKS[node.op_type]?.(node, index, info) : undefined);
