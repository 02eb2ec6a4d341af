/** Which elements of which weights become zero. */
import type { Kernels } from "../kernels/kernels.ts";
import { Slabs } from "../kernels/slabs.ts";
import type { Payload } from "../payload.ts";
import { Blocks, hasBlocks } from "../prune/masks/block.ts";
import type { Axes, Mask } from "../prune/masks/mask.ts";
import { patternMask } from "../prune/masks/pattern.ts";
import { PASSES, Selection } from "../prune/masks/unstructured.ts";
import { elements, type FloatDType, isFloat, type TensorInfo } from "../tensor.ts";
import type { PrunePlan } from "./prune-plan.ts";
import type { Log } from "./report.ts";

/** A weight that can be masked. */
export interface Maskable {
  info: TensorInfo;
  payload: Payload;
  axes: Axes;
}

/** The masks of weights, by their names, and why some have none. `kernels` are free while it runs. */
export async function masksOf(
  kernels: Kernels,
  weights: readonly Maskable[],
  plan: PrunePlan,
  signal: AbortSignal | undefined,
): Promise<{ masks: Map<string, Mask>; without: Map<string, string> }> {
  const { structure } = plan;
  const without = new Map<string, string>();
  if (typeof structure === "object") {
    const masks = new Map<string, Mask>();
    for (const { info, axes } of weights) {
      const mask = patternMask(info.shape, axes, structure);
      if (mask) masks.set(info.name, mask);
      else without.set(info.name, `${plan.word} does not divide the ${info.shape[axes.input]} that it sums over`);
    }
    return { masks, without };
  }
  const isKnown = ({ info, axes }: Maskable): boolean => structure !== "block" || hasBlocks(info.shape, axes);
  const known = weights.filter(isKnown);
  for (const weight of weights) if (!isKnown(weight)) without.set(weight.info.name, "it has no blocks of 8 outputs by 4 inputs");
  const ratioOf = ({ info }: Maskable): number => plan.ratioOf(info.name) ?? plan.sparsity;
  const masks = await (structure === "block" ? blockMasks : unstructuredMasks)(kernels, known, plan, ratioOf, signal);
  return { masks, without };
}

/** Walks over a weight in units. */
async function walk(
  kernels: Kernels,
  { info, payload }: Maskable,
  unit: number,
  begin: () => (x: number, n: number) => void,
): Promise<void> {
  const mark = kernels.arena.mark();
  try {
    const slabs = new Slabs(kernels, info.dtype as FloatDType, "float32", unit, elements(info.shape));
    const take = begin();
    for await (const chunk of payload.chunks()) for (const [x, n] of slabs.push(chunk)) take(x, n);
    for (const [x, n] of slabs.flush()) take(x, n);
  } finally {
    kernels.arena.reset(mark);
  }
}

/** Weights that are judged together: all of them, or each alone. */
function sharing(
  weights: readonly Maskable[],
  { scope }: PrunePlan,
  ratioOf: (weight: Maskable) => number,
): [ratio: number, weights: readonly Maskable[]][] {
  return scope === "global" ? [[ratioOf(weights[0] as Maskable), weights]] : weights.map((weight) => [ratioOf(weight), [weight]]);
}

async function unstructuredMasks(
  kernels: Kernels,
  weights: readonly Maskable[],
  plan: PrunePlan,
  ratioOf: (weight: Maskable) => number,
  signal: AbortSignal | undefined,
): Promise<Map<string, Mask>> {
  const masks = new Map<string, Mask>();
  if (weights.length === 0) return masks;
  for (const [ratio, together] of sharing(weights, plan, ratioOf)) {
    const selection = new Selection((total) => Math.round(total * ratio));
    for (let pass = 0; pass < PASSES; pass++) {
      for (const weight of together) {
        signal?.throwIfAborted();
        await walk(kernels, weight, 1, () => selection.observe(kernels, weight.info.name));
      }
      selection.next();
    }
    for (const [name, mask] of selection.masks()) masks.set(name, mask);
  }
  return masks;
}

async function blockMasks(
  kernels: Kernels,
  weights: readonly Maskable[],
  plan: PrunePlan,
  ratioOf: (weight: Maskable) => number,
  signal: AbortSignal | undefined,
): Promise<Map<string, Mask>> {
  const masks = new Map<string, Mask>();
  if (weights.length === 0) return masks;
  for (const [ratio, together] of sharing(weights, plan, ratioOf)) {
    const all: [string, Blocks][] = [];
    for (const weight of together) {
      signal?.throwIfAborted();
      const blocks = new Blocks(weight.info.shape, weight.axes);
      await walk(kernels, weight, blocks.view.unit, () => (x, n) => blocks.take(kernels, x, n));
      all.push([weight.info.name, blocks]);
    }
    // Of equal blocks the first go. An index is exact in a double.
    const count = all.reduce((n, [, { energies }]) => n + energies.length, 0);
    const energies = new Float32Array(count);
    let at = 0;
    for (const [, each] of all) {
      energies.set(each.energies, at);
      at += each.energies.length;
    }
    const order = Float64Array.from(energies.keys()).sort((a, b) => (energies[a] as number) - (energies[b] as number) || a - b);
    const keep = new Uint8Array(count).fill(1);
    for (const index of order.subarray(0, Math.round(count * ratio))) keep[index] = 0;
    at = 0;
    for (const [name, each] of all) {
      masks.set(name, each.mask(keep.slice(at, at + each.energies.length)));
      at += each.energies.length;
    }
  }
  return masks;
}

/** Tells the report what became zero: of each weight by its name, among all tensors of the model. */
export function noteMasks(
  log: Log,
  plan: PrunePlan,
  tensors: readonly TensorInfo[],
  dropped: ReadonlyMap<string, number>,
  relative_mse?: number,
): void {
  let [all, total, gone] = [0, 0, 0];
  for (const info of tensors) {
    const count = elements(info.shape);
    const own = dropped.get(info.name);
    if (isFloat(info.dtype)) all += count;
    if (own === undefined) continue;
    [total, gone] = [total + count, gone + own];
    log.pruned(info, { sparsity: own / count });
  }
  log.pruning = {
    structure: plan.word,
    criterion: plan.criterion,
    scope: typeof plan.structure === "object" ? "uniform" : plan.scope,
    sparsity: gone / Math.max(total, 1),
    parameters: [all, all - gone],
    ...(relative_mse !== undefined && { relative_mse }),
  };
}
