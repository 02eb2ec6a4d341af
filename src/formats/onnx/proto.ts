/** Field numbers and data types of ONNX: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
export { DATA_TYPES, dataType } from "../../graph/types.ts";

export const Model = { ir_version: 1, graph: 7, opset_import: 8, metadata_props: 14, training_info: 20, functions: 25 } as const;
export const GraphProto = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  value_info: 13,
  quantization_annotation: 14,
  sparse_initializer: 15,
} as const;
export const NodeProto = { input: 1, output: 2, name: 3, op_type: 4, attribute: 5, doc_string: 6, domain: 7 } as const;
export const AttributeProto = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  sparse_tensor: 22,
  type: 20,
} as const;
export const TensorProto = {
  dims: 1,
  data_type: 2,
  float_data: 4,
  int32_data: 5,
  string_data: 6,
  int64_data: 7,
  name: 8,
  raw_data: 9,
  double_data: 10,
  uint64_data: 11,
  external_data: 13,
  data_location: 14,
} as const;
export const SparseTensorProto = { values: 1, indices: 2, dims: 3 } as const;
export const ValueInfo = { name: 1, type: 2 } as const;
export const TypeProto = { tensor_type: 1, sequence_type: 4, optional_type: 9 } as const;
export const StringStringEntry = { key: 1, value: 2 } as const;
export const OperatorSetId = { domain: 1, version: 2 } as const;

/** AttributeProto.AttributeType. */
export const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, GRAPH: 5, FLOATS: 6, INTS: 7, STRINGS: 8 } as const;

/** The kinds of message that the reader opens; every other field is kept as the bytes it came in. */
export type Kind = "graph" | "node" | "attribute" | "tensor";

const all = (wires: readonly number[], ...fields: number[]) => Object.fromEntries(fields.map((field) => [field, wires]));

/** The wire types that the fields of ONNX may have: 0 varint, 1 and 5 fixed, 2 length-delimited; lists of numbers are packed or not. */
export const WIRES: Readonly<Record<Kind | "model", Readonly<Record<number, readonly number[]>>>> = {
  model: { ...all([0], 1, 5), ...all([2], 2, 3, 4, 6, 7, 8, 14, 20, 25, 26) },
  graph: all([2], 1, 2, 5, 10, 11, 12, 13, 14, 15, 16),
  node: all([2], 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  attribute: { ...all([0], 3, 20), ...all([2], 1, 4, 5, 6, 9, 10, 11, 13, 14, 15, 21, 22, 23), 2: [5], 7: [2, 5], 8: [2, 0] },
  tensor: { ...all([0], 2, 14), ...all([2], 3, 6, 8, 9, 12, 13, 16), ...all([2, 0], 1, 5, 7, 11), 4: [2, 5], 10: [2, 1] },
};

/** Which fields of a message are messages to open. */
export const OPEN: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  graph: { [GraphProto.node]: "node", [GraphProto.initializer]: "tensor" },
  node: { [NodeProto.attribute]: "attribute" },
  attribute: {
    [AttributeProto.t]: "tensor",
    [AttributeProto.g]: "graph",
    [AttributeProto.tensors]: "tensor",
    [AttributeProto.graphs]: "graph",
  },
  tensor: {},
};

/** Fields of a tensor that hold its elements: bulk data that may stay in the source. */
export const isPayload = (kind: Kind, field: number): boolean =>
  kind === "tensor" &&
  (field === TensorProto.raw_data ||
    field === TensorProto.float_data ||
    field === TensorProto.int32_data ||
    field === TensorProto.int64_data ||
    field === TensorProto.double_data ||
    field === TensorProto.uint64_data);
