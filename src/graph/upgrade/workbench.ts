import { UnsupportedError } from "../../errors.ts";
import type { DType, TensorBytes } from "../../tensor.ts";
import { describe, type Graph, graphs, makeNode, type Node } from "../graph.ts";
import type { Patch } from "../patch.ts";
import { dataType } from "../types.ts";

/** Dimensions that a tensor may have: ONNX runtimes stop far below. */
const MAX_RANK = 64;

/** Longest list whose numbers stand in the name of the tensor made of it. */
const NAMED = 8;

/** What the upgrade is told of the model. */
export interface Model {
  /** Names for what is added, distinct from every name the model has. */
  fresh: (name: string) => string;
  /** What is known of a value that a node of the graph reads or makes; asked for where a step depends on it. */
  typeOf: (name: string, graph: Graph) => { dtype?: DType | undefined; rank?: number | undefined };
}

/** What a step works with: the node's attributes, checked, and tensors in their place. */
export class Workbench {
  readonly fresh: Model["fresh"];
  readonly #main: Graph;
  readonly #patch: Patch;
  readonly #model: Model;
  readonly #span: { from: number; to: number };
  /** The graph that the node stands in. */
  graph: Graph;
  /** Scales that are at least 1 in each dimension. */
  readonly enlarging = new Set<string>();
  readonly #tensors = new Map<string, string>();
  #read: Set<string> | undefined;

  constructor(main: Graph, patch: Patch, model: Model, span: { from: number; to: number }) {
    this.#main = main;
    this.#patch = patch;
    this.#model = model;
    this.#span = span;
    this.fresh = model.fresh;
    this.graph = main;
  }

  /** Ends the upgrade: `why` ends a sentence that begins with the node. */
  refuse(node: Node, why: string): never {
    const { from, to } = this.#span;
    throw new UnsupportedError(
      `${describe(node)} ${why}, so the model cannot be upgraded from opset ${from} to ${to}; export it with opset ${to}`,
      { node: node.name || (node.output[0] ?? "") },
    );
  }

  /** The node's only input, or the first of two where the second is optional. */
  input(node: Node, most = 1): string {
    const [name] = node.input;
    if (!name || node.input.length > most)
      this.refuse(node, `has ${node.input.length} inputs, expected ${most === 1 ? "1" : `1 to ${most}`}`);
    return name;
  }

  /** An int64 list of `node`; undefined where it has none. `far` lets through what a double does not hold exactly. */
  ints(node: Node, name: string, far = false): readonly number[] | undefined {
    const list = this.#list(node, name, "integers");
    if (list && !list.every(far ? Number.isInteger : Number.isSafeInteger))
      this.refuse(node, `has an attribute '${name}' that is not a list of integers`);
    return list;
  }

  /** A list of axes; undefined where there is none. */
  axes(node: Node, name = "axes"): readonly number[] | undefined {
    const axes = this.ints(node, name);
    for (const axis of axes ?? []) this.#checkAxis(node, axis);
    return axes;
  }

  axis(node: Node, otherwise: number): number {
    const axis = this.int(node, "axis", otherwise);
    this.#checkAxis(node, axis);
    return axis;
  }

  int(node: Node, name: string, otherwise: number): number {
    const value = this.number(node, name, otherwise);
    if (!Number.isSafeInteger(value)) this.refuse(node, `has an attribute '${name}' that is not an integer`);
    return value;
  }

  number(node: Node, name: string, otherwise: number): number {
    const value = this.#value(node, name) ?? otherwise;
    if (typeof value !== "number") this.refuse(node, `has an attribute '${name}' that is not a number`);
    return value;
  }

  text(node: Node, name: string, otherwise: string): string {
    const value = this.#value(node, name) ?? otherwise;
    if (typeof value !== "string") this.refuse(node, `has an attribute '${name}' that is not text`);
    return value;
  }

  floats(node: Node, name: string): readonly number[] | undefined {
    return this.#list(node, name, "numbers");
  }

  /** A list as an int64 tensor of one dimension; equal ones share it. `role` begins its name. */
  vector(role: string, values: readonly number[]): string {
    return this.#shared(`${role}:${values}`, named(role, values), (name) => this.#patch.addVector(this.#main, name, values));
  }

  /** An int64 scalar. */
  scalar(role: string, value: number): string {
    const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    return this.#tensor(`${role} scalar:${value}`, named(role, [value]), { dtype: "int64", shape: [], bytes });
  }

  /** A float32 tensor of one dimension. */
  floatVector(role: string, values: readonly number[]): string {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    return this.#tensor(`${role}:${values}`, named(role, values), { dtype: "float32", shape: [values.length], bytes });
  }

  /** A float32 scalar. */
  float(role: string, value: number): string {
    const bytes = new Uint8Array(Float32Array.of(value).buffer);
    return this.#tensor(`${role} float:${Object.is(value, -0) ? "-0" : value}`, named(role, [value]), {
      dtype: "float32",
      shape: [],
      bytes,
    });
  }

  /** A scalar of the type that `like` has, and the nodes that make it of one in float32. */
  floatScalar(node: Node, role: string, value: number, like: string): { name: string; nodes: Node[] } {
    const name = this.float(role, value);
    const { dtype } = this.#model.typeOf(like, this.graph);
    if (dtype === "float32") return { name, nodes: [] };
    if (dtype !== "float16" && dtype !== "float64")
      this.refuse(node, `has a ${role} of the type of '${like}', which ${dtype === undefined ? "the model does not tell" : "is no float"}`);
    const typed = this.fresh(`${node.output[0]}_${role}`);
    return { name: typed, nodes: [makeNode("Cast", [name], [typed], { to: dataType(dtype) })] };
  }

  /** Number of dimensions of a value, where it is known. */
  rank(name: string): number | undefined {
    return this.#model.typeOf(name, this.graph).rank;
  }

  /** Whether any node reads the name, or any graph gives it out. */
  isRead(name: string): boolean {
    if (!this.#read) {
      this.#read = new Set();
      for (const { nodes, outputs } of graphs(this.#main)) {
        for (const output of outputs) this.#read.add(output);
        for (const { input } of nodes) for (const each of input) this.#read.add(each);
      }
    }
    return this.#read.has(name);
  }

  #list(node: Node, name: string, what: string): readonly number[] | undefined {
    const value = this.#value(node, name);
    if (value === undefined) return undefined;
    const isList = typeof value === "object" && value.every((x) => typeof x === "number");
    if (!isList) this.refuse(node, `has an attribute '${name}' that is not a list of ${what}`);
    return value as readonly number[];
  }

  #value(node: Node, name: string) {
    if (node.unread?.includes(name)) this.refuse(node, `has an attribute '${name}' that is not read: too long, or of another type`);
    return Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined;
  }

  #checkAxis(node: Node, axis: number): void {
    if (Math.abs(axis) > MAX_RANK) this.refuse(node, `names axis ${axis}; no tensor has so many`);
  }

  #tensor(key: string, name: string, tensor: Omit<TensorBytes, "name">): string {
    return this.#shared(key, name, (given) => this.#patch.addTensor(this.#main, { ...tensor, name: given }));
  }

  /** In the main graph, which every other sees: files of IR 3 list their initializers as its inputs. */
  #shared(key: string, name: string, add: (name: string) => void): string {
    const known = this.#tensors.get(key);
    if (known !== undefined) return known;
    const given = this.fresh(name);
    this.#tensors.set(key, given);
    add(given);
    return given;
  }
}

const named = (role: string, values: readonly number[]): string => (values.length > NAMED ? role : [role, ...values].join("_"));
