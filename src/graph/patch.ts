import type { Graph, Node } from "./graph.ts";

/**
 * The edits of one run, gathered and then applied at once: the only way a graph is changed.
 * Nodes are never edited in place, so an untouched node keeps the bytes it came in.
 */
export class Patch {
  readonly #replaced = new Map<Node, readonly Node[]>();
  readonly #prepended = new Map<Graph, Node[]>();
  readonly #vectors = new Map<Graph, Map<string, readonly number[]>>();
  readonly #dropped = new Map<Graph, Set<string>>();

  /** Puts `nodes` where `node` stood. */
  replace(node: Node, nodes: readonly Node[]): void {
    this.#replaced.set(node, nodes);
  }

  remove(node: Node): void {
    this.#replaced.set(node, []);
  }

  /** Puts `nodes` before all others, in the order of the calls. */
  prepend(graph: Graph, nodes: readonly Node[]): void {
    const list = this.#prepended.get(graph);
    if (list) list.push(...nodes);
    else this.#prepended.set(graph, [...nodes]);
  }

  /** Adds an int64 initializer of one dimension. */
  addVector(graph: Graph, name: string, values: readonly number[]): void {
    const list = this.#vectors.get(graph) ?? new Map<string, readonly number[]>();
    this.#vectors.set(graph, list.set(name, values));
  }

  /** The vectors that were added to a graph, by name. */
  vectors(graph: Graph): ReadonlyMap<string, readonly number[]> {
    return this.#vectors.get(graph) ?? new Map();
  }

  /** Takes a name out of the graph's initializers and inputs: something else defines it now. */
  undefine(graph: Graph, name: string): void {
    const names = this.#dropped.get(graph) ?? new Set();
    this.#dropped.set(graph, names.add(name));
  }

  isUndefined(graph: Graph, name: string): boolean {
    return this.#dropped.get(graph)?.has(name) ?? false;
  }

  /** The nodes of a graph after the edits. */
  nodes(graph: Graph): Node[] {
    return [...(this.#prepended.get(graph) ?? []), ...graph.nodes.flatMap((node) => this.#replaced.get(node) ?? [node])];
  }

  /** Whether the graph or one within it is edited. */
  touches(graph: Graph): boolean {
    return (
      this.#prepended.has(graph) ||
      this.#dropped.has(graph) ||
      graph.nodes.some((node) => this.#replaced.has(node) || node.graphs.some((inner) => this.touches(inner)))
    );
  }
}
