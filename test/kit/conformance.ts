/** The conformance cases of ONNX, as Debian packs them: a model of mostly one node, its inputs and the outputs it must give. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { type TensorProto, TensorProtoSchema } from "onnx-buf";
import { DATA_TYPES } from "../../src/graph/types.ts";
import { arrayOf, type DType, type Tensor } from "../../src/tensor.ts";

export const CONFORMANCE = "/usr/share/libonnx-testdata/data";
export const CONFORMANCE_PACKAGE = "libonnx-testdata";

export interface ConformanceCase {
  name: string;
  model: Uint8Array;
  /** By position; undefined for what is no tensor, or is absent. */
  inputs: readonly (Tensor | undefined)[];
  outputs: readonly (Tensor | undefined)[];
}

/** Every case with a model and its first set of data. */
export function* conformanceCases(): Generator<ConformanceCase> {
  for (const group of readdirSync(CONFORMANCE).sort()) {
    for (const name of readdirSync(join(CONFORMANCE, group)).sort()) {
      const folder = join(CONFORMANCE, group, name);
      if (!existsSync(join(folder, "model.onnx"))) continue;
      const files = (kind: string) => {
        const data = join(folder, "test_data_set_0");
        const paths = existsSync(data) ? readdirSync(data).filter((file) => file.startsWith(kind)) : [];
        return Array.from({ length: paths.length }, (_, i) => readTensor(readFileSync(join(data, `${kind}_${i}.pb`))));
      };
      yield { name, model: readFileSync(join(folder, "model.onnx")), inputs: files("input"), outputs: files("output") };
    }
  }
}

/** A TensorProto; undefined where the bytes are something else (a sequence, an optional). */
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
  return data.length === count || count === 0 ? { dtype, shape, data } : undefined;
}

function typed(proto: TensorProto, dtype: DType): Exclude<Tensor["data"], readonly string[]> {
  const array = arrayOf(dtype, new Uint8Array(0));
  if (array instanceof BigInt64Array) return BigInt64Array.from(proto.int64Data);
  if (array instanceof BigUint64Array) return BigUint64Array.from(proto.uint64Data);
  const fields = [proto.floatData, proto.doubleData, proto.int32Data, proto.uint64Data.map(Number)];
  return (array.constructor as Float32ArrayConstructor).from(fields.find((field) => field.length > 0) ?? []);
}
