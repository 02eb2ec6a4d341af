import { filePart, folderPart } from "../io/folder.ts";
import { ALL_WEB, type Recipe, SCHEME_NAMES, type SchemeName } from "./recipe.ts";

/** What `all-web` stands for: the files that Transformers.js looks for, but the model itself. */
export const WEB_SCHEMES = ["fp16", "q8", "int8", "uint8", "q4", "q4f16", "bnb4"] as const satisfies readonly SchemeName[];

/** The recipes that one stands for: itself, or one for each scheme. */
export function recipesOf(recipe: Recipe): Recipe[] {
  const { quantize } = recipe;
  if (quantize?.scheme !== ALL_WEB) return [recipe];
  return WEB_SCHEMES.map((scheme) => ({ ...recipe, quantize: { ...quantize, scheme } }));
}

/** What follows a model's stem in the name of its variant; the words are Transformers.js', which knows q8 as `quantized`. */
export const suffixOf = (scheme: string): string => (scheme === "q8" ? "_quantized" : `_${scheme}`);

/** Names that other tools give to variants: the levels of Optimum's optimizer, its quantizations for one instruction set. */
const FOREIGN = /_(O[1-4]|optimized|q2|q2f16|q8|q?u?int8_\w+|w8a8)$/;

/** The model that a file of this stem is a variant of, by its name alone. */
export function baseOf(stem: string): string | undefined {
  const suffix = SCHEME_NAMES.map(suffixOf).find((ending) => stem.endsWith(ending)) ?? FOREIGN.exec(stem)?.[0];
  return suffix === undefined || suffix === stem ? undefined : stem.slice(0, -suffix.length);
}

/** Where the variant of an ONNX model goes: into `onnx/`, wherever the model stands. */
export const variantName = (stem: string, scheme: string | undefined): string =>
  `onnx/${stem}${scheme === undefined ? "" : suffixOf(scheme)}.onnx`;

/** The name of a model without its folder and ending. */
export const stemOf = (file: string): string => filePart(file).replace(/\.(onnx|safetensors)$/i, "");

/** The model whose external data a file holds by its name: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`. */
export function dataOwner(file: string): string | undefined {
  const owner = /^(.+\.onnx)(_data(_\d+)?|\.data)$/.exec(filePart(file))?.[1];
  return owner === undefined ? undefined : folderPart(file) + owner;
}
