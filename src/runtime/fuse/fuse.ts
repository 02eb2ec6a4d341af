import { inferGraph } from "../../ops/infer.ts";
import type { Known } from "../../ops/op.ts";
import type { Value } from "../../ops/value.ts";
import { dead } from "../../optimize/dead.ts";
import type { Constant, Model } from "../../optimize/model.ts";
import { activations } from "./activations.ts";
import { affines } from "./affines.ts";
import { attention } from "./attention.ts";
import { blockProducts } from "./block-products.ts";
import { byteFunctions } from "./byte-functions.ts";
import { channelsLast } from "./channels-last.ts";
import { dynamicProducts } from "./dynamic-products.ts";
import { ends } from "./ends.ts";
import { type Made, madeOnce } from "./made.ts";
import { batchNormalizations, normalizations } from "./normalizations.ts";
import { products } from "./products.ts";
import { qoperators } from "./qoperators.ts";
import { quantizedProducts } from "./quantized-products.ts";
import { joinedLookups, quantizedValues, tables } from "./quantized-values.ts";
import { recurrent } from "./recurrent.ts";
import { shuffles } from "./shuffles.ts";
import { moveTransposes } from "./transposes.ts";
import { widen } from "./widen.ts";

/** A pass over the graph, whose values have been inferred: says whether it changed anything. */
export type Fusion = (model: Model) => boolean | Promise<boolean>;

/**
 * Values keep their names where an operator takes the place of others, so what is known of them holds from pass to pass; it is inferred anew
 * where the next passes look at values that are new. The first look at weights as they stand in the file.
 */
const WEIGHTS: readonly Fusion[] = [
  normalizations,
  batchNormalizations,
  dead,
  activations,
  byteFunctions,
  dead,
  quantizedProducts,
  quantizedValues,
  blockProducts,
  dead,
];
const LAYOUT: readonly Fusion[] = [shuffles, dead, dynamicProducts, channelsLast, products, recurrent, moveTransposes];
const ENDS: readonly Fusion[] = [normalizations, attention, dead, joinedLookups, dead, tables, ends, affines, dead];

/**
 * Fuses what one kernel does. Gives the nodes that make constants of constants, by the name of what they make. `outer` is what is known of
 * the values of graphs around.
 */
export async function fuse(
  model: Model,
  known: (constants: ReadonlyMap<string, Constant>) => Promise<Known>,
  outer: ReadonlyMap<string, Value> = new Map(),
): Promise<ReadonlyMap<string, Made>> {
  const infer = async () => {
    model.known = await known(model.constants);
    const own = inferGraph(model.main, model.known, (name) => outer.get(name)).get(model.main) ?? [];
    model.inferred = new Map([...outer, ...own]);
  };
  const run = async (fusions: readonly Fusion[]) => {
    for (const fusion of fusions) await fusion(model);
  };
  await infer();
  if (widen(model)) await infer();
  if (await qoperators(model)) await infer();
  await run(WEIGHTS);
  await infer();
  const made = madeOnce(model);
  await run(LAYOUT);
  await infer();
  await run(ENDS);
  return made;
}
