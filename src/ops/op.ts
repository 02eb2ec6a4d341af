import type { Graph, Node } from "../graph/graph.ts";
import { DATA_TYPES } from "../graph/types.ts";
import type { DType, Tensor } from "../tensor.ts";
import { integersOf, type TypeAndShape, type Value } from "./value.ts";

/** Inputs by position: `undefined` where an optional one is absent, `{}` where nothing is known of it. */
export type Inputs = readonly (Value | undefined)[];

/** An operator of ONNX, under its ONNX name. */
export interface Op {
  /**
   * What the outputs are, by position. Nothing is thrown: what is not known, and what breaks the operator's rules, is left out, since a
   * model's own runtime is the one to refuse it. What is said holds whenever the node runs without an error.
   */
  infer(node: Node, inputs: Inputs, context: Context): readonly Value[];
  /**
   * The outputs for inputs that obey the operator's rules, as onnxruntime's CPU provider computes them; undefined where it cannot say.
   * Call it through `foldNode`, which checks rules and sizes.
   */
  fold?(node: Node, inputs: readonly (Tensor | undefined)[], context: FoldContext): readonly Tensor[] | undefined;
  /**
   * The outputs, computed plainly: what a run does where it has neither a kernel nor a `fold`, and the oracle of kernels. Unlike `fold` it
   * need not be exact, and it may be slow or depend on the data for its shapes. Undefined where the inputs break the operator's rules or ask
   * for what is not supported.
   */
  compute?(node: Node, inputs: readonly (Datum | undefined)[], context: ComputeContext): readonly (Datum | undefined)[] | undefined;
  /** As `compute`, for an operator that runs subgraphs. */
  control?(
    node: Node,
    inputs: readonly (Datum | undefined)[],
    context: ControlContext,
  ): Promise<readonly (Datum | undefined)[] | undefined>;
}

/** What a value is while a model runs. */
export type Datum = Tensor | Sequence | Optional;

export interface Sequence {
  readonly sequence: readonly Tensor[];
}

export interface Optional {
  readonly optional: Tensor | Sequence | undefined;
}

export const isTensor = (datum: Datum | undefined): datum is Tensor => datum !== undefined && "data" in datum;

export interface ComputeContext {
  /** Of the node's domain. */
  opset: number;
  tensor: Context["tensor"];
  /** The outputs as `infer` told them; a shape that depends on data is undefined. */
  outputs: readonly { dtype: DType | undefined; shape: readonly number[] | undefined }[];
  /** Uniform in [0, 1). */
  random(): number;
}

export interface ControlContext {
  /** Of the node's domain. */
  opset: number;
  /** What is known of the outputs. */
  outputs: readonly TypeAndShape[];
  /** Runs a subgraph of the node on its inputs, and gives its outputs. It bounds how often and how deep. */
  graph(graph: Graph, inputs: readonly (Datum | undefined)[]): Promise<readonly (Datum | undefined)[]>;
}

export interface FoldContext {
  /** Of the node's domain. */
  opset: number;
  tensor: Context["tensor"];
  /** The outputs as `infer` told them. */
  outputs: readonly { dtype: DType; shape: readonly number[] }[];
}

export interface Context {
  /** Of the node's domain. */
  opset: number;
  /** A name for a dimension that is not known: the same name for the same `key`, and one of its own without. */
  symbol(key?: string): string;
  /** A tensor attribute. */
  tensor(node: Node, attribute: string): Value | undefined;
  /** Infers a subgraph of the node from its inputs, and gives its outputs. */
  graph(graph: Graph, inputs: readonly Value[]): readonly Value[];
}

/** What is known of a model before its nodes are looked at. */
export interface Known {
  /** Opset versions by domain; ai.onnx is ''. */
  opsets: ReadonlyMap<string, number>;
  /**
   * A graph's input or initializer, with its elements where they are few and no feed can take their place; of a node's output, what the
   * file declares, which counts for what inference cannot tell. A dimension without a name is ''.
   */
  value(graph: Graph, name: string): Value | undefined;
  /** A tensor attribute, with its elements where they are few. */
  tensor(node: Node, attribute: string): Value | undefined;
}

/** An integer (or float) attribute. */
export const int = (node: Node, name: string, otherwise: number): number => {
  const value = node.attributes[name];
  return typeof value === "number" ? value : otherwise;
};

export const text = (node: Node, name: string, otherwise: string): string => {
  const value = node.attributes[name];
  return typeof value === "string" ? value : otherwise;
};

/** A list attribute of numbers; undefined where it is absent. */
export const numbers = (node: Node, name: string): readonly number[] | undefined => {
  const value = node.attributes[name];
  return Array.isArray(value) && value.every((x) => typeof x === "number") ? value : undefined;
};

/** A list attribute of strings; undefined where it is absent. */
export const texts = (node: Node, name: string): readonly string[] | undefined => {
  const value = node.attributes[name];
  return Array.isArray(value) && value.every((x) => typeof x === "string") ? value : undefined;
};

/** A data type attribute: `otherwise` where it is absent, undefined where ONNX does not define it. */
export const dtypeAttribute = (node: Node, name: string, otherwise: DType | undefined): DType | undefined =>
  node.attributes[name] === undefined ? otherwise : DATA_TYPES[int(node, name, 0)];

/**
 * A list of integers that is an attribute in older opsets and an input in newer ones: `absent` where it is neither, undefined where it
 * is not known.
 */
export function integers(node: Node, name: string, input: Value | undefined, absent: readonly number[]): readonly number[] | undefined {
  if (input) return integersOf(input);
  return numbers(node, name) ?? absent;
}

/** The subgraph that an attribute is. */
export const subgraph = (node: Node, attribute: string): Graph | undefined => node.graphs.find((graph) => graph.attribute === attribute);

/** An axis counted from the front; undefined where there is none such. */
export function axisOf(axis: number, rank: number): number | undefined {
  const counted = axis < 0 ? axis + rank : axis;
  return Number.isInteger(counted) && counted >= 0 && counted < rank ? counted : undefined;
}

/** Axes counted from the front; undefined where one is out of range or stands twice. */
export function axesOf(axes: readonly number[] | undefined, rank: number): readonly number[] | undefined {
  const counted = axes?.map((axis) => axisOf(axis, rank));
  if (!counted || counted.includes(undefined) || new Set(counted).size !== counted.length) return undefined;
  return counted as readonly number[];
}
