/** What both ways through an ONNX model share: one pass over a stream (onnx-stream.ts), or two over a source (onnx-source.ts). */
import { LimitError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import type { Place } from "../formats/onnx/external-read.ts";
import { externalInitializer } from "../formats/onnx/external-write.ts";
import { type GraphWriter, initializerHeader, type Layout } from "../formats/onnx/layout.ts";
import { encodeField, type Field, fieldLength } from "../formats/onnx/message.ts";
import type { Output } from "../io/output.ts";
import type { Reader } from "../io/reader.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Payload } from "../payload.ts";
import { byteLength, type TensorInfo } from "../tensor.ts";
import type { DataFile, DataFiles } from "./data-files.ts";
import { actionOf, type Decider } from "./decide.ts";
import type { Lookahead } from "./lookahead.ts";
import type { Encoded } from "./onnx-weights.ts";
import type { Log } from "./report.ts";
import type { Runtime } from "./runtimes.ts";
import type { Siblings } from "./siblings.ts";
import { encodeWeight } from "./weight.ts";

export interface OnnxRun {
  kernels: Kernels;
  reader: Reader;
  out: Output;
  /** The files that hold data of the source. */
  siblings: Siblings;
  /** Files for data of the result, where the door has some. */
  data: DataFiles | undefined;
  decider: Decider;
  log: Log;
  lookahead: Lookahead;
  /** Where the result will run, if the recipe says so. */
  runtime: Runtime | undefined;
  /** Whether the graph is optimized first. */
  optimizes: boolean;
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

/** Encodes a definition into initializers. The data of those that have one of the `places` goes there. */
export async function writeEncoded(
  run: OnnxRun,
  writer: GraphWriter,
  { definition, encoding, parts }: Encoded,
  payload: Payload,
  places: readonly (Place | undefined)[] = [],
): Promise<void> {
  const { info } = definition;
  const begin = (part: number, length: number): Output | Promise<Output> => {
    const place = places[part];
    const header = place ? externalInitializer(parts[part] as TensorInfo, place) : initializerHeader(parts[part] as TensorInfo, length);
    writer.piece(header.byteLength + (place ? 0 : length));
    run.out.put(header);
    return place ? (run.data as DataFiles).at(place) : run.out;
  };
  const error = await encodeWeight(run.kernels, info, encoding, payload, begin, (p) =>
    run.lookahead.hold(p, info.name, "its scales depend on all of it"),
  );
  await run.out.drain();
  const after = parts.reduce((n, part) => n + byteLength(part.dtype, part.shape), 0);
  run.log.encoded(info, actionOf(encoding), byteLength(info.dtype, info.shape), after, error);
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
