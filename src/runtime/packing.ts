import type { Node } from "../graph/graph.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import type { TensorInfo } from "../tensor.ts";

/** How a constant input is laid out once, when the model is loaded, for the kernel that reads it. */
export interface Packing {
  /** The same for the same layout. */
  readonly key: string;
  readonly bytes: number;
  /** Packs the tensor at `from` to `to`. */
  pack(kernels: InferKernels, from: number, to: number): void;
}

/** The packing of input `index` of a node, where it has one. */
export type Pack = (node: Node, index: number, info: TensorInfo) => Packing | undefined;

const PACKS: Readonly<Record<string, Pack>> = {};

/** The packing of a node's constant input; undefined where it is read as it is. Only fused operators pack. */
export const packingOf: Pack = (node, index, info) => (node.domain === "edgeslim" ? PACKS[node.op_type]?.(node, index, info) : undefined);
