import safe from "safe-regex2";
import en from "zod/v4/locales/en.js";
import * as z from "zod/v4/mini"; // a quarter of the size in a Worker
import { FormatError, UnsupportedError } from "../errors.ts";

/** Every scheme that the contract names; those a version cannot do yet are refused by `compress`, not by the schema. */
export const SCHEME_NAMES = ["fp16", "bf16", "w8", "w4", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "w8a8"] as const;
export type SchemeName = (typeof SCHEME_NAMES)[number];
/** Stands for every scheme that browsers use, each in a file of its own. */
export const ALL_WEB = "all-web";

const MAX_PATTERN = 256;
const pattern = z.string().check(
  z.minLength(1),
  z.maxLength(MAX_PATTERN),
  z.refine(
    (source) => compiles(source) && safe(source) && !repeatsChoice(source),
    "must be a regular expression without nested repetition, or repeated alternatives",
  ),
  z.describe("A regular expression over tensor names."),
);
const MAX_PATTERNS = 64;
const patterns = z.array(pattern).check(z.maxLength(MAX_PATTERNS));

/** Whether a group of alternatives is repeated, as in `(a|a)*`: matching may then take time exponential in a name's length. */
function repeatsChoice(source: string): boolean {
  const plain = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gsu, "x"); // escapes and classes hold no groups
  const groups: boolean[] = [];
  for (const [i, char] of [...plain].entries()) {
    if (char === "(") groups.push(false);
    else if (char === "|") groups.fill(true);
    else if (char === ")" && groups.pop() && /[*+{]/.test([...plain][i + 1] ?? "")) return true;
  }
  return false;
}

function compiles(source: string): boolean {
  try {
    new RegExp(source, "u");
    return true;
  } catch {
    return false;
  }
}

const scheme = z.enum(SCHEME_NAMES);
const ratio = z.number().check(z.gt(0), z.lt(1));
const structure = z.union([
  z.enum(["unstructured", "block", "channel"]),
  z.string().check(z.regex(/^[1-9]\d?:[1-9]\d?$/, "must be unstructured, block, channel or N:M")),
]);

const schemeOrAll = z.enum([...SCHEME_NAMES, ALL_WEB]);

export const quantizeSchema = z.strictObject({
  scheme: schemeOrAll,
  granularity: z.optional(z.enum(["per_tensor", "per_channel"])),
  observer: z.optional(z.enum(["minmax", "percentile", "entropy", "mse"])),
  exclude: z.optional(patterns).check(z.describe("Tensors to leave in float.")),
  overrides: z
    .optional(z.array(z.strictObject({ match: pattern, scheme })).check(z.maxLength(MAX_PATTERNS)))
    .check(z.describe("Other schemes for some tensors; the first match counts.")),
});

const CRITERIA = [
  "l1_norm",
  "l2_norm",
  "geometry_median",
  "bn_scale",
  "magnitude",
  "wanda",
  "sparsegpt",
  "reconstruction",
  "random",
] as const;

const pruneSchema = z.strictObject({
  structure,
  sparsity: z.optional(ratio),
  criterion: z.optional(z.enum(CRITERIA)),
  scope: z.optional(z.union([z.enum(["uniform", "global", "sensitivity"]), z.record(pattern, ratio)])),
  round_to: z.optional(z.int().check(z.minimum(1), z.maximum(256))),
  exclude: z.optional(patterns),
  protect: z.optional(patterns),
  strict: z.optional(z.boolean()),
  recover: z.optional(z.array(z.enum(["batch_norm", "bias", "least_squares"]))),
});

const targetSchema = z.strictObject({
  max_bytes: z.optional(z.int().check(z.minimum(1))),
  max_accuracy_drop: z.optional(z.number().check(z.minimum(0))),
  max_latency_ratio: z.optional(z.number().check(z.gt(0))),
  runtime: z.optional(z.string().check(z.maxLength(64))),
});

const PARTS = {
  optimize: z.optional(z.boolean()),
  prune: z.optional(pruneSchema),
  distill: z.optional(z.looseObject({})),
  quantize: z.optional(quantizeSchema),
  target: z.optional(targetSchema),
};
const documentSchema = z.strictObject(PARTS);

/** A recipe: what to do to a model, and in `target` how far. A part's short form is a word. */
export const recipeSchema = z
  .strictObject({ ...PARTS, quantize: z.optional(z.union([quantizeSchema, schemeOrAll])) })
  .check(z.describe("What to do to a model."));

export type RecipeInput = z.input<typeof recipeSchema>;
export type Recipe = z.output<typeof documentSchema>;
export type PruneRecipe = z.output<typeof pruneSchema>;
export type QuantizeRecipe = z.output<typeof quantizeSchema>;

/** Checks a recipe, in its document form or with the short form of its parts (`quantize: "w8"`). */
export function parseRecipe(input: unknown): Recipe {
  if (input === "auto") throw new UnsupportedError('The recipe "auto" is not in this version; name a scheme, as in { "quantize": "w8" }');
  // A word becomes the document it stands for first, so that an error names what is wrong with the word.
  const words = isObject(input) && "quantize" in input && typeof input.quantize === "string";
  const parsed = documentSchema.safeParse(words ? { ...input, quantize: { scheme: input.quantize } } : input, {
    error: en().localeError,
  });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.length > 0 ? `${path.join(".")}: ` : ""}${message}`);
  throw new FormatError(`The recipe fails its schema: ${issues.join("; ")}`, { format: "recipe" });
}

/** The short forms that a query string and a command line share; they override the document. */
export interface ShortForms {
  quantize?: string | undefined;
  prune?: string | undefined;
  optimize?: boolean | undefined;
}

/** Lays short forms over a recipe document. */
export function withShortForms(document: unknown, { quantize, prune, optimize }: ShortForms): Recipe {
  if (document !== undefined && (typeof document !== "object" || document === null || Array.isArray(document)))
    return parseRecipe(document);
  const recipe: Record<string, unknown> = { ...document };
  if (optimize !== undefined) recipe.optimize = optimize;
  if (quantize !== undefined) recipe.quantize = { ...(isObject(recipe.quantize) ? recipe.quantize : {}), scheme: quantize };
  if (prune !== undefined) recipe.prune = { ...(isObject(recipe.prune) ? recipe.prune : {}), ...pruneForm(prune) };
  return parseRecipe(recipe);
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);

/** `channel:0.3`, `unstructured:0.8`, `block:0.5`, `2:4`. */
function pruneForm(form: string): { structure: string; sparsity?: number } {
  const named = /^([a-z]+):([\d.]+)$/.exec(form);
  return named ? { structure: named[1] as string, sparsity: Number(named[2]) } : { structure: form };
}

/** A recipe as it stands in a file's metadata: keys in a fixed order, so that the same recipe gives the same bytes. */
export const canonicalRecipe = (recipe: Recipe): string => JSON.stringify(sorted(recipe));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
