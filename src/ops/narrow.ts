/** Elements of types that no array has: packed integers, and floats of eight bits. */
import { BITS, type DType, elements, type Tensor } from "../tensor.ts";
import { stored } from "./compute.ts";
import { type Numbers, numbersOf, RANGES } from "./elements.ts";

interface Float8 {
  /** Bits of the fraction. */
  fraction: number;
  bias: number;
  /** The code of the largest number. */
  last: number;
  nan: number;
  /** What lies beyond it where it is not cut to the largest. */
  beyond: number;
}

/** https://onnx.ai/onnx/technical/float8.html */
const FLOAT8: Partial<Record<DType, Float8>> = {
  float8e4m3fn: { fraction: 3, bias: 7, last: 0x7e, nan: 0x7f, beyond: 0x7f },
  float8e4m3fnuz: { fraction: 3, bias: 8, last: 0x7f, nan: 0x80, beyond: 0x80 },
  float8e5m2: { fraction: 2, bias: 15, last: 0x7b, nan: 0x7f, beyond: 0x7c },
  float8e5m2fnuz: { fraction: 2, bias: 16, last: 0x7f, nan: 0x80, beyond: 0x80 },
};

function fromFloat8(code: number, { fraction, bias, last, nan, beyond }: Float8): number {
  const size = code & 0x7f;
  if (code === nan || size > last) return beyond === 0x7c && size === beyond ? (code > 0x7f ? -Infinity : Infinity) : Number.NaN;
  const exponent = size >> fraction;
  const part = (size & ((1 << fraction) - 1)) + (exponent > 0 ? 1 << fraction : 0);
  return (code > 0x7f ? -part : part) * 2 ** (Math.max(1, exponent) - bias - fraction);
}

/** To the nearest, ties to the even code; what lies beyond is cut to the largest with `saturate`. */
function toFloat8(x: number, type: Float8, saturate: boolean): number {
  const { last, nan, beyond } = type;
  if (Number.isNaN(x)) return nan;
  const size = Math.abs(x);
  let low = 0;
  for (let step = 64; step > 0; step >>= 1) if (low + step <= last && fromFloat8(low + step, type) <= size) low += step;
  const [below, above] = [
    fromFloat8(low, type),
    low < last ? fromFloat8(low + 1, type) : 2 * fromFloat8(last, type) - fromFloat8(last - 1, type),
  ];
  const middle = (below + above) / 2;
  const code = size > middle || (size === middle && low % 2 === 1) ? low + 1 : low;
  const kept = code <= last ? code : saturate ? last : beyond;
  const sign = x < 0 || Object.is(x, -0) ? 0x80 : 0;
  return kept === nan || (kept === 0 && nan === 0x80) ? kept : kept | sign;
}

/** Elements as numbers, of these types too; undefined for 64-bit integers and what is no number. */
export function anyNumbers(x: Tensor): Numbers | undefined {
  const float8 = FLOAT8[x.dtype];
  if (float8) return Float32Array.from(x.data as Uint8Array, (code) => fromFloat8(code, float8));
  const range = RANGES[x.dtype];
  const bits = BITS[x.dtype];
  if (!range || bits >= 8) return numbersOf(x);
  const bytes = x.data as Uint8Array;
  return Int8Array.from({ length: elements(x.shape) }, (_, i) => {
    const code = ((bytes[(i * bits) >> 3] as number) >> ((i * bits) & 7)) & ((1 << bits) - 1);
    return code > range[1] ? code - (1 << bits) : code;
  });
}

/** A tensor of numbers that its type holds, of these types too. */
export function storedAny(
  dtype: DType | undefined,
  shape: readonly number[],
  data: ArrayLike<number>,
  saturate = true,
): Tensor | undefined {
  const float8 = dtype && FLOAT8[dtype];
  if (float8) return { dtype, shape, data: Uint8Array.from(data, (x) => toFloat8(x, float8, saturate)) };
  const bits = dtype ? BITS[dtype] : 8;
  if (!dtype || bits >= 8) return stored(dtype, shape, data);
  if (!RANGES[dtype]) return undefined;
  const bytes = new Uint8Array(Math.ceil((data.length * bits) / 8));
  for (let i = 0; i < data.length; i++) bytes[(i * bits) >> 3]! |= ((data[i] as number) & ((1 << bits) - 1)) << ((i * bits) & 7);
  return { dtype, shape, data: bytes };
}

export const isFloat8 = (dtype: DType): boolean => FLOAT8[dtype] !== undefined;
