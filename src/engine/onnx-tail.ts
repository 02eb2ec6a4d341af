import type { Document } from "../formats/onnx/document.ts";
import { valueName } from "../formats/onnx/graph.ts";
import { type Field, type Leaf, leaf } from "../formats/onnx/message.ts";
import { dataType, GraphProto, Model, OperatorSetId, StringStringEntry, ValueInfo } from "../formats/onnx/proto.ts";
import { MICROSOFT } from "../formats/onnx/represent.ts";
import { nodeField, tensorField } from "../formats/onnx/write.ts";
import { definedNames } from "../graph/graph.ts";
import { int, message, string } from "../io/protobuf.ts";
import { isStatic } from "../ops/value.ts";
import type { TensorInfo } from "../tensor.ts";
import { needsMicrosoft } from "./onnx-patch.ts";
import { type Encoded, IR_WITHOUT_INPUTS, writtenParts } from "./onnx-weights.ts";
import { type Log, metadata } from "./report.ts";

/** The graph's fields after the edits, initializers left out. */
export function graphFields(document: Document, encoded: readonly Encoded[], log: Log): { nodes: Field[]; rest: Leaf[] } {
  const { main, origins, graphLeaves, ir_version } = document;
  const inputs = new Set(main.inputs);
  const defined = new Set(definedNames(main));
  const rest = graphLeaves.filter((field) => {
    // What a file says of a value that is no more would be said of nothing.
    if (field.field === GraphProto.value_info && main.edited) return defined.has(valueName(field));
    if (field.field !== GraphProto.input || inputs.has(valueName(field))) return true;
    if (ir_version >= IR_WITHOUT_INPUTS) {
      log.warn("input-dropped", "Weights that were also graph inputs cannot be overridden by callers any more", valueName(field));
    }
    return false;
  });
  rest.push(...main.added.map(tensorField));
  const nodes = main.nodes.map((node) => nodeField(node, origins));
  if (ir_version < IR_WITHOUT_INPUTS) {
    const at = rest.findLastIndex((field) => field.field === GraphProto.input) + 1;
    const lifted = main.initializers.flatMap((name): TensorInfo[] => {
      const { dtype, shape } = document.tensors.get(name) ?? {};
      return dtype && isStatic(shape) && !inputs.has(name) ? [{ name, dtype, shape }] : [];
    });
    const added = [...encoded.flatMap((each) => (each.local ? [] : writtenParts(each))), ...main.added, ...lifted].map(graphInput);
    return { nodes, rest: [...rest.slice(0, at), ...added, ...rest.slice(at)] };
  }
  return { nodes, rest };
}

/** A graph input (ValueInfoProto) of fixed shape. */
function graphInput({ name, dtype, shape }: TensorInfo): Leaf {
  const dims = shape.map((d) => message(1, [int(1, d)])); // TensorShapeProto.dim { dim_value }
  const tensor = message(1, [int(1, dataType(dtype)), message(2, dims)]); // TypeProto.tensor_type { elem_type, shape }
  const body = [string(ValueInfo.name, name), message(ValueInfo.type, [tensor])];
  const bytes = message(GraphProto.input, body);
  return leaf(
    GraphProto.input,
    bytes,
    body.reduce((n, part) => n + part.byteLength, 0),
  );
}

/** The model's fields after its graph: what stood there, the operator set that was added, and the metadata. */
export function modelTail(document: Document, recipe: string, log: Log): Uint8Array[] {
  const tail = document.after.map((field) => field.bytes);
  if (needsMicrosoft(document)) {
    tail.push(message(Model.opset_import, [string(OperatorSetId.domain, MICROSOFT), int(OperatorSetId.version, 1)]));
  }
  for (const [key, value] of metadata(recipe, log.quantizes ? log.keptInFloat() : undefined)) {
    tail.push(message(Model.metadata_props, [string(StringStringEntry.key, key), string(StringStringEntry.value, value)]));
  }
  return tail;
}
