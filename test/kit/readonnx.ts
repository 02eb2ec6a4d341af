/**
 * Reads a model with a generated protobuf decoder that knows nothing of the product. It joins the pieces of a graph that stands in
 * many `ModelProto.graph` fields, as protobuf demands, and knows INT4.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { type AttributeProto, type GraphProto, ModelProtoSchema, type TensorProto, type ValueInfoProto } from "onnx-buf";
import { DataType } from "./onnx.ts";
import { fromBfloat16Bits, fromFloat16Bits } from "./reference.ts";
import { bytesOf } from "./wire.ts";

export interface DecodedTensor {
  name: string;
  dims: number[];
  data_type: number;
  /** `raw_data`, where the file has it. */
  bytes?: Uint8Array;
  /** The typed field, where the file has no `raw_data`: numbers, bit patterns of halves, bigints, or strings as bytes. */
  values?: readonly (number | bigint | Uint8Array)[];
  external?: Record<string, string>;
}

export type DecodedAttribute = number | number[] | string | string[] | DecodedTensor | DecodedGraph | undefined;

export interface DecodedNode {
  op_type: string;
  domain: string;
  name: string;
  inputs: string[];
  outputs: string[];
  attributes: Map<string, DecodedAttribute>;
}

export interface DecodedGraph {
  name: string;
  nodes: DecodedNode[];
  initializers: Map<string, DecodedTensor>;
  inputs: DecodedValue[];
  outputs: DecodedValue[];
  value_info: DecodedValue[];
}

export interface DecodedValue {
  name: string;
  data_type: number | undefined;
  dims: (number | string | undefined)[] | undefined;
}

export interface DecodedModel extends DecodedGraph {
  ir_version: number;
  /** Domain to version; "" is the ONNX domain, also when the file says "ai.onnx". */
  opsets: Map<string, number>;
  metadata: Map<string, string>;
}

const text = new TextDecoder();

function decodeTensor(proto: TensorProto): DecodedTensor {
  const { name, dims, dataType, rawData, dataLocation } = proto;
  const tensor: DecodedTensor = { name, dims: dims.map(Number), data_type: dataType };
  if (dataLocation === 1) return { ...tensor, external: Object.fromEntries(proto.externalData.map(({ key, value }) => [key, value])) };
  const fields = [proto.floatData, proto.int32Data, proto.int64Data, proto.doubleData, proto.uint64Data, proto.stringData];
  const typed = fields.filter((field) => field.length > 0);
  if (typed.length + (rawData.length > 0 ? 1 : 0) > 1) throw new Error(`Tensor ${name} has its data in more than one field`);
  return typed[0] ? { ...tensor, values: typed[0] } : { ...tensor, bytes: rawData };
}

function decodeAttribute(proto: AttributeProto): DecodedAttribute {
  switch (proto.type) {
    case 1:
      return proto.f;
    case 2:
      return Number(proto.i);
    case 3:
      return text.decode(proto.s);
    case 4:
      return proto.t && decodeTensor(proto.t);
    case 5:
      return proto.g && decodeGraph(proto.g);
    case 6:
      return proto.floats;
    case 7:
      return proto.ints.map(Number);
    case 8:
      return proto.strings.map((bytes) => text.decode(bytes));
    default:
      return undefined;
  }
}

function decodeValue(proto: ValueInfoProto): DecodedValue {
  const type = proto.type?.value.case === "tensorType" ? proto.type.value.value : undefined;
  const dims = type?.shape?.dim.map(({ value }) => (typeof value.value === "bigint" ? Number(value.value) : value.value));
  return { name: proto.name, data_type: type?.elemType, dims };
}

function uniquely(tensors: readonly DecodedTensor[]): Map<string, DecodedTensor> {
  const map = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  if (map.size !== tensors.length) throw new Error("Two initializers of one graph have the same name");
  return map;
}

function decodeGraph(proto: GraphProto): DecodedGraph {
  return {
    name: proto.name,
    nodes: proto.node.map(({ opType, domain, name, input, output, attribute }) => ({
      op_type: opType,
      domain,
      name,
      inputs: input,
      outputs: output,
      attributes: new Map(attribute.map((each) => [each.name, decodeAttribute(each)])),
    })),
    initializers: uniquely(proto.initializer.map(decodeTensor)),
    inputs: proto.input.map(decodeValue),
    outputs: proto.output.map(decodeValue),
    value_info: proto.valueInfo.map(decodeValue),
  };
}

/** Decodes a whole model; throws where two initializers share a name, or a tensor has its data twice. */
export function readOnnx(bytes: Uint8Array): DecodedModel {
  const proto = fromBinary(ModelProtoSchema, bytes);
  if (!proto.graph) throw new Error("The model has no graph");
  return {
    ...decodeGraph(proto.graph),
    ir_version: Number(proto.irVersion),
    opsets: new Map(proto.opsetImport.map(({ domain, version }) => [domain === "ai.onnx" ? "" : domain, Number(version)])),
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
  };
}

/** The graph, and every graph inside its nodes, outermost first. */
export function* everyGraph(graph: DecodedGraph): Generator<DecodedGraph> {
  yield graph;
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) {
      if (typeof attribute === "object" && "nodes" in attribute) yield* everyGraph(attribute);
    }
  }
}

/** Every initializer and every Constant's tensor of all graphs, by the name under which nodes use it; names can repeat. */
export function everyWeight(graph: DecodedGraph): DecodedTensor[] {
  return [...everyGraph(graph)].flatMap(({ initializers, nodes }) => [
    ...initializers.values(),
    ...nodes.flatMap(({ op_type, outputs, attributes }) => {
      const constant = op_type === "Constant" ? attributes.get("value") : undefined;
      return typeof constant === "object" && "data_type" in constant ? [{ ...constant, name: outputs[0] ?? "" }] : [];
    }),
  ]);
}

/** The operators of all graphs with their number, for a quick look at what was written. */
export function countOperators(graph: DecodedGraph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op_type } of [...everyGraph(graph)].flatMap(({ nodes }) => nodes)) counts[op_type] = (counts[op_type] ?? 0) + 1;
  return counts;
}

const ARRAYS = new Map<number, new (buffer: ArrayBuffer) => ArrayLike<number | bigint>>([
  [DataType.FLOAT, Float32Array],
  [DataType.DOUBLE, Float64Array],
  [DataType.INT8, Int8Array],
  [DataType.UINT8, Uint8Array],
  [DataType.BOOL, Uint8Array],
  [DataType.INT16, Int16Array],
  [DataType.UINT16, Uint16Array],
  [DataType.FLOAT16, Uint16Array],
  [DataType.BFLOAT16, Uint16Array],
  [DataType.INT32, Int32Array],
  [DataType.UINT32, Uint32Array],
  [DataType.INT64, BigInt64Array],
  [DataType.UINT64, BigUint64Array],
]);

function nibbles(bytes: Uint8Array, count: number, signed: boolean): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const code = ((bytes[i >> 1] as number) >> (4 * (i & 1))) & 15;
    return signed && code > 7 ? code - 16 : code;
  });
}

/** The elements as doubles (int64 beyond 2⁵³ rounds), whatever field and type they were written in; halves are converted. */
export function numbersOf({ name, data_type, dims, bytes, values }: DecodedTensor): Float64Array {
  const count = dims.reduce((a, b) => a * b, 1);
  const decode = data_type === DataType.FLOAT16 ? fromFloat16Bits : data_type === DataType.BFLOAT16 ? fromBfloat16Bits : Number;
  if (data_type === DataType.INT4 || data_type === DataType.UINT4) {
    return nibbles(bytes ?? Uint8Array.from(values as number[]), count, data_type === DataType.INT4);
  }
  const array = ARRAYS.get(data_type);
  if (!array) throw new Error(`Cannot read tensor ${name}: data type ${data_type}`);
  const elements = values ?? new array(bytesOf(bytes ?? new Uint8Array(0)).slice().buffer);
  if (elements.length !== count) throw new Error(`Tensor ${name} has ${elements.length} elements for shape [${dims}]`);
  return Float64Array.from(elements as ArrayLike<number>, decode);
}
