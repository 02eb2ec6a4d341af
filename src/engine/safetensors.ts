import type { Decision, Encoding } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import { type Entry, type Header, readHeader, writeHeader } from "../formats/safetensors/header.ts";
import { partsOf, roleOf } from "../formats/safetensors/represent.ts";
import type { Source } from "../io/source.ts";
import type { Payload } from "../payload.ts";
import { memoryPayload, passingPayload, rangePayload } from "../payload.ts";
import { axesOf } from "../prune/masks/mask.ts";
import { Instances, maskedPayload } from "../prune/masks/masked.ts";
import type { EncodingError } from "../quantize/encoder.ts";
import { byteLength, type FloatDType, isFloat, type TensorInfo } from "../tensor.ts";
import { METADATA_PREFIX } from "../version.ts";
import { actionOf } from "./decide.ts";
import { type Maskable, masksOf, noteMasks } from "./masks.ts";
import type { OnnxRun } from "./onnx.ts";
import { checkMasks, type PrunePlan, reasonOf } from "./prune-plan.ts";
import { metadata } from "./report.ts";
import { encodeWeight } from "./weight.ts";

/** What the run of a safetensors model works with. */
type Workshop = Pick<OnnxRun, "kernels" | "reader" | "out" | "decider" | "log" | "lookahead" | "recipe">;
type SafetensorsRun = Workshop &
  Pick<OnnxRun, "pruning" | "spare" | "signal"> & { onPlan(plan: { format: "safetensors"; layout: "canonical"; bytes: number }): void };

/** What becomes of a tensor. */
export interface Planned {
  entry: Entry;
  encoding?: Encoding;
  parts: { info: TensorInfo; fixed?: Uint8Array }[];
  /** What goes of it becomes zero as it is read. */
  mask?: (payload: Payload) => Payload;
}

/**
 * Compresses a safetensors file in one pass: its header tells everything, so the output's header comes first and its length is known.
 * `source` is given where the file can be read again, and then serves encodings that read a weight twice.
 */
export async function compressSafetensors(run: SafetensorsRun, source: Source | undefined): Promise<void> {
  const { reader, out, decider, log, recipe } = run;
  const header = await readHeader(reader);
  const names = new Set(header.tensors.map(({ name }) => name));
  const masks = run.pruning && (await maskTensors(run, header, names, source, run.pruning));
  const planned = planTensors(run, header.tensors, names).map((each): Planned => {
    const mask = masks?.get(each.entry.name);
    return mask ? { ...each, mask } : each;
  });
  decider.finish(run.pruning?.unmatched);
  if (!planned.some(({ encoding, mask }) => encoding || mask))
    throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);
  const { head, bytes } = headOf(planned, header.metadata, recipe);
  run.onPlan({ format: "safetensors", layout: "canonical", bytes });
  out.put(head);
  for (const each of planned) await writePlanned(run, each, source);
  await reader.expectEnd(`after the last tensor`);
}

/** What sets elements of each weight to zero, as the recipe asks. A file without a graph has no channels, and does not tell first and last layers. */
async function maskTensors(
  { kernels, log, spare, signal }: SafetensorsRun,
  { tensors, dataOffset }: Header,
  names: ReadonlySet<string>,
  source: Source | undefined,
  plan: PrunePlan,
): Promise<Map<string, (payload: Payload) => Payload>> {
  if (plan.structure === "channel")
    throw new UnsupportedError(
      "The recipe prunes channels, and safetensors hold no graph that tells which go together; give an ONNX model",
    );
  if (plan.isSampled)
    throw new UnsupportedError(
      `The criterion ${plan.criterion} runs the model, and safetensors hold no graph; give an ONNX model, or use magnitude`,
    );
  if (!source && typeof plan.structure !== "object")
    throw new UnsupportedError(
      `The structure ${plan.word} looks at all weights before it writes one: give a source that can be read again, or use N:M, as in 2:4`,
    );
  plan.note(names);
  const reasons = new Map<string, string>();
  const weights = tensors.flatMap((entry): Maskable[] => {
    const { op, channel_axis, float } = roleOf(entry, names);
    const axes = isFloat(entry.dtype) && float === undefined ? axesOf(op, channel_axis, entry.shape.length) : undefined;
    if (!axes) return [];
    const reason = reasonOf(plan, entry.name, undefined);
    if (reason !== undefined) reasons.set(entry.name, reason);
    const payload = source ? rangePayload(source, dataOffset + entry.offset, entry.bytes) : memoryPayload(new Uint8Array(0));
    return reason === undefined ? [{ info: entry, payload, axes }] : [];
  });
  const { masks, without } = await masksOf(kernels, weights, plan, signal);
  checkMasks(masks.size, new Map([...reasons, ...without]), without, plan);
  for (const [name, reason] of without) log.warn("not-divided", `Weights stay whole: ${reason}`, name);
  const instances = new Instances(spare);
  const found = new Map<string, (payload: Payload) => Payload>();
  for (const { info } of weights) {
    const mask = masks.get(info.name);
    if (!mask) continue;
    log.warn("zeros-stored", "Zeros stand in the file, which is no smaller for them; ONNX files leave them out", info.name);
    found.set(info.name, (payload) => maskedPayload(instances, payload, info.dtype as FloatDType, info.shape, mask));
  }
  noteMasks(log, plan, tensors, new Map([...masks].map(([name, { dropped }]) => [name, dropped])));
  return found;
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
  { entry, encoding, parts, mask = (payload) => payload }: Planned,
  source: Source | undefined,
): Promise<void> {
  const { kernels, reader, out, log, lookahead } = run;
  const at = reader.position;
  const payload = mask(passingPayload(reader, entry.bytes, `tensor '${entry.name}'`));
  if (!encoding) {
    for await (const chunk of payload.chunks()) await out.write(chunk);
    return;
  }
  const hold = (p: Payload) =>
    source
      ? Promise.resolve({ payload: mask(rangePayload(source, at, entry.bytes)), release() {} })
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
