import { BLOCK_SIZE, type Decision, keep, matrix, type Weight } from "../encoding.ts";
import { LimitError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { elements } from "../tensor.ts";
import { type Encoder, MAX_UNIT, NOTHING, type Pass, readError } from "./encoder.ts";
import { w8 } from "./int8.ts";

/** `w4`: symmetric int4 in blocks of 32 along K for the weights of matrix products; the rest as `w8`. */
export function w4(weight: Weight): Decision {
  const { k_axis } = weight.role;
  return k_axis === undefined ? w8(weight) : { kind: "int4", k_axis, scheme: "w4" };
}

/** `q4`: the same for the weights of MatMul, and nothing else: what the ONNX tools of Python make. What reads a weight besides reads it in float. */
export function q4({ shape, role: { op, matmul } }: Weight): Decision {
  if (!matmul) return keep(`used by ${op}: q4 packs the weights of MatMul`);
  const batch = elements(shape.slice(0, -2));
  return batch === 1
    ? { kind: "int4", k_axis: 0, scheme: "q4", ...(matmul.besides && { twice: true }) }
    : keep(`a batch of ${batch} matrices: MatMulNBits reads one`);
}

/** Packed output and scales of one pass over a [K, N] weight: 16 MiB. A wider weight is read again for its next columns. */
const MAX_PACKED = 1 << 24;
const BYTES_A_BLOCK = BLOCK_SIZE / 2;

/**
 * Block-wise int4 as com.microsoft.MatMulNBits and compressed-tensors' pack-quantized read it: scale = signed absmax / −8,
 * q = round(x / scale) + 8 in 0..15, two values a byte, low nibble first.
 * With `halfScales` the scales are rounded to float16 once the values are made.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
 */
export function int4Encoder(kernels: Kernels, shape: readonly number[], k_axis: 0 | 1, halfScales = false): Encoder {
  const { arena, fn } = kernels;
  const { n, k, blocks } = matrix(shape, k_axis);
  const acc = arena.alloc(24);
  arena.u8(acc, 24).fill(0);
  const scale = arena.alloc(n * blocks * 4);
  const halves = (count: number): Uint8Array => {
    const narrowed = arena.alloc(count * 2);
    fn.f32_f16(count, scale, narrowed);
    return arena.u8(narrowed, count * 2);
  };
  const common = {
    takes: "float32" as const,
    lengths: [n * blocks * BYTES_A_BLOCK, n * blocks * (halfScales ? 2 : 4)] as const,
    rest: () => [halfScales ? halves(n * blocks) : arena.u8(scale, n * blocks * 4)],
    error: readError(kernels, acc),
  };

  if (k_axis === 1) {
    // Whole blocks need not know their row; a ragged row does.
    const width = k % BLOCK_SIZE === 0 ? BLOCK_SIZE : k;
    if (width > MAX_UNIT)
      throw new LimitError("MAX_UNIT", `A row of ${k} elements does not fit; K must be a multiple of ${BLOCK_SIZE} beyond ${MAX_UNIT}`);
    const blocksInRow = Math.ceil(width / BLOCK_SIZE);
    let [y, capacity, done] = [0, 0, 0];
    const take: Pass["take"] = (x, count) => {
      const rows = count / width;
      const made = rows * blocksInRow;
      if (made > capacity) [y, capacity] = [arena.alloc(made * BYTES_A_BLOCK), made];
      fn.f32_qb4w_rows(rows, width, x, y, scale + done * 4);
      fn.qb4w_error_rows(rows, width, x, y, scale + done * 4, acc);
      done += made;
      return arena.u8(y, made * BYTES_A_BLOCK);
    };
    return { ...common, unit: width, passes: [{ take }] };
  }

  // [K, N]: blocks run down the columns while bytes come row by row, so the packed columns are held until the last row.
  const columns = Math.max(1, Math.min(n, Math.floor(MAX_PACKED / (blocks * BYTES_A_BLOCK))));
  const y = arena.alloc(columns * blocks * BYTES_A_BLOCK);
  const panel = (from: number): Pass => {
    const width = Math.min(columns, n - from);
    let block = 0;
    return {
      take(x, count) {
        for (let rows = count / n, at = 0; at < rows; at += BLOCK_SIZE, block++) {
          const height = Math.min(BLOCK_SIZE, rows - at);
          const panelScale = scale + from * blocks * 4;
          fn.f32_qb4w_transpose(height, width, n, x + (at * n + from) * 4, y, panelScale, block, blocks);
          fn.qb4w_error_transpose(height, width, n, x + (at * n + from) * 4, y, panelScale, block, blocks, acc);
        }
        return NOTHING;
      },
      *end() {
        yield arena.u8(y, width * blocks * BYTES_A_BLOCK);
      },
    };
  };
  const passes = Array.from({ length: Math.ceil(n / columns) }, (_, i) => panel(i * columns));
  return { ...common, unit: BLOCK_SIZE * n, passes };
}
