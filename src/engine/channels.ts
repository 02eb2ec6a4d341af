/** The groups of channels of an ONNX graph, and which of them stay. */
import type { Document } from "../formats/onnx/document.ts";
import { operations, products } from "../ops/cost.ts";
import { inferGraph } from "../ops/infer.ts";
import type { Known } from "../ops/op.ts";
import type { Value } from "../ops/value.ts";
import { Coupling } from "../prune/channels/coupling.ts";
import { type Group, groupsOf } from "../prune/channels/groups.ts";
import { protectedWeights } from "../prune/channels/protect.ts";
import { elements, type TensorInfo } from "../tensor.ts";
import type { PrunePlan } from "./prune-plan.ts";

/** What is known of a model's channels. */
export interface Channels {
  coupling: Coupling;
  groups: readonly Group[];
  /** Of the model's products, for one run. */
  operations: number;
  /** How often a run multiplies by each element of a weight. */
  uses: ReadonlyMap<string, number>;
}

/** Follows the channels of the main graph, `constants` being the tensors that it has and no caller gives. */
export function channelsOf({ main, opset }: Document, known: Known, constants: ReadonlyMap<string, TensorInfo>): Channels {
  const all = inferGraph(main, known);
  const inferred = all.get(main) ?? new Map<string, Value>();
  const coupling = Coupling.of({ main, inferred, constants, opset });
  const shapes = [...constants].map(([name, { shape }]) => [name, shape] as const);
  const uses = new Map<string, number>();
  for (const [{ input }, count] of products(main, all)) {
    const weight = input.map((name) => coupling.rootOf(name)).find((name) => name !== undefined);
    const size = elements(constants.get(weight ?? "")?.shape ?? []);
    if (weight !== undefined && size > 0) uses.set(weight, (uses.get(weight) ?? 0) + count / size);
  }
  return { coupling, groups: groupsOf(coupling, shapes), operations: operations(main, all), uses };
}

/** Why groups stay that do. */
export function reasons(
  { coupling, groups }: Channels,
  { main }: Document,
  plan: PrunePlan,
  isJudged: (group: Group) => boolean,
): Map<Group, string> {
  const outer = new Set(main.initializers);
  const defaults = protectedWeights(
    coupling,
    main.inputs.filter((name) => !outer.has(name)),
    main.outputs,
  );
  const stays = new Map<Group, string>();
  for (const group of groups) {
    const weights = group.outputs.map(({ tensor }) => tensor);
    const parts = group.units[0]?.parts.map(({ tensor }) => tensor) ?? [];
    const excluded = weights.filter((name) => plan.isExcluded(name));
    const kept = parts.filter((name) => plan.isProtected(name));
    const asked = weights.map((name) => plan.ratioOf(name)).find((ratio) => ratio !== undefined);
    const usual = weights.map((name) => defaults.get(name)).find(Boolean);
    if (group.reason) stays.set(group, `${group.reason.node}: ${group.reason.why}`);
    else if (kept.length > 0) stays.set(group, `protected by the recipe: ${kept[0]}`);
    else if (excluded.length > 0) stays.set(group, `excluded by the recipe: ${excluded[0]}`);
    else if (plan.scope === "patterns" && asked === undefined) stays.set(group, "no pattern of the recipe's scope names it");
    else if (usual && asked === undefined) stays.set(group, usual);
    else if (!isJudged(group)) stays.set(group, `${plan.criterion} has nothing to judge it by`);
  }
  return stays;
}
