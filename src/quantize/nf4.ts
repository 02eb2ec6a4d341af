import { type Decision, keep, matrix, NF4_BLOCK_SIZE, type Weight } from "../encoding.ts";
import { LimitError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type Encoder, NOTHING, type Pass, readError } from "./encoder.ts";

/** `bnb4`: NF4 in blocks of 64 for the weights of MatMul, and nothing else: what the ONNX tools of Python make. */
export const bnb4 = ({ shape, role: { op, matmul } }: Weight): Decision => {
  if (!matmul) return keep(`used by ${op}: bnb4 packs the weights of MatMul`);
  return shape.length === 2
    ? { kind: "nf4", ...(matmul.besides && { twice: true }) }
    : keep(`of rank ${shape.length}: MatMulBnb4 reads matrices`);
};

/** Rows that come together, at least: they fill a line of the cache in every transposed column. */
const ROWS = 16;

/** The transposed columns of one pass: 16 MiB of float32. A larger weight is read again for its next columns. */
const MAX_PANEL = 1 << 22;

/**
 * NF4 as com.microsoft.MatMulBnb4 reads it: the [K, N] weight is transposed and laid in one line, which is cut into blocks of 64 whatever K is.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulBnb4
 */
export function nf4Encoder(kernels: Kernels, shape: readonly number[]): Encoder {
  const { arena, fn } = kernels;
  const { n, k } = matrix(shape, 0);
  const blocks = Math.ceil((n * k) / NF4_BLOCK_SIZE);
  if (k > MAX_PANEL / NF4_BLOCK_SIZE)
    throw new LimitError("MAX_PANEL", `${NF4_BLOCK_SIZE} columns of ${k} elements do not fit; exclude the weight`);
  // So many columns end where a block ends.
  const whole = NF4_BLOCK_SIZE / greatestCommonDivisor(k, NF4_BLOCK_SIZE);
  const columns = Math.min(n, Math.max(1, Math.floor(MAX_PANEL / (k * whole))) * whole);
  const panel = arena.alloc(columns * k * 4);
  const y = arena.alloc(Math.ceil((columns * k) / 2));
  const back = arena.alloc(columns * k * 4);
  const absmax = arena.alloc(blocks * 4);
  const acc = arena.alloc(24);
  arena.u8(acc, 24).fill(0);

  const pass = (from: number): Pass => {
    const width = Math.min(columns, n - from);
    let row = 0;
    return {
      take(x, count) {
        const rows = count / n;
        fn.f32_transpose(rows, width, n, x + from * 4, panel + row * 4, k);
        row += rows;
        return NOTHING;
      },
      *end() {
        const scales = absmax + ((from * k) / NF4_BLOCK_SIZE) * 4;
        fn.f32_nf4(width * k, panel, y, scales);
        fn.nf4_f32(width * k, y, scales, back);
        fn.f32_error(width * k, panel, back, acc);
        yield arena.u8(y, Math.ceil((width * k) / 2));
      },
    };
  };
  return {
    takes: "float32",
    unit: ROWS * n,
    lengths: [Math.ceil((n * k) / 2), blocks * 4],
    rest: () => [arena.u8(absmax, blocks * 4)],
    error: readError(kernels, acc),
    passes: Array.from({ length: Math.ceil(n / columns) }, (_, i) => pass(i * columns)),
  };
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
