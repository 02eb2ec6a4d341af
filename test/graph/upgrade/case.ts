/** One-node models: what a case of the upgrade tables is. */
import type { Feeds, TensorValue } from "../../kit/models.ts";
import {
  type AttributeSpec,
  DataType,
  type ModelSpec,
  type NodeSpec,
  node,
  randint,
  randn,
  type TensorSpec,
  value,
} from "../../kit/onnx.ts";

/** An input of the node: fed, an initializer, or absent. */
export type Argument = TensorValue | TensorSpec | "";

export interface Case {
  op: string;
  /** What is particular about it. */
  note: string;
  /** First and last opset at which its nodes mean what they say. */
  opsets: readonly [first: number, last: number];
  graph: ModelSpec["graph"];
  feeds: Feeds;
}

const TYPES: Readonly<Record<TensorValue["type"], number>> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  int64: DataType.INT64,
  int32: DataType.INT32,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
  bool: DataType.BOOL,
};

const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
let seed = 1;

/** A fed float32 tensor of normally distributed numbers. */
export const x = (...dims: number[]): TensorValue => ({ type: "float32", dims, data: randn(size(dims), seed++) });
/** Of these numbers. */
export const of = (dims: readonly number[], ...data: number[]): TensorValue => ({ type: "float32", dims, data: Float32Array.from(data) });
/** Uniform in (0, 1]. */
export const positive = (...dims: number[]): TensorValue => ({
  type: "float32",
  dims,
  data: randn(size(dims), seed++).map((v) => Math.min(1, Math.abs(v) + 0.01)),
});
/** A fed int64 tensor of numbers in [low, high). */
export const n = (dims: readonly number[], low: number, high: number): TensorValue => ({
  type: "int64",
  dims,
  data: randint(size(dims), low, high, seed++),
});
export const ints = (...values: number[]): TensorValue => ({
  type: "int64",
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
export const int = (v: number): TensorValue => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(v)) });
export const bools = (...values: number[]): TensorValue => ({ type: "bool", dims: [values.length], data: Uint8Array.from(values) });
export const u8 = (dims: readonly number[], ...data: number[]): TensorValue => ({ type: "uint8", dims, data: Uint8Array.from(data) });
export const i8 = (dims: readonly number[], ...data: number[]): TensorValue => ({ type: "int8", dims, data: Int8Array.from(data) });
export const i32 = (dims: readonly number[], low: number, high: number): TensorValue => ({
  type: "int32",
  dims,
  data: Int32Array.from(randint(size(dims), low, high, seed++), Number),
});

export const float = (v: number): AttributeSpec => ({ float: v });
export const LAST = 21;

export const isFed = (argument: Argument): argument is TensorValue => argument !== "" && "type" in argument;

/** A case of one node, whose inputs are `i0`, `i1`, … and whose outputs are `o0`, `o1`, … of the given types. */
export function one(
  op: string,
  opsets: Case["opsets"],
  args: readonly Argument[],
  attributes: Record<string, AttributeSpec> = {},
  { outputs = ["float32"], note = "" }: { outputs?: readonly (TensorValue["type"] | "")[]; note?: string } = {},
): Case {
  const names = args.map((argument, i) => (argument === "" ? "" : isFed(argument) ? `i${i}` : argument.name));
  const feeds = Object.fromEntries(args.flatMap((argument, i) => (isFed(argument) ? [[`i${i}`, argument]] : [])));
  const initializers = args.filter((argument): argument is TensorSpec => argument !== "" && !isFed(argument));
  const made = outputs.map((type, i) => (type === "" ? "" : `o${i}`));
  return several(op, opsets, [node(op, names, made, attributes, { name: "it" })], feeds, {
    outputs: Object.fromEntries(outputs.flatMap((type, i) => (type === "" ? [] : [[`o${i}`, type]]))),
    initializers,
    note: note || JSON.stringify(attributes),
  });
}

/** A case of several nodes. */
export function several(
  op: string,
  opsets: Case["opsets"],
  nodes: readonly NodeSpec[],
  feeds: Feeds,
  { outputs, initializers = [], note = "" }: { outputs: Record<string, TensorValue["type"]>; initializers?: TensorSpec[]; note?: string },
): Case {
  return {
    op,
    note,
    opsets,
    feeds,
    graph: {
      nodes,
      initializers,
      inputs: Object.entries(feeds).map(([name, { type, dims }]) => value(name, TYPES[type], dims)),
      outputs: Object.entries(outputs).map(([name, type]) => value(name, TYPES[type])),
    },
  };
}
