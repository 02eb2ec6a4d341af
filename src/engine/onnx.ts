/** What both ways through an ONNX model share: one pass over a stream (onnx-stream.ts), or two over a source (onnx-source.ts). */
import { LimitError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import type { Place } from "../formats/onnx/external-read.ts";
import { externalInitializer } from "../formats/onnx/external-write.ts";
import { type GraphWriter, initializerHeader, type Layout } from "../formats/onnx/layout.ts";
import { encodeField, type Field, fieldLength } from "../formats/onnx/message.ts";
import type { Siblings } from "../formats/onnx/siblings.ts";
import { packing, unitOrder } from "../formats/onnx/sparse.ts";
import { initializerField } from "../formats/onnx/write.ts";
import type { Output } from "../io/output.ts";
import type { Reader } from "../io/reader.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Payload } from "../payload.ts";
import type { Curve } from "../prune/channels/allocate.ts";
import type { Load } from "../runtime/load.ts";
import { BITS, byteLength, type TensorInfo } from "../tensor.ts";
import type { Calibration } from "./calibration.ts";
import type { DataFile, DataFiles } from "./data-files.ts";
import { actionOf, type Decider, standsTwice } from "./decide.ts";
import type { Lookahead } from "./lookahead.ts";
import { type Encoded, writtenParts } from "./onnx-weights.ts";
import type { PrunePlan } from "./prune-plan.ts";
import type { Log } from "./report.ts";
import type { Runtime } from "./runtimes.ts";
import { encodeWeight, weightScales } from "./weight.ts";

export interface OnnxRun {
  kernels: Kernels;
  load: Load;
  spare(): Promise<Kernels>;
  reader: Reader;
  out: Output;
  /** The files that hold data of the source. */
  siblings: Siblings;
  /** Files for data of the result, where the door has some. */
  data: DataFiles | undefined;
  decider: Decider;
  log: Log;
  lookahead: Lookahead;
  /** What schemes that look at activations run. */
  calibration: Calibration | undefined;
  signal: AbortSignal | undefined;
  /** Where the result will run, if the recipe says so. */
  runtime: Runtime | undefined;
  /** What was measured of channels before. */
  sensitivity: readonly Curve[] | undefined;
  /** Whether the graph is optimized first. */
  optimizes: boolean;
  /** What is pruned then. */
  pruning: PrunePlan | undefined;
  /** The recipe as the file's metadata carries it. */
  recipe: string;
  /** Called once, before the first byte is written. */
  onPlan(plan: { format: "onnx"; layout: Layout; bytes?: number; files?: DataFile[] }): void;
}

/** What a run tells of the model it has read. */
export interface OnnxFacts {
  opset: number;
  layout: Layout;
}

/**
 * Encodes a definition into initializers of the main graph. The data of those that have one of the `places` goes there.
 * A weight that stays in float besides is written by the caller.
 */
export async function writeEncoded(
  run: OnnxRun,
  writer: GraphWriter,
  encoded: Encoded,
  payload: Payload,
  places: readonly (Place | undefined)[] = [],
): Promise<void> {
  let to = run.out;
  let current = -1;
  const written = writtenParts(encoded);
  const chunks = encodedChunks(run, encoded, payload);
  for await (const [part, bytes] of encoded.sparse ? packed(chunks, encoded) : chunks) {
    if (part !== current) {
      const [info, place] = [written[part] as TensorInfo, places[part]];
      const header = place ? externalInitializer(info, place) : initializerHeader(info, bytesOf(info));
      writer.piece(header.byteLength + (place ? 0 : bytesOf(info)));
      run.out.put(header);
      to = place ? await (run.data as DataFiles).at(place) : run.out;
      current = part;
    }
    await to.write(bytes);
  }
  await run.out.drain();
}

/** The parts of an encoded weight, the first without its zeros. */
async function* packed(chunks: ReturnType<typeof encodeWeight>, { parts: [dense], sparse }: Encoded): ReturnType<typeof encodeWeight> {
  if (!sparse || !dense) return;
  const size = BITS[dense.dtype] / 8;
  const pack = packing(sparse.bits, size * sparse.unit[0] * sparse.unit[1]);
  const rest: [part: number, bytes: Uint8Array][] = [];
  async function* first(): AsyncGenerator<Uint8Array> {
    for await (const [part, bytes] of chunks) {
      if (part === 0) yield bytes;
      else rest.push([part, bytes.slice()]);
    }
  }
  for await (const bytes of unitOrder(first(), dense.shape, sparse.unit, size)) yield [0, pack(bytes)];
  yield* rest;
}

/** The parts of a definition as initializers of the graph it stood in, encoded as they are written: the values last, where they go to another file. */
export function encodedFields(run: OnnxRun, encoded: Encoded): Field[] {
  const { definition, encoding, parts } = encoded;
  const payload = definition.payload as Payload;
  const scales: Uint8Array[] = [];
  async function* values(): AsyncGenerator<Uint8Array> {
    for await (const [part, bytes] of encodedChunks(run, encoded, payload)) {
      if (part === 0) yield bytes;
      else scales[part] = bytes.slice();
    }
  }
  async function* scale(part: number): AsyncGenerator<Uint8Array> {
    const [, ...found] = scales.length > 0 ? scales : [undefined, ...(await weightScales(run.kernels, definition.info, encoding, payload))];
    yield found[part - 1] as Uint8Array;
  }
  return parts.map((info, part) =>
    initializerField(info, { length: bytesOf(info), again: false, chunks: () => (part === 0 ? values() : scale(part)) }),
  );
}

/** Encodes a definition, and tells the report of it. */
function encodedChunks(run: OnnxRun, each: Encoded, payload: Payload): ReturnType<typeof encodeWeight> {
  const { definition, encoding, sparse } = each;
  const { info } = definition;
  const { log, lookahead, kernels } = run;
  const twice = standsTwice(encoding);
  const beside = (twice ? bytesOf(info) : 0) + (sparse?.bits.byteLength ?? 0);
  const after = writtenParts(each).reduce((n, part) => n + bytesOf(part), beside);
  const hold = (p: Payload) => lookahead.hold(p, info.name, "its scales depend on all of it");
  return encodeWeight(kernels, info, encoding, payload, hold, (error) => {
    log.encoded(info, actionOf(encoding), bytesOf(info), after, error);
    if (twice)
      log.warn("kept-twice", "These weights stand twice in the file: packed for MatMul, and in float for what else reads them", info.name);
  });
}

export async function writeField(run: OnnxRun, writer: GraphWriter, field: Field): Promise<void> {
  writer.piece(fieldLength(field));
  for await (const bytes of encodeField(field)) await run.out.write(bytes);
}

export const bytesOf = (info: TensorInfo): number => byteLength(info.dtype, info.shape);

/** Says of weights that no scheme reaches that they are there. */
export function noteUntouched({ sparse, untouched }: Document, log: Log): void {
  for (const info of sparse) log.kept(info, "sparse", bytesOf(info));
  for (const part of untouched) log.warn("untouched", "Weights in these parts of the model are not looked at and stay as they are", part);
}

export const tooLarge = (bytes: number): LimitError =>
  new LimitError(
    "MAX_MODEL_BYTES",
    `The result takes ${bytes} bytes; an ONNX file ends at 2 GiB. Put its data into files beside it (-o a folder, or --shard), ` +
      "or use a scheme that makes it smaller",
  );
