import { type Decision, keep, type Weight } from "../encoding.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { elements } from "../tensor.ts";
import { type Encoder, NOTHING, type Pass, readError } from "./encoder.ts";

/**
 * `q8`, `int8`, `uint8`: what the ONNX tools of Python call dynamic quantization. Weights are integers, activations become integers
 * while the model runs. `q8` is what Transformers.js loads by that name: uint8 where the model convolves, else int8.
 */
export const dynamic =
  (dtype: "int8" | "uint8" | undefined) =>
  (weight: Weight): Decision => {
    const { op, dynamic: taken } = weight.role;
    if (!taken) return keep(`used by ${op}, which dynamic quantization leaves in float`);
    if (weight.dtype !== "float32") return keep(`${weight.dtype}: dynamic quantization computes in float32`);
    const own = dtype ?? (weight.convolves ? "uint8" : "int8");
    return { kind: "affine8", dtype: taken.lookup ? "uint8" : own, transposed: taken.transposed };
  };

/** The least scale that is used as it is: the smallest normal float32. */
const TINY = 2 ** -126;

/** Scale and zero point as numpy computes them in onnxruntime's tools: the range in float32, the quotient in float64. */
function parameters(min: number, max: number, dtype: "int8" | "uint8"): { scale: number; zero_point: number } {
  const absmax = Math.max(-min, max);
  const scale = dtype === "int8" ? Math.fround(2 * absmax) / 254 : Math.fround(max - min) / 255;
  if (!(scale >= TINY)) return { scale: 1, zero_point: 0 };
  return { scale: Math.fround(scale), zero_point: dtype === "int8" ? 0 : roundHalfEven(-min / scale) };
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** One scale and zero point for the whole tensor: a pass for the range, a pass for the values. */
export function affine8Encoder(kernels: Kernels, shape: readonly number[], dtype: "int8" | "uint8", transposed: boolean): Encoder {
  const { arena, fn } = kernels;
  const total = elements(shape);
  const range = arena.alloc(8);
  const acc = arena.alloc(24);
  arena.u8(acc, 24).fill(0);
  const [low, high] = dtype === "int8" ? [-128, 127] : [0, 255];
  let [min, max] = [0, 0]; // zero must be among the values that are exact
  let { scale, zero_point } = parameters(0, 0, dtype);
  let [y, back, capacity] = [0, 0, 0];

  const observe: Pass = {
    take(x, n) {
      fn.f32_minmax(n, x, range);
      const [least = 0, most = 0] = arena.f32(range, 2);
      [min, max] = [Math.min(min, least), Math.max(max, most)];
      return NOTHING;
    },
    *end() {
      ({ scale, zero_point } = parameters(min, max, dtype));
    },
  };
  const quantize = (x: number, n: number): Uint8Array => {
    if (n > capacity) [y, back, capacity] = [arena.alloc(n), arena.alloc(n * 4), n];
    fn.f32_qa8_quantize(n, x, y, scale, zero_point, low, high);
    fn.qa8_f32(n, y, back, scale, zero_point, low);
    fn.f32_error(n, x, back, acc);
    return arena.u8(y, n);
  };
  return {
    takes: "float32",
    unit: 1,
    lengths: [total, 4, 1],
    rest: () => [new Uint8Array(Float32Array.of(scale).buffer), Uint8Array.of(zero_point)],
    error: readError(kernels, acc),
    passes: [observe, transposed ? turned(quantize, shape) : { take: quantize }],
  };
}

/** Gathers the bytes of an [N, K] tensor and gives them as [K, N]. */
function turned(quantize: Pass["take"], [n = 0, k = 0]: readonly number[]): Pass {
  const rows = new Uint8Array(n * k);
  let fill = 0;
  return {
    take(x, count) {
      rows.set(quantize(x, count), fill);
      fill += count;
      return NOTHING;
    },
    *end() {
      const column = new Uint8Array(n);
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < n; j++) column[j] = rows[j * k + i] as number;
        yield column;
      }
    },
  };
}
