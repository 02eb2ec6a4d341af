/** Writes graphs as exporters write them: node by node, constants in nodes of their own, each operator in the form its opset has. */
import {
  type AttributeSpec,
  DataType,
  f32,
  type GraphSpec,
  i64,
  type NodeSpec,
  node,
  randn,
  type TensorSpec,
  tensor,
  type ValueSpec,
  value,
} from "../onnx.ts";
import { product } from "./model.ts";

type Attributes = Record<string, AttributeSpec>;

/** What a module's mask puts where nothing is to be looked at: the least float32. */
export const LEAST = -3.4028234663852886e38;

/** A graph under way. Values are named after the module and the operator that make them, as PyTorch's exporter names them. */
export class Trace {
  readonly opset: number;
  readonly nodes: NodeSpec[] = [];
  readonly initializers: TensorSpec[] = [];
  #scope = "";
  #seed = 0;
  readonly #counts = new Map<string, number>();
  readonly #random: typeof randn;

  /** `random` makes the weights: how many, a seed, the standard deviation. */
  constructor(opset: number, random = randn) {
    this.opset = opset;
    this.#random = random;
  }

  /** A node of several outputs; `domain` for one that is not ONNX's own. */
  ops(op_type: string, inputs: readonly string[], outputs: number, attributes: Attributes = {}, domain = ""): string[] {
    const stem = `${this.#scope}/${op_type}`;
    const count = this.#counts.get(stem) ?? 0;
    this.#counts.set(stem, count + 1);
    const name = count === 0 ? stem : `${stem}_${count}`;
    const made = Array.from({ length: outputs }, (_, i) => `${name}_output_${i}`);
    this.nodes.push(node(op_type, inputs, made, attributes, domain ? { name, domain } : { name }));
    return made;
  }

  op(op_type: string, inputs: readonly string[], attributes: Attributes = {}, domain = ""): string {
    return this.ops(op_type, inputs, 1, attributes, domain)[0] as string;
  }

  /** What `write` writes stands in a module of this name. */
  in<T>(module: string, write: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}/${module}`;
    const made = write();
    this.#scope = outer;
    return made;
  }

  /** The module under way, as names of weights have it: `encoder.layer.0`. */
  get module(): string {
    return this.#scope.slice(1).replaceAll("/", ".");
  }

  /** A Constant node of int64: a list, or a scalar. */
  ints(values: readonly number[] | number): string {
    const spec = typeof values === "number" ? i64("", [values], []) : i64("", values);
    return this.op("Constant", [], { value: { tensor: spec } });
  }

  /** A Constant node of one float32. */
  float(x: number): string {
    return this.op("Constant", [], { value: { tensor: f32("", [], [x]) } });
  }

  /** An initializer of the given elements. */
  tensor(name: string, data_type: number, dims: readonly number[], data: TensorSpec["data"]): string {
    if (!this.initializers.some((each) => each.name === name)) this.initializers.push(tensor(name, data_type, dims, data));
    return name;
  }

  /** An initializer of normally distributed float32; `mean` for what scales. */
  weight(name: string, dims: readonly number[], std = 1 / Math.sqrt(product(dims.slice(1))), mean = 0): string {
    if (this.initializers.some((each) => each.name === name)) return name;
    return this.tensor(
      name,
      DataType.FLOAT,
      dims,
      this.#random(product(dims), ++this.#seed, std).map((x) => mean + x),
    );
  }

  /** The graph; `outputs` gives the values that leave it their names. */
  graph(inputs: readonly ValueSpec[], outputs: readonly (readonly [made: string, spec: ValueSpec])[]): GraphSpec {
    const names = new Map(outputs.map(([made, { name }]) => [made, name]));
    const renamed = (list: readonly string[]) => list.map((name) => names.get(name) ?? name);
    return {
      name: "main_graph",
      nodes: this.nodes.map((each) => ({ ...each, inputs: renamed(each.inputs), outputs: renamed(each.outputs) })),
      initializers: this.initializers,
      inputs,
      outputs: outputs.map(([, spec]) => spec),
    };
  }
}

export const float32 = (name: string, dims: readonly (number | string)[]): ValueSpec => value(name, DataType.FLOAT, dims);
export const int64 = (name: string, dims: readonly (number | string)[]): ValueSpec => value(name, DataType.INT64, dims);
