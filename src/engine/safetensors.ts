import type { Decision, Encoding } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import { type Entry, readHeader, writeHeader } from "../formats/safetensors/header.ts";
import { partsOf, roleOf } from "../formats/safetensors/represent.ts";
import type { Source } from "../io/source.ts";
import type { Payload } from "../payload.ts";
import { passingPayload, rangePayload } from "../payload.ts";
import type { EncodingError } from "../quantize/encoder.ts";
import { byteLength, isFloat, type TensorInfo } from "../tensor.ts";
import { METADATA_PREFIX } from "../version.ts";
import { actionOf } from "./decide.ts";
import type { OnnxRun } from "./onnx.ts";
import { metadata } from "./report.ts";
import { encodeWeight } from "./weight.ts";

/** What the run of a safetensors model works with. */
type Workshop = Pick<OnnxRun, "kernels" | "reader" | "out" | "decider" | "log" | "lookahead" | "recipe">;
type SafetensorsRun = Workshop & { onPlan(plan: { format: "safetensors"; layout: "canonical"; bytes: number }): void };

/** What becomes of a tensor. */
export interface Planned {
  entry: Entry;
  encoding?: Encoding;
  parts: { info: TensorInfo; fixed?: Uint8Array }[];
}

/**
 * Compresses a safetensors file in one pass: its header tells everything, so the output's header comes first and its length is known.
 * `source` is given where the file can be read again, and then serves encodings that read a weight twice.
 */
export async function compressSafetensors(run: SafetensorsRun, source: Source | undefined): Promise<void> {
  const { reader, out, decider, log, recipe } = run;
  const header = await readHeader(reader);
  const planned = planTensors(run, header.tensors, new Set(header.tensors.map(({ name }) => name)));
  decider.finish();
  if (!planned.some(({ encoding }) => encoding)) throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);
  const { head, bytes } = headOf(planned, header.metadata, recipe);
  run.onPlan({ format: "safetensors", layout: "canonical", bytes });
  out.put(head);
  for (const each of planned) await writePlanned(run, each, source);
  await reader.expectEnd(`after the last tensor`);
}

/** Decides about tensors in the order of their data; `names` are those of the whole model, in however many files. */
export function planTensors(
  { decider, log }: Pick<Workshop, "decider" | "log">,
  tensors: readonly Entry[],
  names: ReadonlySet<string>,
): Planned[] {
  return tensors.map((entry): Planned => {
    const decision = avoidCollision(entry, decider.decide({ ...entry, role: roleOf(entry, names) }), names);
    if (decision.kind !== "keep") return { entry, encoding: decision, parts: partsOf(entry, decision) };
    log.kept(entry, decision.reason, entry.bytes);
    return { entry, parts: [{ info: entry }] };
  });
}

/** The header of a file of planned tensors, and the length of the file. `own` is the metadata of the source. */
export function headOf(planned: readonly Planned[], own: Record<string, string>, recipe: string): { head: Uint8Array; bytes: number } {
  const tensors = planned.flatMap(({ parts }) => parts.map(({ info }) => info));
  const kept = planned.filter(({ encoding, entry }) => !encoding && isFloat(entry.dtype)).map(({ entry }) => entry.name);
  const theirs = Object.fromEntries(Object.entries(own).filter(([key]) => !key.startsWith(METADATA_PREFIX)));
  const head = writeHeader(tensors, { ...theirs, ...Object.fromEntries(metadata(recipe, kept)) });
  return { head, bytes: head.byteLength + tensors.reduce((n, { dtype, shape }) => n + byteLength(dtype, shape), 0) };
}

/** Writes what stands for the tensor that comes next in the reader. */
export async function writePlanned(
  run: Omit<Workshop, "recipe" | "decider">,
  { entry, encoding, parts }: Planned,
  source: Source | undefined,
): Promise<void> {
  const { kernels, reader, out, log, lookahead } = run;
  const at = reader.position;
  const payload = passingPayload(reader, entry.bytes, `tensor '${entry.name}'`);
  if (!encoding) {
    for await (const chunk of payload.chunks()) await out.write(chunk);
    return;
  }
  const hold = (p: Payload) =>
    source
      ? Promise.resolve({ payload: rangePayload(source, at, entry.bytes), release() {} })
      : lookahead.hold(p, entry.name, "its scale depends on all of it");
  const after = parts.reduce((n, { info }) => n + byteLength(info.dtype, info.shape), 0);
  const done = (error: EncodingError) => log.encoded(entry, actionOf(encoding), entry.bytes, after, error);
  for await (const [, bytes] of encodeWeight(kernels, entry, encoding, payload, hold, done)) await out.write(bytes);
  if (reader.position < at + entry.bytes) await reader.skip(at + entry.bytes - reader.position, `tensor '${entry.name}'`);
  for (const { fixed } of parts) if (fixed) out.put(fixed);
}

/** A part whose name the file has already cannot be added: loaders know it by that name only. */
function avoidCollision(entry: Entry, decision: Decision, names: ReadonlySet<string>): Decision {
  if (decision.kind === "keep") return decision;
  const taken = partsOf(entry, decision).find(({ info }) => info.name !== entry.name && names.has(info.name));
  return taken ? { kind: "keep", reason: `a tensor named '${taken.info.name}' stands beside it already` } : decision;
}
