/**
 * An ONNX writer for tests. It shares nothing with the product, and writes each layout that a reader may meet: a model is a plain
 * specification, and {@link Layout} says how its bytes are arranged. Two layouts of one specification mean the same model.
 */
import { type AttributeSpec, type GraphSpec, irVersionOf, type ModelSpec, type NodeSpec, node, type ValueSpec } from "./spec.ts";
import { encodeTensor, type TensorSpec } from "./tensor.ts";
import { type Bytes, bytesField, type Field, floatField, intField, message, partsOf, stringField } from "./wire.ts";

export { drawn, randint, randn, rng } from "./random.ts";
export * from "./spec.ts";
export { DataType, f32, i64, type NumericData, type Storage, type TensorSpec, tensor } from "./tensor.ts";

export interface Layout {
  /** Where weights stand: after the nodes (the usual order), before them, or as Constant nodes, each before its first consumer. */
  weights?: "after" | "before" | "constants";
  /** Cuts the graph into many `ModelProto.graph` fields of this many fields each; a parser has to merge them. */
  pieces?: number;
  /** Length varints of graph, nodes, initializers and raw data are padded to this many bytes (5: patched afterwards). */
  lengths?: number;
  /** The opset imports and metadata before the graph, as some exporters write them. */
  opset_first?: boolean;
  /** Initializers are graph inputs too, as up to IR version 3. */
  list_initializers?: boolean;
  /** Overrides the storage of each f32 initializer and Constant. */
  storage?: TensorSpec["storage"];
  /** The fields of each initializer backwards: data first. */
  order?: TensorSpec["order"];
}

function encodeAttribute(name: string, attribute: AttributeSpec, layout: Layout): Bytes {
  const make = (type: number, fields: readonly Field[]) => message([stringField(1, name), ...fields, intField(20, type)]);
  if (typeof attribute === "number") return make(2, [intField(3, attribute)]);
  if (typeof attribute === "string") return make(3, [stringField(4, attribute)]);
  if ("float" in attribute) return make(1, [floatField(2, attribute.float)]);
  if ("floats" in attribute)
    return make(
      6,
      attribute.floats.map((x) => floatField(7, x)),
    );
  if ("strings" in attribute)
    return make(
      8,
      attribute.strings.map((x) => stringField(9, x)),
    );
  if ("tensor" in attribute) return make(4, [bytesField(5, encodeTensor(styled(attribute.tensor, layout), layout.lengths))]);
  if ("graph" in attribute) {
    const inner = graphFields(attribute.graph, { ...layout, list_initializers: false });
    return make(5, [bytesField(6, message(inner), layout.lengths)]);
  }
  return make(
    7,
    attribute.map((x) => intField(8, x < 2 ** 63 ? x : 2n ** 63n - 1n)), // no double is the greatest int64
  );
}

function styled(spec: TensorSpec, layout: Layout): TensorSpec {
  return {
    ...spec,
    ...(layout.storage && spec.data_type === 1 && { storage: layout.storage }),
    ...(layout.order && { order: layout.order }),
  };
}

function encodeNode(spec: NodeSpec, layout: Layout): Bytes {
  return message([
    ...spec.inputs.map((name) => stringField(1, name)),
    ...spec.outputs.map((name) => stringField(2, name)),
    stringField(3, spec.name ?? `${spec.op_type}:${spec.outputs.join()}`),
    stringField(4, spec.op_type),
    ...Object.entries(spec.attributes).map(([name, attribute]) => bytesField(5, encodeAttribute(name, attribute, layout))),
    ...(spec.domain ? [stringField(7, spec.domain)] : []),
  ]);
}

function encodeValue(spec: ValueSpec): Bytes {
  const dims = spec.dims?.map((dim) => bytesField(1, message([typeof dim === "string" ? stringField(2, dim) : intField(1, dim)])));
  const type = [intField(1, spec.data_type), ...(dims ? [bytesField(2, message(dims))] : [])];
  return message([stringField(1, spec.name), bytesField(2, message([bytesField(1, message(type))]))]);
}

/** The nodes with each initializer as a Constant before the first node that names it; one that no node names comes first. */
function withConstants(graph: GraphSpec): NodeSpec[] {
  const rest = new Map((graph.initializers ?? []).map((spec) => [spec.name, spec]));
  const constant = (spec: TensorSpec) => node("Constant", [], [spec.name], { value: { tensor: { ...spec, name: "" } } });
  const used = new Set(graph.nodes.flatMap((spec) => spec.inputs));
  const out = [...rest.values()].filter((spec) => !used.has(spec.name)).map(constant);
  for (const spec of graph.nodes) {
    for (const name of new Set(spec.inputs)) {
      const weight = rest.get(name);
      if (weight) out.push(constant(weight));
      rest.delete(name);
    }
    out.push(spec);
  }
  return out;
}

/** The fields of a GraphProto in writing order. */
export function graphFields(graph: GraphSpec, layout: Layout = {}): Field[] {
  const constants = layout.weights === "constants";
  const initializers = constants ? [] : (graph.initializers ?? []);
  const nodes = (constants ? withConstants(graph) : graph.nodes).map((spec) => bytesField(1, encodeNode(spec, layout), layout.lengths));
  const weights = initializers.map((spec) => bytesField(5, encodeTensor(styled(spec, layout), layout.lengths), layout.lengths));
  const listed: readonly ValueSpec[] = layout.list_initializers ? initializers : [];
  return [
    ...(layout.weights === "before" ? weights : nodes),
    stringField(2, graph.name ?? "graph"),
    ...(layout.weights === "before" ? nodes : weights),
    ...[...graph.inputs, ...listed].map((spec) => bytesField(11, encodeValue(spec))),
    ...graph.outputs.map((spec) => bytesField(12, encodeValue(spec))),
    ...(graph.value_info ?? []).map((spec) => bytesField(13, encodeValue(spec))),
  ];
}

function inPieces(fields: readonly Field[], size: number): Field[][] {
  return Array.from({ length: Math.ceil(fields.length / size) }, (_, i) => fields.slice(i * size, (i + 1) * size));
}

export const opsetField = ([domain, version]: readonly [string, number]) =>
  bytesField(8, message([...(domain ? [stringField(1, domain)] : []), intField(2, version)]));

/** Encodes a whole ModelProto. */
export function encodeModel(model: ModelSpec, layout: Layout = {}): Bytes {
  const fields = graphFields(model.graph, layout);
  const graph = (layout.pieces ? inPieces(fields, layout.pieces) : [fields]).map((piece) => bytesField(7, partsOf(piece), layout.lengths));
  const tail = [
    ...Object.entries(model.opsets).map(opsetField),
    ...Object.entries(model.metadata ?? {}).map(([name, text]) => bytesField(14, message([stringField(1, name), stringField(2, text)]))),
  ];
  const head = [intField(1, model.ir_version ?? irVersionOf(model.opsets[""] ?? 1)), stringField(2, "edgeslim-test")];
  return message(layout.opset_first ? [...head, ...tail, ...graph] : [...head, ...graph, ...tail]);
}
