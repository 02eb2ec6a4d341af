/** What both ways through an ONNX model share: one pass over a stream (onnx-stream.ts), or two over a source (onnx-source.ts). */
import { LimitError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { type GraphWriter, initializerHeader, type Layout } from "../formats/onnx/layout.ts";
import { encodeField, type Field, fieldLength } from "../formats/onnx/message.ts";
import { tensorMessage } from "../formats/onnx/write.ts";
import type { Output } from "../io/output.ts";
import type { Reader } from "../io/reader.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Payload } from "../payload.ts";
import { byteLength, type TensorInfo } from "../tensor.ts";
import { actionOf, type Decider, standsTwice } from "./decide.ts";
import type { Lookahead } from "./lookahead.ts";
import type { Encoded } from "./onnx-weights.ts";
import type { Log } from "./report.ts";
import { encodeWeight } from "./weight.ts";

export interface OnnxRun {
  kernels: Kernels;
  out: Output;
  reader: Reader;
  decider: Decider;
  log: Log;
  lookahead: Lookahead;
  /** The recipe as the file's metadata carries it. */
  recipe: string;
  /** Called once, before the first byte is written. */
  onPlan(plan: { format: "onnx"; layout: Layout; bytes?: number }): void;
}

/** What a run tells of the model it has read. */
export interface OnnxFacts {
  opset: number;
  layout: Layout;
}

/** Encodes a definition into initializers of the main graph. One that stays in float besides is written by the caller. */
export async function writeEncoded(run: OnnxRun, writer: GraphWriter, encoded: Encoded, payload: Payload): Promise<void> {
  let current: TensorInfo | undefined;
  for await (const [part, bytes] of encodedChunks(run, encoded, payload)) {
    const info = encoded.parts[part] as TensorInfo;
    if (info !== current) {
      const header = initializerHeader(info, bytesOf(info));
      writer.piece(header.byteLength + bytesOf(info));
      run.out.put(header);
      current = info;
    }
    await run.out.write(bytes);
  }
}

/** The parts of a definition as initializers of the graph it stood in, to be written in their order: encoded as they are. */
export function encodedFields(run: OnnxRun, encoded: Encoded): Field[] {
  const chunks = encodedChunks(run, encoded, encoded.definition.payload as Payload);
  let next: IteratorResult<[part: number, bytes: Uint8Array]> | undefined;
  return encoded.parts.map((info, i) =>
    tensorMessage(info, {
      length: bytesOf(info),
      again: false,
      async *chunks() {
        for (next ??= await chunks.next(); !next.done && next.value[0] === i; next = await chunks.next()) yield next.value[1];
      },
    }),
  );
}

/** Encodes a definition, and tells the report of it. */
function encodedChunks(run: OnnxRun, { definition, encoding, parts }: Encoded, payload: Payload): ReturnType<typeof encodeWeight> {
  const { info } = definition;
  const { log, lookahead, kernels } = run;
  const twice = standsTwice(encoding);
  const after = parts.reduce((n, part) => n + bytesOf(part), twice ? bytesOf(info) : 0);
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
    `The result takes ${bytes} bytes; an ONNX file ends at 2 GiB. Use a scheme that makes it smaller, or safetensors`,
  );
