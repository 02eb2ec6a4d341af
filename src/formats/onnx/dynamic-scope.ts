import { definedNames, type Graph, makeNode, type Node } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { arithmetic } from "./represent.ts";

/** Names of a value's integer form. */
export interface Quantized {
  values: string;
  scale: string;
  zero_point: string;
  /** The graph in which scale and zero point stand. */
  home: Graph;
  /** Whether there is a scale for each channel: such values cannot be moved about. */
  per_channel: boolean;
}

/** A weight in its integer form; `transposed` when its last two axes were stored the other way round. */
export interface QuantizedWeight extends Quantized {
  transposed: boolean;
  rank: number;
}

/** A graph while its nodes are rewritten one after the other, within the graphs around it. */
export class Scope {
  readonly graph: Graph;
  /** Products of two scales, for nodes without names: those share them. */
  readonly scales = new Map<string, string>();
  readonly #around: Scope | undefined;
  readonly #fresh: (name: string) => string;
  readonly #weights: ReadonlyMap<string, QuantizedWeight>;
  readonly #defined: ReadonlySet<string>;
  /** Integer forms of the values that nodes of this graph make, by the name of the float value. */
  readonly #quantized = new Map<string, Quantized>();
  /** Values without a float form, and the node that makes their integer form. */
  readonly #producers = new Map<string, Node>();
  /** Those of them that something reads in float. */
  readonly #floats = new Set<string>();
  /** What stands in the place of each node. */
  readonly #made = new Map<Node, Node[]>();
  #place: Node[] = [];

  constructor(
    graph: Graph,
    around: Scope | undefined,
    weights: ReadonlyMap<Graph, ReadonlyMap<string, QuantizedWeight>>,
    fresh: (name: string) => string,
  ) {
    this.graph = graph;
    this.#around = around;
    this.#fresh = fresh;
    this.#weights = weights.get(graph) ?? new Map();
    this.#defined = around ? new Set(definedNames(graph)) : new Set();
  }

  /** Goes on to the next node. */
  enter(node: Node): void {
    this.#place = [];
    this.#made.set(node, this.#place);
  }

  /** Puts nodes in the place of the one that is looked at. */
  put(...nodes: Node[]): void {
    this.#place.push(...nodes);
  }

  /** A weight that was quantized. */
  weight(name: string): QuantizedWeight | undefined {
    return this.#home(name).#weights.get(name);
  }

  /** The integer form of a value, where it has one. */
  quantized(name: string): Quantized | undefined {
    const home = this.#home(name);
    return home.#quantized.get(name) ?? home.#weights.get(name);
  }

  /** The integer form of an activation, made in the graph that defines it, where it is read first. */
  activation(name: string): Quantized {
    const known = this.quantized(name);
    if (known) return known;
    const home = this.#home(name);
    const [values = "", scale = "", zero_point = ""] = ["quantized", "scale", "zero_point"].map((part) => this.#fresh(`${name}_${part}`));
    home.put({ ...makeNode("DynamicQuantizeLinear", [name], [values, scale, zero_point]), name: `${name}_QuantizeLinear` });
    const quantized = { values, scale, zero_point, home: home.graph, per_channel: false };
    home.#quantized.set(name, quantized);
    return quantized;
  }

  /** Takes note of a value that `node` makes in integers only. */
  integers(name: string, quantized: Quantized, node: Node): void {
    this.#quantized.set(name, quantized);
    this.#producers.set(name, node);
  }

  /** Takes note of a value that is read in float. */
  float(name: string): void {
    const home = this.#home(name);
    if (home.#producers.has(name)) home.#floats.add(name);
  }

  apply(patch: Patch): void {
    for (const name of this.#floats) {
      const { values, scale, zero_point, home } = this.#quantized.get(name) as Quantized;
      // onnxruntime fails to load DequantizeLinear in a branch whose scale is a tensor of the graph around it.
      const nodes =
        home === this.graph
          ? [makeNode("DequantizeLinear", [values, scale, zero_point], [name])]
          : arithmetic({ values, scale, zero_point, trailing: 0 }, name, this.#fresh);
      this.#made.get(this.#producers.get(name) as Node)?.push(...nodes);
    }
    for (const [node, made] of this.#made) if (made.length !== 1 || made[0] !== node) patch.replace(node, made);
  }

  #home(name: string): Scope {
    return !this.#around || this.#defined.has(name) ? this : this.#around.#home(name);
  }
}
