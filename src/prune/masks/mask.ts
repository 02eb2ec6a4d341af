import type { Kernels } from "../../kernels/kernels.ts";

/** Which elements of a weight become zero. */
export interface Mask {
  /** Elements that must arrive together. */
  readonly unit: number;
  /** Elements that become zero, of those that are masked. */
  readonly dropped: number;
  /** Starts at the weight's first element; slabs come in order, each whole units long but the last. */
  begin(kernels: Kernels): MaskPass;
}

/** One walk over a weight. Its memory is the kernels' arena: the caller marks and resets it. */
export interface MaskPass {
  /** Sets what goes of `n` float32 at pointer `x` to zero. */
  apply(x: number, n: number): void;
}

/** A weight as products see it: [outer, n, k, inner] or [outer, k, n, inner], by the axes of what it makes and of what it reads. */
export interface Axes {
  output: number;
  input: number;
}

/** The axes along which a weight that an operator reads makes and sums; undefined where it has none. */
export function axesOf(op: string, channel_axis: number | undefined, rank: number): Axes | undefined {
  if (channel_axis === undefined || rank < 2) return undefined;
  switch (op) {
    case "Conv":
    case "a convolution":
      return { output: 0, input: 1 };
    case "ConvTranspose":
      return { output: 1, input: 0 };
    case "LSTM":
    case "GRU":
    case "RNN":
      return { output: 1, input: 2 };
    case "MatMul":
    case "Gemm":
    case "a linear layer":
    case "Transpose":
      return channel_axis >= rank - 2 ? { output: channel_axis, input: channel_axis === rank - 1 ? rank - 2 : rank - 1 } : undefined;
    default:
      return undefined;
  }
}
