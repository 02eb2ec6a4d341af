import { UnsupportedError } from "../errors.ts";
import { detect } from "../formats/detect.ts";
import { type Folder, type FolderInput, type FolderSink, filePart, folderOf, isFolderInput } from "../io/folder.ts";
import { type Input, inputOf, isInput } from "../io/input.ts";
import { Reader } from "../io/reader.ts";
import { pipeSink, type Sink } from "../io/sink.ts";
import { blobSource, isSource, memorySource, type Source } from "../io/source.ts";
import type { WasmModules } from "../kernels/kernels.ts";
import type { Load } from "../runtime/load.ts";
import { type CompressOptions, compressInto } from "./compress.ts";
import { compressFolder } from "./folder.ts";
import { type FolderInspection, inspectFolder } from "./folder-inspect.ts";
import type { FolderOptions } from "./folder-options.ts";
import type { FolderReport } from "./folder-report.ts";
import { type Inspection, type InspectOptions, inspectModel } from "./inspect.ts";
import { KernelPool } from "./pool.ts";
import type { RecipeInput } from "./recipe.ts";
import type { Report } from "./report.ts";

/** Anything a model can come as. A stream or an Input is read once; the others again where a recipe needs it. */
export type ModelSource = ReadableStream<Uint8Array> | Blob | Uint8Array | Source | Input;

export interface Compression {
  /** The compressed model. */
  readable: ReadableStream<Uint8Array>;
  /** Resolves when the last byte has been read; rejects with what `readable` fails with. */
  report: Promise<Report>;
}

export interface FolderCompression {
  /** The result, where its sinks can be read again, once it is complete. */
  files: Promise<Record<string, Source>>;
  /** Resolves with `files`, or rejects as they do. */
  report: Promise<FolderReport>;
}

/** Options that let the result of one model go into a folder. */
export type IntoFolder = FolderOptions & { into: FolderSink };

/** The module door over one set of kernels. */
export interface Engine {
  /**
   * Compresses a model of several files into as many: names to sources in, names to sources out. `quantize: "all-web"` makes every variant
   * that browsers use.
   * @example const { files } = compress({ "model.onnx": file, "config.json": config }, { quantize: "all-web" });
   */
  compress(folder: FolderInput, recipe: RecipeInput, options?: FolderOptions): FolderCompression;
  /** Compresses one model into a folder; its `name`, as a `File` has one, is what the results are named after. */
  compress(source: Exclude<ModelSource, ReadableStream | Input>, recipe: RecipeInput, options: IntoFolder): FolderCompression;
  /**
   * Compresses a model.
   * @throws {FormatError} where bytes or recipe are broken, {UnsupportedError} what cannot be done, {LimitError} what is too large:
   * by `report` and by `readable`.
   * @example const { readable, report } = compress(file, { quantize: "w8" });
   */
  compress(source: ModelSource, recipe: RecipeInput, options?: CompressOptions & { into?: undefined }): Compression;
  /** Compresses into a sink, which decides the layout: one that can `patch` gets a single graph from a stream too. */
  compressInto(source: ModelSource, recipe: RecipeInput, sink: Sink, options?: CompressOptions): Promise<Report>;
  /** Tells what each file of a folder is, and inspects its models. */
  inspect(folder: FolderInput, options?: InspectOptions): Promise<FolderInspection>;
  /** Tells format, tensors, operators and what each scheme would give. */
  inspect(source: ModelSource, options?: InspectOptions): Promise<Inspection>;
}

function normalized(source: ModelSource): ReadableStream<Uint8Array> | Source | Input {
  if (source instanceof Uint8Array) return memorySource(source);
  if (source instanceof Blob) return blobSource(source);
  if (source instanceof ReadableStream || isSource(source) || isInput(source)) return source;
  throw new TypeError("A model is a ReadableStream, a Blob, a Uint8Array or a Source with size and read(offset, length).");
}

/** One model as a folder that holds nothing else. */
async function folderOfOne(source: ModelSource): Promise<Folder> {
  const model = normalized(source);
  if (!isSource(model))
    throw new UnsupportedError(
      "A model that is read once cannot go into a folder; give a Blob, bytes or a Source with size and read(offset, length)",
    );
  const name = "name" in source && typeof source.name === "string" ? source.name : "";
  return folderOf({ [`${filePart(name).replace(/\.[^.]*$/, "") || "model"}.${await detect(new Reader(inputOf(model)))}`]: model });
}

/** An engine over compiled kernels; `load` runs models for what looks at activations. */
export function createEngine(modules: () => Promise<WasmModules>, load: Load): Engine {
  const pool = new KernelPool(modules, load);
  const into: Engine["compressInto"] = (source, recipe, sink, options) =>
    pool.use((tools) => compressInto(tools, normalized(source), recipe, sink, options));
  const intoFolder = (open: () => Promise<Folder>, recipe: RecipeInput, options: FolderOptions): FolderCompression => {
    const made = open().then((folder) => compressFolder(pool, folder, recipe, options));
    const compression = { files: made.then(({ files }) => files), report: made.then(({ report }) => report) };
    for (const part of Object.values(compression)) part.catch(() => {}); // each carries the failure to those who ask for it alone
    return compression;
  };
  const compress = (source: ModelSource | FolderInput, recipe: RecipeInput, options: CompressOptions | IntoFolder = {}) => {
    if (isFolderInput(source)) return intoFolder(async () => folderOf(source), recipe, options);
    if ("into" in options && options.into) return intoFolder(() => folderOfOne(source), recipe, options);
    const { sink, readable } = pipeSink();
    const report = into(normalized(source), recipe, sink, options as CompressOptions).catch(async (error: unknown) => {
      await sink.abort(error);
      throw error;
    });
    report.catch(() => {}); // the stream carries the failure to those who do not ask for the report
    return { readable, report };
  };
  const inspect = (source: ModelSource | FolderInput, options?: InspectOptions) =>
    isFolderInput(source) ? inspectFolder(folderOf(source), options) : inspectModel(normalized(source), options);
  return { compressInto: into, compress: compress as Engine["compress"], inspect: inspect as Engine["inspect"] };
}
