import { FormatError } from "../../errors.ts";
import { checkGraph, type Graph, type Node } from "../../graph/graph.ts";
import type { Reader } from "../../io/reader.ts";
import type { Source } from "../../io/source.ts";
import { memoryPayload, type Payload, rangePayload } from "../../payload.ts";
import { type TensorInfo, tensorBytes } from "../../tensor.ts";
import { Document } from "./document.ts";
import { smallTensor } from "./elements.ts";
import { constantList, constantTensor, subgraphTensors } from "./graph.ts";
import { type Bulk, isBulk, type Message } from "./message.ts";
import { Parser } from "./parse.ts";
import type { Siblings } from "./siblings.ts";
import { checkLength, headerComplete, tensorData, tensorInfo } from "./tensor.ts";

/** A tensor of an ONNX model: an initializer of the main graph or a subgraph, or the value of a Constant node. */
export interface TensorDefinition {
  info: TensorInfo;
  /** The graph it stands in. */
  home: Graph;
  /** The Constant node that holds it. */
  constant?: Node;
  payload: Payload | undefined;
  /** Why it stays as it is, where that is known by its form. */
  kept?: string;
  /** The initializer as it came; nested ones are written with their node. */
  message?: Message;
  /** The fields that carry the data, where it is bulk: emptied once the weight is encoded. */
  bulk: readonly Bulk[];
}

/** A model without bulk data, which stays in the source, and the initializers of its main graph. */
export interface ReadModel {
  document: Document;
  definitions: TensorDefinition[];
}

/** Reads everything but bulk data. `reader` reads `source` from its start. */
export async function readModel(reader: Reader, source: Source, siblings: Siblings): Promise<ReadModel> {
  const document = new Document();
  const definitions: TensorDefinition[] = [];
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
    const payload = passing ? passing.payload : await tensorData(message, info);
    definitions.push({ info, home: document.main, payload, bulk: [], message });
  }
  if (!document.begun) throw new FormatError("The model holds no graph", { format: "onnx" });
  checkGraph(document.main);
  return { document, definitions };
}

/**
 * Tensors inside nodes: Constant values anywhere, initializers of subgraphs. Those of the main graph are not among them.
 * `read` finds their elements.
 */
export async function* nestedDefinitions(
  document: Document,
  home: Graph,
  nodes: readonly Node[],
  read: typeof tensorData = tensorData,
): AsyncGenerator<TensorDefinition> {
  for (const node of nodes) {
    const message = constantTensor(node, document.origins);
    if (message) yield { ...(await define(message, home, read, node.output[0])), constant: node };
    const list = constantList(node, document.origins);
    if (list) yield { info: list.info, home, payload: undefined, bulk: [], kept: list.reason };
    for (const graph of node.graphs) {
      for (const initializer of subgraphTensors(graph, document.origins)) yield await define(initializer, graph, read);
      yield* nestedDefinitions(document, graph, graph.nodes, read);
    }
  }
}

async function define(message: Message, home: Graph, read: typeof tensorData, name?: string): Promise<TensorDefinition> {
  const info = tensorInfo(message, name);
  return { info, home, payload: await read(message, info), bulk: message.fields.filter(isBulk) };
}

/** Gives integers in typed fields, which no scheme looks at, the bytes that raw_data would hold. */
export function spell(definition: TensorDefinition, { origins }: Document): void {
  const { info, message, constant, payload } = definition;
  const origin = message ?? (constant && constantTensor(constant, origins));
  if (payload || !origin || info.dtype === "string") return;
  const tensor = smallTensor(origin, info);
  if (tensor) definition.payload = memoryPayload(tensorBytes(tensor));
}
