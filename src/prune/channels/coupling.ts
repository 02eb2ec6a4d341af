import { describe, type Graph, type Node, reads, topological } from "../../graph/graph.ts";
import { type Dims, elementsOf, integersOf, isStatic, type Value } from "../../ops/value.ts";
import { isFloat, type TensorInfo } from "../../tensor.ts";
import { Atoms, type Axes, FIXED, type Labels, type Reason } from "./atoms.ts";
import { isElementwise, RULES } from "./rules/index.ts";

/** An axis longer than this is data (a vocabulary, a signal), whose indices are not told apart. */
const MAX_INDICES = 1 << 16;

/** Operators that stand between a constant and what reads it as a weight. */
const RESTORING: ReadonlySet<string> = new Set(["Transpose", "Cast", "DequantizeLinear", "Identity", "Mul"]);

/** A node whose weight makes channels of channels. */
export interface Layer {
  node: Node;
  /** The value that is its weight, as the node reads it. */
  weight: string;
  /** The weight's axes of output and of input channels; of an embedding there are no inputs. */
  output: Labels | undefined;
  input: Labels | undefined;
}

/** What is known of a graph whose channels are to go. */
export interface Surroundings {
  main: Graph;
  /** Types and shapes of values, and the elements of small ones. */
  inferred: ReadonlyMap<string, Value>;
  /** Tensors that no node computes and no caller gives. */
  constants: ReadonlyMap<string, TensorInfo>;
  opset: number;
}

/**
 * What becomes of channels on their way through a graph: each index of each axis that holds some gets a label, and indices that a node
 * makes depend on each other go together. Every node takes the labels of its inputs and gives its outputs theirs, by the rule of its operator; what
 * a rule does not follow stays. Nothing is changed.
 */
export class Coupling {
  readonly atoms = new Atoms();
  readonly layers: Layer[] = [];
  /** Scales of BatchNormalization. */
  readonly norms = new Set<string>();
  readonly opset: number;
  readonly #inferred: ReadonlyMap<string, Value>;
  readonly #constants: ReadonlyMap<string, TensorInfo>;
  readonly #axes = new Map<string, Axes | undefined>();
  readonly #readers = new Map<string, Node[]>();
  readonly #makers = new Map<string, Node>();
  readonly #roots = new Map<string, string | undefined>();
  readonly #outputs: ReadonlySet<string>;

  constructor({ main, inferred, constants, opset }: Surroundings) {
    this.#outputs = new Set(main.outputs);
    this.#inferred = inferred;
    this.#constants = constants;
    this.opset = opset;
    for (const node of main.nodes) {
      for (const name of new Set(reads(node))) {
        const readers = this.#readers.get(name);
        if (readers) readers.push(node);
        else if (name) this.#readers.set(name, [node]);
      }
      for (const name of node.output) if (name) this.#makers.set(name, node);
    }
  }

  /** Goes through the graph. */
  static of(surroundings: Surroundings): Coupling {
    const coupling = new Coupling(surroundings);
    for (const node of topological(surroundings.main)) coupling.#follow(node);
    for (const name of surroundings.main.outputs) coupling.fixAll(name, { node: `output '${name}'`, why: "callers get them" });
    return coupling;
  }

  #follow(node: Node): void {
    if (node.output.some((name) => this.#constants.has(name))) return; // it holds one
    const rule = node.graphs.length === 0 ? ruleOf(node) : undefined;
    const outputs = rule?.(node, this);
    if (!outputs) {
      const why = node.graphs.length > 0 ? "its subgraphs read them" : `channels are not followed through ${node.op_type}`;
      for (const name of new Set(reads(node))) if (name) this.fixAll(name, { node: describe(node), why });
    }
    node.output.forEach((name, i) => {
      if (name) this.#axes.set(name, outputs ? outputs[i] : this.#stay(name));
    });
  }

  /** Axes that all stay; undefined for a value of which not even the rank is known. */
  #stay = (name: string): Axes | undefined => this.shape(name)?.map(() => undefined);

  shape(name: string): Dims | undefined {
    return this.#constants.get(name)?.shape ?? this.#inferred.get(name)?.shape;
  }

  /** All sizes of a value; undefined where one is not known. */
  sizes(name: string): readonly number[] | undefined {
    const shape = this.shape(name);
    return isStatic(shape) ? shape : undefined;
  }

  /** The elements of a small integer tensor. */
  integers(name: string | undefined): readonly number[] | undefined {
    return name ? integersOf(this.#inferred.get(name)) : undefined;
  }

  /** The elements of a small integer tensor as far as they are known. */
  elements(name: string) {
    return elementsOf(this.#inferred.get(name));
  }

  isConstant(name: string): boolean {
    return this.#constants.has(name);
  }

  maker(name: string): Node | undefined {
    return this.#makers.get(name);
  }

  readers(name: string): readonly Node[] {
    return this.#readers.get(name) ?? [];
  }

  /** The constant that a weight is made of: itself, or what it is a Transpose, a Cast or a dequantization of. */
  rootOf(name: string): string | undefined {
    const passed: string[] = [];
    let root: string | undefined;
    for (let at = name; ; ) {
      if (this.#roots.has(at)) {
        root = this.#roots.get(at);
        break;
      }
      passed.push(at);
      const node = this.#makers.get(at);
      if (this.#constants.has(at)) {
        root = at;
        break;
      }
      if (!node || !RESTORING.has(node.op_type)) break;
      at = node.input[0] as string;
    }
    for (const each of passed) this.#roots.set(each, root); // long chains are walked once
    return root;
  }

  /** Whether so many indices of an axis are told apart. */
  tells(count: number): boolean {
    return count <= MAX_INDICES;
  }

  /** Whether a node computes each element from those in the same place. */
  isElementwise(node: Node): boolean {
    return isElementwise(ruleOf(node));
  }

  isOutput(name: string): boolean {
    return this.#outputs.has(name);
  }

  /** The labels of a value's axes; undefined where its rank is not known. Those of a constant are made when it is first asked for. */
  axes(name: string): Axes | undefined {
    if (this.#axes.has(name)) return this.#axes.get(name);
    const info = this.#constants.get(name);
    const axes = info ? this.#fresh(info) : this.#stay(name);
    this.#axes.set(name, axes);
    return axes;
  }

  #fresh({ dtype, shape }: TensorInfo): Axes {
    return shape.map((size) => (isFloat(dtype) ? this.fresh(size) : undefined));
  }

  /** Labels for an axis of which nothing is known yet; undefined for one that is no axis of channels. */
  fresh(size: number): Labels | undefined {
    return size > 1 && size <= MAX_INDICES ? this.atoms.fresh(size) : undefined;
  }

  /** Makes two axes go together, index by index, and gives the labels of both. Where one stays, so does the other. */
  couple(a: Labels | undefined, b: Labels | undefined, reason: Reason): Labels | undefined {
    if (a === b) return a;
    if (!a || !b || a.length !== b.length) {
      this.fix(a, reason);
      this.fix(b, reason);
      return undefined;
    }
    for (let i = 0; i < a.length; i++) this.atoms.unite(a[i] as number, b[i] as number, reason);
    return a;
  }

  /** Makes an axis stay. */
  fix(labels: Labels | undefined, reason: Reason): void {
    for (const atom of new Set(labels)) if (atom !== FIXED) this.atoms.fix(atom, reason);
  }

  /** Makes all axes of a value stay. */
  fixAll(name: string, reason: Reason): void {
    for (const labels of this.axes(name) ?? []) this.fix(labels, reason);
  }
}

const ruleOf = ({ domain, op_type }: Node) => RULES.get(domain ? `${domain}.${op_type}` : op_type);
