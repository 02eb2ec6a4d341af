import { FormatError } from "../../errors.ts";
import { BYTES, bytesHeader, FIXED32, FIXED64, packed, VARINT, varintLength } from "../../io/protobuf.ts";
import type { Payload } from "../../payload.ts";
import type { Kind } from "./proto.ts";

/** A field kept as it came: tag, length and content. */
export interface Leaf {
  field: number;
  /** The whole field, tag included. */
  bytes: Uint8Array;
  /** Where the content starts in `bytes`. */
  start: number;
  /** The value of a varint field. */
  value: number;
}

/** A field of bulk data. */
export interface Bulk {
  field: number;
  payload: Payload;
}

/** A field that is a message of its own. */
export interface Nested {
  field: number;
  message: Message;
}

export type Field = Leaf | Bulk | Nested;

export const isLeaf = (field: Field): field is Leaf => "bytes" in field;
export const isBulk = (field: Field): field is Bulk => "payload" in field;
export const isNested = (field: Field): field is Nested => "message" in field;

/** A protobuf message as the list of its fields, in the order they came. */
export interface Message {
  kind: Kind | "leaf";
  /** Byte offset of its content in the source, for messages to people; −1 for one made here. */
  offset: number;
  fields: Field[];
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Content of a length-delimited leaf. */
export const content = (leaf: Leaf): Uint8Array => leaf.bytes.subarray(leaf.start);
/** A name: names are compared and written again, so that what is not UTF-8 cannot be read as if it were. */
function text(leaf: Leaf, offset: number): string {
  try {
    return decoder.decode(content(leaf));
  } catch {
    throw new FormatError(`Cannot read the ONNX model: field ${leaf.field} is not UTF-8 text`, {
      ...(offset < 0 ? {} : { offset }),
      format: "onnx",
    });
  }
}

const find = (message: Message, field: number): Leaf | undefined =>
  message.fields.findLast((f): f is Leaf => f.field === field && isLeaf(f));
export const textOf = (message: Message, field: number): string => {
  const leaf = find(message, field);
  return leaf ? text(leaf, message.offset) : "";
};
export const textsOf = (message: Message, field: number): string[] =>
  message.fields.filter((f): f is Leaf => f.field === field && isLeaf(f)).map((f) => text(f, message.offset));
export const numberOf = (message: Message, field: number): number | undefined => find(message, field)?.value;
export const nestedOf = (message: Message, field: number): Message[] =>
  message.fields.filter((f): f is Nested => f.field === field && isNested(f)).map((f) => f.message);

/** A leaf made from bytes that start with their tag and length. */
export const leaf = (field: number, bytes: Uint8Array, contentLength: number): Leaf => ({
  field,
  bytes,
  start: bytes.byteLength - contentLength,
  value: 0,
});

/** Opens a small leaf (a value's description, an opset, a metadata entry): its fields, none of them opened further. `offset` is where it stands, if known. */
export function open(field: Leaf, offset = -1): Message & { fields: Leaf[] } {
  const bytes = content(field);
  const fields: Leaf[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const [tag, start] = varintAt(bytes, at);
    if (tag < 8) throw broken("has number 0");
    const wire = tag % 8;
    let from = start;
    let end = start + (wire === FIXED64 ? 8 : 4);
    if (wire === VARINT) end = varintAt(bytes, start)[1];
    else if (wire === BYTES) {
      const [length, begin] = varintAt(bytes, start);
      from = begin;
      end = begin + length;
    } else if (wire !== FIXED32 && wire !== FIXED64) throw broken(`has wire type ${wire}`);
    if (end > bytes.byteLength) throw broken("runs past the end of its message");
    const value = wire === VARINT ? (packed(bytes.subarray(start, end)).next().value as number) : 0;
    fields.push({ field: Math.floor(tag / 8), bytes: bytes.subarray(at, end), start: from - at, value });
    at = end;
  }
  return { kind: "leaf", offset, fields };
}

const broken = (what: string) => new FormatError(`Cannot read the ONNX model: a field of a small message ${what}`, { format: "onnx" });

function varintAt(bytes: Uint8Array, start: number): [value: number, end: number] {
  let value = 0;
  for (let at = start, scale = 1; at < start + 10; at++, scale *= 128) {
    const byte = bytes[at];
    if (byte === undefined) break;
    value += (byte & 127) * scale;
    if (byte < 128) return [value, at + 1];
  }
  throw broken("ends in the middle of a number");
}

/** Encoded length of a field, tag included. */
export function fieldLength(field: Field): number {
  if (isLeaf(field)) return field.bytes.byteLength;
  const inner = isBulk(field) ? field.payload.length : messageLength(field.message);
  return varintLength(field.field * 8) + varintLength(inner) + inner;
}

/** Encoded length of a message's content. */
export const messageLength = (message: Message): number => message.fields.reduce((n, field) => n + fieldLength(field), 0);

/** A field in order: small pieces as bytes, bulk data as it is. */
export function* fieldPieces(field: Field): Generator<Uint8Array | Payload> {
  if (isLeaf(field)) yield field.bytes;
  else if (isBulk(field)) {
    yield bytesHeader(field.field, field.payload.length);
    yield field.payload;
  } else {
    yield bytesHeader(field.field, messageLength(field.message));
    for (const inner of field.message.fields) yield* fieldPieces(inner);
  }
}

/** The encoded bytes of a field in order: small pieces as they are, bulk data chunk by chunk. */
export async function* encodeField(field: Field): AsyncGenerator<Uint8Array> {
  for (const piece of fieldPieces(field)) {
    if (piece instanceof Uint8Array) yield piece;
    else yield* piece.chunks();
  }
}
