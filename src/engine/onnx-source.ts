import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { enclosedLength, GraphWriter, MAX_MODEL_BYTES } from "../formats/onnx/layout.ts";
import type { Field } from "../formats/onnx/message.ts";
import { GraphProto, Model } from "../formats/onnx/proto.ts";
import { nestedDefinitions, readModel } from "../formats/onnx/read.ts";
import { Names } from "../graph/names.ts";
import type { StaticPlan } from "../graph/static.ts";
import type { Source } from "../io/source.ts";
import { DataPlan } from "./data-files.ts";
import { standsTwice } from "./decide.ts";
import { layersOf } from "./layers.ts";
import { bytesOf, encodedFields, noteUntouched, type OnnxFacts, type OnnxRun, tooLarge } from "./onnx.ts";
import { noteUnfit, warnUnpacked } from "./onnx-half.ts";
import { maskWeights } from "./onnx-mask.ts";
import { raiseOpset, raiseTo } from "./onnx-opset.ts";
import { optimizeOnnx } from "./onnx-optimize.ts";
import { patchGraph } from "./onnx-patch.ts";
import { type GraphPlan, type Piece, planGraph, writeGraph } from "./onnx-pieces.ts";
import { pruneChannels } from "./onnx-prune.ts";
import { SPARSE_NEED, storeSparse, type Weight } from "./onnx-sparse.ts";
import { calibrateOnnx, quantizeOnnx } from "./onnx-static.ts";
import { graphFields, modelTail } from "./onnx-tail.ts";
import { type Definition, decide, type Encoded, encodedParts, initializerOf } from "./onnx-weights.ts";
import type { PrunePlan } from "./prune-plan.ts";
import type { Log } from "./report.ts";
import { warnOfOperators } from "./runtimes.ts";

/**
 * Compresses a model that can be read again: a first pass reads everything but bulk data, every decision is made,
 * and the file is written in its usual order with its length known.
 */
export async function compressOnnxSource(run: OnnxRun, source: Source): Promise<OnnxFacts> {
  const { log, decider } = run;
  const { document, definitions: all } = await readModel(run.reader, source, run.siblings);
  const { opset } = document;
  const names = new Names();
  for (const node of document.main.nodes) names.addNode(node);
  for (const { info } of all) names.add(info.name);
  for (const name of [...document.main.inputs, ...document.main.outputs]) names.add(name);
  for await (const definition of nestedDefinitions(document, document.main, document.main.nodes)) all.push(definition);

  const optimized = run.optimizes ? await optimizeOnnx(document, all, names, log) : all;
  const definitions: readonly Definition[] = run.pruning ? await pruneOnnx(run, document, optimized, names, run.pruning) : optimized;
  const calibrated = await calibrateOnnx(run, document, definitions, names);
  const { encoded, weights } = await decideAll(run, document, definitions, names, calibrated?.plan);
  noteUntouched(document, log);
  decider.finish(run.pruning?.unmatched);
  if (encoded.length === 0 && (log.quantizes || !log.changed))
    throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);
  log.layers = layersOf(document.values, definitions);
  warnUnpacked(decider, encoded, log);
  raiseOpset(document, encoded, names, log);
  const isMasked = definitions.some((definition) => definition.masked);
  if (isMasked) raiseTo(document, SPARSE_NEED, names, log);
  if (calibrated) await quantizeOnnx(run, document, calibrated, encoded, definitions, names);
  patchGraph(document, encoded, names);
  for (const each of encoded) if (each.local) document.origins.add(each.definition.home, encodedFields(run, each));
  warnOfOperators(document, run.runtime, log);
  await writeModel(run, document, encoded, isMasked ? await storeSparse(run, document, weights, names) : weights);
  return { opset, layout: "canonical" };
}

/** Prunes as the recipe asks, and says what is defined now. */
const pruneOnnx = (
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
  plan: PrunePlan,
): Promise<readonly Definition[]> =>
  plan.structure === "channel"
    ? pruneChannels(run, document, definitions, names, plan)
    : maskWeights(run, document, definitions, names, plan);

/** Decides about each weight, in their order, and notes those that are kept. */
async function decideAll(
  { decider, log }: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
  plan: StaticPlan | undefined,
): Promise<{ encoded: Encoded[]; weights: Weight[] }> {
  const encoded: Encoded[] = [];
  const weights: Weight[] = [];
  const biases = new Set(plan?.biased.map(({ bias }) => bias));
  for (const definition of definitions) {
    const { payload } = definition;
    const decision = decide(decider, document, definition, plan);
    if (decision.kind !== "keep" && payload) {
      const made = encodedParts(definition, decision, names);
      encoded.push(made);
      const float = standsTwice(decision) ? initializerOf(definition) : undefined;
      if (float) weights.push({ piece: float });
      if (!made.local) weights.push({ piece: made });
      continue;
    }
    if (decider.computesInHalf) await noteUnfit(document, definition);
    const isBias = definition.home === document.main && biases.has(definition.info.name); // whose products know what becomes of it
    if (!isBias) noteKept(definition, decision.kind === "keep" ? decision.reason : "no data", log);
    const field = initializerOf(definition);
    if (field) weights.push({ piece: field, name: definition.info.name, definition });
  }
  return { encoded, weights };
}

/** Plans the file, or files, to the byte, and writes them. */
async function writeModel(run: OnnxRun, document: Document, encoded: readonly Encoded[], weights: readonly Weight[]): Promise<void> {
  const { out, log, data, recipe } = run;
  const fields = graphFields(document, encoded, log);
  const defined = new Set(document.main.initializers);
  const written = weights.filter(({ name }) => name === undefined || defined.has(name)).map(({ piece }) => piece);
  const isEarly = (field: Field): boolean => field.field < GraphProto.initializer;
  const pieces = [...fields.nodes, ...fields.rest.filter(isEarly), ...written, ...fields.rest.filter((field) => !isEarly(field))];
  const head = document.before.map((leaf) => leaf.bytes);
  const tail = modelTail(document, recipe, log);
  const around = [...head, ...tail].reduce((n, bytes) => n + bytes.byteLength, 0);
  const { graph, bytes, files } = planFiles(run, pieces, (graph) => around + enclosedLength(Model.graph, graph.length));
  if (bytes > MAX_MODEL_BYTES) throw tooLarge(bytes);

  const total = bytes + files.reduce((n, file) => n + file.bytes, 0);
  run.onPlan({ format: "onnx", layout: "canonical", bytes: total, ...(data && { files: [{ name: data.sink.name, bytes }, ...files] }) });
  for (const piece of head) out.put(piece);
  await writeGraph(run, new GraphWriter(out, "canonical", graph.length), graph);
  for (const piece of tail) out.put(piece);
}

function noteKept({ info, scaling, made }: Definition, reason: string, log: Log): void {
  if (made) return; // no tensor of the source
  if (scaling) log.folded(info, reason, bytesOf(info));
  else log.kept(info, reason, bytesOf(info));
}

/** Plans one file where that holds the model and no shards are asked for, else one and its data files. `ownBytes` are those of the model's own. */
function planFiles({ data, log }: OnnxRun, pieces: readonly Piece[], ownBytes: (graph: GraphPlan) => number) {
  const whole = planGraph(pieces);
  const bytes = ownBytes(whole);
  const { always, shard = MAX_MODEL_BYTES } = data?.sink ?? {};
  if (!data || (!always && bytes <= Math.min(shard, MAX_MODEL_BYTES))) return { graph: whole, bytes, files: [] };
  const plan = new DataPlan(data.sink, (tensor) =>
    log.warn("shard-exceeded", `Tensors larger than a shard of ${shard} bytes have a file of their own`, tensor),
  );
  const graph = planGraph(pieces, plan.place);
  return { graph, bytes: ownBytes(graph), files: plan.files };
}
