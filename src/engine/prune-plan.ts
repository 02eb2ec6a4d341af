import { UnsupportedError } from "../errors.ts";
import { CHANNEL_CRITERIA, SAMPLED_CRITERIA } from "../prune/criteria/criteria.ts";
import { type PatternShape, patternOf } from "../prune/masks/pattern.ts";
import { Pattern, PatternWork } from "./pattern.ts";
import type { PruneRecipe, Recipe } from "./recipe.ts";
import type { Method } from "./recover.ts";

/** Channels that are left of a layer are a multiple of this unless the recipe says otherwise: what kernels take at a time. */
const ROUND_TO = 8;

/** What judges single weights, and which of it looks at what layers read of samples. */
const SAMPLED_WEIGHT_CRITERIA: readonly string[] = ["wanda", "sparsegpt"];
const WEIGHT_CRITERIA: readonly string[] = ["magnitude", ...SAMPLED_WEIGHT_CRITERIA];

/** A group of weights of which some stay, at most. */
const MAX_GROUP = 32;

function checkPattern({ structure, sparsity, scope }: PruneRecipe, { keep, of }: PatternShape): void {
  if (keep >= of || of > MAX_GROUP)
    throw new UnsupportedError(
      `The structure ${structure} prunes nothing that can be: expected N:M with N below M, and M at most ${MAX_GROUP}`,
    );
  if (sparsity !== undefined || scope !== undefined)
    throw new UnsupportedError(`The structure ${structure} says how much goes of each weight; leave 'sparsity' and 'scope' out`);
}

/** The pruning that a recipe asks for, checked, with what its patterns say of names. */
export class PrunePlan {
  /** What goes: channels, or single weights, blocks or all but N of M of them, which become zero. */
  readonly structure: "channel" | "unstructured" | "block" | PatternShape;
  /** The structure's name. */
  readonly word: string;
  readonly criterion: string;
  readonly scope: "uniform" | "global" | "sensitivity" | "patterns";
  /** Share of what there is that is to go: of channels, and by sensitivity of parameters. */
  readonly sparsity: number;
  /** Where sensitivity is to reach something else. */
  readonly target: { max_bytes?: number | undefined; max_latency_ratio?: number | undefined };
  readonly round_to: number;
  readonly strict: boolean;
  readonly recover: readonly Method[];
  readonly #work = new PatternWork();
  readonly #exclude: readonly Pattern[];
  readonly #protect: readonly Pattern[];
  readonly #ratios: readonly (readonly [Pattern, number])[];
  readonly #unmatched: Set<Pattern>;

  constructor(recipe: PruneRecipe, target: Recipe["target"] = {}) {
    const { structure, criterion, sparsity, exclude = [], protect = [] } = recipe;
    const isOfLayers = structure === "block" || SAMPLED_WEIGHT_CRITERIA.includes(criterion ?? "");
    const scope = recipe.scope ?? (structure !== "channel" && isOfLayers ? "uniform" : "global");
    this.word = structure;
    const pattern = patternOf(structure);
    this.structure = pattern ?? (structure as "channel" | "unstructured" | "block");
    this.recover = recipe.recover ?? [];
    if (pattern) checkPattern(recipe, pattern);
    // What samples tell is worth more than what weights do.
    const isSampled = this.recover.length > 0 || scope === "sensitivity";
    this.criterion = criterion ?? (this.structure !== "channel" ? "magnitude" : isSampled ? "wanda" : "l1_norm");
    const ofChannels = [...Object.keys(CHANNEL_CRITERIA), ...Object.keys(SAMPLED_CRITERIA)];
    const criteria = this.structure === "channel" ? ofChannels : WEIGHT_CRITERIA;
    const what = this.structure === "channel" ? "Channels" : "Single weights";
    if (!criteria.includes(this.criterion))
      throw new UnsupportedError(`${what} cannot be judged by ${this.criterion}, only by ${criteria.join(", ")}`);
    if (SAMPLED_WEIGHT_CRITERIA.includes(this.criterion) && (structure === "block" || (this.structure !== "channel" && scope === "global")))
      throw new UnsupportedError(
        `${this.criterion} judges the weights of each layer alone, and no blocks: use the scope 'uniform' with unstructured, N:M or, for wanda, channel`,
      );
    if (this.structure !== "channel" && (scope === "sensitivity" || this.recover.length > 0))
      throw new UnsupportedError(`Sensitivity and recovery are for pruned channels; the recipe's structure is ${structure}`);
    const isByPattern = typeof scope === "object";
    if (isByPattern && sparsity !== undefined)
      throw new UnsupportedError("The recipe's scope has a ratio for each pattern, and it has a sparsity besides; leave one of them out");
    this.target = scope === "sensitivity" ? { max_bytes: target.max_bytes, max_latency_ratio: target.max_latency_ratio } : {};
    const isAimed = Object.values(this.target).some((aim) => aim !== undefined);
    if (!isByPattern && !isAimed && !pattern && sparsity === undefined)
      throw new UnsupportedError(`The recipe prunes and does not say how much: give a sparsity, as in prune=${structure}:0.3`);
    this.scope = isByPattern ? "patterns" : scope;
    this.sparsity = sparsity ?? 0;
    this.round_to = recipe.round_to ?? ROUND_TO;
    this.strict = recipe.strict ?? false;
    this.#exclude = exclude.map((source) => new Pattern(source));
    this.#protect = protect.map((source) => new Pattern(source));
    this.#ratios = isByPattern ? Object.entries(scope).map(([source, ratio]) => [new Pattern(source), ratio] as const) : [];
    this.#unmatched = new Set([...this.#exclude, ...this.#protect, ...this.#ratios.map(([pattern]) => pattern)]);
  }

  /** Whether it runs the model on samples. */
  get isSampled(): boolean {
    const criteria = this.structure === "channel" ? Object.keys(SAMPLED_CRITERIA) : SAMPLED_WEIGHT_CRITERIA;
    return this.recover.length > 0 || this.scope === "sensitivity" || criteria.includes(this.criterion);
  }

  /** Whether a weight keeps all that it makes. */
  isExcluded(name: string): boolean {
    return this.#any(this.#exclude, name);
  }

  /** Whether a weight stays byte for byte. */
  isProtected(name: string): boolean {
    return this.#any(this.#protect, name);
  }

  /** The share that is to go of what a weight makes: undefined where no pattern says it. */
  ratioOf(name: string): number | undefined {
    return this.#ratios.filter(([pattern]) => this.#matches(pattern, name))[0]?.[1];
  }

  /** Takes note of the weights that there are, for patterns that name one of which nothing can go. */
  note(names: Iterable<string>): void {
    for (const name of names) for (const pattern of [...this.#unmatched]) this.#matches(pattern, name);
  }

  /** The patterns that have matched nothing so far. */
  get unmatched(): string[] {
    return [...this.#unmatched].map(({ source }) => source);
  }

  #any(patterns: readonly Pattern[], name: string): boolean {
    return patterns.filter((pattern) => this.#matches(pattern, name)).length > 0;
  }

  #matches(pattern: Pattern, name: string): boolean {
    const matches = this.#work.test(pattern, name);
    if (matches) this.#unmatched.delete(pattern);
    return matches;
  }
}

/** Says what to give a recipe that looks at samples. */
export const withoutSamples = ({ scope, recover: methods, criterion }: PrunePlan): UnsupportedError =>
  new UnsupportedError(
    `${
      scope === "sensitivity"
        ? "The scope 'sensitivity' measures what pruning loses"
        : methods.length > 0
          ? "The recipe recovers what pruning loses"
          : `The criterion ${criterion} looks at what layers read`
    }, which takes ` +
      "samples of the model's inputs: give some (edgeslim compress --calibrate SAMPLES, ?model=NAME&samples=NAME over HTTP, the option " +
      "'calibration' of compress), or leave it out",
  );

/** Why a weight stays as it is; `usual` is the reason for which it does unless a recipe asks for it by name. */
export function reasonOf(plan: PrunePlan, name: string, usual: string | undefined): string | undefined {
  if (plan.isProtected(name)) return "protected by the recipe";
  if (plan.isExcluded(name)) return "excluded by the recipe";
  if (plan.ratioOf(name) !== undefined) return undefined;
  return plan.scope === "patterns" ? "no pattern of the recipe's scope names it" : usual;
}

/** Refuses a recipe that nothing comes of, and what does not divide where it is strict. */
export function checkMasks(
  count: number,
  reasons: ReadonlyMap<string, string>,
  without: ReadonlyMap<string, string>,
  plan: PrunePlan,
): void {
  const [first] = without;
  if (first && plan.strict)
    throw new UnsupportedError(`Tensor '${first[0]}' cannot be pruned: ${first[1]}; exclude it, or do not be strict`, { tensor: first[0] });
  if (count > 0) return;
  const counts = new Map<string, number>();
  for (const reason of reasons.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const common = [...counts].sort(([, a], [, b]) => b - a).slice(0, 3);
  const told = common.map(([reason, n]) => `${n} weight${n === 1 ? "" : "s"}: ${reason}`).join("; ");
  throw new UnsupportedError(
    `The recipe would prune nothing: ${told || "the model has no weights of products"}. A scope like { ".": 0.5 } prunes first and last layers too`,
  );
}
