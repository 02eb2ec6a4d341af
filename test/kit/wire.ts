/** The protobuf wire format, written only: https://protobuf.dev/programming-guides/encoding/ */

const encoder = new TextEncoder();

export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * One encoded field with its number, so that a writer can sort, reverse or cut a message into pieces. Its bytes come in parts, so that a
 * weight is copied once, however deep it stands.
 */
export interface Field {
  number: number;
  parts: readonly Uint8Array[];
}

export function concat(parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** `value` (negative ones as 64-bit two's complement) as a varint of at least `width` bytes; wider than needed is legal. */
export function varint(value: number | bigint, width = 1): Bytes {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest > 0n || out.length + 1 < width ? low | 128 : low);
  } while (rest > 0n || out.length < width);
  return Uint8Array.from(out);
}

const key = (number: number, wire_type: number) => varint(number * 8 + wire_type);

export function intField(number: number, value: number | bigint): Field {
  return { number, parts: [key(number, 0), varint(value)] };
}

/** The key and the length of a length-delimited field whose `length` bytes are written elsewhere. */
export function prefix(number: number, length: number, width = 1): Bytes {
  return concat([key(number, 2), varint(length, width)]);
}

/** A length-delimited field of bytes or of parts of them. `width` pads the length varint, as a writer does that patches lengths afterwards. */
export function bytesField(number: number, value: Uint8Array | readonly Uint8Array[], width = 1): Field {
  const parts = value instanceof Uint8Array ? [value] : value;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return { number, parts: [prefix(number, length, width), ...parts] };
}

export function stringField(number: number, value: string): Field {
  return bytesField(number, encoder.encode(value));
}

export function floatField(number: number, value: number): Field {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return { number, parts: [key(number, 5), bytes] };
}

export function doubleField(number: number, value: number): Field {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return { number, parts: [key(number, 1), bytes] };
}

/** What the fields of a message are in parts. */
export const partsOf = (fields: readonly Field[]): Uint8Array[] => fields.flatMap((field) => field.parts);

export const message = (fields: readonly Field[]): Bytes => concat(partsOf(fields));

/** A packed repeated field of varints. */
export function packedField(number: number, values: readonly (number | bigint)[]): Field {
  return bytesField(number, concat(values.map((value) => varint(value))));
}

/** The same fields with the field numbers backwards; occurrences of one number keep their order, as protobuf demands. */
export function reversed(fields: readonly Field[]): Field[] {
  const numbers = [...new Set(fields.map((field) => field.number))].reverse();
  return numbers.flatMap((number) => fields.filter((field) => field.number === number));
}

/** The bytes behind a typed array, without copying. */
export function bytesOf(data: ArrayBufferView): Bytes {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
