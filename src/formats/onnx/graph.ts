import { FormatError } from "../../errors.ts";
import { type Attribute, emptyGraph, type Graph, type Node } from "../../graph/graph.ts";
import { BYTES, packed } from "../../io/protobuf.ts";
import type { TensorInfo } from "../../tensor.ts";
import {
  content,
  type Field,
  isLeaf,
  isNested,
  type Leaf,
  type Message,
  type Nested,
  nestedOf,
  numberOf,
  open,
  textOf,
  textsOf,
} from "./message.ts";
import { AttributeProto, AttributeType, DATA_TYPES, GraphProto, NodeProto, SparseTensorProto, TensorProto, ValueInfo } from "./proto.ts";

/** Which message each node and subgraph came from. */
export class Origins {
  readonly #nodes = new Map<Node, Message>();
  readonly #graphs = new Map<Graph, Message>();
  readonly #added = new Map<Graph, Field[]>();

  node(node: Node): Message | undefined {
    return this.#nodes.get(node);
  }

  graph(graph: Graph): Message | undefined {
    return this.#graphs.get(graph);
  }

  /** Adds initializers to a subgraph that an edit has changed. */
  add(graph: Graph, fields: readonly Field[]): void {
    this.#added.set(graph, [...this.added(graph), ...fields]);
  }

  added(graph: Graph): readonly Field[] {
    return this.#added.get(graph) ?? [];
  }

  /** Reads a NodeProto with its subgraphs. */
  readNode(message: Message, graph: Graph): Node {
    const attributes = nestedOf(message, NodeProto.attribute);
    checkAttributes(attributes, textOf(message, NodeProto.name), message.offset);
    const inner = (a: Message) => [...nestedOf(a, AttributeProto.g), ...nestedOf(a, AttributeProto.graphs)];
    const domain = textOf(message, NodeProto.domain);
    const values = attributes.map((a) => [textOf(a, AttributeProto.name), attributeValue(a)] as const);
    const unread = values.filter(([, value]) => value === undefined).map(([name]) => name);
    const node: Node = {
      op_type: textOf(message, NodeProto.op_type),
      domain: domain === "ai.onnx" ? "" : domain,
      name: textOf(message, NodeProto.name),
      input: textsOf(message, NodeProto.input),
      output: textsOf(message, NodeProto.output),
      attributes: Object.fromEntries(values.filter((entry): entry is readonly [string, Attribute] => entry[1] !== undefined)),
      ...(unread.length > 0 ? { unread } : {}),
      graphs: attributes.flatMap((a) => inner(a).map((g) => this.#readGraph(g, graph, textOf(a, AttributeProto.name)))),
      offset: message.offset,
    };
    this.#nodes.set(node, message);
    return node;
  }

  #readGraph(message: Message, parent: Graph, attribute: string): Graph {
    const graph = emptyGraph(parent, attribute);
    graph.inputs = valueNames(message, GraphProto.input);
    graph.outputs = valueNames(message, GraphProto.output);
    graph.initializers = nestedOf(message, GraphProto.initializer).map((t) => textOf(t, TensorProto.name));
    graph.nodes = nestedOf(message, GraphProto.node).map((n) => this.readNode(n, graph));
    this.#graphs.set(graph, message);
    return graph;
  }
}

/** Readers differ in which of two they take, or join them. */
function checkAttributes(attributes: readonly Message[], node: string, offset: number): void {
  const names = new Set<string>();
  for (const attribute of attributes) {
    const name = textOf(attribute, AttributeProto.name);
    const values = nestedOf(attribute, AttributeProto.t).length + nestedOf(attribute, AttributeProto.g).length;
    if (names.has(name) || values > 1)
      throw new FormatError(`Node '${node}' has two values of its attribute '${name}'`, { offset, node, format: "onnx" });
    names.add(name);
  }
}

const valueNames = (graph: Message, field: number): string[] =>
  graph.fields.filter((f): f is Leaf => f.field === field && isLeaf(f)).map(valueName);

/** The name of a ValueInfoProto that was kept as a leaf. */
export const valueName = (field: Leaf): string => textOf(open(field), ValueInfo.name);

/** The number of axes that a ValueInfoProto declares; undefined where it declares no shape. */
function valueRank(field: Leaf): number | undefined {
  // ValueInfoProto.type → TypeProto.tensor_type { elem_type, shape } → TensorShapeProto { dim* }
  let at: Leaf | undefined = field;
  for (const inner of [ValueInfo.type, 1, 2]) at = at && open(at).fields.find((f): f is Leaf => f.field === inner);
  return at && open(at).fields.filter((f) => f.field === 1).length;
}

const DECLARATIONS: readonly number[] = [GraphProto.input, GraphProto.value_info, GraphProto.output];

/** The number of axes that fields of a graph declare for its values; undefined for a value of which they do not say it. */
export function declaredRanks(fields: readonly Field[]): Map<string, number | undefined> {
  const declared = fields.filter((f): f is Leaf => isLeaf(f) && DECLARATIONS.includes(f.field));
  return new Map(declared.map((field) => [valueName(field), valueRank(field)]));
}

/** The attribute values but tensors and graphs, which are found by their messages. */
function attributeValue(message: Message): Attribute | undefined {
  const find = (field: number) => message.fields.filter((f): f is Leaf => f.field === field && isLeaf(f));
  const [ints, floats, strings] = [find(AttributeProto.ints), find(AttributeProto.floats), find(AttributeProto.strings)];
  if (ints.length > 0) return listOf(ints, message, intsOf);
  if (floats.length > 0) return listOf(floats, message, floatsOf);
  if (strings.length > 0) return isLong(strings) ? undefined : strings.map((s) => new TextDecoder().decode(content(s)));
  const [f] = find(AttributeProto.f);
  if (f) return float(content(f));
  const [s] = find(AttributeProto.s);
  if (s) return new TextDecoder().decode(content(s)); // bytes, not always text
  // proto3 writers leave zeros out, and of an empty list there is nothing to write.
  const type = numberOf(message, AttributeProto.type);
  if (type === AttributeType.INTS || type === AttributeType.FLOATS) return [];
  return numberOf(message, AttributeProto.i) ?? (type === AttributeType.INT || type === AttributeType.FLOAT ? 0 : undefined);
}

/** Numbers of a packed list of axes or the like, at most; longer ones are data, which no decision depends on. */
const MAX_LIST_BYTES = 1024;

const isLong = (list: readonly Leaf[]): boolean => list.reduce((n, f) => n + f.bytes.byteLength, 0) > MAX_LIST_BYTES;

function listOf(leaves: readonly Leaf[], message: Message, read: (leaf: Leaf) => number[]): number[] | undefined {
  if (isLong(leaves)) return undefined;
  try {
    return leaves.flatMap(read);
  } catch {
    const name = textOf(message, AttributeProto.name);
    throw new FormatError(`Attribute '${name}' ends in the middle of a number`, { offset: message.offset, format: "onnx" });
  }
}

const intsOf = (leaf: Leaf): number[] => ((leaf.bytes[0] as number) % 8 === BYTES ? [...packed(content(leaf))] : [leaf.value]);

/** One float of a list, or many that are packed; throws where the last is cut. */
function floatsOf(leaf: Leaf): number[] {
  const bytes = content(leaf);
  return Array.from({ length: Math.ceil(bytes.byteLength / 4) }, (_, i) => float(bytes.subarray(4 * i, 4 * i + 4)));
}

const float = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(0, true);

/** The tensor of a Constant node; undefined for one that holds a number or a list. */
export function constantTensor(node: Node, origins: Origins): Message | undefined {
  const message = origins.node(node);
  if (!message || node.op_type !== "Constant" || node.domain !== "" || !node.output[0]) return undefined;
  const value = nestedOf(message, NodeProto.attribute).find((a) => textOf(a, AttributeProto.name) === "value");
  return value && nestedOf(value, AttributeProto.t)[0];
}

/** Numbers that a Constant node holds in another form than a tensor: a list, a sparse tensor. */
export function constantList(node: Node, origins: Origins): { info: TensorInfo; reason: string } | undefined {
  const message = origins.node(node);
  const [name] = node.output;
  if (!message || node.op_type !== "Constant" || node.domain !== "" || !name) return undefined;
  const attribute = nestedOf(message, NodeProto.attribute).find((a) =>
    /^(value_floats|sparse_value)$/.test(textOf(a, AttributeProto.name)),
  );
  if (!attribute) return undefined;
  const leaves = attribute.fields.filter(isLeaf);
  const sparse = leaves.find((f) => f.field === AttributeProto.sparse_tensor);
  if (sparse) return { info: { ...sparseInfo(sparse), name }, reason: "sparse" };
  const bytes = leaves.filter((f) => f.field === AttributeProto.floats).reduce((n, f) => n + content(f).byteLength, 0);
  return { info: { name, dtype: "float32", shape: [bytes / 4] }, reason: "a list of numbers in a Constant node" };
}

/** Name, type and shape of a SparseTensorProto that was kept as a leaf. */
export function sparseInfo(field: Leaf): TensorInfo {
  const fields = open(field).fields.filter(isLeaf);
  const values = fields.find((f) => f.field === SparseTensorProto.values);
  const dims = fields.filter((f) => f.field === SparseTensorProto.dims);
  const opened = values && open(values);
  return {
    name: opened ? textOf(opened, TensorProto.name) : "",
    dtype: DATA_TYPES[(opened && numberOf(opened, TensorProto.data_type)) ?? 1] ?? "float32",
    shape: listOf(dims, { kind: "leaf", offset: -1, fields: dims }, intsOf) ?? [],
  };
}

/** The initializers of a subgraph. */
export const subgraphTensors = (graph: Graph, origins: Origins): Message[] => {
  const message = origins.graph(graph);
  return message ? message.fields.filter((f): f is Nested => f.field === GraphProto.initializer && isNested(f)).map((f) => f.message) : [];
};
