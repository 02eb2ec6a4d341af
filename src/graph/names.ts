import { UnsupportedError } from "../errors.ts";
import type { Node } from "./graph.ts";

/** Names for what is added, distinct from every name the model has. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #given = new Set<string>();
  readonly #next = new Map<string, number>(); // suffixes below are taken

  /** Takes note of a name of the model. */
  add(name: string): void {
    if (this.#given.has(name))
      throw new UnsupportedError(
        `The name '${name}' was given to a new tensor before the model used it; give the model as a source that can be read again`,
      );
    this.#taken.add(name);
  }

  /** Takes note of every name a node uses. */
  addNode(node: Node): void {
    for (const name of [...node.input, ...node.output]) this.add(name);
    for (const graph of node.graphs) {
      for (const name of [...graph.inputs, ...graph.initializers]) this.add(name);
      for (const inner of graph.nodes) this.addNode(inner);
    }
  }

  readonly fresh = (name: string): string => {
    let candidate = name;
    let i = this.#next.get(name) ?? 2;
    while (this.#taken.has(candidate)) candidate = `${name}_${i++}`;
    this.#next.set(name, i);
    this.#taken.add(candidate);
    this.#given.add(candidate);
    return candidate;
  };
}
