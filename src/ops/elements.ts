/** Elements of tensors as JavaScript numbers, and the arrays that hold them. */
import { BITS, type DType, type Tensor, type TensorData } from "../tensor.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";

/** 64-bit integers. */
export type BigInts = BigInt64Array | BigUint64Array;
/** Everything else; 16-bit floats are worked with as float32, which is what onnxruntime does. */
export type Numbers = Exclude<TensorData, readonly string[] | BigInts>;

// biome-ignore format: a table
const ARRAYS: Partial<Record<DType, new (length: number) => Numbers | BigInts>> = {
  float32: Float32Array, float64: Float64Array, float16: Float32Array, bfloat16: Float32Array,
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};

/** Integers that a type holds: others have no defined result when a float is cast. */
export const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  int2: [-2, 1],
  uint2: [0, 3],
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1024],
  uint64: [0, 2 ** 64 - 2048],
};

export const isBig = (data: TensorData | undefined): data is BigInts => data instanceof BigInt64Array || data instanceof BigUint64Array;

/** Whether an array holds exactly one element a place: packed and complex types do not. */
export const isPlain = (dtype: DType): boolean => dtype === "string" || (BITS[dtype] >= 8 && !dtype.startsWith("complex"));

/** An array to put elements in, zero at first; undefined for types that are not computed with. */
export function arrayFor(dtype: DType, length: number): Numbers | BigInts | undefined {
  const array = ARRAYS[dtype];
  return array && new array(length);
}

/** Elements as numbers; undefined where they are 64-bit integers or of a type that is not computed with. */
export function numbersOf({ dtype, data }: Tensor): Numbers | undefined {
  if (!ARRAYS[dtype] || isBig(data) || Array.isArray(data)) return undefined;
  if (dtype === "float16") return Float32Array.from(data as Numbers, fromFloat16);
  if (dtype === "bfloat16") return Float32Array.from(data as Numbers, fromBfloat16);
  return data as Numbers;
}

/** Elements as bigints; undefined for other types than 64-bit integers. */
export const bigIntsOf = ({ data }: Tensor): BigInts | undefined => (isBig(data) ? data : undefined);

/** The second where it is larger, or smaller: never for NaN. */
export const larger = <T extends number | bigint>(a: T, b: T): T => (b > a ? b : a);
export const smaller = <T extends number | bigint>(a: T, b: T): T => (b < a ? b : a);

/** A tensor of elements that `arrayFor` made room for. */
export function tensorOf(dtype: DType, shape: readonly number[], data: TensorData): Tensor {
  if (dtype === "float16") return { dtype, shape, data: Uint16Array.from(data as Numbers, toFloat16) };
  if (dtype === "bfloat16") return { dtype, shape, data: Uint16Array.from(data as Numbers, toBfloat16) };
  return { dtype, shape, data };
}

/** The elements at `offsets`, whatever they are. */
export function picked({ dtype, data }: Tensor, shape: readonly number[], offsets: Int32Array): Tensor {
  if (Array.isArray(data)) return { dtype, shape, data: Array.from(offsets, (at) => data[at] as string) };
  const result = emptyLike(data as Numbers | BigInts, offsets.length);
  for (let i = 0; i < offsets.length; i++) result[i] = (data as Numbers)[offsets[i] as number] as number;
  return { dtype, shape, data: result };
}

/** A tensor of int64. */
export const int64s = (shape: readonly number[], values: Iterable<number>): Tensor => ({
  dtype: "int64",
  shape,
  data: BigInt64Array.from(values, BigInt),
});

/** An array of the same kind. */
export const emptyLike = (data: Numbers | BigInts, length: number): Numbers =>
  new (data.constructor as new (length: number) => Numbers)(length);
