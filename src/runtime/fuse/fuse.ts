import type { Node } from "../../graph/graph.ts";
import { inferGraph } from "../../ops/infer.ts";
import type { Known } from "../../ops/op.ts";
import type { Constant, Model } from "../../optimize/model.ts";

/** A pass over the graph: says whether it changed anything. */
export type Fusion = (model: Model) => boolean | Promise<boolean>;

const FUSIONS: readonly Fusion[] = [];

/** Fuses what one kernel does. Gives the nodes that make constants of constants, by the name of what they make. */
export async function fuse(
  model: Model,
  known: (constants: ReadonlyMap<string, Constant>) => Promise<Known>,
): Promise<ReadonlyMap<string, Node>> {
  for (const fusion of FUSIONS) {
    model.known = await known(model.constants);
    model.inferred = inferGraph(model.main, model.known).get(model.main) ?? new Map();
    await fusion(model);
  }
  return new Map();
}
