/** Element types, by their NumPy names; the sub-byte ones by their ONNX and safetensors names in lower case. */
// biome-ignore format: a table
export type DType =
  | "float32" | "float16" | "bfloat16" | "float64"
  | "int8" | "uint8" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "uint64"
  | "bool" | "string" | "complex64" | "complex128"
  | "float8e4m3fn" | "float8e4m3fnuz" | "float8e5m2" | "float8e5m2fnuz" | "float8e8m0"
  | "float6e2m3" | "float6e3m2" | "float4e2m1" | "int4" | "uint4" | "int2" | "uint2";

/** Bits an element takes; 0 for strings, which have no fixed size. */
// biome-ignore format: a table
export const BITS: Record<DType, number> = {
  float32: 32, float16: 16, bfloat16: 16, float64: 64,
  int8: 8, uint8: 8, int16: 16, uint16: 16, int32: 32, uint32: 32, int64: 64, uint64: 64,
  bool: 8, string: 0, complex64: 64, complex128: 128,
  float8e4m3fn: 8, float8e4m3fnuz: 8, float8e5m2: 8, float8e5m2fnuz: 8, float8e8m0: 8,
  float6e2m3: 6, float6e3m2: 6, float4e2m1: 4, int4: 4, uint4: 4, int2: 2, uint2: 2,
};

/** The float types that a scheme can compress. */
export type FloatDType = "float32" | "float16" | "bfloat16" | "float64";

export const isFloat = (dtype: DType): dtype is FloatDType =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16" || dtype === "float64";

export interface TensorInfo {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

/** A tensor with its elements: little-endian, one after the other, sub-byte ones packed. */
export interface TensorBytes extends TensorInfo {
  bytes: Uint8Array;
}

/** A small tensor of int64. */
export const int64Tensor = (name: string, shape: readonly number[], values: readonly number[]): TensorBytes => ({
  name,
  dtype: "int64",
  shape,
  bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

/** Number of elements; 1 for a scalar. */
export const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Bytes of a tensor's data, sub-byte elements packed. */
export const byteLength = (dtype: DType, shape: readonly number[]): number => Math.ceil((elements(shape) * BITS[dtype]) / 8);

/** A shape seen from some of its axes: [outer, channels, inner]. */
export interface Around {
  outer: number;
  channels: number;
  inner: number;
}

/** A shape seen from one axis, or from none: one channel. */
export const around = (shape: readonly number[], axis: number | null): Around =>
  axis === null ? aroundAxes(shape, [0, 0]) : aroundAxes(shape, [axis, axis + 1]);

/** A shape seen from the axes `from` to `to` (less 1). */
export const aroundAxes = (shape: readonly number[], [from, to]: readonly [from: number, to: number]): Around => ({
  outer: elements(shape.slice(0, from)),
  channels: elements(shape.slice(from, to)),
  inner: elements(shape.slice(to)),
});

/**
 * A tensor in memory, elements in row-major order. float16 and bfloat16 are bit patterns, bool is 0 and 1, sub-byte elements are packed
 * bytes, complex numbers are pairs; types of eight bits that no array has are their bytes.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

type Numbers = Exclude<TensorData, readonly string[]>;

/** Arrays that hold a type's elements; other types are kept as their bytes. */
const ARRAYS: Partial<Record<DType, new (buffer: ArrayBuffer, offset?: number, length?: number) => Numbers>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  complex64: Float32Array,
  complex128: Float64Array,
};

/** Elements from their little-endian bytes, which are copied. */
export const arrayOf = (dtype: DType, bytes: Uint8Array): Numbers => new (ARRAYS[dtype] ?? Uint8Array)(new Uint8Array(bytes).buffer); // not slice: a Buffer's shares its memory

/** The elements of a tensor that lies in a buffer at `offset`, a multiple of their size; not copied. */
export function tensorAt(dtype: DType, shape: readonly number[], buffer: ArrayBuffer, offset: number): Tensor {
  const length = ARRAYS[dtype] && !dtype.startsWith("complex") ? elements(shape) : byteLength(dtype, shape);
  return { dtype, shape, data: new (ARRAYS[dtype] ?? Uint8Array)(buffer, offset, length) };
}

/** The little-endian bytes of a tensor's elements; strings have none. */
export function tensorBytes({ dtype, data }: Tensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) throw new TypeError(`A tensor of ${dtype} has no bytes of a fixed size.`);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
