/** Tensors of the Open Inference Protocol: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md */
import { FormatError } from "../errors.ts";
import { concat } from "../io/protobuf.ts";
import { arrayFor, isBig, numbersOf, RANGES, tensorOf } from "../ops/elements.ts";
import { arrayOf, byteLength, type DType, elements, type Tensor, tensorBytes } from "../tensor.ts";

// biome-ignore format: a table
const DATATYPES: Readonly<Record<string, DType>> = {
  BOOL: "bool", UINT8: "uint8", UINT16: "uint16", UINT32: "uint32", UINT64: "uint64",
  INT8: "int8", INT16: "int16", INT32: "int32", INT64: "int64",
  FP16: "float16", BF16: "bfloat16", FP32: "float32", FP64: "float64", BYTES: "string",
};
const NAMES: ReadonlyMap<DType, string> = new Map(Object.entries(DATATYPES).map(([name, dtype]) => [dtype, name]));

/** From here on numbers round to infinity: halfway from the largest to the next power of two. */
const INFINITE: Partial<Record<DType, number>> = { float32: 2 ** 128 - 2 ** 103, float16: 65520, bfloat16: 2 ** 128 - 2 ** 119 };

/** Integers that no double is. */
const WIDEST: Partial<Record<DType, bigint>> = { int64: 2n ** 63n - 1n, uint64: 2n ** 64n - 1n };

/** Nested lists of a tensor's data, at most. */
const MAX_DEPTH = 64;

/** The protocol's name of a type; those that it has not are named as ONNX does. */
export const datatypeOf = (dtype: DType | undefined): string => (dtype ? (NAMES.get(dtype) ?? dtype.toUpperCase()) : "UNKNOWN");

export const broken = (message: string): FormatError => new FormatError(message, { format: "request" });

export function dtypeOf(datatype: unknown, where: string): DType {
  if (typeof datatype === "string" && Object.hasOwn(DATATYPES, datatype)) return DATATYPES[datatype] as DType;
  throw broken(`${where} has the datatype ${shown(datatype)}; there are ${Object.keys(DATATYPES).join(", ")}`);
}

export function shapeOf(shape: unknown, where: string): number[] {
  const isShape = Array.isArray(shape) && shape.length <= MAX_DEPTH && shape.every((d) => Number.isSafeInteger(d) && d >= 0);
  if (isShape && Number.isSafeInteger(elements(shape))) return shape;
  throw broken(`${where} has the shape ${shown(shape)}; expected a list of lengths, none negative, as in [1,3,224,224]`);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? "undefined").slice(0, 100);

/** A tensor from its bytes, little-endian, row by row. */
export function fromBinary(dtype: DType, shape: readonly number[], bytes: Uint8Array, where: string): Tensor {
  if (dtype === "string") return { dtype, shape, data: fromLengths(bytes, elements(shape), where) };
  const expected = byteLength(dtype, shape);
  if (bytes.byteLength !== expected)
    throw broken(`${where} has ${bytes.byteLength} bytes; its shape [${shape}] of ${datatypeOf(dtype)} takes ${expected}`);
  return { dtype, shape, data: dtype === "bool" ? bytes.map((byte) => (byte === 0 ? 0 : 1)) : arrayOf(dtype, bytes) };
}

/** Texts, each with its length in four bytes before it. */
function fromLengths(bytes: Uint8Array, count: number, where: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const texts: string[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const length = at + 4 <= bytes.byteLength ? view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > bytes.byteLength) throw broken(`${where} ends in the middle of element ${texts.length}`);
    try {
      texts.push(decoder.decode(bytes.subarray(at + 4, at + 4 + length)));
    } catch {
      throw broken(`${where}: element ${texts.length} is no UTF-8; a model's strings are text, so encode other bytes as such`);
    }
    at += 4 + length;
  }
  if (texts.length !== count) throw broken(`${where} has ${texts.length} elements; its shape takes ${count}`);
  return texts;
}

/** A tensor from JSON: its elements row by row, in one list or in nested ones. */
export function fromJson(dtype: DType, shape: readonly number[], list: unknown, where: string): Tensor {
  if (!Array.isArray(list)) throw broken(`${where} has neither a list 'data' nor the parameter 'binary_data_size'`);
  const count = elements(shape);
  const flat = list.some(Array.isArray) ? flattened(list, count, where) : list;
  if (flat.length !== count) throw broken(`${where} has ${flat.length} elements; its shape [${shape}] takes ${count}`);
  const wrong = (i: number, expected: string): FormatError =>
    broken(`${where}: element ${i} is ${shown(flat[i])}; ${datatypeOf(dtype)} takes ${expected}`);
  if (dtype === "string") {
    flat.forEach((x, i) => {
      if (typeof x !== "string") throw wrong(i, "strings");
    });
    return { dtype, shape, data: flat as string[] };
  }
  const data = arrayFor(dtype, count) as NonNullable<ReturnType<typeof arrayFor>>;
  const [low, high] = RANGES[dtype] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const infinite = INFINITE[dtype] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const x = flat[i];
    if (dtype === "bool") {
      if (x !== true && x !== false && x !== 0 && x !== 1) throw wrong(i, "true and false");
    } else if (typeof x !== "number") throw wrong(i, "numbers");
    else if (dtype in RANGES && !(Number.isInteger(x) && x >= low && x <= high))
      throw wrong(i, `integers from ${BigInt(low)} to ${isBig(data) ? WIDEST[dtype] : high}`);
    else if (Math.abs(x) >= infinite) throw wrong(i, `numbers below ${infinite}; send infinities as binary data`);
    if (isBig(data)) {
      if (!Number.isSafeInteger(x)) throw wrong(i, "integers that JSON holds exactly, up to 2^53; send others as binary data");
      data[i] = BigInt(x as number);
    } else data[i] = Number(x);
  }
  return tensorOf(dtype, shape, data);
}

function flattened(list: readonly unknown[], most: number, where: string): unknown[] {
  const flat: unknown[] = [];
  const walk = (part: readonly unknown[], depth: number): void => {
    if (depth > MAX_DEPTH) throw broken(`${where} has its data in more than ${MAX_DEPTH} nested lists`);
    for (const x of part) {
      if (Array.isArray(x)) walk(x, depth + 1);
      else flat.push(x);
    }
    if (flat.length > most) throw broken(`${where} has more than ${most} elements, which its shape takes`);
  };
  walk(list, 1);
  return flat;
}

/** The bytes of a tensor, as `fromBinary` reads them. */
export function toBinary(tensor: Tensor): Uint8Array {
  if (tensor.dtype !== "string") return tensorBytes(tensor);
  return concat(
    (tensor.data as readonly string[]).flatMap((text) => {
      const bytes = new TextEncoder().encode(text);
      return [new Uint8Array(Uint32Array.of(bytes.byteLength).buffer), bytes];
    }),
  );
}

/** The elements of a tensor as a JSON list. JSON has no NaN and no infinity: they are null. */
export function toJson(tensor: Tensor): string {
  const { dtype, data } = tensor;
  if (dtype === "string") return JSON.stringify(data);
  if (dtype === "bool") return `[${Array.from(data as Uint8Array, (x) => x !== 0).join()}]`;
  if (isBig(data)) return `[${data.join()}]`;
  return `[${Array.from(numbersOf(tensor) ?? [], (x) => (Number.isFinite(x) ? x : "null")).join()}]`;
}
