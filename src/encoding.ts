import type { TensorInfo } from "./tensor.ts";

/** What an operator makes of a weight: all that a scheme needs to know to choose an encoding. */
export interface Role {
  /** The operator that uses it, or the layer kind its name tells: for reasons and warnings. */
  op: string;
  /** Axis of the output channels; undefined where no operator gives it one. */
  channel_axis?: number;
  /** The axis of K, for a rank-2 weight all of whose uses are matrix products that a block-wise one can replace. */
  k_axis?: 0 | 1;
  /** For a weight that MatMul reads as its right side, without a detour: whether something reads it besides. */
  matmul?: { besides: boolean };
  /** For a weight that dynamic quantization takes. */
  dynamic?: DynamicRole;
  /** For a constant that static quantization takes. */
  static?: StaticRole;
  /** A reason to leave it in float32 where the model computes in float16. */
  single?: string;
  /** Whether it is of a subgraph, which computes in float32 whatever the main graph does. */
  inner?: true;
  /** A reason to leave the weight as it is under every scheme. */
  keep?: string;
  /** A reason to leave it in float under the integer schemes. */
  float?: string;
}

/** How a node that dynamic quantization rewrites reads a weight; `turned` is Gemm's right side with transB, `recurrent` an LSTM's W or R. */
export type Taking = "right" | "turned" | "left" | "kernel" | "lookup" | "recurrent";

export interface DynamicRole {
  /** How the first of its readers takes it, which decides the type. */
  first: Taking;
  /** Whether all that reads it wants its last two axes the other way round. */
  transposed: boolean;
  /** The axis of output channels, where all that take it agree on one. */
  channel_axis?: number;
}

export interface StaticRole {
  /** Whether it is the weight of a product with an activation. */
  product: boolean;
  /** The axis of a product's output channels, where each may have a scale. */
  channel_axis?: number;
}

/** A float tensor of the model and what it is used for. */
export interface Weight extends TensorInfo {
  role: Role;
  /** Whether the model convolves: dynamic quantization then takes uint8, as ConvInteger wants it. */
  convolves?: boolean;
}

/** What a weight becomes. */
export type Encoding =
  /** Each element rounded to 16 bits; one that `computes` is read as it is, and saturates instead of becoming infinite. */
  | { kind: "half"; dtype: "float16" | "bfloat16"; computes?: true }
  /** Symmetric int8: one scale a channel of `axis`, or one for all where `axis` is null; `watch` is then the axis of the channels. */
  | { kind: "int8"; axis: number | null; watch?: number }
  /**
   * Symmetric int4 in blocks of 32 along K, packed row by row of N, low nibble first, values offset by 8; q4f16 has float16 scales.
   * `twice`: the float weight stays beside it, for what reads no packed one.
   */
  | { kind: "int4"; k_axis: 0 | 1; scheme: "w4" | "q4" | "q4f16"; twice?: true }
  /** NF4 in blocks of 64 along the transposed [K, N] weight, two values a byte, high nibble first. */
  | { kind: "nf4"; twice?: true }
  /**
   * uint8 over [min, max], int8 over ±absmax, with a scale and zero point for every index of the axes `from` to `to` (less 1): one for all
   * where there are none. `transposed`: the last two axes are stored the other way round.
   * `watch` is the axis of the channels where one scale is for all of them.
   * `static`: what reads it reads activations that are quantized by scales of the file; `bits` are then those of int8 that are used, 8 unless
   * said, and no scale is less than those of `least`.
   */
  | {
      kind: "affine8";
      dtype: "int8" | "uint8";
      channels: readonly [from: number, to: number];
      transposed: boolean;
      watch?: number;
      static?: true;
      bits?: 7;
      least?: Float32Array;
    };

/** An affine quantization: x ≈ scale · (q − zero_point). */
export interface Affine {
  scale: number;
  zero_point: number;
}

/** Elements that share a scale in int4. */
export const BLOCK_SIZE = 32;

/** Elements that share a scale in NF4. */
export const NF4_BLOCK_SIZE = 64;

/** A decision about one tensor. */
export type Decision = Encoding | { kind: "keep"; reason: string };

export const keep = (reason: string): Decision => ({ kind: "keep", reason });

/** Rows and columns of a packed weight, of its last two axes: N output channels of K inputs, in `blocks` blocks. */
export function matrix(shape: readonly number[], k_axis: 0 | 1): { n: number; k: number; blocks: number } {
  const sides = shape.slice(-2);
  const k = sides[k_axis] as number;
  return { n: sides[1 - k_axis] as number, k, blocks: Math.ceil(k / BLOCK_SIZE) };
}

/** A shape with its last two axes the other way round. */
export const turned = (shape: readonly number[]): number[] => [...shape.slice(0, -2), ...shape.slice(-2).reverse()];
