import { FormatError, LimitError } from "../../errors.ts";
import { concat, packed } from "../../io/protobuf.ts";
import { memoryPayload, type Payload } from "../../payload.ts";
import { BITS, byteLength, type DType, elements, isFloat, type TensorInfo } from "../../tensor.ts";
import { content, isBulk, isLeaf, type Leaf, type Message, numberOf, textOf } from "./message.ts";
import { DATA_TYPES, isPayload, TensorProto } from "./proto.ts";

/** Dimensions that a tensor may have: ONNX runtimes stop far below. */
const MAX_RANK = 64;

/** Name, type and shape of a TensorProto; checked, so that sizes can be computed from it. `named` overrides the name it carries. */
export function tensorInfo(message: Message, named?: string): TensorInfo {
  const name = named ?? textOf(message, TensorProto.name);
  const broken = (what: string) => new FormatError(`Tensor '${name}' ${what}`, { offset: message.offset, tensor: name, format: "onnx" });
  const code = numberOf(message, TensorProto.data_type) ?? 0;
  const dtype = DATA_TYPES[code];
  if (!dtype) throw broken(`has data type ${code}, which ONNX does not define`);
  const shape = dims(message, broken);
  if (shape.length > MAX_RANK) throw broken(`has ${shape.length} dimensions, more than ${MAX_RANK}`);
  for (const d of shape) if (!Number.isSafeInteger(d) || d < 0) throw broken(`has dimension ${d}`);
  if (!Number.isSafeInteger(elements(shape) * 8)) throw broken(`has shape [${shape}], more elements than can be counted`);
  return { name, dtype, shape };
}

function dims(message: Message, broken: (what: string) => FormatError): number[] {
  try {
    return message.fields
      .filter((f): f is Leaf => f.field === TensorProto.dims && isLeaf(f))
      .flatMap((f) => (f.bytes[0] === 0x0a ? [...packed(content(f))] : [f.value]));
  } catch {
    throw broken("has dimensions that end in the middle of a number");
  }
}

/** Whether a field holds elements of a type as raw_data does, little-endian one after the other. */
export const isPlain = (field: number, dtype: DType): boolean =>
  field === TensorProto.raw_data ||
  (field === TensorProto.float_data && dtype === "float32") ||
  (field === TensorProto.double_data && dtype === "float64");

/**
 * Whether name, type and shape have been read, as they have in files whose fields come in order of number (except typed data),
 * and the data in `field` can be taken as it passes. A tensor without dimensions is a scalar, and a scalar's data is never bulk.
 */
export function headerComplete(message: Message, field: number): boolean {
  const dtype = DATA_TYPES[numberOf(message, TensorProto.data_type) ?? 0];
  const has = (wanted: number) => message.fields.some((f) => f.field === wanted);
  return dtype !== undefined && has(TensorProto.name) && has(TensorProto.dims) && (isPlain(field, dtype) || !isFloat(dtype));
}

/** Checks that bulk data of field `field` has the length that type and shape ask for. */
export function checkLength(info: TensorInfo, field: number, length: number, offset: number): void {
  if (BITS[info.dtype] === 0) return;
  const wanted = byteLength(info.dtype, info.shape);
  if (!isPlain(field, info.dtype) || length === wanted) return;
  throw new FormatError(`Tensor '${info.name}' holds ${length} bytes; ${info.dtype}[${info.shape}] takes ${wanted}`, {
    offset,
    tensor: info.name,
    format: "onnx",
  });
}

/**
 * The elements of a tensor as little-endian bytes, whichever field carries them; undefined when it has none.
 * Only float types are converted from typed fields: no scheme touches others.
 */
export async function tensorData(message: Message, info: TensorInfo): Promise<Payload | undefined> {
  const carriers = message.fields.filter((f) => isBulk(f) || (isLeaf(f) && isData(f.field)));
  const raw = carriers.filter((f) => f.field === TensorProto.raw_data);
  const broken = (what: string) =>
    new FormatError(`Tensor '${info.name}' ${what}`, { offset: message.offset, tensor: info.name, format: "onnx" });
  if (raw.length > 1 || (raw.length === 1 && carriers.length > 1)) throw broken("carries its data twice");
  const [only] = carriers;
  let payload: Payload | undefined;
  if (carriers.length === 1 && only && isBulk(only) && (isPlain(only.field, info.dtype) || !isFloat(info.dtype))) payload = only.payload;
  else if (only && raw.length === 1) payload = memoryPayload(content(only as Leaf));
  else if (only && isFloat(info.dtype)) payload = await typedPayload(message, info);
  if (!payload) {
    if (!only && elements(info.shape) > 0 && info.dtype !== "string") throw broken(`has no data; ${info.dtype}[${info.shape}] takes some`);
    return undefined;
  }
  checkLength(info, isFloat(info.dtype) ? TensorProto.raw_data : (only as { field: number }).field, payload.length, message.offset);
  return payload;
}

const isData = (field: number): boolean => field === TensorProto.string_data || isPayload("tensor", field);

/** Typed data that must be joined or converted is held for that: as much as a one-pass run may hold. */
const MAX_TYPED_BYTES = 32 << 20;

/** Typed data, joined and converted each time it is read: of many tensors in a source no two are held. */
async function typedPayload(message: Message, info: TensorInfo): Promise<Payload> {
  const { byteLength: length } = await typedData(message, info); // refuses what is broken before any output is written
  return {
    length,
    again: true,
    async *chunks() {
      yield await typedData(message, info);
    },
  };
}

/** Joins the typed fields: float_data and double_data hold elements as raw_data does, int32_data the 16-bit floats, one a varint. */
async function typedData(message: Message, { name, dtype, shape }: TensorInfo): Promise<Uint8Array> {
  const place = { offset: message.offset, tensor: name };
  const wanted = dtype === "float32" ? TensorProto.float_data : dtype === "float64" ? TensorProto.double_data : TensorProto.int32_data;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (const field of message.fields) {
    if (!(isBulk(field) || isLeaf(field)) || !isData(field.field)) continue;
    if (field.field !== wanted) {
      const what = `Tensor '${name}' (${dtype}) carries its data in field ${field.field}, expected ${wanted}`;
      throw new FormatError(what, { ...place, format: "onnx" });
    }
    length += isBulk(field) ? field.payload.length : content(field).byteLength;
    if (length > MAX_TYPED_BYTES) {
      const what = `Tensor '${name}' holds more than ${MAX_TYPED_BYTES} bytes in a typed field that must be converted; save it with raw_data`;
      throw new LimitError("MAX_TYPED_BYTES", what, place);
    }
    if (isBulk(field)) for await (const chunk of field.payload.chunks()) pieces.push(chunk.slice());
    else pieces.push(content(field));
  }
  const data = concat(pieces);
  if (wanted !== TensorProto.int32_data) return data;
  // Each element takes a byte at least, so the shape cannot ask for more room than the data's own length.
  const halves = new Uint16Array(Math.min(elements(shape), data.byteLength));
  let count = 0;
  try {
    for (const half of packed(data)) halves[count++] = half;
  } catch {
    throw new FormatError(`Tensor '${name}' ends in the middle of a number`, { ...place, format: "onnx" });
  }
  if (count !== elements(shape))
    throw new FormatError(`Tensor '${name}' holds ${count} elements, expected ${elements(shape)}`, { ...place, format: "onnx" });
  return new Uint8Array(halves.buffer);
}
