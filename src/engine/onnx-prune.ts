/** Channel pruning: two passes over the weights, one for what each channel is worth, one that leaves out what goes. */
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { spell } from "../formats/onnx/read.ts";
import { resized } from "../formats/onnx/resized.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import { Slabs } from "../kernels/slabs.ts";
import { operations } from "../ops/cost.ts";
import { inferGraph } from "../ops/infer.ts";
import { constantValue, isStatic, type Value } from "../ops/value.ts";
import { type Choice, choose, type Judged } from "../prune/channels/choose.ts";
import { Coupling } from "../prune/channels/coupling.ts";
import { type Group, groupsOf, type Place } from "../prune/channels/groups.ts";
import { judge } from "../prune/channels/judge.ts";
import { protectedWeights } from "../prune/channels/protect.ts";
import { Removal } from "../prune/channels/removal.ts";
import { shrink } from "../prune/channels/shrink.ts";
import { slicedPayload } from "../prune/channels/sliced.ts";
import { CHANNEL_CRITERIA } from "../prune/criteria/criteria.ts";
import type { ChannelCriterion } from "../prune/criteria/criterion.ts";
import { SmallValues } from "../runtime/known.ts";
import { arrayOf, BITS, byteLength, elements, type FloatDType } from "../tensor.ts";
import type { OnnxRun } from "./onnx.ts";
import type { Definition } from "./onnx-weights.ts";
import type { PrunePlan } from "./prune-plan.ts";
import type { GroupReport, Log } from "./report.ts";

export type Weights = ReadonlyMap<string, Definition>;

/** Removes channels of the main graph as the recipe asks, and says what is defined now. */
export async function pruneChannels(
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
  plan: PrunePlan,
): Promise<Definition[]> {
  const { log } = run;
  const inputs = new Set(document.ir_version < 4 ? [] : document.main.inputs);
  const isOwn = ({ home, kept, info }: Definition): boolean => home === document.main && kept === undefined && !inputs.has(info.name);
  const own: Weights = new Map(definitions.filter(isOwn).map((definition) => [definition.info.name, definition]));
  for (const definition of own.values()) spell(definition, document);
  const { coupling, operations: before } = await couplingOf(document, own);
  const groups = groupsOf(
    coupling,
    [...own].map(([name, { info }]) => [name, info.shape] as const),
  );
  const criterion = CHANNEL_CRITERIA[plan.criterion] as ChannelCriterion;
  const stays = reasons(coupling, groups, document, plan, criterion);
  const judged = await judgeAll(
    run,
    own,
    groups.filter((group) => !stays.has(group)),
    coupling,
    plan,
    criterion,
  );
  const choices = choose(judged, {
    scope: plan.scope === "patterns" ? "uniform" : plan.scope,
    sparsity: plan.sparsity,
    round_to: plan.round_to,
  });
  checkChoices(choices, groups, stays, plan, log);

  const gone = new Set(choices.flatMap((choice) => choice.gone.map(({ atom }) => atom)));
  const removal = new Removal(coupling, gone);
  const pruned = removeChannels(document, coupling, removal, own, names, log);
  const after = await verify(document, removal, pruned, coupling);
  log.pruning = {
    structure: plan.structure,
    criterion: plan.criterion,
    scope: plan.scope,
    parameters: [parametersOf(own.values()), parametersOf(pruned.values())],
    operations: [before, after],
    groups: reportsOf(groups, choices, stays),
  };
  return definitions.flatMap((definition) =>
    own.has(definition.info.name) && isOwn(definition) ? (pruned.get(definition.info.name) ?? []) : definition,
  );
}

export async function couplingOf(document: Document, own: Weights): Promise<{ coupling: Coupling; operations: number }> {
  const { main, opset } = document;
  const known = await new SmallValues(document).of(own);
  const all = inferGraph(main, known);
  const inferred = all.get(main) ?? new Map<string, Value>();
  const constants = new Map([...own].flatMap(([name, { info, payload }]) => (payload ? [[name, info] as const] : [])));
  return { coupling: Coupling.of({ main, inferred, constants, opset }), operations: operations(main, all) };
}

/** Why groups stay that do. */
function reasons(
  coupling: Coupling,
  groups: readonly Group[],
  document: Document,
  plan: PrunePlan,
  criterion: ChannelCriterion,
): Map<Group, string> {
  const { main } = document;
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
    else if (criterion.places(group, coupling.norms).length === 0) stays.set(group, `${plan.criterion} has nothing to judge it by`);
  }
  return stays;
}

/** What each unit of each group is worth: the first pass over the weights. */
async function judgeAll(
  run: OnnxRun,
  own: Weights,
  groups: readonly Group[],
  coupling: Coupling,
  plan: PrunePlan,
  criterion: ChannelCriterion,
): Promise<Judged[]> {
  const places = new Map(groups.map((group) => [group, criterion.places(group, coupling.norms)]));
  const wanted = new Map<string, Set<number>>();
  for (const { tensor, axis } of [...places.values()].flat()) wanted.set(tensor, (wanted.get(tensor) ?? new Set()).add(axis));
  const scores = new Map<string, Float64Array>();
  for (const [tensor, axes] of wanted) {
    run.signal?.throwIfAborted();
    for (const [axis, own_scores] of await observe(run, own.get(tensor) as Definition, [...axes], criterion))
      scores.set(`${tensor}\0${axis}`, own_scores);
  }
  const scoresOf = ({ tensor, axis }: Place): Float64Array => scores.get(`${tensor}\0${axis}`) as Float64Array;
  return groups.map((group) => ({
    group,
    scores: judge(group, places.get(group) ?? [], scoresOf),
    ratio: group.outputs.map(({ tensor }) => plan.ratioOf(tensor)).find((ratio) => ratio !== undefined),
  }));
}

/** Looks at a weight once, for all axes that are asked for. */
async function observe(
  { kernels }: OnnxRun,
  { info, payload }: Definition,
  axes: readonly number[],
  criterion: ChannelCriterion,
): Promise<[axis: number, scores: Float64Array][]> {
  const { arena } = kernels;
  const mark = arena.mark();
  try {
    const observers = axes.map((axis) => [axis, criterion.observe(kernels, info.name, info.shape, axis)] as const);
    const slabs = new Slabs(kernels, info.dtype as FloatDType, "float32", 1, elements(info.shape));
    const take = (all: Iterable<[x: number, n: number]>): void => {
      for (const [x, n] of all) for (const [, observer] of observers) observer.take(x, n);
    };
    for await (const chunk of payload?.chunks() ?? []) take(slabs.push(chunk));
    take(slabs.flush());
    return observers.map(([axis, observer]) => [axis, observer.scores()]);
  } finally {
    arena.reset(mark);
  }
}

/** Refuses a recipe that nothing comes of, and says where less could go than it asks for. */
function checkChoices(
  choices: readonly Choice[],
  groups: readonly Group[],
  stays: ReadonlyMap<Group, string>,
  plan: PrunePlan,
  log: Log,
): void {
  const floors = choices.filter(({ isFloor }) => isFloor).map(({ group }) => group.name);
  if (floors.length > 0 && plan.strict)
    throw new UnsupportedError(
      `The recipe would leave less of a layer than it can do with, and is strict: ${floors.slice(0, 5).join(", ")}; ask for less, or exclude them`,
      { tensor: floors[0] as string },
    );
  for (const name of floors)
    log.warn("floor", `Less was removed than asked: a tenth and ${plan.round_to} channels stay of each layer`, name);
  if (choices.some(({ gone }) => gone.length > 0)) return;
  const why = new Map<string, number>();
  for (const reason of stays.values()) why.set(reason, (why.get(reason) ?? 0) + 1);
  const common = [...why].sort(([, a], [, b]) => b - a).slice(0, 3);
  const told = common.map(([reason, n]) => `${n} of ${groups.length} groups of channels: ${reason}`);
  if (choices.length > 0) told.unshift(`so little of ${choices.length} of them is less than ${plan.round_to} channels (round_to)`);
  throw new UnsupportedError(`The recipe would prune nothing: ${told.join("; ") || "the model has no weights whose channels could go"}`);
}

/** Edits the graph and its tensors. */
export function removeChannels(
  document: Document,
  coupling: Coupling,
  removal: Removal,
  own: Weights,
  names: Names,
  log: Log,
): Map<string, Definition> {
  const { main } = document;
  const patch = new Patch();
  const shrinking = {
    coupling,
    removal,
    fresh: names.fresh,
    integers(like: string, values: readonly number[]): string {
      const name = names.fresh(like);
      patch.addVector(main, name, values);
      return name;
    },
  };
  for (const node of main.nodes) {
    const nodes = shrink(node, shrinking);
    if (nodes.length !== 1 || nodes[0] !== node) patch.replace(node, nodes);
  }
  const pruned = new Map<string, Definition>();
  for (const [name, definition] of own) {
    const left = removal.of(name);
    pruned.set(name, left ? sliced(definition, left, log) : definition);
    if (!left) continue;
    const { info } = pruned.get(name) as Definition;
    document.tensors.set(name, info);
    if (!definition.constant) continue;
    patch.remove(definition.constant);
    patch.define(main, name);
  }
  for (const [i, field] of document.graphLeaves.entries())
    document.graphLeaves[i] = resized(field, (name) => removal.of(name) && removal.shape(name));
  document.apply(patch);
  dropUnread(document, own, pruned, log);
  return pruned;
}

function sliced(definition: Definition, left: readonly (readonly number[] | undefined)[], log: Log): Definition {
  const { info, payload, constant, ...rest } = definition;
  const shape = info.shape.map((d, axis) => left[axis]?.length ?? d);
  log.pruned(info, shape);
  return {
    ...rest,
    info: { ...info, shape },
    payload: payload && slicedPayload(payload, info.shape, BITS[info.dtype] / 8, left),
    ...(constant && { lifted: true }),
    made: definition.made === true,
    isPruned: true,
  };
}

/** Shapes that nothing says any more. */
function dropUnread(document: Document, own: Weights, pruned: Map<string, Definition>, log: Log): void {
  const patch = new Patch();
  for (const [name, { info, constant }] of own) {
    const wasRead = document.values.uses(name, document.main).length > 0 || document.values.isOutput(name, document.main);
    if (wasRead || info.dtype !== "int64" || !pruned.has(name)) continue;
    pruned.delete(name);
    log.dropped(info, "a shape or list that another one stands for now", byteLength(info.dtype, info.shape));
    if (constant) patch.remove(constant);
    else patch.undefine(document.main, name);
  }
  document.apply(patch);
}

/** Infers all shapes anew: what they are must be what was meant. Gives the operations that are left. */
export async function verify(document: Document, removal: Removal, pruned: Weights, coupling: Coupling): Promise<number> {
  const { main } = document;
  const known = await new SmallValues(document).of(pruned);
  const added = new Map(main.added.map(({ bytes, ...info }) => [info.name, constantValue({ ...info, data: arrayOf(info.dtype, bytes) })]));
  const all = inferGraph(main, {
    ...known,
    value: (graph, name) => (graph === main ? added.get(name) : undefined) ?? known.value(graph, name),
  });
  const inferred = all.get(main);
  for (const node of main.nodes) {
    for (const name of node.output) {
      const [wanted, given] = [removal.shape(name), inferred?.get(name)?.shape];
      if (!coupling.shape(name) || !isStatic(wanted) || (isStatic(given) && given.join() === wanted.join())) continue;
      throw new UnsupportedError(
        `Pruning would break ${node.op_type} '${node.name || name}': it would give [${given ?? "?"}] where [${wanted}] is expected; ` +
          "protect the weights around it, and report the model",
        { node: node.name },
      );
    }
  }
  return operations(main, all);
}

const parametersOf = (definitions: Iterable<Definition>): number => {
  let count = 0;
  for (const { info } of definitions) if (info.dtype.includes("float")) count += elements(info.shape);
  return count;
};

const reportsOf = (groups: readonly Group[], choices: readonly Choice[], stays: ReadonlyMap<Group, string>): GroupReport[] => {
  const goneOf = new Map(choices.map(({ group, gone }) => [group, gone.length]));
  return groups.map((group) => {
    const { name, units, width, outputs } = group;
    const reason = stays.get(group);
    const left = units.length - (goneOf.get(group) ?? 0);
    return {
      name,
      layers: outputs.map(({ tensor }) => tensor),
      channels: [units.length * width, left * width],
      ...(width > 1 && { width }),
      ...(reason !== undefined && { reason }),
    };
  });
};
