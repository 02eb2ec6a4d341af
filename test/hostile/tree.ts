/** A protobuf message as a tree that can be changed anywhere and written again with lengths that fit: mutations that get past the first check. */
import { concat, varint } from "../kit/wire.ts";

export interface Leaf {
  number: number;
  wire: number;
  content: Uint8Array;
}

export interface Branch {
  number: number;
  kind: Kind;
  fields: Tree[];
}

export type Tree = Leaf | Branch;

/** Message kinds of ONNX, and which of their fields are messages. */
const KINDS = {
  model: { 7: "graph", 8: "opset", 14: "entry" },
  graph: { 1: "node", 5: "tensor", 11: "value", 12: "value" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph" },
  tensor: {},
  value: {},
  opset: {},
  entry: {},
} as const satisfies Record<string, Record<number, string>>;
export type Kind = keyof typeof KINDS;

function readVarint(bytes: Uint8Array, at: number): [value: bigint, end: number] {
  let value = 0n;
  for (let i = at; i < at + 10; i++) {
    const byte = bytes[i];
    if (byte === undefined) break;
    value |= BigInt(byte & 127) << BigInt(7 * (i - at));
    if (byte < 128) return [value, i + 1];
  }
  throw new RangeError("not a varint");
}

/** Reads a message that is known to be whole. */
export function readTree(bytes: Uint8Array, kind: Kind = "model"): Tree[] {
  const fields: Tree[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [tag, start] = readVarint(bytes, at);
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)];
    let from = start;
    let end = start + (wire === 1 ? 8 : 4);
    if (wire === 0) end = readVarint(bytes, start)[1];
    if (wire === 2) {
      const [length, begin] = readVarint(bytes, start);
      [from, end] = [begin, begin + Number(length)];
    }
    const content = bytes.subarray(from, end);
    const inner = wire === 2 ? (KINDS[kind] as Record<number, Kind>)[number] : undefined;
    fields.push(inner ? { number, kind: inner, fields: readTree(content, inner) } : { number, wire, content });
    at = end;
  }
  return fields;
}

/** Writes fields with lengths that fit, whatever has become of them. */
export function writeTree(fields: readonly Tree[]): Uint8Array {
  return concat(
    fields.flatMap((field) => {
      const wire = "wire" in field ? field.wire : 2;
      const content = "wire" in field ? field.content : writeTree(field.fields);
      return [varint(field.number * 8 + wire), ...(wire === 2 ? [varint(content.length)] : []), content];
    }),
  );
}

/** Every list of fields in a tree, the outermost first. */
export function lists(fields: Tree[]): Tree[][] {
  return [fields, ...fields.flatMap((field) => ("fields" in field ? lists(field.fields) : []))];
}

/** Offsets of the bytes that give a file its structure: tags, lengths, names, numbers; not long runs of data. */
export function structure(bytes: Uint8Array, format: "onnx" | "safetensors"): number[] {
  if (format === "safetensors") return Array.from({ length: 8 + (bytes[0] as number) + 256 * (bytes[1] as number) }, (_, i) => i);
  const found: number[] = [];
  const walk = (from: number, end: number, kind: Kind): void => {
    for (let at = from; at < end; ) {
      const [tag, start] = readVarint(bytes, at);
      const wire = Number(tag & 7n);
      const [length, begin] =
        wire === 2 ? readVarint(bytes, start) : [BigInt(wire === 0 ? readVarint(bytes, start)[1] - start : wire === 1 ? 8 : 4), start];
      const stop = begin + Number(length);
      const inner = wire === 2 ? (KINDS[kind] as Record<number, Kind>)[Number(tag >> 3n)] : undefined;
      for (let i = at; i < (inner ? begin : Math.min(stop, begin + 64)); i++) found.push(i);
      if (inner) walk(begin, stop, inner);
      at = stop;
    }
  };
  walk(0, bytes.length, "model");
  return found;
}
