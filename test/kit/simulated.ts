/** What a quantized model should compute, as a model in float: written by a decoder and encoder that know nothing of the product. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GraphProto, ModelProtoSchema, type NodeProto, NodeProtoSchema, type TensorProto } from "onnx-buf";
import { bytesOf } from "./wire.ts";

/** Every graph, outermost first. */
function* graphs(graph: GraphProto): Generator<GraphProto> {
  yield graph;
  for (const node of graph.node) for (const { g } of node.attribute) if (g) yield* graphs(g);
}

/** The tensors of a graph under the names that nodes use. */
function* tensors(graph: GraphProto): Generator<[string, TensorProto]> {
  for (const tensor of graph.initializer) yield [tensor.name, tensor];
  for (const node of graph.node) {
    const value = node.opType === "Constant" ? node.attribute.find(({ name }) => name === "value")?.t : undefined;
    if (value) yield [node.output[0] ?? "", value];
  }
}

/** New elements for a float32 weight: they take the place of the first tensor of that name and number of elements. */
export interface Weight {
  name: string;
  data: ArrayLike<number>;
}

/** Weights that are looked for in every graph in turn; undefined where one is of another type, or not there. */
function replace(main: GraphProto, weights: readonly Weight[]): boolean {
  const all = [...graphs(main)].flatMap((graph) => [...tensors(graph)]);
  return weights.every(({ name, data }) => {
    const at = all.findIndex(([each, { dims }]) => each === name && dims.reduce((a, b) => a * Number(b), 1) === data.length);
    const [[, tensor] = []] = at < 0 ? [] : all.splice(at, 1);
    if (tensor?.dataType !== 1) return false;
    tensor.rawData = bytesOf(Float32Array.from(data));
    tensor.floatData = [];
    return true;
  });
}

/** The model with other weights; undefined where one is not float32. Names that branches share are met in the order of the graphs. */
export function withWeights(model: Uint8Array, weights: readonly Weight[]): Uint8Array | undefined {
  const proto = fromBinary(ModelProtoSchema, model);
  return proto.graph && replace(proto.graph, weights) ? toBinary(ModelProtoSchema, proto) : undefined;
}

const node = (opType: string, input: string[], output: string[]): NodeProto => create(NodeProtoSchema, { opType, input, output });

/**
 * The model with other weights, and with what products read beside them rounded as DynamicQuantizeLinear rounds (opset 11 and later):
 * integers are taken for floats here, and summed in float32.
 */
export function withRoundedActivations(model: Uint8Array, weights: readonly Weight[]): Uint8Array | undefined {
  const proto = fromBinary(ModelProtoSchema, model);
  const names = new Set(weights.map(({ name }) => name));
  if (!proto.graph || !replace(proto.graph, weights)) return undefined;
  for (const graph of graphs(proto.graph)) roundActivations(graph, names);
  return toBinary(ModelProtoSchema, proto);
}

function roundActivations(graph: GraphProto, weights: ReadonlySet<string>): void {
  const rounded = new Map<string, string>();
  graph.node = graph.node.flatMap((each) => {
    const [x = "", w = ""] = each.input;
    if (!/^(MatMul|Gemm|Conv)$/.test(each.opType) || !weights.has(w) || weights.has(x)) return [each];
    const [q, scale, zero, y] = ["q", "scale", "zero", "rounded"].map((part) => `${x}/${graph.name}/${part}`) as [
      string,
      string,
      string,
      string,
    ];
    const isNew = !rounded.has(x);
    rounded.set(x, y);
    each.input[0] = y;
    return isNew ? [node("DynamicQuantizeLinear", [x], [q, scale, zero]), node("DequantizeLinear", [q, scale, zero], [y]), each] : [each];
  });
}
