/** Layers that are pruned only where a recipe asks for it: the first, the last, and the heads of detectors. */
import { type Node, reads } from "../../graph/graph.ts";
import type { Coupling, Layer } from "./coupling.ts";

/** Heads are small beside what they share: where they are more than this of a model's layers, its outputs have little in common. */
const MAX_HEAD_SHARE = 0.5;
/** Last layers of a model with heads, at most: where there are more, each is looked at alone. */
const MAX_LAST = 64;

/** Why the channels that a weight makes stay unless they are asked for, by its name. */
export function protectedWeights(c: Coupling, inputs: readonly string[], outputs: readonly string[]): Map<string, string> {
  const layers = c.layers.filter(({ weight }) => c.rootOf(weight) !== undefined);
  const graph = new Layers(c, layers);
  const why = new Map<string, string>();
  const add = (layer: Layer, reason: string): void => {
    const name = c.rootOf(layer.weight) as string;
    if (!why.has(name)) why.set(name, reason);
  };
  for (const layer of graph.after(inputs)) add(layer, "a first layer: what it leaves out of an input nothing brings back");
  const last = graph.before(outputs);
  for (const layer of last) add(layer, "a last layer");
  const heads = last.size <= MAX_LAST ? graph.heads(last) : new Set<Layer>();
  if (last.size > 1 && heads.size <= layers.length * MAX_HEAD_SHARE)
    for (const layer of heads) add(layer, "a head: it leads to one output layer alone");
  return why;
}

/** The layers of a graph and what lies between them. */
class Layers {
  readonly #coupling: Coupling;
  readonly #byNode: ReadonlyMap<Node, Layer>;

  constructor(coupling: Coupling, layers: readonly Layer[]) {
    this.#coupling = coupling;
    this.#byNode = new Map(layers.map((layer) => [layer.node, layer]));
  }

  /** The layers that read what comes of the named values without another layer between. */
  after(names: readonly string[]): Set<Layer> {
    return this.#walk(
      names,
      (name) => this.#coupling.readers(name),
      ({ output }) => output,
    );
  }

  /** The layers that the named values come of without another layer between. */
  before(names: readonly string[]): Set<Layer> {
    const maker = (name: string): readonly Node[] => {
      const node = this.#coupling.maker(name);
      return node ? [node] : [];
    };
    return this.#walk(names, maker, (node) => [...reads(node)]);
  }

  #walk(names: readonly string[], next: (name: string) => readonly Node[], onwards: (node: Node) => readonly string[]): Set<Layer> {
    const found = new Set<Layer>();
    const seen = new Set<Node>();
    const waiting = [...names];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      for (const node of next(name)) {
        if (seen.has(node)) continue;
        seen.add(node);
        const layer = this.#byNode.get(node);
        if (layer) found.add(layer);
        else waiting.push(...onwards(node).filter(Boolean));
      }
    }
    return found;
  }

  /** The layers that lead to one of the last ones alone. */
  heads(last: ReadonlySet<Layer>): Set<Layer> {
    const counts = new Map<Layer, number>();
    const known = new Map<Layer, readonly Layer[]>();
    for (const end of last) {
      const seen = new Set<Layer>();
      const waiting: Layer[] = [end];
      for (let layer = waiting.pop(); layer; layer = waiting.pop()) {
        if (seen.has(layer)) continue;
        seen.add(layer);
        counts.set(layer, (counts.get(layer) ?? 0) + 1);
        const before = known.get(layer) ?? [...this.before([...reads(layer.node)].filter(Boolean))];
        known.set(layer, before);
        for (const each of before) waiting.push(each);
      }
    }
    return new Set([...counts].flatMap(([layer, count]) => (count === 1 ? [layer] : [])));
  }
}
