import type { Attribute, Graph, Node } from "../../graph/graph.ts";
import { concat, float, int, message as messageField, string } from "../../io/protobuf.ts";
import type { Payload } from "../../payload.ts";
import type { TensorBytes, TensorInfo } from "../../tensor.ts";
import type { Origins } from "./graph.ts";
import { initializerHeader, tensorHeader } from "./layout.ts";
import { type Field, isNested, type Leaf, leaf, type Message, open, textOf } from "./message.ts";
import { AttributeProto, AttributeType, dataType, GraphProto, NodeProto, TensorProto } from "./proto.ts";

/** The NodeProto field of a node: the bytes it came in where nothing in it changed. */
export function nodeField(node: Node, origins: Origins): Field {
  const own = origins.node(node);
  const message = own ?? (node.from && origins.node(node.from));
  if (!message) return fieldOf(GraphProto.node, nodeBytes(node, node.attributes));
  if (own && !node.graphs.some(isEdited)) return { field: GraphProto.node, message };
  const graphs = new Map(node.graphs.map((graph) => [origins.graph(graph) as Message, graph]));
  const rewritten = withGraphs(message, graphs, origins);
  return { field: GraphProto.node, message: own ? rewritten : withChanges(rewritten, node, node.from as Node) };
}

const isEdited = (graph: Graph): boolean => graph.edited || graph.nodes.some((node) => node.graphs.some(isEdited));

/** The fields of NodeProto that `nodeBytes` writes. */
const HEAD: ReadonlySet<number> = new Set([NodeProto.input, NodeProto.output, NodeProto.name, NodeProto.op_type, NodeProto.domain]);

/** The message of `was`, saying what `node` says. */
function withChanges(message: Message, node: Node, was: Node): Message {
  const changed = (name: string): boolean => node.attributes[name] !== was.attributes[name];
  const kept = message.fields.filter((field) => {
    if (isNested(field)) return !changed(textOf(field.message, AttributeProto.name));
    return !HEAD.has(field.field);
  });
  const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => changed(name)));
  return { ...message, fields: [...open(fieldOf(GraphProto.node, nodeBytes(node, attributes))).fields, ...kept] };
}

/** A message whose graphs are written anew where they changed. */
function withGraphs(message: Message, graphs: ReadonlyMap<Message, Graph>, origins: Origins): Message {
  const fields = message.fields.map((field): Field => {
    if (!isNested(field)) return field;
    const graph = graphs.get(field.message);
    if (graph) return isEdited(graph) ? { field: field.field, message: withNodes(field.message, graph, origins) } : field;
    return field.message.kind === "attribute" ? { field: field.field, message: withGraphs(field.message, graphs, origins) } : field;
  });
  return { ...message, fields };
}

/** A subgraph with its nodes, the initializers that are still its own, and those that were added. */
function withNodes(message: Message, graph: Graph, origins: Origins): Message {
  const initializers = new Set(graph.initializers);
  const rest = message.fields.filter((field) => {
    if (field.field === GraphProto.node) return false;
    return field.field !== GraphProto.initializer || !isNested(field) || initializers.has(textOf(field.message, TensorProto.name));
  });
  const added = [...graph.added.map(tensorField), ...origins.added(graph)];
  return { ...message, fields: [...graph.nodes.map((node) => nodeField(node, origins)), ...rest, ...added] };
}

/** A number is an INT attribute when it is an integer, else a FLOAT; so are lists of them. */
function attributeBytes([name, value]: [string, Attribute]): Uint8Array {
  const { i, f, s, ints, floats, strings, type } = AttributeProto;
  const parts = [string(AttributeProto.name, name)];
  if (typeof value === "string") parts.push(string(s, value), int(type, AttributeType.STRING));
  else if (typeof value !== "number") {
    if (value.some((v) => typeof v === "string"))
      parts.push(...value.map((v) => string(strings, String(v))), int(type, AttributeType.STRINGS));
    else if (value.every(Number.isSafeInteger)) parts.push(...value.map((v) => int(ints, Number(v))), int(type, AttributeType.INTS));
    else parts.push(...value.map((v) => float(floats, Number(v))), int(type, AttributeType.FLOATS));
  } else if (Number.isInteger(value)) parts.push(int(i, value), int(type, AttributeType.INT));
  else parts.push(float(f, value), int(type, AttributeType.FLOAT));
  return messageField(NodeProto.attribute, parts);
}

const tensorAttributeBytes = ([name, tensor]: [string, TensorBytes]): Uint8Array =>
  messageField(NodeProto.attribute, [
    string(AttributeProto.name, name),
    messageField(AttributeProto.t, [tensorHeader(tensor, tensor.bytes.byteLength), tensor.bytes]),
    int(AttributeProto.type, AttributeType.TENSOR),
  ]);

const nodeBytes = (node: Node, attributes: Node["attributes"]): Uint8Array =>
  concat([
    ...node.input.map((name) => string(NodeProto.input, name)),
    ...node.output.map((name) => string(NodeProto.output, name)),
    string(NodeProto.name, node.name),
    string(NodeProto.op_type, node.op_type),
    ...Object.entries(attributes).map(attributeBytes),
    ...Object.entries(node.tensors ?? {}).map(tensorAttributeBytes),
    ...(node.domain ? [string(NodeProto.domain, node.domain)] : []),
  ]);

const fieldOf = (field: number, body: Uint8Array): Leaf => leaf(field, messageField(field, [body]), body.byteLength);

/** An initializer whose data is written when its turn comes. */
export function initializerField(info: TensorInfo, payload: Payload): Field {
  const header = concat([
    ...info.shape.map((d) => int(TensorProto.dims, d)),
    int(TensorProto.data_type, dataType(info.dtype)),
    string(TensorProto.name, info.name),
  ]);
  const { fields } = open(fieldOf(GraphProto.initializer, header));
  const message: Message = { kind: "tensor", offset: -1, fields: [...fields, { field: TensorProto.raw_data, payload }] };
  return { field: GraphProto.initializer, message };
}

/** An initializer of a small tensor. */
export function tensorField(tensor: TensorBytes): Leaf {
  const bytes = concat([initializerHeader(tensor, tensor.bytes.byteLength), tensor.bytes]);
  return leaf(GraphProto.initializer, bytes, bytes.byteLength);
}
