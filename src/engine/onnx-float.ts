import type { Document } from "../formats/onnx/document.ts";
import { fieldPieces } from "../formats/onnx/message.ts";
import { Model } from "../formats/onnx/proto.ts";
import { bytesHeader, concat } from "../io/protobuf.ts";
import type { Source } from "../io/source.ts";
import { bytesIn, type Payload } from "../payload.ts";
import { graphFields, modelTail } from "./onnx-tail.ts";
import { type Definition, initializerOf } from "./onnx-weights.ts";
import { Log } from "./report.ts";

/** Bytes of the model from `start` on: in memory, or where the source has them. */
interface Piece {
  start: number;
  end: number;
  from: Uint8Array | Payload;
}

/**
 * A model as it stands before it is quantized, as the file that it would be, to be run: with the optimizer's edits, at the opset to which it was
 * raised. Weights are read from where they are; of those that are computed as they are read, the last one is kept.
 */
export function floatSource(document: Document, definitions: readonly Definition[]): Source {
  const log = new Log(); // the report tells of the file that is written in the end
  const { nodes, rest } = graphFields(document, [], log);
  const defined = new Set(document.main.initializers);
  const weights = definitions.flatMap((each) => (defined.has(each.info.name) ? (initializerOf(each) ?? []) : []));
  const graph = [...nodes, ...rest, ...weights].flatMap((field) => [...fieldPieces(field)]);
  const length = graph.reduce((n, piece) => n + lengthOf(piece), 0);
  const head = [...document.before.map(({ bytes }) => bytes), bytesHeader(Model.graph, length)];
  return piecesSource(joined([...head, ...graph, ...modelTail(document, "", log)]));
}

const lengthOf = (piece: Uint8Array | Payload): number => piece.length;

/** Pieces in their places, with bytes that follow one another in one. */
function joined(parts: readonly (Uint8Array | Payload)[]): Piece[] {
  const pieces: Piece[] = [];
  let bytes: Uint8Array[] = [];
  const add = (from: Uint8Array | Payload): void => {
    const start = pieces.at(-1)?.end ?? 0;
    if (lengthOf(from) > 0) pieces.push({ start, end: start + lengthOf(from), from });
  };
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.push(part);
    else {
      add(concat(bytes));
      add(part);
      bytes = [];
    }
  }
  add(concat(bytes));
  return pieces;
}

function piecesSource(pieces: readonly Piece[]): Source {
  let last: { of: Payload; bytes: Promise<Uint8Array> } | undefined;
  const readPiece = async (from: Uint8Array | Payload, offset: number, length: number): Promise<Uint8Array> => {
    if (from instanceof Uint8Array) return from.subarray(offset, offset + length);
    if (from.range) return from.range.source.read(from.range.offset + offset, length);
    if (last?.of !== from) last = { of: from, bytes: bytesIn(from) };
    return (await last.bytes).subarray(offset, offset + length);
  };
  return {
    size: pieces.at(-1)?.end ?? 0,
    async read(offset, length) {
      const end = offset + length;
      const first = firstAfter(pieces, offset);
      const piece = pieces[first];
      if (piece && end <= piece.end) return readPiece(piece.from, offset - piece.start, length);
      const bytes = new Uint8Array(length);
      for (let i = first; i < pieces.length; i++) {
        const { start, end: stop, from } = pieces[i] as Piece;
        if (start >= end) break;
        const at = Math.max(start, offset);
        bytes.set(await readPiece(from, at - start, Math.min(stop, end) - at), at - offset);
      }
      return bytes;
    },
  };
}

/** The index of the first piece that ends behind `offset`. */
function firstAfter(pieces: readonly Piece[], offset: number): number {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pieces[middle] as Piece).end > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
