import type { Graph, Node } from "../../graph/graph.ts";
import type { Known } from "../../ops/op.ts";
import type { Dim, TypeAndShape, Value } from "../../ops/value.ts";
import type { TensorInfo } from "../../tensor.ts";
import type { Document } from "./document.ts";
import { smallTensor } from "./elements.ts";
import { constantList, type Origins } from "./graph.ts";
import { isLeaf, isNested, type Leaf, type Message, nestedOf, numberOf, open, textOf } from "./message.ts";
import { AttributeProto, DATA_TYPES, GraphProto, NodeProto, TensorProto, TypeProto, ValueInfo } from "./proto.ts";
import { tensorInfo } from "./tensor.ts";

/** What a TensorProto says of itself: type and shape, and the elements where they are few. */
export function tensorValue(message: Message, info: TensorInfo = tensorInfo(message)): Value {
  return { dtype: info.dtype, shape: info.shape, constant: smallTensor(message, info) };
}

/**
 * What a document says of its values, for inference; `initializers` are those of the main graph, which passed on their own. From IR
 * version 4 on, one that is an input too is only its default: https://onnx.ai/onnx/repo-docs/IR.html
 */
export function knownOf(document: Document, initializers: ReadonlyMap<string, Value>): Known {
  const inputs = new Set(document.main.inputs);
  const described = new Map<Graph, ReadonlyMap<string, Value>>();
  const descriptions = (graph: Graph): ReadonlyMap<string, Value> => {
    const message = document.origins.graph(graph);
    const found = described.get(graph) ?? new Map(describe(message ? message.fields : document.graphLeaves));
    described.set(graph, found);
    return found;
  };
  return {
    opsets: document.opsets,
    value(graph, name) {
      const isFixed = graph === document.main && !(document.ir_version >= 4 && inputs.has(name));
      return (isFixed ? initializers.get(name) : undefined) ?? descriptions(graph).get(name);
    },
    tensor: (node, attribute) => attributeValue(node, attribute, document.origins),
  };
}

const DESCRIBED: ReadonlySet<number> = new Set([GraphProto.input, GraphProto.output, GraphProto.value_info]);

/** Names with what is said of them: declared inputs, outputs and values between, then initializers, whose word counts. */
function* describe(fields: Message["fields"]): Generator<[string, Value]> {
  for (const field of fields) {
    if (isLeaf(field) && DESCRIBED.has(field.field)) {
      const info = open(field);
      const type = leafOf(info, ValueInfo.type);
      if (type) yield [textOf(info, ValueInfo.name), typeValue(open(type))];
    }
  }
  for (const field of fields) {
    if (field.field === GraphProto.initializer && isNested(field))
      yield [textOf(field.message, TensorProto.name), tensorValue(field.message)];
  }
}

const leafOf = (message: Message, number: number): Leaf | undefined =>
  message.fields.findLast((f): f is Leaf => f.field === number && isLeaf(f));

/** A TypeProto: a tensor, or a sequence or optional of tensors. */
function typeValue(type: Message): Value {
  const tensor = leafOf(type, TypeProto.tensor_type);
  if (tensor) return tensorType(open(tensor));
  const outer = leafOf(type, TypeProto.sequence_type) ?? leafOf(type, TypeProto.optional_type);
  const inner = outer && leafOf(open(outer), 1);
  const item = inner && leafOf(open(inner), TypeProto.tensor_type);
  return item ? { item: tensorType(open(item)) } : {};
}

/** TypeProto.Tensor: elem_type 1, shape 2, whose dim 1 is a value 1 or a param 2. */
function tensorType(type: Message): TypeAndShape {
  const dtype = DATA_TYPES[numberOf(type, 1) ?? 0];
  const shape = leafOf(type, 2);
  const dims =
    shape &&
    open(shape)
      .fields.filter(isLeaf)
      .map((dim): Dim => {
        const message = open(dim);
        const size = numberOf(message, 1);
        return size !== undefined && size >= 0 ? size : textOf(message, 2);
      });
  return { dtype, shape: dims };
}

/** A tensor attribute; of a Constant also the lists that are too long for the graph, by type and length. */
function attributeValue(node: Node, name: string, origins: Origins): Value | undefined {
  const message = origins.node(node.from ?? node);
  const attribute = message && nestedOf(message, NodeProto.attribute).find((a) => textOf(a, AttributeProto.name) === name);
  if (!attribute) return undefined;
  const tensor = nestedOf(attribute, AttributeProto.t)[0];
  if (tensor) return tensorValue(tensor);
  const list = node.attributes[name] === undefined && /^(value_floats|sparse_value)$/.test(name) ? constantList(node, origins) : undefined;
  return list && { dtype: list.info.dtype, shape: list.info.shape };
}
