import { abortableSource } from "../io/abort.ts";
import type { Folder } from "../io/folder.ts";
import { filePart } from "../io/folder.ts";
import { readAll, sourceInput } from "../io/input.ts";
import type { Source } from "../io/source.ts";
import { type Config, withDType, withExternalData, writeConfig } from "./config.ts";
import type { FolderOptions } from "./folder-options.ts";
import type { FolderPlan } from "./folder-plan.ts";
import type { Variant } from "./folder-report.ts";
import type { OnnxMade } from "./onnx-variant.ts";
import type { Outputs } from "./outputs.ts";
import { quantizationConfig, unnamedWeights } from "./quantization-config.ts";
import type { Recipe } from "./recipe.ts";
import type { Warning } from "./report.ts";
import type { TensorsMade } from "./shards.ts";

/** A config.json takes some kilobytes. */
const MAX_CONFIG_BYTES = 1 << 20;
/** What Transformers.js fetches of one model. */
const MAX_CHUNKS = 100;

/** What a run has made of the models of a folder. */
export interface Made {
  variants: Variant[];
  onnx: OnnxMade[];
  tensors: TensorsMade | undefined;
  /** Files that ONNX models keep data in. */
  read: Set<string>;
}

/** Reads a short document of a folder. */
export async function readText(folder: Folder, name: string, signal: AbortSignal | undefined): Promise<string> {
  const source = abortableSource(folder.get(name) as Source, signal);
  return new TextDecoder().decode(await readAll(sourceInput(source), MAX_CONFIG_BYTES, "MAX_CONFIG_BYTES"));
}

/** Writes what is no model: the config, with what the results need said, and companions as they are. */
export async function writeRest(
  folder: Folder,
  plan: FolderPlan,
  recipe: Recipe,
  made: Made,
  outputs: Outputs,
  config: Config | undefined,
  { signal, onProgress }: FolderOptions,
): Promise<{ copied: string[]; warnings: Warning[] }> {
  const warnings = plan.warnings.flatMap((warning) => {
    const files = warning.files?.filter((name) => !made.read.has(name)) ?? []; // a model may keep data in a file of any name
    return files.length > 0 ? [{ ...warning, files } as Warning] : [];
  });
  warnings.push(...notesOn(plan, made, config));
  const copied = plan.copied.filter((name) => !made.read.has(name));
  if (plan.config !== undefined && config) {
    const edited = edit(config, recipe, made);
    const text = writeConfig(edited);
    if (text === writeConfig(config)) copied.push(plan.config);
    else await outputs.put(plan.config, new TextEncoder().encode(text));
  }
  copied.sort();
  for (const name of copied) {
    const source = abortableSource(folder.get(name) as Source, signal);
    const moved = (bytes: number): void => onProgress?.({ file: name, bytes, total: source.size, written: bytes, tensors: 0 });
    await outputs.copy(name, source, { signal, moved });
  }
  return { copied, warnings };
}

/** Data files of each ONNX file that has some. */
const chunksOf = ({ onnx }: Made): Map<string, number> =>
  new Map(onnx.flatMap(({ files: [own = "", ...data] }) => (data.length > 0 ? [[filePart(own), data.length] as const] : [])));

function edit(config: Config, recipe: Recipe, made: Made): Config {
  const { tensors, onnx } = made;
  let edited = onnx.length > 0 ? withExternalData(config, chunksOf(made)) : config;
  if (!tensors) return edited;
  const quantization_config = quantizationConfig(tensors.planned);
  if (quantization_config) edited = { ...edited, quantization_config };
  const scheme = recipe.quantize?.scheme;
  if (scheme === "fp16") edited = withDType(edited, "float16");
  if (scheme === "bf16") edited = withDType(edited, "bfloat16");
  return edited;
}

/** What a user should know of the result. */
function notesOn(plan: FolderPlan, made: Made, config: Config | undefined): Warning[] {
  const notes: Warning[] = [];
  const chunks = chunksOf(made);
  const needing = [...chunks.keys()];
  if (chunks.size > 0 && !config) {
    const message =
      "There is no config.json to say that these files have data beside them: pass use_external_data_format to Transformers.js yourself";
    notes.push({ code: "no-config", message, files: needing });
  }
  const many = needing.filter((name) => (chunks.get(name) ?? 0) > MAX_CHUNKS);
  if (many.length > 0)
    notes.push({
      code: "many-shards",
      message: `Transformers.js reads at most ${MAX_CHUNKS} data files of a model; use larger shards`,
      files: many,
    });
  if (!made.tensors) return notes;
  const { planned, report } = made.tensors;
  if (!config && quantizationConfig(planned)) {
    const message = "There is no config.json for the quantization_config that loaders look for; docs/safetensors.md tells what to write";
    notes.push({ code: "no-config", message, files: report.output.files ?? [] });
  }
  const unnamed = unnamedWeights(planned);
  if (unnamed.length > 0)
    notes.push({
      code: "no-layer",
      message: "Loaders that read compressed-tensors know only weights named ….weight: exclude these, or load them yourself",
      tensors: unnamed,
    });
  const extra = [...plan.tensorFiles, ...plan.indexes].filter((name) => !report.source.files?.includes(name));
  if (extra.length > 0)
    notes.push({
      code: "extra-file",
      message: "Loaders do not read these beside the model's own files: neither compressed nor copied",
      files: extra,
    });
  return notes;
}
