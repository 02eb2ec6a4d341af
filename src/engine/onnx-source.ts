import { FormatError, UnsupportedError } from "../errors.ts";
import { Document } from "../formats/onnx/document.ts";
import { enclosedLength, GraphWriter, initializerHeader, MAX_MODEL_BYTES } from "../formats/onnx/layout.ts";
import { type Field, fieldLength, type Message } from "../formats/onnx/message.ts";
import { Parser } from "../formats/onnx/parse.ts";
import { GraphProto, Model } from "../formats/onnx/proto.ts";
import { checkLength, headerComplete, refuseExternal, tensorData, tensorInfo } from "../formats/onnx/tensor.ts";
import { checkGraph } from "../graph/graph.ts";
import type { Source } from "../io/source.ts";
import { type Payload, rangePayload } from "../payload.ts";
import { byteLength } from "../tensor.ts";
import { standsTwice } from "./decide.ts";
import { bytesOf, encodedFields, noteUntouched, type OnnxFacts, type OnnxRun, tooLarge, writeEncoded, writeField } from "./onnx.ts";
import { patchGraph } from "./onnx-patch.ts";
import { graphFields, modelTail } from "./onnx-tail.ts";
import { type Definition, decide, type Encoded, encodedParts, Names, nestedDefinitions } from "./onnx-weights.ts";

/**
 * Compresses a model that can be read again: a first pass reads everything but bulk data, every decision is made,
 * and the file is written in its usual order with its length known.
 */
export async function compressOnnxSource(run: OnnxRun, source: Source): Promise<OnnxFacts> {
  const { reader, out, log, decider } = run;
  const document = new Document();
  const names = new Names();
  const initializers: { message: Message; definition: Definition }[] = [];
  const parser = new Parser(reader, async (payload, offset) => rangePayload(source, offset, payload.length), headerComplete);
  for await (const item of parser.items()) {
    if (item.kind !== "initializer") {
      document.add(item);
      continue;
    }
    const { message, passing } = item;
    const info = tensorInfo(message);
    refuseExternal(message, info);
    document.add(item, info.name);
    if (passing) {
      checkLength(info, passing.field, passing.payload.length, passing.offset);
      passing.payload = rangePayload(source, passing.offset, passing.payload.length);
    }
    initializers.push({
      message,
      definition: { info, home: document.main, payload: passing ? passing.payload : await tensorData(message, info), bulk: [] },
    });
  }
  if (!document.begun) throw new FormatError("The model holds no graph", { format: "onnx" });
  checkGraph(document.main);
  for (const node of document.main.nodes) names.addNode(node);
  for (const { definition } of initializers) names.add(definition.info.name);
  for (const name of [...document.main.inputs, ...document.main.outputs]) names.add(name);

  const encoded: Encoded[] = [];
  /** Decides, and notes what is kept. */
  const choose = (definition: Definition): Encoded | undefined => {
    const decision = decide(decider, document, definition);
    if (decision.kind === "keep" || !definition.payload) {
      log.kept(definition.info, decision.kind === "keep" ? decision.reason : "no data", bytesOf(definition.info));
      return undefined;
    }
    const made = encodedParts(definition, decision, names);
    encoded.push(made);
    return made;
  };
  const own = initializers.map(({ message, definition }) => ({ message, encoded: choose(definition) }));
  const lifted: Encoded[] = [];
  for await (const definition of nestedDefinitions(document, document.main, document.main.nodes)) {
    const made = choose(definition);
    if (made) lifted.push(made);
  }
  noteUntouched(document, log);
  decider.finish();
  if (encoded.length === 0) throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);
  patchGraph(document, encoded, names);
  for (const each of encoded) if (each.local) document.origins.add(each.definition.home, encodedFields(run, each));

  const fields = graphFields(document, encoded, log);
  const weights: (Encoded | Field)[] = [
    ...own.flatMap(({ message, encoded: made }): (Encoded | Field)[] => {
      const float = { field: GraphProto.initializer, message };
      if (!made) return [float];
      return standsTwice(made.encoding) ? [float, made] : [made];
    }),
    ...lifted.filter(({ local }) => !local),
  ];
  const early = fields.rest.filter((field) => field.field < GraphProto.initializer);
  const late = fields.rest.filter((field) => field.field >= GraphProto.initializer);
  const sum = (list: readonly Field[]): number => list.reduce((n, field) => n + fieldLength(field), 0);
  const graphLength =
    sum(fields.nodes) + sum(fields.rest) + weights.reduce((n, w) => n + ("parts" in w ? encodedLength(w) : fieldLength(w)), 0);
  const head = document.before.map((leaf) => leaf.bytes);
  const tail = modelTail(document, run.recipe, log);
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

function encodedLength({ parts }: Encoded): number {
  return parts.reduce((n, part) => {
    const length = byteLength(part.dtype, part.shape);
    return n + initializerHeader(part, length).byteLength + length;
  }, 0);
}
