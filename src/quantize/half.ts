import { type Decision, keep, type Weight } from "../encoding.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { BITS, elements, type FloatDType } from "../tensor.ts";
import { type Encoder, readError } from "./encoder.ts";

/** `fp16` and `bf16`: every weight rounded to 16 bits; one that has 16 bits already is left alone. */
export const half =
  (dtype: "float16" | "bfloat16") =>
  (weight: Weight): Decision =>
    BITS[weight.dtype] <= 16 ? keep(`already ${weight.dtype}`) : { kind: "half", dtype };

/**
 * `q4f16`, and `fp16` of a graph that is optimized: the model computes in float16. Weights of MatMul become int4 where `packs`, all others half.
 */
export const halfArithmetic =
  (packs: boolean) =>
  (weight: Weight): Decision => {
    if (packs && weight.role.matmul?.besides === false && weight.shape.length === 2)
      return { kind: "int4", k_axis: 0, scheme: weight.role.single ? "q4" : "q4f16" };
    if (weight.dtype !== "float32") return keep(`already ${weight.dtype}`);
    if (!packs && weight.role.inner && elements(weight.shape) >= MIN_STORED) return { kind: "half", dtype: "float16" };
    if (weight.role.single) return keep(weight.role.single);
    if (elements(weight.shape) < MIN_HALF && !weight.role.keep) return keep(`fewer than ${MIN_HALF} elements: a Cast where they are used`);
    return { kind: "half", dtype: "float16", computes: true };
  };

/** A weight of a subgraph is stored in halves, and cast where it is used: worth a node from so many elements on. */
const MIN_STORED = 1024;

/** A scalar may count or measure: it keeps its digits, and is cast where it meets halves. Biases and the like do neither. */
const MIN_HALF = 16;

/**
 * IEEE 754 round to nearest, ties to even, in one rounding from any source type. Overflow gives ±Infinity, or the largest
 * finite value where it `saturates`.
 */
export function halfEncoder(
  kernels: Kernels,
  from: FloatDType,
  shape: readonly number[],
  to: "float16" | "bfloat16",
  saturates = false,
): Encoder {
  const { arena, fn } = kernels;
  const narrow = {
    float16: { float64: fn.f64_f16, float32: fn.f32_f16, bfloat16: undefined, float16: undefined },
    bfloat16: { float64: fn.f64_bf16, float32: fn.f32_bf16, bfloat16: undefined, float16: undefined },
  }[to][from];
  if (!narrow) throw new TypeError(`No conversion from ${from} to ${to}: both have 16 bits.`);
  const widen = to === "float16" ? fn.f16_f32 : fn.bf16_f32;
  let capacity = 0;
  let [y, back, single] = [0, 0, 0];
  const acc = arena.alloc(24);
  arena.u8(acc, 24).fill(0);
  return {
    takes: "source",
    unit: 1,
    lengths: [elements(shape) * 2],
    rest: () => [],
    error: readError(kernels, acc),
    passes: [
      {
        take(x, n) {
          if (n > capacity) {
            capacity = n;
            y = arena.alloc(n * 2);
            back = arena.alloc(n * 4);
            single = from === "float64" ? arena.alloc(n * 4) : 0;
          }
          narrow(n, x, y);
          if (saturates) saturate(arena.u16(y, n));
          widen(n, y, back);
          if (single) fn.f64_f32(n, x, single);
          fn.f32_error(n, single || x, back, acc);
          return arena.u8(y, n * 2);
        },
      },
    ],
  };
}

/** The largest float16 in the place of ±Infinity: a mask of -3.4e38 times zero is not to be NaN. */
function saturate(halves: Uint16Array): void {
  for (let i = 0; i < halves.length; i++) if (((halves[i] as number) & 0x7fff) === 0x7c00) halves[i] = (halves[i] as number) - 1;
}
