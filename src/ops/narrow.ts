/** Elements of types that no array has: floats of eight bits, and integers that are packed two a byte. */
import { BITS, type DType, elements, type Tensor } from "../tensor.ts";
import type { Numbers } from "./elements.ts";
import { roundEven } from "./half.ts";

/** https://onnx.ai/onnx/technical/float8.html: bits of the fraction, the exponent's bias, the largest number's pattern, infinity's. */
const FLOATS: Partial<Record<DType, readonly [fraction: number, bias: number, largest: number, infinity?: number]>> = {
  float8e4m3fn: [3, 7, 0x7e],
  float8e4m3fnuz: [3, 8, 0x7f],
  float8e5m2: [2, 15, 0x7b, 0x7c],
  float8e5m2fnuz: [2, 16, 0x7f],
};
/** Types without a negative zero, whose pattern is that of NaN. */
const isUnsigned = (dtype: DType): boolean => dtype.endsWith("uz");

export const isNarrow = (dtype: DType): boolean => FLOATS[dtype] !== undefined || dtype === "int4" || dtype === "uint4";

/** As float32, or integers as int8 and uint8; undefined for other types. */
export function widened({ dtype, shape, data }: Tensor): Tensor | undefined {
  const bytes = data as Uint8Array;
  if (FLOATS[dtype]) return { dtype: "float32", shape, data: Float32Array.from(bytes, (byte) => fromByte(byte, dtype)) };
  if (dtype !== "int4" && dtype !== "uint4") return undefined;
  const nibble = (i: number) => ((bytes[i >> 1] as number) >> (4 * (i & 1))) & 15;
  const length = elements(shape);
  return dtype === "int4"
    ? { dtype: "int8", shape, data: Int8Array.from({ length }, (_, i) => (nibble(i) ^ 8) - 8) }
    : { dtype: "uint8", shape, data: Uint8Array.from({ length }, (_, i) => nibble(i)) };
}

/** Numbers rounded to a narrow type: what is too large becomes the largest, or with `saturate` false infinity or NaN. */
export function narrowed(dtype: DType, shape: readonly number[], data: Numbers, saturate: boolean): Tensor {
  if (BITS[dtype] === 8) return { dtype, shape, data: Uint8Array.from(data, (x) => toByte(x, dtype, saturate)) };
  const packed = new Uint8Array((data.length + 1) >> 1);
  data.forEach((x, i) => {
    packed[i >> 1] = (packed[i >> 1] as number) | ((x & 15) << (4 * (i & 1)));
  });
  return { dtype, shape, data: packed };
}

function fromByte(byte: number, dtype: DType): number {
  const [fraction, bias, largest, infinity] = FLOATS[dtype] as readonly [number, number, number, number?];
  const size = byte & 0x7f;
  if (isUnsigned(dtype) && byte === 0x80) return Number.NaN;
  if (size > largest) return size === infinity ? (byte > size ? -1 : 1) * Number.POSITIVE_INFINITY : Number.NaN;
  const exponent = size >> fraction;
  const steps = exponent === 0 ? size : (size & ((1 << fraction) - 1)) | (1 << fraction);
  return (byte > size ? -1 : 1) * steps * 2 ** (Math.max(exponent, 1) - bias - fraction);
}

function toByte(x: number, dtype: DType, saturate: boolean): number {
  const [fraction, bias, largest, infinity] = FLOATS[dtype] as readonly [number, number, number, number?];
  const nan = isUnsigned(dtype) ? 0x80 : 0x7f;
  if (Number.isNaN(x)) return nan;
  const sign = x < 0 || Object.is(x, -0) ? 0x80 : 0;
  const size = Math.abs(x);
  // A power of two is no smaller than any that it divides: its logarithm is exact.
  const exponent = Math.max(Math.floor(Math.log2(size)), 1 - bias);
  const bits = ((exponent + bias - 1) << fraction) + roundEven(size * 2 ** (fraction - exponent));
  if (!(bits <= largest) || size === Number.POSITIVE_INFINITY)
    return saturate ? sign | largest : infinity === undefined ? nan : sign | infinity;
  return bits === 0 && isUnsigned(dtype) ? 0 : sign | bits;
}
