import type { TensorBytes } from "../tensor.ts";
import { type Graph, graphs, type Node } from "./graph.ts";

/**
 * The edits of one stage, gathered and then applied at once: the only way a graph is changed. The next stage sees the result.
 * Nodes are never edited in place, so an untouched node keeps the bytes it came in.
 */
export class Patch {
  readonly #replaced = new Map<Node, readonly Node[]>();
  readonly #prepended = new Map<Graph, Node[]>();
  readonly #added = new Map<Graph, TensorBytes[]>();
  readonly #defined = new Map<Graph, string[]>();
  readonly #undefined = new Map<Graph, Set<string>>();

  /** Puts `nodes` where `node` stood. */
  replace(node: Node, nodes: readonly Node[]): void {
    this.#replaced.set(node, nodes);
  }

  remove(node: Node): void {
    this.#replaced.set(node, []);
  }

  /** Puts `nodes` before all others, in the order of the calls. */
  prepend(graph: Graph, nodes: readonly Node[]): void {
    listOf(this.#prepended, graph).push(...nodes);
  }

  /** Adds an initializer with its elements. */
  addTensor(graph: Graph, tensor: TensorBytes): void {
    listOf(this.#added, graph).push(tensor);
  }

  /** Adds an int64 initializer of one dimension. A value beyond int64 becomes the nearest: read as a double, its greatest is beyond. */
  addVector(graph: Graph, name: string, values: readonly number[]): void {
    const bytes = new Uint8Array(BigInt64Array.from(values, int64).buffer);
    this.addTensor(graph, { name, dtype: "int64", shape: [values.length], bytes });
  }

  /** Says that a graph has an initializer, whose elements are written apart. */
  define(graph: Graph, name: string): void {
    listOf(this.#defined, graph).push(name);
  }

  /** Takes a name out of the graph's initializers and inputs: something else defines it now, or nothing reads it. */
  undefine(graph: Graph, name: string): void {
    const names = this.#undefined.get(graph) ?? new Set();
    this.#undefined.set(graph, names.add(name));
  }

  /** Applies the edits to `main` and what is within it. Call it once; `Document.apply` keeps account of what has changed. */
  apply(main: Graph): void {
    for (const graph of [...graphs(main)]) {
      const prepended = this.#prepended.get(graph);
      if (prepended || graph.nodes.some((node) => this.#replaced.has(node))) {
        graph.nodes = [...(prepended ?? []), ...graph.nodes.flatMap((node) => this.#replaced.get(node) ?? [node])];
        graph.edited = true;
      }
      const names = this.#undefined.get(graph);
      if (names) {
        graph.initializers = graph.initializers.filter((name) => !names.has(name));
        graph.inputs = graph.inputs.filter((name) => !names.has(name));
        graph.added = graph.added.filter(({ name }) => !names.has(name));
        graph.edited = true;
      }
      const defined = this.#defined.get(graph);
      if (defined) {
        graph.initializers.push(...defined);
        graph.edited = true;
      }
      const added = this.#added.get(graph);
      if (added) {
        graph.added.push(...added);
        graph.initializers.push(...added.map(({ name }) => name));
        graph.edited = true;
      }
    }
  }
}

const GREATEST = 2n ** 63n - 1n;

function int64(value: number): bigint {
  const wide = BigInt(value);
  return wide > GREATEST ? GREATEST : wide < -GREATEST ? -GREATEST - 1n : wide;
}

function listOf<T>(lists: Map<Graph, T[]>, graph: Graph): T[] {
  const list = lists.get(graph) ?? [];
  lists.set(graph, list);
  return list;
}
