import { FormatError, UnsupportedError } from "../errors.ts";
import { Document } from "../formats/onnx/document.ts";
import { enclosedLength, GraphWriter, initializerHeader, MAX_MODEL_BYTES } from "../formats/onnx/layout.ts";
import { type Field, fieldLength } from "../formats/onnx/message.ts";
import { Parser } from "../formats/onnx/parse.ts";
import { GraphProto, Model } from "../formats/onnx/proto.ts";
import { checkLength, headerComplete, tensorData, tensorInfo } from "../formats/onnx/tensor.ts";
import { initializerField } from "../formats/onnx/write.ts";
import { checkGraph } from "../graph/graph.ts";
import type { Source } from "../io/source.ts";
import { type Payload, rangePayload } from "../payload.ts";
import { byteLength } from "../tensor.ts";
import { bytesOf, noteUntouched, type OnnxFacts, type OnnxRun, tooLarge, writeEncoded, writeField } from "./onnx.ts";
import { optimizeOnnx } from "./onnx-optimize.ts";
import { graphFields, modelTail } from "./onnx-tail.ts";
import { type Definition, decide, type Encoded, encodedParts, Names, nestedDefinitions, patchGraph } from "./onnx-weights.ts";
import type { Log } from "./report.ts";

/**
 * Compresses a model that can be read again: a first pass reads everything but bulk data, every decision is made,
 * and the file is written in its usual order with its length known.
 */
export async function compressOnnxSource(run: OnnxRun, source: Source): Promise<OnnxFacts> {
  const { reader, out, log, decider, siblings } = run;
  const document = new Document();
  const names = new Names();
  let definitions: Definition[] = [];
  const parser = new Parser(reader, async (payload, offset) => rangePayload(source, offset, payload.length), headerComplete);
  for await (const item of parser.items()) {
    await siblings.merge(item);
    if (item.kind !== "initializer") {
      document.add(item);
      continue;
    }
    const { message, passing } = item;
    const info = tensorInfo(message);
    document.add(item, info);
    if (passing) {
      checkLength(info, passing.field, passing.payload.length, passing.offset);
      passing.payload = rangePayload(source, passing.offset, passing.payload.length);
    }
    definitions.push({
      info,
      home: document.main,
      payload: passing ? passing.payload : await tensorData(message, info),
      bulk: [],
      message,
    });
  }
  if (!document.begun) throw new FormatError("The model holds no graph", { format: "onnx" });
  checkGraph(document.main);
  for (const node of document.main.nodes) names.addNode(node);
  for (const { info } of definitions) names.add(info.name);
  for (const name of [...document.main.inputs, ...document.main.outputs]) names.add(name);

  for await (const definition of nestedDefinitions(document, document.main, document.main.nodes)) definitions.push(definition);
  if (run.optimizes) definitions = await optimizeOnnx(document, definitions, names, log);

  const encoded: Encoded[] = [];
  const weights: (Encoded | Field)[] = [];
  for (const definition of definitions) {
    const { payload } = definition;
    const decision = decide(decider, document, definition);
    if (decision.kind !== "keep" && payload) {
      const made = encodedParts(definition, decision, names);
      encoded.push(made);
      weights.push(made);
      continue;
    }
    noteKept(definition, decision.kind === "keep" ? decision.reason : "no data", log);
    const field = fieldOf(definition);
    if (field) weights.push(field);
  }
  noteUntouched(document, log);
  decider.finish();
  if (!log.changed && encoded.length === 0) throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);
  patchGraph(document, encoded, names);

  const fields = graphFields(document, encoded, log);
  const early = fields.rest.filter((field) => field.field < GraphProto.initializer);
  const late = fields.rest.filter((field) => field.field >= GraphProto.initializer);
  const sum = (list: readonly Field[]): number => list.reduce((n, field) => n + fieldLength(field), 0);
  const graphLength =
    sum(fields.nodes) + sum(fields.rest) + weights.reduce((n, w) => n + ("parts" in w ? encodedLength(w) : fieldLength(w)), 0);
  const head = document.before.map((leaf) => leaf.bytes);
  const tail = modelTail(document, encoded, run.recipe, log);
  const total = [...head, ...tail].reduce((n, bytes) => n + bytes.byteLength, 0) + enclosedLength(Model.graph, graphLength);
  if (total > MAX_MODEL_BYTES) throw tooLarge(total);

  run.onPlan({ format: "onnx", layout: "canonical", bytes: total });
  const writer = new GraphWriter(out, "canonical", graphLength);
  for (const bytes of head) out.put(bytes);
  for (const field of [...fields.nodes, ...early]) await writeField(run, writer, field);
  for (const weight of weights) {
    if ("parts" in weight) await writeEncoded(run, writer, weight, weight.definition.payload as Payload);
    else await writeField(run, writer, weight);
  }
  for (const field of late) await writeField(run, writer, field);
  for (const bytes of tail) out.put(bytes);
  return { opset: document.opset, layout: "canonical" };
}

/** The initializer of a tensor that is kept; undefined where its node holds it. */
function fieldOf({ info, payload, message, scaling, lifted, made }: Definition): Field | undefined {
  if (message && !scaling) return { field: GraphProto.initializer, message };
  return (message || lifted || made) && payload ? initializerField(info, payload) : undefined;
}

function noteKept({ info, scaling, made }: Definition, reason: string, log: Log): void {
  if (made) return; // no tensor of the source
  if (scaling) log.folded(info, reason, bytesOf(info));
  else log.kept(info, reason, bytesOf(info));
}

function encodedLength({ parts }: Encoded): number {
  return parts.reduce((n, part) => {
    const length = byteLength(part.dtype, part.shape);
    return n + initializerHeader(part, length).byteLength + length;
  }, 0);
}
