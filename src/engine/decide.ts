import { BLOCK_SIZE, type Decision, type Encoding, keep, matrix, NF4_BLOCK_SIZE, type Weight } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import { dynamic } from "../quantize/affine8.ts";
import { half, halfArithmetic } from "../quantize/half.ts";
import { q4, w4 } from "../quantize/int4.ts";
import { w8 } from "../quantize/int8.ts";
import { bnb4 } from "../quantize/nf4.ts";
import { w8a8 } from "../quantize/static.ts";
import { around, aroundAxes, byteLength, elements, isFloat, type TensorInfo } from "../tensor.ts";
import { Pattern, PatternWork } from "./pattern.ts";
import { ALL_WEB, type QuantizeRecipe, type Recipe, type SchemeName } from "./recipe.ts";

/** A tensor of fewer elements gains less than its scales and nodes cost. */
export const MIN_ELEMENTS = 1024;

type Warn = (code: string, message: string, tensor: string) => void;
/** `runtime` is where the result will run, if the recipe says so. */
type Choose = (weight: Weight, recipe: Partial<QuantizeRecipe>, runtime: string | undefined) => Decision;

interface Scheme {
  choose: Choose;
  /** Whether it makes what another tool makes, which takes every weight however small. */
  faithful: boolean;
  /** Whether it quantizes activations while the model runs. */
  dynamic: boolean;
}

const own = (choose: Choose): Scheme => ({ choose, faithful: false, dynamic: false });
const faithful = (choose: Choose): Scheme => ({ choose, faithful: true, dynamic: false });
const dynamically = (dtype?: "int8" | "uint8"): Scheme => {
  const choose = dynamic(dtype);
  return { choose: (weight, { granularity }) => choose(weight, granularity), faithful: true, dynamic: true };
};

/** The schemes of this version: a new one is a file in quantize/ and a line here. */
const SCHEMES: Partial<Record<SchemeName, Scheme>> = {
  fp16: own(half("float16")),
  bf16: own(half("bfloat16")),
  w8: own((weight, { granularity }) => w8(weight, granularity)),
  w4: own((weight) => w4(weight)),
  q8: dynamically(),
  int8: dynamically("int8"),
  uint8: dynamically("uint8"),
  q4: faithful(q4),
  q4f16: faithful(halfArithmetic(true)),
  bnb4: faithful(bnb4),
  w8a8: faithful((weight, { granularity }, runtime) => w8a8(weight, granularity, runtime === "edgeslim" ? 7 : undefined)),
};

/** `fp16` of a graph that is optimized: its arithmetic is converted too. */
const HALF = faithful(halfArithmetic(false));

/** Targets that pruning by sensitivity reaches. */
const PRUNING_TARGETS: readonly string[] = ["max_bytes", "max_latency_ratio"];

/** A recipe that only optimizes or prunes. */
const NONE = faithful(() => keep("the recipe does not quantize"));

/** Schemes that can have a scale a channel or one for all. */
const GRANULAR: readonly string[] = ["w8", "q8", "int8", "uint8", "w8a8"];

/** The schemes of this version; w8a8 needs samples. */
export const AVAILABLE: readonly string[] = Object.keys(SCHEMES);

/** Decides about tensors by a recipe, and remembers which of its patterns have matched. */
export class Decider {
  readonly #quantize: Partial<QuantizeRecipe>;
  readonly #exclude: readonly Pattern[];
  readonly #overrides: readonly (readonly [Pattern, Scheme])[];
  readonly #scheme: Scheme;
  readonly #runtime: string | undefined;
  readonly #unmatched: Set<Pattern>;
  readonly #names = new Map<string, { scheme: Scheme; excluded: boolean }>();
  readonly #work = new PatternWork();
  readonly #warn: Warn;
  readonly #onUnmatched: ((patterns: readonly string[]) => void) | undefined;

  /**
   * `warn` is told of tensors that do not become what the scheme's name says. `onUnmatched`, where given, is told of the patterns that
   * matched no tensor, none perhaps: a folder's other models may have what they name.
   */
  constructor(recipe: Recipe, warn: Warn = () => {}, onUnmatched?: (patterns: readonly string[]) => void) {
    this.#warn = warn;
    this.#onUnmatched = onUnmatched;
    if (recipe.distill)
      throw new UnsupportedError(
        `The recipe asks for 'distill', which this version does not do; it optimizes, prunes and quantizes (${AVAILABLE.join(", ")})`,
      );
    const isAimed = recipe.prune?.scope === "sensitivity"; // by what pruning takes
    const [aim] = Object.keys(recipe.target ?? {}).filter((key) => key !== "runtime" && !(isAimed && PRUNING_TARGETS.includes(key)));
    if (aim) throw new UnsupportedError(`The recipe asks for target.${aim}, which this version does not aim at; name a scheme instead`);
    if (!recipe.quantize && !recipe.optimize && !recipe.prune)
      throw new UnsupportedError(`The recipe would change nothing: name a scheme, as in quantize=w8 (${AVAILABLE.join(", ")})`);
    this.#quantize = recipe.quantize ?? {};
    if (this.#quantize.observer && this.#quantize.scheme !== "w8a8")
      throw new UnsupportedError("The recipe names an observer, which only calibrated schemes have");
    this.#runtime = recipe.target?.runtime;
    if (this.#quantize.granularity && !GRANULAR.includes(this.#quantize.scheme as string)) {
      throw new UnsupportedError(`granularity cannot be chosen for ${this.#quantize.scheme}, only for ${GRANULAR.join(", ")}`);
    }
    const { scheme } = this.#quantize;
    this.#scheme = scheme === undefined ? NONE : scheme === "fp16" && recipe.optimize ? HALF : schemeOf(scheme);
    this.#exclude = (this.#quantize.exclude ?? []).map((p) => new Pattern(p));
    this.#overrides = (this.#quantize.overrides ?? []).map(({ match, scheme }) => [new Pattern(match), schemeOf(scheme)] as const);
    if (this.#scheme !== SCHEMES.w8a8 && this.#overrides.some(([, each]) => each === SCHEMES.w8a8))
      throw new UnsupportedError(
        "w8a8 is of the whole graph: name it as the scheme, and let overrides name what some tensors become instead",
      );
    this.#unmatched = new Set([...this.#exclude, ...this.#overrides.map(([match]) => match)]);
  }

  /** The scheme that the recipe names for all weights but those it overrides. */
  get scheme(): string | undefined {
    return this.#quantize.scheme;
  }

  /** Whether the model computes in float16 afterwards. */
  get computesInHalf(): boolean {
    return this.#scheme === HALF || this.#scheme === SCHEMES.q4f16;
  }

  /** How activations are observed, where the scheme quantizes them by samples. */
  get observer(): string | undefined {
    return this.#scheme === SCHEMES.w8a8 ? (this.#quantize.observer ?? "minmax") : undefined;
  }

  /** Whether the recipe's patterns leave all of these names to its scheme. */
  leavesToScheme(names: readonly string[]): boolean {
    return names.map((name) => this.#chosen(name)).every(({ scheme, excluded }) => !excluded && scheme === this.#scheme);
  }

  /** What becomes of a weight. */
  decide(weight: Weight): Decision {
    const { scheme, excluded } = this.#chosen(weight.name);
    const plain = plainReason(weight, scheme.faithful);
    if (plain) return keep(plain);
    if (excluded) return keep("excluded by the recipe");
    const decision = scheme.choose(weight, this.#quantize, this.#runtime);
    if (!scheme.faithful && decision.kind !== "keep" && encodedBytes(weight.shape, decision) >= byteLength(weight.dtype, weight.shape)) {
      return keep(`would not be smaller: ${decision.kind} and its scales take ${encodedBytes(weight.shape, decision)} bytes`);
    }
    if (decision.kind === "int8" && scheme === SCHEMES.w4) {
      this.#warn(
        "w4-as-w8",
        "Stored as w8: w4 packs what only matrix products use, in safetensors with rows of a multiple of 32",
        weight.name,
      );
    }
    if (decision.kind === "affine8" && decision.static) return decision;
    if (decision.kind === "affine8" && decision.channels[1] === 0 && this.#quantize.granularity === "per_channel") {
      this.#warn("per-tensor", "One scale for all: per_channel is for the weights of MatMul, Gemm and LSTM alone", weight.name);
    }
    if (decision.kind === "affine8" && weight.role.op === "Conv") {
      this.#warn(
        "dynamic-conv",
        "Dynamic quantization of convolutions costs accuracy, and time in most runtimes; w8 keeps both",
        weight.name,
      );
    }
    return decision;
  }

  /** Why a tensor stays as it is whatever uses it; undefined for one whose use must be known. */
  plainReason(tensor: TensorInfo): string | undefined {
    const any = [this.#scheme, ...this.#overrides.map(([, scheme]) => scheme)].some((scheme) => scheme.faithful);
    return plainReason(tensor, any);
  }

  /** Whether what multiplies a weight decides about it, as for a product of two weights under dynamic quantization. */
  get dynamic(): boolean {
    return [this.#scheme, ...this.#overrides.map(([, scheme]) => scheme)].some((scheme) => scheme.dynamic);
  }

  /** What the recipe's patterns say of a name. */
  #chosen(name: string): { scheme: Scheme; excluded: boolean } {
    const known = this.#names.get(name);
    if (known) return known;
    const excluded = this.#exclude.filter((p) => this.#work.test(p, name));
    const overriding = this.#overrides.filter(([p]) => this.#work.test(p, name));
    for (const p of [...excluded, ...overriding.map(([match]) => match)]) this.#unmatched.delete(p);
    const chosen = { scheme: overriding[0]?.[1] ?? this.#scheme, excluded: excluded.length > 0 };
    this.#names.set(name, chosen);
    return chosen;
  }

  /** Refuses patterns that matched no tensor, its own and `others`: a silent no-op is the worst answer. */
  finish(others: readonly string[] = []): void {
    const all = [...[...this.#unmatched].map(({ source }) => source), ...others];
    if (this.#onUnmatched) this.#onUnmatched(all);
    else for (const source of all) throw unmatched(source);
  }
}

export const unmatched = (pattern: string): UnsupportedError =>
  new UnsupportedError(`The recipe's pattern '${pattern}' matches no tensor of the model`);

function schemeOf(name: SchemeName | typeof ALL_WEB): Scheme {
  if (name === ALL_WEB) throw new UnsupportedError(`${ALL_WEB} makes a file a scheme: let the result go into a folder`);
  const scheme = SCHEMES[name];
  if (!scheme) throw new UnsupportedError(`The scheme ${name} is not in this version; it has ${AVAILABLE.join(", ")}`);
  return scheme;
}

function plainReason(tensor: TensorInfo & { role?: Weight["role"] }, faithful: boolean): string | undefined {
  if (!isFloat(tensor.dtype)) return `${tensor.dtype}, not a float tensor`;
  if (faithful) return elements(tensor.shape) === 0 ? "empty" : undefined;
  if (elements(tensor.shape) < MIN_ELEMENTS) return `fewer than ${MIN_ELEMENTS} elements`;
  if (tensor.shape.filter((d) => d > 1).length < 2) return "one-dimensional: a bias or a normalization parameter";
  return tensor.role?.keep;
}

/** Bytes of an encoded weight, scales included; the float one that may stay beside it is not. */
export function encodedBytes(shape: readonly number[], encoding: Encoding): number {
  switch (encoding.kind) {
    case "half":
      return elements(shape) * 2;
    case "int8":
      return elements(shape) + around(shape, encoding.axis).channels * 4;
    case "int4": {
      const { n, blocks } = matrix(shape, encoding.k_axis);
      return n * blocks * (BLOCK_SIZE / 2 + (encoding.scheme === "q4f16" ? 2 : 4));
    }
    case "nf4":
      return Math.ceil(elements(shape) / 2) + Math.ceil(elements(shape) / NF4_BLOCK_SIZE) * 4;
    case "affine8":
      return elements(shape) + aroundAxes(shape, encoding.channels).channels * 5;
  }
}

/** Whether a weight stands twice in the file, packed and in float. */
export const standsTwice = (encoding: Encoding): boolean =>
  (encoding.kind === "int4" || encoding.kind === "nf4") && encoding.twice === true;

/** The scheme word for what was done to a weight. */
export function actionOf(encoding: Encoding): string {
  switch (encoding.kind) {
    case "half":
      return encoding.dtype === "float16" ? "fp16" : "bf16";
    case "int8":
      return "w8";
    case "int4":
      return encoding.scheme;
    case "nf4":
      return "bnb4";
    case "affine8":
      return encoding.static ? "w8a8" : encoding.dtype;
  }
}
