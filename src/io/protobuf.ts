/** The protobuf wire format: https://protobuf.dev/programming-guides/encoding/ */

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const encoder = new TextEncoder();

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.byteLength, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.byteLength), 0);
  return all;
}

/** Bytes that `varint(value)` takes. */
export function varintLength(value: number): number {
  let n = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) n++;
  return n;
}

/** A non-negative safe integer as a varint, padded to `width` bytes where given (so that it can be patched later). */
export function varint(value: number, width = varintLength(value)): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = value;
  for (let i = 0; i < width; i++) {
    bytes[i] = (rest % 128) | (i < width - 1 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
  return bytes;
}

const tag = (field: number, wire: number): Uint8Array => varint(field * 8 + wire);

/** The tag and length that stand before `length` bytes of field `field`. */
export const bytesHeader = (field: number, length: number): Uint8Array => concat([tag(field, BYTES), varint(length)]);

/** Field writers. `int` takes negative values too: they are ten bytes of two's complement, as int64 asks. */
export const int = (field: number, value: number): Uint8Array => concat([tag(field, VARINT), value < 0 ? negative(value) : varint(value)]);
export const bytes = (field: number, value: Uint8Array): Uint8Array => concat([bytesHeader(field, value.byteLength), value]);
export const string = (field: number, value: string): Uint8Array => bytes(field, encoder.encode(value));
export const message = (field: number, parts: readonly Uint8Array[]): Uint8Array => bytes(field, concat(parts));
export function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setFloat32(0, value, true);
  return concat([tag(field, FIXED32), out]);
}

function negative(value: number): Uint8Array {
  const out = new Uint8Array(10);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (let i = 0; i < 10; i++, rest >>= 7n) out[i] = Number(rest & 127n) | (i < 9 ? 128 : 0);
  return out;
}

/** Varints of a packed field, as signed 64-bit values where they fit a double exactly. */
export function* packed(view: Uint8Array): Generator<number> {
  for (const value of packedBigInts(view)) yield Number(value);
}

/** Varints of a packed field, as signed 64-bit values. */
export function* packedBigInts(view: Uint8Array): Generator<bigint> {
  for (let at = 0; at < view.byteLength; ) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view[at++];
      if (byte === undefined || shift > 63n) throw new RangeError("a packed varint is cut off or too long");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    yield BigInt.asIntN(64, value);
  }
}
