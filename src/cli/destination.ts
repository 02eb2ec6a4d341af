import { stat } from "node:fs/promises";
import { ALL_WEB, type Recipe } from "../engine/recipe.ts";
import { UsageError } from "./exit.ts";

/** Whether a result goes into a folder: it does where the model or the output is one, or where it is several files. */
export async function goesIntoFolder(model: string, output: string, recipe: Recipe): Promise<boolean> {
  const isFolder = (await kindOf(model)) === "folder";
  const several = recipe.quantize?.scheme === ALL_WEB;
  if (!isFolder && !several) return output !== "-" && (/[\\/]$/.test(output) || (await kindOf(output)) === "folder");
  const what = isFolder ? `${model} is a folder, and so is its result` : `${ALL_WEB} makes several files`;
  const looksLikeFile = several && !isFolder && /\.(onnx|safetensors)$/i.test(output) && (await kindOf(output)) === undefined;
  if (output === "-" || (await kindOf(output)) === "file" || looksLikeFile)
    throw new UsageError(`Cannot write ${output === "-" ? "to standard output" : output}: ${what}; name a folder, as in -o out/`);
  return true;
}

async function kindOf(path: string): Promise<"folder" | "file" | undefined> {
  const found = path === "-" ? undefined : await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? "folder" : "file");
}
