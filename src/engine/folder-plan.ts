import { UnsupportedError } from "../errors.ts";
import { filePart, folderPart } from "../io/folder.ts";
import { ALL_WEB, type Recipe } from "./recipe.ts";
import type { Warning } from "./report.ts";
import { baseOf, dataOwner, stemOf, WEB_SCHEMES } from "./variants.ts";

/** An ONNX file that is a source. */
export interface OnnxModel {
  file: string;
  /** What its variants are named after. */
  stem: string;
}

/** The safetensors of a folder: one model, in one file or in those that an index names. */
export type SafetensorsModel = { file: string } | { index: string };

/** What each file of a folder is, by its name. */
export interface FolderPlan {
  onnx: readonly OnnxModel[];
  /** Safetensors at the top, and the indexes of shards. */
  tensorFiles: readonly string[];
  indexes: readonly string[];
  config: string | undefined;
  /** Files that are copied byte for byte, unless a model turns out to keep its data in one. */
  copied: readonly string[];
  /** What is left out or left alone, and why. */
  warnings: readonly Warning[];
}

const CONFIG = "config.json";
const INDEX = /\.safetensors\.index\.json$/;
/** A part of a model in several files. */
const SHARD = /-\d{5}-of-(?!00001\.)\d{5}\.safetensors$/;

/** Weights in formats that are not read here: copies would double the result. */
const OTHER_WEIGHTS =
  /\.(h5|msgpack|gguf|ggml|pt|pth|ckpt|ot|tflite|pdparams|pdmodel|pdiparams|mlmodel|nemo)$|(^|\/)[^/]*model[^/]*\.bin(\.index\.json)?$|(^|\/)(tf_model|flax_model)[^/]*\.index\.json$/i;

/** What a recipe is done to. */
export interface Chosen extends FolderPlan {
  safetensors: SafetensorsModel | undefined;
}

/** Tells what each file is. @throws {UnsupportedError} where two models would be written as one. */
export function planFolder(names: Iterable<string>): FolderPlan {
  const all = [...names].sort();
  const warnings: Warning[] = [];
  const warn = (code: string, message: string, files: string[]): void => {
    if (files.length > 0) warnings.push({ code, message, files });
  };
  const isHome = (name: string): boolean => folderPart(name) === "" || folderPart(name) === "onnx/";
  const onnxFiles = all.filter((name) => /\.onnx$/i.test(name) && isHome(name));
  const stems = new Set(onnxFiles.map(stemOf));
  const isVariant = (name: string): boolean => stems.has(baseOf(stemOf(name)) ?? "");
  const onnx = onnxFiles.filter((name) => !isVariant(name)).map((file) => ({ file, stem: stemOf(file) }));
  refuseDoubles(onnx);
  warn("variant", "These are variants of a model beside them: they are not compressed again, and not copied", onnxFiles.filter(isVariant));

  const data = all.filter((name) => dataOwner(name) !== undefined && isHome(name));
  const orphans = data.filter((name) => !all.includes(dataOwner(name) as string));
  const tensorFiles = all.filter((name) => /\.safetensors$/.test(name) && folderPart(name) === "");
  const indexes = all.filter((name) => INDEX.test(name) && folderPart(name) === "");

  const taken = new Set([...onnxFiles, ...data, ...tensorFiles, ...indexes, CONFIG]);
  const rest = all.filter((name) => !taken.has(name));
  const others = rest.filter((name) => OTHER_WEIGHTS.test(name));
  const copied = rest.filter((name) => !OTHER_WEIGHTS.test(name));
  warn("other-weights", "Weights in these formats are not read, and not copied since they would only make the result larger", others);
  warn("no-model", "No model beside these files keeps its data there by their names", orphans);
  warn(
    "deeper-model",
    "Models are looked for at the top of the folder, and ONNX files in onnx/ too; these lie deeper and are copied as they are",
    copied.filter((name) => /\.(onnx|safetensors)$/i.test(name)),
  );
  return { onnx, tensorFiles, indexes, config: all.includes(CONFIG) ? CONFIG : undefined, copied, warnings };
}

/**
 * What a recipe is for: schemes of graphs are for the ONNX models, and the safetensors beside them are left out, since a browser does not
 * read them; other schemes are for both.
 * @throws {UnsupportedError} where nothing is left, or it cannot be told which safetensors are the model.
 */
export function choose(plan: FolderPlan, { quantize, optimize }: Recipe): Chosen {
  const { onnx, tensorFiles, indexes, copied } = plan;
  const files = [...tensorFiles, ...indexes];
  const scheme = quantize?.scheme ?? (optimize ? "optimize" : undefined);
  const ofGraphs = scheme !== undefined && scheme !== "fp16" && [...WEB_SCHEMES, ALL_WEB, "optimize"].includes(scheme);
  if (onnx.length === 0 && files.length === 0) {
    const others = plan.warnings.flatMap(({ code, files = [] }) => (code === "other-weights" || code === "deeper-model" ? files : []));
    const found = others.length > 0 ? `; it holds ${shown(others)}` : copied.length > 0 ? `; it holds ${shown(copied)}` : "";
    throw new UnsupportedError(`The folder holds no model: expected an .onnx or .safetensors file at its top, or .onnx in onnx/${found}`);
  }
  if (!ofGraphs || files.length === 0) return { ...plan, safetensors: onlyModel(tensorFiles, indexes) };
  if (onnx.length === 0)
    throw new UnsupportedError(`${scheme} is for ONNX, and the folder holds safetensors only: export the model to ONNX`);
  const message = `${scheme} is for ONNX: safetensors are neither compressed nor copied`;
  return { ...plan, safetensors: undefined, warnings: [...plan.warnings, { code: "safetensors-left", message, files }] };
}

function refuseDoubles(onnx: readonly OnnxModel[]): void {
  const byStem = new Map<string, string>();
  for (const { file, stem } of onnx) {
    const other = byStem.get(stem);
    if (other !== undefined)
      throw new UnsupportedError(`'${other}' and '${file}' would both be written as onnx/${stem}_….onnx; remove or rename one of them`);
    byStem.set(stem, file);
  }
}

/** The safetensors model, as loaders choose it: model.safetensors, else what an index names, else the only file there is. */
function onlyModel(files: readonly string[], indexes: readonly string[]): SafetensorsModel | undefined {
  if (files.includes("model.safetensors")) return { file: "model.safetensors" };
  const index = indexes.includes("model.safetensors.index.json") ? "model.safetensors.index.json" : indexes[0];
  if (indexes.length > 1 && index !== "model.safetensors.index.json")
    throw new UnsupportedError(`The folder holds several indexes (${indexes.join(", ")}): keep that of one model`);
  if (index !== undefined) return { index };
  if (files.length === 0) return undefined;
  const [file, second] = files;
  const shard = files.find((name) => SHARD.test(name));
  if (file === undefined || second !== undefined || shard !== undefined)
    throw new UnsupportedError(
      shard === undefined
        ? `The folder holds several safetensors files (${shown(files)}) and no model.safetensors among them: compress them one by one`
        : `'${shard}' is a part of a model, and its index is missing: add ${filePart(shard).replace(SHARD, "")}.safetensors.index.json`,
    );
  return { file };
}

const shown = (names: readonly string[]): string => names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
