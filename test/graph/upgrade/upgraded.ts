/** Upgrades whole files, as the engine does before it edits their graphs. */

import { typesOf } from "../../../src/engine/onnx-opset.ts";
import { graphFields } from "../../../src/engine/onnx-tail.ts";
import { Log } from "../../../src/engine/report.ts";
import { Document } from "../../../src/formats/onnx/document.ts";
import { encodeField, type Field } from "../../../src/formats/onnx/message.ts";
import { Parser } from "../../../src/formats/onnx/parse.ts";
import { GraphProto } from "../../../src/formats/onnx/proto.ts";
import { tensorInfo } from "../../../src/formats/onnx/tensor.ts";
import { Names } from "../../../src/graph/names.ts";
import { upgrade } from "../../../src/graph/upgrade/upgrade.ts";
import { inputOf } from "../../../src/io/input.ts";
import { Reader } from "../../../src/io/reader.ts";
import { viewsPayload } from "../../../src/payload.ts";
import { bytesField, concat } from "../../kit/wire.ts";

export interface Upgraded {
  bytes: Uint8Array;
  /** Names of the nodes that others took the place of. */
  nodes: string[];
}

/** The model at another opset, and nothing else changed. */
export async function upgraded(model: Uint8Array, to: number): Promise<Upgraded> {
  const document = new Document();
  const names = new Names();
  const initializers: Field[] = [];
  const keep = async (payload: { chunks(): AsyncIterable<Uint8Array> }) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of payload.chunks()) chunks.push(chunk.slice());
    return viewsPayload(chunks);
  };
  const reader = new Reader(inputOf(new Blob([model as Uint8Array<ArrayBuffer>]).stream()));
  for await (const item of new Parser(reader, keep, () => false).items()) {
    if (item.kind === "initializer") initializers.push({ field: GraphProto.initializer, message: item.message });
    document.add(item, item.kind === "initializer" ? tensorInfo(item.message) : undefined);
  }
  for (const node of document.main.nodes) names.addNode(node);
  for (const name of [...document.main.inputs, ...document.main.outputs]) names.add(name);
  const { patch, nodes } = upgrade(document.main, document.opset, to, { fresh: names.fresh, typeOf: typesOf(document) });
  document.apply(patch);
  document.importOpset(to);
  const fields = graphFields(document, [], new Log());
  const graph: Uint8Array[] = [];
  for (const field of [...fields.nodes, ...initializers, ...fields.rest])
    for await (const bytes of encodeField(field)) graph.push(bytes.slice());
  const leaves = (list: readonly { bytes: Uint8Array }[]) => list.map(({ bytes }) => bytes);
  return {
    bytes: concat([...leaves(document.before), ...bytesField(7, graph).parts, ...leaves(document.after)]),
    nodes: nodes.map(({ name }) => name),
  };
}
