import type { Document } from "../formats/onnx/document.ts";
import { knownOf } from "../formats/onnx/known.ts";
import type { Graph } from "../graph/graph.ts";
import type { Known } from "../ops/op.ts";
import { MAX_KNOWN_ELEMENTS, type Value } from "../ops/value.ts";
import type { Constant } from "../optimize/model.ts";
import { bytesIn } from "../payload.ts";
import { arrayOf, elements } from "../tensor.ts";

/** What is known of constants: types, shapes and, of small ones, the elements. */
export class SmallValues {
  readonly #document: Document;
  readonly #values = new Map<Constant, Value>();
  readonly #graphs = new Map<Graph, ReadonlyMap<string, Value>>();

  constructor(document: Document) {
    this.#document = document;
  }

  /** What is known of everything, `constants` being all those of a graph. */
  async of(constants: ReadonlyMap<string, Constant>, graph: Graph = this.#document.main): Promise<Known> {
    const values = new Map<string, Value>();
    for (const [name, constant] of constants) {
      const value = this.#values.get(constant) ?? (await small(constant));
      this.#values.set(constant, value);
      values.set(name, value);
    }
    this.#graphs.set(graph, values);
    const known = knownOf(this.#document, this.#graphs.get(this.#document.main) ?? new Map());
    const isInner = (home: Graph) => home !== this.#document.main && this.#graphs.has(home);
    return { ...known, value: (home, name) => (isInner(home) ? this.#graphs.get(home)?.get(name) : undefined) ?? known.value(home, name) };
  }
}

async function small({ info: { dtype, shape }, payload }: Constant): Promise<Value> {
  if (!payload || dtype === "string" || elements(shape) > MAX_KNOWN_ELEMENTS) return { dtype, shape };
  return { dtype, shape, constant: { dtype, shape, data: arrayOf(dtype, await bytesIn(payload)) } };
}
