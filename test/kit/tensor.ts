/** TensorProto, written in each of the ways that ONNX allows: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
import {
  bytesField,
  bytesOf,
  doubleField,
  type Field,
  floatField,
  intField,
  message,
  packedField,
  partsOf,
  reversed,
  stringField,
} from "./wire.ts";

/** TensorProto.DataType. */
export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 17,
  FLOAT8E5M2: 19,
  UINT4: 21,
  INT4: 22,
  FLOAT4E2M1: 23,
} as const;

export type NumericData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * How the elements are written: little-endian `raw` bytes; the `packed` typed field (`float_data`, `int32_data`, …, half-precision
 * bit patterns as int32); the same field `unpacked`, a key for each element; or in two packed runs, `split`, which readers must join.
 */
export type Storage = "raw" | "packed" | "unpacked" | "split";

export interface TensorSpec {
  name: string;
  data_type: number;
  dims: readonly number[];
  /** Elements in row-major order; FLOAT16 and BFLOAT16 as bit patterns in a Uint16Array, 4-bit types as packed bytes. */
  data: NumericData | readonly string[];
  storage?: Storage;
  /** `reversed`: the data stands before the name, data type and dims. */
  order?: "canonical" | "reversed";
  /** The data stands in another file; `data` is not written. */
  external?: { location: string; offset?: number; length?: number };
}

export function tensor(
  name: string,
  data_type: number,
  dims: readonly number[],
  data: TensorSpec["data"],
  options: Pick<TensorSpec, "storage" | "order" | "external"> = {},
): TensorSpec {
  return { name, data_type, dims, data, ...options };
}

/** An f32 tensor. */
export function f32(name: string, dims: readonly number[], data: Float32Array | readonly number[], storage?: Storage): TensorSpec {
  return tensor(name, DataType.FLOAT, dims, Float32Array.from(data), storage ? { storage } : {});
}

/** A one-dimensional int64 tensor, as shapes and axes are. */
export function i64(name: string, values: readonly number[], dims: readonly number[] = [values.length]): TensorSpec {
  return tensor(name, DataType.INT64, dims, BigInt64Array.from(values, BigInt));
}

/** The packed run of elements `from` to `to` of a typed field. */
function run(number: number, data: NumericData, from: number, to: number): Field {
  if (number === 4 || number === 10) return bytesField(number, bytesOf(data.slice(from, to)));
  return packedField(number, Array.from(data.slice(from, to) as ArrayLike<number | bigint>));
}

function typedFieldNumber(data_type: number): number {
  if (data_type === DataType.FLOAT) return 4;
  if (data_type === DataType.DOUBLE) return 10;
  if (data_type === DataType.INT64) return 7;
  if (data_type === DataType.UINT32 || data_type === DataType.UINT64) return 11;
  return 5;
}

function dataFields(spec: TensorSpec, width: number): Field[] {
  const { data } = spec;
  if (!ArrayBuffer.isView(data)) return data.map((value) => stringField(6, value));
  if ((spec.storage ?? "raw") === "raw") return [bytesField(9, bytesOf(data), width)];
  const number = typedFieldNumber(spec.data_type);
  if (spec.storage === "split") {
    const half = data.length >> 1;
    return [run(number, data, 0, half), run(number, data, half, data.length)];
  }
  if (spec.storage === "packed") return [run(number, data, 0, data.length)];
  if (number === 4) return Array.from(data as Float32Array, (value) => floatField(4, value));
  if (number === 10) return Array.from(data as Float64Array, (value) => doubleField(10, value));
  return Array.from(data as ArrayLike<number | bigint>, (value) => intField(number, value));
}

function externalFields(external: NonNullable<TensorSpec["external"]>): Field[] {
  const entries = Object.entries(external).filter(([, value]) => value !== undefined);
  const fields = entries.map(([name, value]) => bytesField(13, message([stringField(1, name), stringField(2, String(value))])));
  return [...fields, intField(14, 1)];
}

/** The parts of a TensorProto; `width` pads the length of `raw_data`. */
export function encodeTensor(spec: TensorSpec, width = 1): Uint8Array[] {
  const fields = [
    ...spec.dims.map((dim) => intField(1, dim)),
    intField(2, spec.data_type),
    ...(spec.name ? [stringField(8, spec.name)] : []),
    ...(spec.external ? externalFields(spec.external) : dataFields(spec, width)),
  ];
  return partsOf(spec.order === "reversed" ? reversed(fields) : fields);
}
