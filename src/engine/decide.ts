import { around, BLOCK_SIZE, type Decision, type Encoding, keep, matrix, type Weight } from "../encoding.ts";
import { LimitError, UnsupportedError } from "../errors.ts";
import { half } from "../quantize/half.ts";
import { w4 } from "../quantize/int4.ts";
import { w8 } from "../quantize/int8.ts";
import { byteLength, elements, isFloat, type TensorInfo } from "../tensor.ts";
import { Pattern } from "./pattern.ts";
import type { QuantizeRecipe, Recipe, SchemeName } from "./recipe.ts";

/** A tensor of fewer elements gains less than its scales and nodes cost. */
export const MIN_ELEMENTS = 1024;

/** Steps that a recipe's patterns may take over all names: some ten seconds of a matcher that backtracks at its worst. */
export const MAX_PATTERN_WORK = 1e10;

type Warn = (code: string, message: string, tensor: string) => void;
type Scheme = (weight: Weight, recipe: QuantizeRecipe) => Decision;

/** The schemes of this version: a new one is a file in quantize/ and a line here. */
const SCHEMES: Partial<Record<SchemeName, Scheme>> = {
  fp16: half("float16"),
  bf16: half("bfloat16"),
  w8: (weight, { granularity }) => w8(weight, granularity),
  w4,
};

export const AVAILABLE: readonly string[] = Object.keys(SCHEMES);

/** Decides about tensors by a recipe, and remembers which of its patterns have matched. */
export class Decider {
  readonly #quantize: QuantizeRecipe;
  readonly #exclude: readonly Pattern[];
  readonly #overrides: readonly (readonly [Pattern, Scheme])[];
  readonly #scheme: Scheme;
  readonly #unmatched: Set<Pattern>;
  #work = 0;
  readonly #warn: Warn;

  /** `warn` is told of tensors that do not become what the scheme's name says. */
  constructor(recipe: Recipe, warn: Warn = () => {}) {
    this.#warn = warn;
    for (const part of ["optimize", "prune", "distill", "target"] as const) {
      if (recipe[part])
        throw new UnsupportedError(`The recipe asks for '${part}', which this version does not do; it quantizes (${AVAILABLE.join(", ")})`);
    }
    if (!recipe.quantize)
      throw new UnsupportedError(`The recipe would change nothing: name a scheme, as in quantize=w8 (${AVAILABLE.join(", ")})`);
    this.#quantize = recipe.quantize;
    if (this.#quantize.observer) throw new UnsupportedError("The recipe names an observer, which only calibrated schemes have");
    if (this.#quantize.granularity && this.#quantize.scheme !== "w8") {
      throw new UnsupportedError(`granularity cannot be chosen for ${this.#quantize.scheme}, only for w8`);
    }
    this.#scheme = schemeOf(this.#quantize.scheme);
    this.#exclude = (this.#quantize.exclude ?? []).map((p) => new Pattern(p));
    this.#overrides = (this.#quantize.overrides ?? []).map(({ match, scheme }) => [new Pattern(match), schemeOf(scheme)] as const);
    this.#unmatched = new Set([...this.#exclude, ...this.#overrides.map(([match]) => match)]);
  }

  /** What becomes of a weight. */
  decide(weight: Weight): Decision {
    const excluded = this.#exclude.filter((p) => this.#matches(p, weight.name));
    const overriding = this.#overrides.filter(([p]) => this.#matches(p, weight.name));
    for (const p of [...excluded, ...overriding.map(([match]) => match)]) this.#unmatched.delete(p);
    const plain = plainReason(weight);
    if (plain) return keep(plain);
    if (excluded.length > 0) return keep("excluded by the recipe");
    const scheme = overriding[0]?.[1] ?? this.#scheme;
    const decision = scheme(weight, this.#quantize);
    if (decision.kind !== "keep" && encodedBytes(weight.shape, decision) >= byteLength(weight.dtype, weight.shape)) {
      return keep(`would not be smaller: ${decision.kind} and its scales take ${encodedBytes(weight.shape, decision)} bytes`);
    }
    if (decision.kind === "int8" && scheme === w4) {
      this.#warn(
        "w4-as-w8",
        "Stored as w8: w4 packs what only matrix products use, in safetensors with rows of a multiple of 32",
        weight.name,
      );
    }
    return decision;
  }

  #matches(pattern: Pattern, name: string): boolean {
    this.#work += pattern.worst(name.length);
    if (this.#work > MAX_PATTERN_WORK) {
      const what = `The recipe's pattern '${pattern.source}' may take too long on tensor names like '${name}'; use fewer of * + ? and |`;
      throw new LimitError("MAX_PATTERN_WORK", what, { tensor: name });
    }
    return pattern.test(name);
  }

  /** Refuses patterns that matched no tensor: a silent no-op is the worst answer. */
  finish(): void {
    const [pattern] = this.#unmatched;
    if (pattern) throw new UnsupportedError(`The recipe's pattern '${pattern.source}' matches no tensor of the model`);
  }
}

function schemeOf(name: SchemeName): Scheme {
  const scheme = SCHEMES[name];
  if (!scheme) throw new UnsupportedError(`The scheme ${name} is not in this version; it has ${AVAILABLE.join(", ")}`);
  return scheme;
}

/** Why a tensor stays as it is under every scheme; undefined for one that can be compressed. */
export function plainReason(tensor: TensorInfo & { role?: Weight["role"] }): string | undefined {
  if (!isFloat(tensor.dtype)) return `${tensor.dtype}, not a float tensor`;
  if (elements(tensor.shape) < MIN_ELEMENTS) return `fewer than ${MIN_ELEMENTS} elements`;
  if (tensor.shape.filter((d) => d > 1).length < 2) return "one-dimensional: a bias or a normalization parameter";
  return tensor.role?.keep;
}

/** Bytes of an encoded weight, scales included. */
export function encodedBytes(shape: readonly number[], encoding: Encoding): number {
  switch (encoding.kind) {
    case "half":
      return elements(shape) * 2;
    case "int8":
      return elements(shape) + around(shape, encoding.axis).channels * 4;
    case "int4": {
      const { n, blocks } = matrix(shape, encoding.k_axis);
      return n * blocks * (BLOCK_SIZE / 2 + 4);
    }
  }
}

/** The scheme word for what was done to a weight. */
export const actionOf = (encoding: Encoding): string =>
  encoding.kind === "half" ? (encoding.dtype === "float16" ? "fp16" : "bf16") : encoding.kind === "int8" ? "w8" : "w4";
