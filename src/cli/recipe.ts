import { readFile } from "node:fs/promises";
import { type Recipe, withShortForms } from "../engine/recipe.ts";
import { FormatError } from "../errors.ts";
import { missing } from "./model.ts";

export interface RecipeFlags {
  quantize?: string;
  prune?: string;
  optimize?: boolean;
  recipe?: string;
}

/** The recipe that the flags say, over the document that one of them names. */
export async function readRecipe({ recipe: path, quantize, prune, optimize }: RecipeFlags): Promise<Recipe> {
  if (path === undefined) return withShortForms(undefined, { quantize, prune, optimize });
  const text = await readText(path).catch((error: unknown) => {
    throw missing(`Cannot read the recipe ${path}`, error);
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`Cannot read the recipe ${path}: it is not JSON: ${(error as Error).message}`, { format: "recipe" });
  }
  return withShortForms(document, { quantize, prune, optimize });
}

async function readText(path: string): Promise<string> {
  if (path !== "-") return readFile(path, "utf8");
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}
