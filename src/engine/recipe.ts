import safe from "safe-regex2";
import * as z from "zod"; // not { z }: that would bring all languages of its messages into a bundle
import { FormatError, UnsupportedError } from "../errors.ts";

/** Every scheme that the contract names; those a version cannot do yet are refused by `compress`, not by the schema. */
export const SCHEME_NAMES = ["fp16", "bf16", "w8", "w4", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "w8a8"] as const;
export type SchemeName = (typeof SCHEME_NAMES)[number];
/** Stands for every scheme that browsers use, each in a file of its own. */
export const ALL_WEB = "all-web";

const MAX_PATTERN = 256;
const pattern = z
  .string()
  .min(1)
  .max(MAX_PATTERN)
  .refine(
    (source) => compiles(source) && safe(source) && !repeatsChoice(source),
    "must be a regular expression without nested repetition, or repeated alternatives",
  )
  .describe("A regular expression over tensor names.");

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
const ratio = z.number().gt(0).lt(1);
const structure = z.union([
  z.enum(["unstructured", "block", "channel"]),
  z.string().regex(/^[1-9]\d?:[1-9]\d?$/, "must be unstructured, block, channel or N:M"),
]);

const schemeOrAll = z.enum([...SCHEME_NAMES, ALL_WEB]);

export const quantizeSchema = z.strictObject({
  scheme: schemeOrAll,
  granularity: z.enum(["per_tensor", "per_channel"]).optional(),
  observer: z.enum(["minmax", "percentile", "entropy", "mse"]).optional(),
  exclude: z.array(pattern).max(64).optional().describe("Tensors to leave in float."),
  overrides: z
    .array(z.strictObject({ match: pattern, scheme }))
    .max(64)
    .optional()
    .describe("Other schemes for some tensors; the first match counts."),
});

const documentSchema = z
  .strictObject({
    optimize: z.boolean().optional(),
    prune: z
      .strictObject({
        structure,
        sparsity: ratio.optional(),
        criterion: z
          .enum(["l1_norm", "l2_norm", "geometry_median", "bn_scale", "magnitude", "wanda", "sparsegpt", "reconstruction", "random"])
          .optional(),
        scope: z.union([z.enum(["uniform", "global", "sensitivity"]), z.record(pattern, ratio)]).optional(),
        round_to: z.int().min(1).max(256).optional(),
        exclude: z.array(pattern).max(64).optional(),
        protect: z.array(pattern).max(64).optional(),
        strict: z.boolean().optional(),
        recover: z.array(z.enum(["batch_norm", "bias", "least_squares"])).optional(),
      })
      .optional(),
    distill: z.looseObject({}).optional(),
    quantize: quantizeSchema.optional(),
    target: z
      .strictObject({
        max_bytes: z.int().min(1).optional(),
        max_accuracy_drop: z.number().min(0).optional(),
        max_latency_ratio: z.number().gt(0).optional(),
        runtime: z.string().max(64).optional(),
      })
      .optional(),
  })
  .describe("What to do to a model.");

/** A recipe: what to do to a model, and in `target` how far. A part's short form is a word. */
export const recipeSchema = documentSchema.extend({ quantize: z.union([quantizeSchema, schemeOrAll]).optional() });

export type RecipeInput = z.input<typeof recipeSchema>;
export type Recipe = z.output<typeof documentSchema>;
export type QuantizeRecipe = z.output<typeof quantizeSchema>;

/** Checks a recipe, in its document form or with the short form of its parts (`quantize: "w8"`). */
export function parseRecipe(input: unknown): Recipe {
  if (input === "auto") throw new UnsupportedError('The recipe "auto" is not in this version; name a scheme, as in { "quantize": "w8" }');
  // A word becomes the document it stands for first, so that an error names what is wrong with the word.
  const words = isObject(input) && "quantize" in input && typeof input.quantize === "string";
  const parsed = documentSchema.safeParse(words ? { ...input, quantize: { scheme: input.quantize } } : input);
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
