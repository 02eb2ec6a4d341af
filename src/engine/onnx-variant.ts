import { FormatError } from "../errors.ts";
import { type Folder, filePart, siblingName } from "../io/folder.ts";
import type { Sink } from "../io/sink.ts";
import type { Source } from "../io/source.ts";
import { compressInto, type Plan } from "./compress.ts";
import type { PartOptions } from "./folder-options.ts";
import type { OnnxModel } from "./folder-plan.ts";
import type { Outputs } from "./outputs.ts";
import type { Tools } from "./pool.ts";
import type { Recipe } from "./recipe.ts";
import type { Report } from "./report.ts";
import { variantName } from "./variants.ts";

/** What was made of an ONNX model. */
export interface OnnxMade {
  report: Report;
  /** The model's own file first. */
  files: string[];
}

/** Makes one variant of an ONNX model of a folder. Data that does not fit into its file goes beside it. `read` is told of the model's data. */
export async function compressVariant(
  tools: Tools,
  folder: Folder,
  { file, stem }: OnnxModel,
  recipe: Recipe,
  outputs: Outputs,
  read: Set<string>,
  { shard, onPlan, onProgress, ...options }: PartOptions,
): Promise<OnnxMade> {
  const name = variantName(stem, recipe.quantize?.scheme);
  const files = [name];
  const sources = [file];
  const siblings = async (location: string): Promise<Source | undefined> => {
    const sibling = siblingName(file, location);
    const source = folder.get(sibling) ?? (await options.siblings?.(location));
    if (source) {
      read.add(sibling);
      sources.push(sibling);
    }
    return source;
  };
  const planned = (plan: Plan): void => {
    if (plan.format !== "onnx") throw new FormatError("The file is named .onnx and holds safetensors", { offset: 0, format: "onnx" });
    onPlan?.({ ...plan, file: name });
  };
  const open = async (location: string): Promise<Sink> => {
    files.push(siblingName(name, location));
    return outputs.sink(siblingName(name, location));
  };
  const external = { name: filePart(name), open, ...(shard === undefined ? {} : { shard }) };
  const report = await compressInto(tools, folder.get(file) as Source, recipe, outputs.sink(name), {
    ...options,
    siblings,
    external,
    onPlan: planned,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, file: name })),
  });
  return { report: { ...report, source: { ...report.source, files: sources }, output: { ...report.output, files } }, files };
}
