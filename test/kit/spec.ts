/** Models as plain specifications, before any bytes. */
import type { TensorSpec } from "./tensor.ts";

/** A plain number is an `int` and a plain list `ints`; floats are said to be floats. */
export type AttributeSpec =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | { strings: readonly string[] }
  | { tensor: TensorSpec }
  | { graph: GraphSpec };

export interface NodeSpec {
  op_type: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Record<string, AttributeSpec>;
  domain?: string;
  name?: string;
}

/** `dims` left out: no shape at all. A string is a symbolic dimension. */
export interface ValueSpec {
  name: string;
  data_type: number;
  dims?: readonly (number | string)[];
}

export interface GraphSpec {
  name?: string;
  nodes: readonly NodeSpec[];
  initializers?: readonly TensorSpec[];
  inputs: readonly ValueSpec[];
  outputs: readonly ValueSpec[];
  value_info?: readonly ValueSpec[];
}

export interface ModelSpec {
  graph: GraphSpec;
  /** Domain to version; "" is the ONNX domain. */
  opsets: Record<string, number>;
  ir_version?: number;
  metadata?: Record<string, string>;
}

export function node(
  op_type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, AttributeSpec> = {},
  rest: Pick<NodeSpec, "domain" | "name"> = {},
): NodeSpec {
  return { op_type, inputs, outputs, attributes, ...rest };
}

export function value(name: string, data_type: number, dims?: readonly (number | string)[]): ValueSpec {
  return dims ? { name, data_type, dims } : { name, data_type };
}

const FIRST_OPSET_OF_IR: readonly (readonly [ir_version: number, opset: number])[] = [
  [3, 1],
  [4, 9],
  [5, 10],
  [6, 11],
  [7, 12],
  [8, 15],
  [9, 19],
  [10, 21],
  [11, 23],
];

/** The IR version that came with an opset. */
export function irVersionOf(opset: number): number {
  return FIRST_OPSET_OF_IR.findLast(([, first]) => opset >= first)?.[0] ?? 3;
}
