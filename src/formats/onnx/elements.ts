import { concat, packedBigInts } from "../../io/protobuf.ts";
import { arrayOf, BITS, byteLength, type DType, elements, type Tensor, type TensorInfo } from "../../tensor.ts";
import { content, isLeaf, type Leaf, type Message } from "./message.ts";
import { isPayload, TensorProto } from "./proto.ts";

/**
 * A tensor whose elements are held with the graph, in whichever field. Undefined where they are not: long ones are payloads, some stand
 * in other files; or where they do not fit the shape.
 */
export function smallTensor(message: Message, { dtype, shape }: TensorInfo): Tensor | undefined {
  const carriers = message.fields.filter((f) => isPayload("tensor", f.field) || f.field === TensorProto.string_data);
  if (!carriers.every(isLeaf) || message.fields.some((f) => f.field === TensorProto.external_data)) return undefined;
  const fields = new Set(carriers.map((f) => f.field));
  if (fields.size > 1) return undefined;
  const [field] = fields;
  const count = elements(shape);
  if (dtype === "string") {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const data = carriers.map((f) => decoder.decode(content(f)));
    return data.length === count ? { dtype, shape, data } : undefined;
  }
  const bytes = field === undefined ? new Uint8Array(0) : plainBytes(carriers, field, dtype);
  return bytes?.byteLength === byteLength(dtype, shape) ? { dtype, shape, data: arrayOf(dtype, bytes) } : undefined;
}

/** Bytes as raw_data has them. Typed integer fields hold an element a varint, 16-bit floats their bits. */
function plainBytes(carriers: readonly Leaf[], field: number, dtype: DType): Uint8Array | undefined {
  const joined = concat(carriers.map(content));
  if (field === TensorProto.raw_data) return carriers.length === 1 ? joined : undefined;
  if (field === TensorProto.float_data || field === TensorProto.double_data) return joined;
  try {
    const wide = new Uint8Array(BigInt64Array.from(packedBigInts(joined)).buffer);
    const width = Math.max(1, BITS[dtype] >> 3);
    return wide.filter((_, i) => i % 8 < width);
  } catch {
    return undefined; // a number is cut off
  }
}
