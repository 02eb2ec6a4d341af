import type { Encoding, Weight } from "../encoding.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import { detect } from "../formats/detect.ts";
import { Document } from "../formats/onnx/document.ts";
import { knownOf, tensorValue } from "../formats/onnx/known.ts";
import { type Item, Parser } from "../formats/onnx/parse.ts";
import { nestedDefinitions } from "../formats/onnx/read.ts";
import { type Need, opsetNeeded } from "../formats/onnx/represent.ts";
import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { checkLength, headerComplete, tensorInfo } from "../formats/onnx/tensor.ts";
import { readHeader } from "../formats/safetensors/header.ts";
import { roleOf as safetensorsRole } from "../formats/safetensors/represent.ts";
import { checkGraph, graphs } from "../graph/graph.ts";
import { roleOf } from "../graph/role.ts";
import { abortableSource } from "../io/abort.ts";
import { type Input, inputOf } from "../io/input.ts";
import { cancelOnAbort, Reader } from "../io/reader.ts";
import { isSource, type Source } from "../io/source.ts";
import type { Known } from "../ops/op.ts";
import type { Value } from "../ops/value.ts";
import type { Part } from "../prune/channels/groups.ts";
import { byteLength, elements, type TensorInfo } from "../tensor.ts";
import { channelsOf, reasons } from "./channels.ts";
import { AVAILABLE, actionOf, Decider, encodedBytes, standsTwice } from "./decide.ts";
import { planUpgrade } from "./onnx-opset.ts";
import { staticPlanner } from "./onnx-static.ts";
import { PrunePlan } from "./prune-plan.ts";
import type { SchemeName } from "./recipe.ts";

/** What a model is and what each scheme would give. */
export interface Inspection {
  format: "onnx" | "safetensors";
  opset?: number;
  ir_version?: number;
  /** Bytes of the file, and of those that hold its external data. */
  bytes: number;
  /**
   * The files that hold external data, by their paths from the model's. `found` says whether they were looked at: where not, their `bytes`
   * are those up to the end of the last tensor in each.
   */
  external?: { found: boolean; files: { location: string; bytes: number }[] };
  /** Elements of all float tensors. */
  parameters: number;
  inputs?: string[];
  outputs?: string[];
  /** Number of nodes by operator, subgraphs included. */
  operators?: Record<string, number>;
  metadata?: Record<string, string>;
  tensors: { name: string; dtype: string; shape: readonly number[]; bytes: number; used_by: string }[];
  /** Of ONNX: operations of the model's products for one run, additions counted apart; a size that a run binds counts as 1. */
  operations?: number;
  /** Of ONNX: the channels that go together, and what they hold (`prune=channel:RATIO`). */
  channels?: ChannelGroup[];
  /** Estimated from tensor sizes: nodes and names that are added do not count. */
  schemes: SchemeEstimate[];
}

export interface SchemeEstimate {
  scheme: string;
  /** Bytes of the result, and their share of the source's; absent where the scheme cannot be used. */
  bytes?: number;
  ratio?: number;
  /** Tensors by what would become of them. */
  tensors?: Record<string, number>;
  /** Why the scheme cannot be used. */
  reason?: string;
  /** What it takes besides the model: samples to calibrate on. */
  needs?: "samples";
}

/** Channels that go together or stay together. */
export interface ChannelGroup {
  /** The first weight that makes them. */
  name: string;
  /** The weights that make them. */
  layers: string[];
  channels: number;
  /** Channels that go at a time, where that is more than one: those of a head. */
  width?: number;
  /** Elements of all that one channel takes with it, at most: fewer where others have gone. */
  parameters_each: number;
  /** Why they stay, unless a recipe asks for them by name, or whatever it asks. */
  reason?: string;
}

export interface InspectOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes read so far. */
  onRead?: ((bytes: number) => void) | undefined;
  /** The files beside an ONNX model, where its external data is. */
  siblings?: FindSibling | undefined;
}

/** Reads a model's structure; the data of large tensors is passed over. */
export async function inspectModel(from: ReadableStream<Uint8Array> | Source | Input, options: InspectOptions = {}): Promise<Inspection> {
  const reader = new Reader(inputOf(isSource(from) ? abortableSource(from, options.signal) : from), {
    signal: options.signal,
    onRead: options.onRead,
  });
  const release = cancelOnAbort(reader, options.signal);
  try {
    return (await detect(reader)) === "safetensors" ? await inspectSafetensors(reader) : await inspectOnnx(reader, options);
  } catch (error) {
    await reader.cancel(error);
    throw error;
  } finally {
    release();
  }
}

async function inspectSafetensors(reader: Reader): Promise<Inspection> {
  const { tensors, metadata, dataOffset, dataBytes } = await readHeader(reader);
  await reader.skip(dataBytes, "tensor data");
  await reader.expectEnd("after the last tensor");
  return inspectTensors(tensors, metadata, dataOffset + dataBytes);
}

/** Inspects a safetensors model by the headers of all its files; `bytes` is what they take. */
export function inspectTensors(tensors: readonly TensorInfo[], metadata: Record<string, string>, bytes: number): Inspection {
  const names = new Set(tensors.map(({ name }) => name));
  const weights = tensors.map((entry): Weight => ({ ...entry, role: safetensorsRole(entry, names) }));
  return { format: "safetensors", metadata, ...summary(weights, bytes) };
}

/** A file that is not there to be looked at: it may be of any size. */
const unseen: FindSibling = async () => ({ size: Number.POSITIVE_INFINITY, read: () => Promise.reject(new Error("Not read.")) });

async function inspectOnnx(reader: Reader, options: InspectOptions): Promise<Inspection> {
  const found = options.siblings !== undefined;
  const siblings = new Siblings(options.siblings ?? unseen, options.signal);
  const document = new Document();
  const infos: TensorInfo[] = [];
  const values = new Map<string, Value>();
  const nothing = { again: false, async *chunks() {} };
  const parser = new Parser(reader, async ({ length }) => ({ ...nothing, length }), headerComplete);
  for await (const item of parser.items()) {
    await siblings.merge(item, true);
    if (item.kind === "initializer") {
      infos.push(initializerInfo(item));
      values.set((infos.at(-1) as TensorInfo).name, tensorValue(item.message, infos.at(-1)));
    }
    document.add(item, infos.at(-1));
  }
  if (!document.begun) throw new FormatError("The model holds no graph", { format: "onnx" });
  checkGraph(document.main);
  const convolves = document.values.operators.has("Conv");
  const weights = infos.map((info): Weight => ({ ...info, role: roleOf(document.values, info, document.main), convolves }));
  const own = new Set(weights);
  for await (const { info, home } of nestedDefinitions(document, document.main, document.main.nodes, async () => undefined)) {
    weights.push({ ...info, role: roleOf(document.values, info, home), convolves });
    if (home === document.main) own.add(weights.at(-1) as Weight);
  }
  const unplanned = noteStatic(document, own);
  const operators = new Map<string, number>(); // not an object: an operator may have any name
  for (const graph of graphs(document.main)) {
    for (const { domain, op_type } of graph.nodes) {
      const name = domain ? `${domain}.${op_type}` : op_type;
      operators.set(name, (operators.get(name) ?? 0) + 1);
    }
  }
  const initializers = new Set(document.main.initializers);
  const fixed = new Set(document.ir_version < 4 ? [] : document.main.inputs);
  const constants = new Map([...own].flatMap((weight) => (fixed.has(weight.name) ? [] : [[weight.name, weight] as const])));
  const files = siblings.files.map(({ location, size, reach }) => ({ location, bytes: found ? size : reach }));
  const bytes = files.reduce((n, file) => n + file.bytes, reader.position);
  return {
    format: "onnx",
    opset: document.opset,
    ir_version: document.ir_version,
    inputs: document.main.inputs.filter((name) => !initializers.has(name)),
    outputs: document.main.outputs,
    operators: Object.fromEntries(operators),
    ...inspectChannels(document, knownOf(document, values), constants),
    ...(files.length > 0 && { external: { found, files } }),
    ...summary(weights, bytes, refusals(document), unplanned),
  };
}

/** Notes what static quantization takes of the main graph's weights; says why it cannot, where what the file says of its values is broken. */
function noteStatic(document: Document, weights: ReadonlySet<Weight>): string | undefined {
  try {
    const constants = [...weights].map((weight) => ({ ...weight, isHeld: true }));
    const { constants: taken } = staticPlanner(document, constants, new Decider({ quantize: { scheme: "w8a8" } }))();
    for (const weight of weights) {
      const role = taken.get(weight.name);
      if (role) weight.role = { ...weight.role, static: role };
    }
    return undefined;
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return error.message;
    throw error;
  }
}

/** What comes of what a file says of its values; undefined where that is broken, which inspection passes over. */
function unlessBroken<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

/** The channels of the main graph as a recipe finds them that says nothing but how many are to go. */
function inspectChannels(
  document: Document,
  known: Known,
  constants: ReadonlyMap<string, TensorInfo>,
): Pick<Inspection, "operations" | "channels"> {
  const channels = unlessBroken(() => channelsOf(document, known, constants));
  if (!channels) return {};
  const stays = reasons(channels, document, new PrunePlan({ structure: "channel", sparsity: 0.5 }), () => true);
  const sizes = new Map([...constants].map(([name, { shape }]) => [name, elements(shape)]));
  const groups = channels.groups.map((group): ChannelGroup => {
    const { name, outputs, units, width } = group;
    const parts = units[0]?.parts ?? [];
    const share = ({ tensor, axis, indices }: Part): number =>
      ((sizes.get(tensor) ?? 0) / (constants.get(tensor)?.shape[axis] ?? 1)) * indices.length;
    const reason = stays.get(group);
    return {
      name,
      layers: outputs.map(({ tensor }) => tensor),
      channels: units.length * width,
      ...(width > 1 && { width }),
      parameters_each: Math.round(parts.reduce((n, part) => n + share(part), 0) / width),
      ...(reason !== undefined && { reason }),
    };
  });
  return { operations: channels.operations, channels: groups };
}

/** Why a model cannot have the opset that an encoding needs; undefined where it has it, or can be upgraded. */
function refusals(document: Document): (encoding: Encoding) => string | undefined {
  const known = new Map<number, string | undefined>();
  return (encoding) => {
    const need = opsetNeeded(encoding);
    if (!known.has(need.opset)) known.set(need.opset, refusal(document, need));
    return known.get(need.opset);
  };
}

function refusal(document: Document, need: Need): string | undefined {
  try {
    planUpgrade(document, need, (name) => name);
    return undefined;
  } catch (error) {
    if (error instanceof UnsupportedError) return error.message;
    throw error;
  }
}

function initializerInfo({ message, passing }: Item & { kind: "initializer" }): TensorInfo {
  const info = tensorInfo(message);
  if (passing) checkLength(info, passing.field, passing.payload.length, passing.offset);
  return info;
}

function summary(
  weights: readonly Weight[],
  bytes: number,
  refusal: (encoding: Encoding) => string | undefined = () => undefined,
  unplanned?: string,
): Pick<Inspection, "bytes" | "parameters" | "tensors" | "schemes"> {
  const size = (weight: Weight) => byteLength(weight.dtype, weight.shape);
  const schemes = (AVAILABLE as SchemeName[]).map((scheme): SchemeEstimate => {
    const decider = new Decider({ quantize: { scheme } });
    const counts: Record<string, number> = {};
    let saved = 0;
    let reason = decider.observer === undefined ? undefined : unplanned;
    for (const weight of weights) {
      const decision = decider.decide(weight);
      const action = decision.kind === "keep" ? "kept" : actionOf(decision);
      counts[action] = (counts[action] ?? 0) + 1;
      if (decision.kind === "keep") continue;
      reason ??= refusal(decision);
      saved += (standsTwice(decision) ? 0 : size(weight)) - encodedBytes(weight.shape, decision);
    }
    if (Object.keys(counts).every((action) => action === "kept")) reason ??= "would change nothing";
    return reason
      ? { scheme, reason }
      : {
          scheme,
          bytes: bytes - saved,
          ratio: Math.round(((bytes - saved) / bytes) * 1000) / 1000,
          tensors: counts,
          ...(decider.observer !== undefined && { needs: "samples" }),
        };
  });
  return {
    bytes,
    parameters: weights.filter((w) => w.dtype.includes("float")).reduce((n, w) => n + elements(w.shape), 0),
    tensors: weights.map((w) => ({ name: w.name, dtype: w.dtype, shape: w.shape, bytes: size(w), used_by: w.role.op })),
    schemes,
  };
}
