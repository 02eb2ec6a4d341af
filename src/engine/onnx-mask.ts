/** Pruning of single weights, blocks and patterns of an ONNX graph: the graph stays, and weights hold zeros. */
import type { Document } from "../formats/onnx/document.ts";
import type { Names } from "../graph/names.ts";
import { roleOf } from "../graph/role.ts";
import { protectedWeights } from "../prune/channels/protect.ts";
import { sparsegpt, wandaMask } from "../prune/criteria/sparsegpt.ts";
import { blockOf } from "../prune/masks/block.ts";
import { axesOf } from "../prune/masks/mask.ts";
import { Instances, maskedPayload } from "../prune/masks/masked.ts";
import { SmallValues } from "../runtime/known.ts";
import { type FloatDType, isFloat } from "../tensor.ts";
import { channelsOf } from "./channels.ts";
import { type Maskable, masksOf, noteMasks } from "./masks.ts";
import type { OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import { lift } from "./onnx-remove.ts";
import type { Definition } from "./onnx-weights.ts";
import type { PrunePlan } from "./prune-plan.ts";
import { checkMasks, reasonOf, withoutSamples } from "./prune-plan.ts";
import { recover } from "./recover.ts";

/** Lets weights of the main graph hold zeros as the recipe asks, and says what is defined now. */
export async function maskWeights(
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
  plan: PrunePlan,
): Promise<Definition[]> {
  const { kernels, log, signal } = run;
  plan.note(definitions.map(({ info }) => info.name));
  const usual = await usuallyKept(document, definitions);
  const reasons = new Map<string, string>();
  const weights = definitions.flatMap((definition): (Maskable & { definition: Definition })[] => {
    const { info, payload, kept, home } = definition;
    if (!isFloat(info.dtype) || kept !== undefined || !payload || home !== document.main) return [];
    const { op, channel_axis } = roleOf(document.values, info, home);
    const axes = axesOf(op, channel_axis, info.shape.length);
    if (!axes) return [];
    const { name } = info;
    const reason = reasonOf(plan, name, usual.get(name));
    if (reason !== undefined) {
      reasons.set(name, reason);
      return [];
    }
    return [{ info, payload, axes, definition }];
  });
  if (plan.isSampled) return maskBySamples(run, document, definitions, names, plan, weights, reasons);
  const { masks, without } = await masksOf(kernels, weights, plan, signal);
  for (const [name, reason] of without) reasons.set(name, reason);
  checkMasks(masks.size, reasons, without, plan);
  for (const [name, reason] of without) log.warn("not-divided", `Weights stay whole: ${reason}`, name);
  const instances = new Instances(run.spare);
  const masked = weights.filter(({ info }) => masks.has(info.name));
  lift(
    document,
    masked.map(({ definition }) => definition),
  );
  const changed = new Map<Definition, Definition>();
  for (const { definition, payload, axes } of masked) {
    const { info } = definition;
    const mask = masks.get(info.name);
    if (!mask) continue;
    const zeros = maskedPayload(instances, payload, info.dtype as FloatDType, info.shape, mask);
    changed.set(definition, {
      ...definition,
      payload: zeros,
      isPruned: true,
      masked: plan.structure === "block" ? { block: blockOf(axes) } : {},
    });
  }
  noteMasks(
    log,
    plan,
    definitions.map(({ info }) => info),
    new Map(masked.map(({ info }) => [info.name, masks.get(info.name)?.dropped ?? 0])),
  );
  return definitions.map((definition) => changed.get(definition) ?? definition);
}

/** Prunes by what layers read of samples, layer after layer in the order of the graph. */
async function maskBySamples(
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
  plan: PrunePlan,
  weights: readonly Maskable[],
  reasons: Map<string, string>,
): Promise<Definition[]> {
  const { log } = run;
  if (!run.calibration) throw withoutSamples(plan);
  const { structure } = plan;
  const wanted = new Map(weights.map((weight) => [weight.info.name, plan.ratioOf(weight.info.name) ?? plan.sparsity]));
  const masked = new Map<string, number>();
  const sparsify = plan.criterion === "wanda" ? wandaMask : sparsegpt;
  const original = floatSource(document, definitions);
  const isMain = ({ home, kept }: Definition): boolean => home === document.main && kept === undefined;
  const own = new Map(definitions.filter(isMain).map((definition) => [definition.info.name, definition]));
  lift(
    document,
    weights.flatMap(({ info }) => own.get(info.name) ?? []),
  );
  const pruned = { original, document, definitions: own, rest: definitions.filter((each) => !isMain(each)), removal: undefined };
  const { relative_mse } = await recover(
    run,
    pruned,
    names,
    plan.criterion === "sparsegpt" ? ["bias", "least_squares"] : [],
    (spare, tap, sums, weight) => {
      const share = wanted.get(tap.weight);
      if (share === undefined) return;
      const gone = sparsify(spare, tap, sums, weight, typeof structure === "object" ? structure : { share });
      if (gone === undefined) reasons.set(tap.weight, "the samples do not tell of it, or the pattern does not divide what it reads");
      else masked.set(tap.weight, gone);
    },
  );
  const without = new Map(
    weights.flatMap(({ info: { name } }) =>
      masked.has(name) ? [] : [[name, reasons.get(name) ?? "its operator is not followed on samples"] as const],
    ),
  );
  checkMasks(masked.size, new Map([...reasons, ...without]), without, plan);
  for (const [name, reason] of without) log.warn("not-divided", `Weights stay whole: ${reason}`, name);
  noteMasks(
    log,
    plan,
    definitions.map(({ info }) => info),
    masked,
    relative_mse[1],
  );
  for (const name of masked.keys()) own.set(name, { ...(own.get(name) as Definition), masked: {} });
  const known = new Set(definitions.map(({ info }) => info.name));
  const made = [...own.values()].filter(({ info }) => !known.has(info.name));
  return [...definitions.map((each) => (isMain(each) ? (own.get(each.info.name) ?? each) : each)), ...made];
}

/** First and last layers and heads, with the reason. */
async function usuallyKept(document: Document, definitions: readonly Definition[]): Promise<Map<string, string>> {
  const { main } = document;
  const own = new Map(definitions.filter(({ home, kept }) => home === main && kept === undefined).map((each) => [each.info.name, each]));
  const constants = new Map([...own].flatMap(([name, { info, payload }]) => (payload ? [[name, info] as const] : [])));
  const { coupling } = channelsOf(document, await new SmallValues(document).of(own), constants);
  const outer = new Set(main.initializers);
  return protectedWeights(
    coupling,
    main.inputs.filter((name) => !outer.has(name)),
    main.outputs,
  );
}
