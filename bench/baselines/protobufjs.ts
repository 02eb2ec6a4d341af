import protobuf from "protobufjs";

/** As much of onnx.proto as a model of matrix products uses, for a generated codec: every field that such a file holds. */
const SCHEMA = `
syntax = "proto2";
message ModelProto { optional int64 ir_version = 1; optional string producer_name = 2; optional GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
message GraphProto { repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5; repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
message NodeProto { repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4; optional string domain = 7; }
message TensorProto { repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9; }
message ValueInfoProto { optional string name = 1; optional bytes type = 2; }
`;

/** Decodes a model and encodes it again, as a program does that changes something in it. Returns the bytes. */
export function decodeAndEncode(model: Uint8Array): Uint8Array {
  const type = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");
  return type.encode(type.decode(model)).finish();
}
