/** What must hold of any bytes at all. */

import { DATA_TYPES } from "../../src/formats/onnx/proto.ts";
import { BITS } from "../../src/tensor.ts";
import { type DecodedModel, everyWeight, readOnnx } from "../kit/readonnx.ts";
import { attempt, Breach, type Door, type Outcome } from "./attempt.ts";
import type { Specimen } from "./corpus.ts";

function decoded(bytes: Uint8Array): DecodedModel | undefined {
  try {
    return readOnnx(bytes);
  } catch {
    return undefined;
  }
}

/** Every tensor of an output has the data that its type and shape ask for. */
function checkTensors(door: Door, model: DecodedModel): void {
  for (const { name, dims, data_type, bytes } of everyWeight(model)) {
    const dtype = DATA_TYPES[data_type];
    if (!bytes || !dtype || dtype === "string") continue;
    const wanted = Math.ceil((dims.reduce((n, d) => n * d, 1) * BITS[dtype]) / 8);
    if (bytes.length !== wanted) throw new Breach(`${door}: '${name}' holds ${bytes.length} bytes for ${dtype}[${dims}].`);
  }
}

/**
 * Runs bytes through the doors and compares. An output of a model that an independent decoder reads is read by it too, and can be
 * compressed again or is refused; what a stream takes a source takes too, and the other way round but for what needs a second pass.
 */
export async function judge({ bytes, format, recipe }: Specimen): Promise<Outcome> {
  const input = decoded(bytes);
  const outcomes: Outcome[] = [];
  for (const door of ["source", "stream"] as const) {
    const outcome = await attempt(door, bytes, recipe);
    outcomes.push(outcome);
    if (!outcome.output) continue;
    const output = format === "onnx" ? decoded(outcome.output) : undefined;
    if (input && !output && format === "onnx") throw new Breach(`${door}: the independent decoder reads the input and not the output.`);
    if (input && output) checkTensors(door, output);
    await attempt("source", outcome.output, { quantize: "fp16" });
  }
  await attempt("inspect", bytes);
  const [source, stream] = outcomes as [Outcome, Outcome];
  const again = [source, stream].some(({ refusal }) => refusal?.message.includes("read again"));
  if (Boolean(source.output) !== Boolean(stream.output) && !again) {
    throw new Breach(`Source and stream disagree: ${source.refusal ?? "taken"} against ${stream.refusal ?? "taken"}`);
  }
  return source;
}
