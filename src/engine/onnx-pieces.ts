import type { Place } from "../formats/onnx/external-read.ts";
import { externalInitializer, type FindPlace, type Moved, moveData } from "../formats/onnx/external-write.ts";
import { type GraphWriter, initializerHeader } from "../formats/onnx/layout.ts";
import { type Field, fieldLength } from "../formats/onnx/message.ts";
import type { Payload } from "../payload.ts";
import { byteLength } from "../tensor.ts";
import type { DataFiles } from "./data-files.ts";
import { type OnnxRun, writeEncoded, writeField } from "./onnx.ts";
import { type Encoded, writtenParts } from "./onnx-weights.ts";

/** A piece of a graph: a field, or the initializers of an encoded weight. */
export type Piece = Field | Encoded;

/** A piece with the places of its data that leaves the model's own file. */
type Laid = { field: Field; moved: readonly Moved[] } | { encoded: Encoded; places: readonly (Place | undefined)[] };

/** A graph as it will be written. */
export interface GraphPlan {
  pieces: readonly Laid[];
  /** Bytes of the GraphProto. */
  length: number;
}

/** Plans a graph, piece by piece. `find` gives data a place in another file. */
export function planGraph(pieces: readonly Piece[], find: FindPlace = () => undefined): GraphPlan {
  const laid = pieces.map((piece): Laid => {
    if ("parts" in piece)
      return { encoded: piece, places: writtenParts(piece).map((part) => find(byteLength(part.dtype, part.shape), part.name)) };
    const moved: Moved[] = [];
    return { field: moveData(piece, find, moved), moved };
  });
  return { pieces: laid, length: laid.reduce((n, piece) => n + lengthOf(piece), 0) };
}

function lengthOf(piece: Laid): number {
  if ("field" in piece) return fieldLength(piece.field);
  return writtenParts(piece.encoded).reduce((n, part, i) => {
    const place = piece.places[i];
    const length = byteLength(part.dtype, part.shape);
    return n + (place ? externalInitializer(part, place).byteLength : initializerHeader(part, length).byteLength + length);
  }, 0);
}

/** Writes a graph as planned, and its data files at the same time: each weight is read and encoded once. */
export async function writeGraph(run: OnnxRun, writer: GraphWriter, { pieces }: GraphPlan): Promise<void> {
  for (const piece of pieces) {
    if ("encoded" in piece) {
      await writeEncoded(run, writer, piece.encoded, piece.encoded.definition.payload as Payload, piece.places);
    } else {
      await writeField(run, writer, piece.field);
      for (const { place, payload } of piece.moved) await (run.data as DataFiles).write(place, payload);
    }
  }
  await run.data?.close();
}
