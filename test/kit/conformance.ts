/** The conformance cases of ONNX, as Debian packs them: a model of mostly one node, its inputs and the outputs it must give. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ModelProtoSchema, type TensorProto, TensorProtoSchema, type ValueInfoProto } from "onnx-buf";
import { DATA_TYPES } from "../../src/graph/types.ts";
import type { Datum, Sequence } from "../../src/ops/op.ts";
import { arrayOf, BITS, byteLength, type DType, type Tensor } from "../../src/tensor.ts";

export const CONFORMANCE = "/usr/share/libonnx-testdata/data";
export const CONFORMANCE_PACKAGE = "libonnx-testdata";

export interface ConformanceCase {
  name: string;
  model: Uint8Array;
  /** By position; undefined for what is absent, or of a type that is not known. */
  inputs: readonly (Datum | undefined)[];
  outputs: readonly (Datum | undefined)[];
}

/** Every case with a model and its first set of data. */
export function* conformanceCases(): Generator<ConformanceCase> {
  for (const group of readdirSync(CONFORMANCE).sort()) {
    for (const name of readdirSync(join(CONFORMANCE, group)).sort()) {
      const folder = join(CONFORMANCE, group, name);
      if (!existsSync(join(folder, "model.onnx"))) continue;
      const model = readFileSync(join(folder, "model.onnx"));
      const { graph } = fromBinary(ModelProtoSchema, model);
      const files = (kind: string, values: readonly ValueInfoProto[] = []) => {
        const data = join(folder, "test_data_set_0");
        const paths = existsSync(data) ? readdirSync(data).filter((file) => file.startsWith(kind)) : [];
        return Array.from({ length: paths.length }, (_, i) => readDatum(readFileSync(join(data, `${kind}_${i}.pb`)), values[i]));
      };
      yield { name, model, inputs: files("input", graph?.input), outputs: files("output", graph?.output) };
    }
  }
}

/** A TensorProto, SequenceProto or OptionalProto, as the model declares: a file does not say which. */
function readDatum(bytes: Uint8Array, declared: ValueInfoProto | undefined): Datum | undefined {
  const kind = declared?.type?.value;
  if (kind?.case === "sequenceType") return readSequence(bytes);
  if (kind?.case !== "optionalType") return readTensor(bytes);
  const isSequence = kind.value.elemType?.value.case === "sequenceType";
  const [value] = fieldsOf(bytes, isSequence ? 5 : 3);
  return { optional: value && (isSequence ? readSequence(value) : readTensor(value)) };
}

const readSequence = (bytes: Uint8Array): Sequence => ({ sequence: fieldsOf(bytes, 3).map((each) => readTensor(each) as Tensor) });

/** https://github.com/onnx/onnx/blob/main/onnx/onnx-data.proto: tensors are field 3 of both, the sequence of an optional is 5. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === wanted) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}

/** Undefined where the bytes are something else. */
function readTensor(bytes: Uint8Array): Tensor | undefined {
  try {
    return tensorOf(fromBinary(TensorProtoSchema, bytes));
  } catch {
    return undefined;
  }
}

export function tensorOf(proto: TensorProto): Tensor | undefined {
  const dtype = DATA_TYPES[proto.dataType];
  const shape = proto.dims.map(Number);
  const count = shape.reduce((n, d) => n * d, 1);
  if (!dtype) return undefined;
  if (dtype === "string") {
    const data = proto.stringData.map((each) => new TextDecoder().decode(each));
    return data.length === count ? { dtype, shape, data } : undefined;
  }
  const data = proto.rawData.length > 0 ? arrayOf(dtype, proto.rawData) : typed(proto, dtype);
  const length = BITS[dtype] < 8 ? byteLength(dtype, shape) : count;
  return data.length === length || count === 0 ? { dtype, shape, data } : undefined;
}

function typed(proto: TensorProto, dtype: DType): Exclude<Tensor["data"], readonly string[]> {
  const array = arrayOf(dtype, new Uint8Array(0));
  if (array instanceof BigInt64Array) return BigInt64Array.from(proto.int64Data);
  if (array instanceof BigUint64Array) return BigUint64Array.from(proto.uint64Data);
  const fields = [proto.floatData, proto.doubleData, proto.int32Data, proto.uint64Data.map(Number)];
  return (array.constructor as Float32ArrayConstructor).from(fields.find((field) => field.length > 0) ?? []);
}
