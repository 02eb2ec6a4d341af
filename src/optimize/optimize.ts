import { Patch } from "../graph/patch.ts";
import { inferGraph } from "../ops/infer.ts";
import type { Known } from "../ops/op.ts";
import { affine } from "./affine.ts";
import { dead } from "./dead.ts";
import { duplicateConstants, duplicateNodes } from "./duplicates.ts";
import { fold } from "./fold.ts";
import { identities, pairs } from "./identities.ts";
import { type Constant, type Editable, Model, type Outcome } from "./model.ts";
import { pads } from "./pads.ts";
import { fills, reshapes } from "./shapes.ts";

/** Each round sees what the one before made possible; models in use need three or four. */
const MAX_ROUNDS = 16;

export interface Optimized extends Outcome {
  /** Nodes of the main graph. */
  nodes: [before: number, after: number];
  /** The constants that are left, in the order of the source, then those that were made. */
  constants: Constant[];
}

/**
 * Simplifies the main graph: constants are lifted out of nodes and folded, what scales and shifts a convolution's channels goes into its
 * weight, and nodes that do nothing, compute what another does, or that nobody reads, are dropped. Outputs stay equal to 1e-5.
 * Weights are not read but where two look the same: `Constant.scaling` says what to multiply into one as it is written. `rounds` bounds how often
 * the passes go over the graph.
 */
export async function optimize(
  graph: Editable,
  constants: readonly Constant[],
  known: (constants: ReadonlyMap<string, Constant>) => Promise<Known>,
  fresh: (name: string) => string,
  rounds: number = MAX_ROUNDS,
): Promise<Optimized> {
  const model = new Model(graph, constants, fresh);
  const before = model.main.nodes.length;
  lift(model);
  for (let round = 0, changed = true; changed && round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve)); // others have their turn: rounds may be long, and wait for nothing
    model.known = await known(model.constants);
    model.inferred = inferGraph(model.main, model.known).get(model.main) ?? new Map();
    changed = false;
    for (const pass of [identities, pairs, reshapes, fills, pads, affine, duplicateNodes, dead, fold])
      changed = (await pass(model)) || changed;
    changed = (await duplicateConstants(model)) || changed;
  }
  dead(model);
  return { ...model.outcome, nodes: [before, model.main.nodes.length], constants: [...model.constants.values()] };
}

/** Makes initializers of Constant nodes. */
function lift(model: Model): void {
  const patch = new Patch();
  for (const constant of model.constants.values()) {
    if (!constant.constant || !constant.payload) continue;
    patch.remove(constant.constant);
    patch.define(model.main, constant.info.name);
    delete constant.constant;
    constant.lifted = true;
  }
  model.apply(patch);
}
