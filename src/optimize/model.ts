import { edited, type Graph, type Node, type Use, type Values } from "../graph/graph.ts";
import { Patch } from "../graph/patch.ts";
import type { Known } from "../ops/op.ts";
import type { Value } from "../ops/value.ts";
import { bytesIn, memoryPayload, type Payload } from "../payload.ts";
import { arrayOf, type Tensor, type TensorInfo, tensorBytes } from "../tensor.ts";

/** Factors that a weight is multiplied by: element i by `factors[floor(i / inner) % factors.length]`. */
export interface Scaling {
  inner: number;
  factors: Float64Array;
}

/** A tensor that the main graph has and no node computes. */
export interface Constant {
  info: TensorInfo;
  payload: Payload | undefined;
  /** The Constant node that holds it, until it is lifted out of it. */
  constant?: Node;
  /** Whether it stood in a Constant node of the source. */
  lifted?: boolean;
  /** What is multiplied into it. */
  scaling?: Scaling;
  /** SHA-256 of its bytes, once it has been looked for. */
  digest?: string;
  /** Its first bytes, once they have been looked at. */
  sample?: string;
}

/** The graph as far as the passes see it. */
export interface Editable {
  readonly main: Graph;
  readonly values: Values;
  readonly opset: number;
  apply(patch: Patch): void;
}

/** What the passes made of the model. */
export interface Outcome {
  /** Why a weight of the source is no longer there, by name. */
  dropped: Map<string, string>;
  /** What was multiplied into a weight, by name. */
  folded: Map<string, string>;
  /** Tensors that are new. */
  made: Constant[];
}

/** A model under optimization: its graph, its constants, and what is known of its values. */
export class Model {
  readonly #graph: Editable;
  readonly constants: Map<string, Constant>;
  readonly outcome: Outcome = { dropped: new Map(), folded: new Map(), made: [] };
  readonly fresh: (name: string) => string;
  /** What is known before the nodes are looked at. */
  known: Known = { opsets: new Map(), value: () => undefined, tensor: () => undefined };
  /** Types, shapes and small constants of the main graph's values, as of the start of the round. */
  inferred: ReadonlyMap<string, Value> = new Map();
  readonly #reasons = new Map<string, string>();
  #producers: Map<string, Node> | undefined;

  /** `within` will hold the constants; it may show those of graphs around too, but does not go through them. */
  constructor(graph: Editable, constants: Iterable<Constant>, fresh: (name: string) => string, within = new Map<string, Constant>()) {
    this.#graph = graph;
    this.fresh = fresh;
    this.constants = within;
    for (const constant of constants) this.constants.set(constant.info.name, constant);
  }

  get main(): Graph {
    return this.#graph.main;
  }

  get opset(): number {
    return this.#graph.opset;
  }

  uses(name: string): readonly Use[] {
    return this.#graph.values.uses(name, this.main);
  }

  isOutput(name: string): boolean {
    return this.#graph.values.isOutput(name, this.main);
  }

  /** Whether a value has one reader, in the main graph, and nobody outside sees it. */
  isPrivate(name: string): boolean {
    const uses = this.uses(name);
    return uses.length === 1 && uses[0]?.graph === this.main && !this.isOutput(name);
  }

  /** Whether every reader of a value can be told to read another. */
  isMovable(name: string): boolean {
    return !this.isOutput(name) && this.uses(name).every(({ graph }) => graph === this.main);
  }

  producer(name: string): Node | undefined {
    if (!this.#producers) {
      this.#producers = new Map();
      for (const node of this.main.nodes) for (const output of node.output) if (output) this.#producers.set(output, node);
    }
    return this.#producers.get(name);
  }

  /** The elements of a constant, with what is multiplied into it; undefined where it is none or has more than `max` bytes. */
  async read(name: string, max: number): Promise<Tensor | undefined> {
    const constant = this.constants.get(name);
    if (!constant?.payload || constant.scaling || constant.info.dtype === "string" || constant.payload.length > max) return undefined;
    const { dtype, shape } = constant.info;
    return { dtype, shape, data: arrayOf(dtype, await bytesIn(constant.payload)) };
  }

  /** Adds a constant that the source has not; `edits` then define it in the graph. */
  define(name: string, tensor: Tensor, edits: Edits): void {
    edits.define(name);
    const info = { name, dtype: tensor.dtype, shape: tensor.shape };
    const made = { info, payload: memoryPayload(tensorBytes(tensor)) };
    this.constants.set(name, made);
    this.outcome.made.push(made);
  }

  /** Remembers what will have become of a constant, once nothing reads it. */
  absorb(names: readonly (string | undefined)[], reason: string): void {
    for (const name of names) if (name && this.constants.has(name)) this.#reasons.set(name, reason);
  }

  /** Drops a constant; `reason` says what became of a weight of the source. */
  drop(name: string, reason = this.#reasons.get(name) ?? "nothing reads it"): void {
    const constant = this.constants.get(name);
    if (!constant) return;
    this.constants.delete(name);
    const made = this.outcome.made.indexOf(constant);
    if (made >= 0) this.outcome.made.splice(made, 1);
    else this.outcome.dropped.set(name, reason);
  }

  apply(patch: Patch): void {
    this.#graph.apply(patch);
    this.#producers = undefined;
  }
}

/** The edits of one pass: nodes that go, change, or read and write under other names. */
export class Edits {
  readonly #model: Model;
  readonly #replaced = new Map<Node, readonly Node[]>();
  readonly #names = new Map<string, string>();
  readonly #written = new Map<string, string>();
  readonly #defined = new Set<string>();
  readonly #undefined = new Set<string>();
  count = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  replace(node: Node, nodes: readonly Node[]): void {
    this.count++;
    this.#replaced.set(node, nodes);
  }

  isTouched(node: Node): boolean {
    return this.#replaced.has(node);
  }

  /** Readers of `from` read `to`. */
  rename(from: string, to: string): void {
    this.#names.set(from, to);
  }

  /** Gives the graph an initializer. */
  define(name: string): void {
    this.#defined.add(name);
  }

  /** Takes a constant out of the graph. */
  undefine(name: string): void {
    this.count++;
    this.#undefined.add(name);
  }

  /** Removes a node whose output is its input. Says whether it could. */
  bypass(node: Node, input: string, output: string): boolean {
    const model = this.#model;
    if (this.isTouched(node) || this.#written.has(output)) return false; // it may be the maker of what has just got its name
    if (model.isMovable(output)) {
      this.replace(node, []);
      this.rename(output, input);
      return true;
    }
    // What the graph gives out keeps its name: its maker writes under it.
    const producer = model.producer(input);
    if (!producer || this.isTouched(producer) || !model.isPrivate(input) || this.#written.has(input)) return false;
    this.replace(node, []);
    this.#written.set(input, output);
    return true;
  }

  /** Applies what was gathered; says whether there was anything. */
  apply(): boolean {
    if (this.count === 0) return false;
    const patch = new Patch();
    const { main } = this.#model;
    for (const node of main.nodes) {
      const nodes = this.#replaced.get(node) ?? [node];
      const renamed = nodes.map((each) => this.#renamed(each));
      if (nodes.length !== 1 || renamed[0] !== node) patch.replace(node, renamed);
    }
    for (const name of this.#undefined) patch.undefine(main, name);
    for (const name of this.#defined) patch.define(main, name);
    this.#model.apply(patch);
    return true;
  }

  #renamed(node: Node): Node {
    const input = node.input.map((name) => this.#resolve(name));
    const output = node.output.map((name) => this.#written.get(name) ?? name);
    const same = input.every((name, i) => name === node.input[i]) && output.every((name, i) => name === node.output[i]);
    return same ? node : edited(node, { input, output });
  }

  #resolve(name: string): string {
    const passed: string[] = [];
    let at = name;
    for (let next = this.#names.get(at); next !== undefined; next = this.#names.get(at)) {
      passed.push(at);
      at = next;
    }
    for (const each of passed) this.#names.set(each, at); // long chains are walked once
    return this.#written.get(at) ?? at;
  }
}
