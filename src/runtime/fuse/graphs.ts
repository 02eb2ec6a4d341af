import type { Document } from "../../formats/onnx/document.ts";
import { definedNames, type Graph } from "../../graph/graph.ts";
import { type Constant, Model } from "../../optimize/model.ts";
import type { SmallValues } from "../known.ts";
import { fuse } from "./fuse.ts";
import type { Made } from "./made.ts";

/** Graphs within the main graph that are fused, at most. */
const MAX_GRAPHS = 64;

/** A graph's constants after its fusions, and the nodes that make some of others, by the name of what they make. */
export interface Fused {
  constants: ReadonlyMap<string, Constant>;
  made: ReadonlyMap<string, Made>;
}

/** The constants of a graph, which sees those of the graphs around it too. */
class Scope extends Map<string, Constant> {
  readonly #outer: ReadonlyMap<string, Constant>;
  readonly #own: ReadonlySet<string>;

  constructor(graph: Graph, outer: ReadonlyMap<string, Constant>) {
    super();
    this.#outer = outer;
    this.#own = new Set(definedNames(graph));
  }

  override get(name: string): Constant | undefined {
    return super.get(name) ?? (this.#own.has(name) ? undefined : this.#outer.get(name));
  }

  override has(name: string): boolean {
    return super.has(name) || (!this.#own.has(name) && this.#outer.has(name));
  }
}

/** Fuses the main graph, then those within it, outermost first. `constantsOf` gives the constants of one within. */
export async function fuseAll(
  document: Document,
  main: Model,
  small: SmallValues,
  constantsOf: (graph: Graph) => readonly Constant[],
): Promise<ReadonlyMap<Graph, Fused>> {
  const all = new Map<Graph, Fused>();

  async function within(outer: Model, made: ReadonlyMap<string, Made>): Promise<void> {
    for (const graph of outer.main.nodes.flatMap((node) => node.graphs)) {
      if (all.size > MAX_GRAPHS) return;
      const view = {
        main: graph,
        opset: document.opset,
        apply: (patch: Parameters<Document["apply"]>[0]) => document.apply(patch),
        get values() {
          return document.values;
        },
      };
      const model = new Model(view, constantsOf(graph), main.fresh, new Scope(graph, outer.constants));
      const inputs = new Set(graph.inputs);
      const known = async (constants: ReadonlyMap<string, Constant>) => {
        const every = await small.of(constants, graph);
        // What a body declares of its inputs may hold in its first turn only.
        return {
          ...every,
          value: (home: Graph, name: string) => (home === graph && inputs.has(name) ? undefined : every.value(home, name)),
        };
      };
      const own = await fuse(model, known, outer.inferred);
      all.set(graph, { constants: model.constants, made: new Map([...made, ...own]) });
      await within(model, new Map([...made, ...own]));
    }
  }

  const made = await fuse(main, (constants) => small.of(constants));
  all.set(document.main, { constants: main.constants, made });
  await within(main, made);
  return all;
}
