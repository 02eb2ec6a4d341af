/** What every generated model is. */
import { DataType, encodeModel, type Layout, type ModelSpec, randint, randn } from "../onnx.ts";

/** A feed: the words are onnxruntime's; FLOAT16 data are bit patterns. */
export interface TensorValue {
  type: "float32" | "float64" | "float16" | "int64" | "int32" | "int8" | "uint8" | "bool";
  dims: readonly number[];
  data: Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;
}

export type Feeds = Record<string, TensorValue>;

export interface GeneratedModel {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  /** What the bytes were written from: encode it again for another layout, or look up the weights. */
  spec: ModelSpec;
  opset: number;
  inputs: Feeds;
  /** Further feeds, where one run does not reach every branch. */
  more: Feeds[];
  note: string;
}

export interface GenerateOptions {
  opset?: number;
  layout?: Layout;
}

export type Generate = (options?: GenerateOptions) => GeneratedModel;

/** A model and the opsets it exists at. */
export interface GeneratorEntry {
  name: string;
  generate: Generate;
  opsets: readonly number[];
}

export const entry = (generate: Generate, opsets: readonly number[]): GeneratorEntry => ({
  name: generate({ opset: opsets[0] as number }).name,
  generate,
  opsets,
});

/** The opsets that the tests walk through: Unsqueeze, Squeeze and Split changed at 13, ReduceMean at 18, `block_size` came at 21. */
export const OPSETS: readonly number[] = [9, 11, 13, 17, 21];

/** Those of {@link OPSETS} from the first at which a model exists. */
export const since = (first: number): readonly number[] => OPSETS.filter((opset) => opset >= first);

export const { FLOAT, INT64, BOOL, FLOAT16, BFLOAT16, DOUBLE } = DataType;

/** A function of options from a description that may depend on the opset. */
export function generator(
  name: string,
  note: string,
  describe: (opset: number) => Omit<ModelSpec, "opsets"> & { opsets?: ModelSpec["opsets"]; inputs: Feeds; more?: Feeds[]; layout?: Layout },
  standard = 13,
): Generate {
  return ({ opset = standard, layout } = {}) => {
    const { inputs, more = [], layout: own, opsets, ...rest } = describe(opset);
    const spec = { ...rest, opsets: { "": opset, ...opsets } };
    return { name, bytes: encodeModel(spec, { ...own, ...layout }), spec, opset, inputs, more, note };
  };
}

export const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** A normally distributed f32 feed. */
export function floats(dims: readonly number[], seed: number): TensorValue {
  return { type: "float32", dims, data: randn(product(dims), seed) };
}

/** An int64 feed of token ids in [0, high). */
export function tokens(dims: readonly number[], high: number, seed: number): TensorValue {
  return { type: "int64", dims, data: randint(product(dims), 0, high, seed) };
}
