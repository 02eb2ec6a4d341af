/** Channel pruning: two passes over the weights, one for what each channel is worth, one that leaves out what goes. */
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { spell } from "../formats/onnx/read.ts";
import type { Names } from "../graph/names.ts";
import { Slabs } from "../kernels/slabs.ts";
import { allocate, type Curve, measureOf } from "../prune/channels/allocate.ts";
import { type Choice, choose, type Judged } from "../prune/channels/choose.ts";
import type { Coupling } from "../prune/channels/coupling.ts";
import type { Group, Place } from "../prune/channels/groups.ts";
import { judge } from "../prune/channels/judge.ts";
import { Removal } from "../prune/channels/removal.ts";
import { CHANNEL_CRITERIA, SAMPLED_CRITERIA } from "../prune/criteria/criteria.ts";
import type { ChannelCriterion } from "../prune/criteria/criterion.ts";
import type { Tap } from "../prune/recover/taps.ts";
import { SmallValues } from "../runtime/known.ts";
import { elements, type FloatDType, isFloat, type TensorInfo } from "../tensor.ts";
import { type Channels, channelsOf, reasons } from "./channels.ts";
import { judgeBySamples, readersOf } from "./judge-samples.ts";
import type { OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import { lift, removeChannels, verify, type Weights } from "./onnx-remove.ts";
import type { Definition } from "./onnx-weights.ts";
import { type PrunePlan, withoutSamples } from "./prune-plan.ts";
import { recover } from "./recover.ts";
import type { GroupReport, Log } from "./report.ts";
import { measureSensitivity } from "./sensitivity.ts";

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
  plan.note(own.keys());
  const constants = new Map([...own].flatMap(([name, { info, payload }]) => (payload ? [[name, info] as const] : [])));
  const channels = channelsOf(document, await new SmallValues(document).of(own), constants);
  const { coupling, groups } = channels;
  const sampledBy = SAMPLED_CRITERIA[plan.criterion];
  const criterion = CHANNEL_CRITERIA[plan.criterion] as ChannelCriterion;
  if (plan.isSampled && !run.calibration && !(run.sensitivity && !sampledBy)) throw withoutSamples(plan);
  const readers = sampledBy ? readersOf(coupling, own) : new Map<string, Tap>();
  const isJudged = (group: Group): boolean =>
    sampledBy ? group.inputs.some(({ tensor }) => readers.has(tensor)) : criterion.places(group, coupling.norms).length > 0;
  const stays = reasons(channels, document, plan, isJudged);
  const free = groups.filter((group) => !stays.has(group));
  const worth = sampledBy
    ? await judgeBySamples(run, document, definitions, own, free, readers, sampledBy)
    : await judgeAll(run, own, free, coupling, criterion);
  const judged = worth.map((each) => ({ ...each, ratio: ratioOf(plan, each.group) }));
  const curves = plan.scope === "sensitivity" ? (run.sensitivity ?? (await curvesOf(run, document, definitions, own, judged))) : undefined;
  const aimed = curves ? withRatios(judged, curves, channels, constants, plan, definitions) : judged;
  const choices = choose(aimed, {
    scope: plan.scope === "global" ? "global" : "uniform",
    sparsity: plan.sparsity,
    round_to: plan.round_to,
  });
  checkChoices(choices, groups, stays, plan, log);

  const gone = new Set(choices.flatMap((choice) => choice.gone.map(({ atom }) => atom)));
  const removal = new Removal(coupling, gone);
  const original = plan.recover.length > 0 ? floatSource(document, definitions) : undefined;
  const pruned = removeChannels(document, coupling, removal, own, names, log);
  const after = await verify(document, removal, pruned, coupling);
  const rest = definitions.filter((definition) => !(own.has(definition.info.name) && isOwn(definition)));
  const recovery = original && (await recover(run, { original, document, definitions: pruned, rest, removal }, names, plan.recover));
  log.pruning = {
    structure: plan.word,
    criterion: plan.criterion,
    scope: plan.scope,
    parameters: [parametersOf(own.values()), parametersOf(pruned.values())],
    operations: [channels.operations, after],
    groups: reportsOf(groups, choices, stays),
    ...(curves && { sensitivity: curves }),
    ...(recovery && { recovery }),
  };
  const made = [...pruned.values()].filter(({ info }) => !own.has(info.name));
  const others = new Set(rest);
  const left = definitions.flatMap((definition) => (others.has(definition) ? definition : (pruned.get(definition.info.name) ?? [])));
  return [...left, ...made];
}

/** What each group's loss does to the outputs. */
async function curvesOf(
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  own: Weights,
  judged: readonly Judged[],
): Promise<Curve[]> {
  const parts = new Set(judged.flatMap(({ group }) => group.units.flatMap((unit) => unit.parts.map(({ tensor }) => tensor))));
  lift(
    document,
    [...parts].flatMap((name) => own.get(name) ?? []),
  );
  return measureSensitivity(run, document, definitions, judged);
}

/** The groups with the ratios that reach the recipe's target with the least error. */
function withRatios(
  judged: readonly Judged[],
  curves: readonly Curve[],
  { coupling, uses }: Channels,
  constants: ReadonlyMap<string, TensorInfo>,
  plan: PrunePlan,
  definitions: readonly Definition[],
): Judged[] {
  const groups = judged.map(({ group }) => group);
  const byName = new Map(curves.map((curve) => [curve.group, curve]));
  const known = new Map(groups.flatMap((group) => (byName.has(group.name) ? [[group, byName.get(group.name) as Curve] as const] : [])));
  if (known.size === 0) throw new UnsupportedError("The sensitivity that was given is of another model: it has none of this one's groups");
  const { max_bytes, max_latency_ratio } = plan.target;
  const weigh = (name: string): number => (max_latency_ratio === undefined ? 1 : (uses.get(name) ?? 0));
  const floats = new Map([...constants].flatMap(([name, { dtype, shape }]) => (isFloat(dtype) ? [[name, shape] as const] : [])));
  const bytes = definitions.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0);
  const target = max_latency_ratio ?? (max_bytes === undefined ? 1 - plan.sparsity : Math.min(1, max_bytes / bytes));
  const ratios = allocate(groups, known, measureOf(coupling, groups, floats, weigh), target);
  return judged.map((each) => ({ ...each, ratio: ratios.get(each.group) ?? 0 }));
}

/** What each unit of each group is worth: the first pass over the weights. */
async function judgeAll(
  run: OnnxRun,
  own: Weights,
  groups: readonly Group[],
  coupling: Coupling,
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
  return groups.map((group) => ({ group, scores: judge(group, places.get(group) ?? [], scoresOf) }));
}

/** The share of a group that a pattern of the recipe asks for. */
const ratioOf = (plan: PrunePlan, { outputs }: Group): number | undefined =>
  outputs.map(({ tensor }) => plan.ratioOf(tensor)).find((ratio) => ratio !== undefined);

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
