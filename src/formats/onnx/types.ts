import { type Graph, graphs, type Node } from "../../graph/graph.ts";
import type { Declarations, Declared } from "../../graph/upgrade/types.ts";
import type { Document } from "./document.ts";
import { type Origins, valueName } from "./graph.ts";
import { isLeaf, isNested, type Leaf, type Message, nestedOf, numberOf, open, textOf } from "./message.ts";
import { AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfo } from "./proto.ts";

/** Fields of GraphProto that type a value. */
const TYPING: ReadonlySet<number> = new Set([GraphProto.input, GraphProto.output, GraphProto.value_info]);

/** The element types and ranks that a model declares; what it only implies is not among them. */
export function declarations(document: Document): Declarations {
  const { main, origins, graphLeaves } = document;
  const all = new Map<Graph, Map<string, Declared>>();
  for (const graph of graphs(main)) {
    const fields = graph === main ? graphLeaves : (origins.graph(graph)?.fields ?? []);
    const declared = new Map<string, Declared>(graph === main ? document.initializerTypes : []);
    for (const field of fields) {
      if (isLeaf(field) && TYPING.has(field.field)) {
        const [name, type] = typeOf(field);
        if (!declared.has(name)) declared.set(name, type);
      } else if (isNested(field) && field.field === GraphProto.initializer) {
        declared.set(textOf(field.message, TensorProto.name), tensorType(field.message));
      }
    }
    for (const node of graph.nodes) {
      const type = constantType(node, origins);
      if (type && node.output[0]) declared.set(node.output[0], type);
    }
    all.set(graph, declared);
  }
  return all;
}

/** Of a TensorProto whose header has been read. */
export const tensorType = (message: Message): Declared => ({ data_type: numberOf(message, TensorProto.data_type) });

/** Name and type of a ValueInfoProto { name, type { tensor_type { elem_type, shape { dim* } } } }. */
function typeOf(field: Leaf): [string, Declared] {
  const type = find(fieldsOf(field), ValueInfo.type);
  const tensor = type && find(fieldsOf(type), 1);
  if (!tensor) return [valueName(field), {}];
  const [elem_type, shape] = [find(fieldsOf(tensor), 1), find(fieldsOf(tensor), 2)];
  return [valueName(field), { data_type: elem_type?.value, rank: shape && fieldsOf(shape).filter((f) => f.field === 1).length }];
}

const fieldsOf = (leaf: Leaf): readonly Leaf[] => open(leaf).fields;
const find = (fields: readonly Leaf[], number: number): Leaf | undefined => fields.find((f) => f.field === number);

/** What a Constant or ConstantOfShape makes; float where it does not say. */
function constantType(node: Node, origins: Origins): Declared | undefined {
  if (node.domain !== "" || (node.op_type !== "Constant" && node.op_type !== "ConstantOfShape")) return undefined;
  const message = origins.node(node);
  const value = message && nestedOf(message, NodeProto.attribute).find((a) => textOf(a, AttributeProto.name) === "value");
  const tensor = value && nestedOf(value, AttributeProto.t)[0];
  if (node.op_type === "Constant") return tensor && tensorType(tensor);
  return { data_type: (tensor && numberOf(tensor, TensorProto.data_type)) ?? 1 };
}
