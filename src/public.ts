/** What both module entries export besides the engine's functions. */
export type { CompressOptions, Plan, Progress } from "./engine/compress.ts";
export type { DataFile, ExternalSink } from "./engine/data-files.ts";
export type { Compression, Engine, FolderCompression, IntoFolder, ModelSource } from "./engine/engine.ts";
export type { FolderInspection } from "./engine/folder-inspect.ts";
export type { FolderOptions } from "./engine/folder-options.ts";
export type { FolderReport, Variant } from "./engine/folder-report.ts";
export type { Inspection, SchemeEstimate } from "./engine/inspect.ts";
export type { LayerReport } from "./engine/layers.ts";
export { MAX_LOOKAHEAD, type Spool } from "./engine/lookahead.ts";
export { parseRecipe, type Recipe, type RecipeInput, recipeSchema, type SchemeName } from "./engine/recipe.ts";
export type { Report, TensorReport, Warning } from "./engine/report.ts";
export { FormatError, LimitError, type Place, UnsupportedError } from "./errors.ts";
export type { FindSibling } from "./formats/onnx/siblings.ts";
export type { FolderInput, FolderSink } from "./io/folder.ts";
export { MemorySink, type Sink } from "./io/sink.ts";
export { blobSource, memorySource, type Source } from "./io/source.ts";
export type { Payload } from "./payload.ts";
export { VERSION } from "./version.ts";
