import { type Input, isInput } from "../io/input.ts";
import { pipeSink, type Sink } from "../io/sink.ts";
import { blobSource, isSource, memorySource, type Source } from "../io/source.ts";
import type { WasmModules } from "../kernels/kernels.ts";
import { type CompressOptions, compressInto } from "./compress.ts";
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

/** The module door over one set of kernels. */
export interface Engine {
  /**
   * Compresses a model.
   * @throws {FormatError} where bytes or recipe are broken, {UnsupportedError} what cannot be done, {LimitError} what is too large:
   * by `report` and by `readable`.
   * @example const { readable, report } = compress(file, { quantize: "w8" });
   */
  compress(source: ModelSource, recipe: RecipeInput, options?: CompressOptions): Compression;
  /** Compresses into a sink, which decides the layout: one that can `patch` gets a single graph from a stream too. */
  compressInto(source: ModelSource, recipe: RecipeInput, sink: Sink, options?: CompressOptions): Promise<Report>;
  /** Tells format, tensors, operators and what each scheme would give. */
  inspect(source: ModelSource, options?: InspectOptions): Promise<Inspection>;
}

function normalized(source: ModelSource): ReadableStream<Uint8Array> | Source | Input {
  if (source instanceof Uint8Array) return memorySource(source);
  if (source instanceof Blob) return blobSource(source);
  if (source instanceof ReadableStream || isSource(source) || isInput(source)) return source;
  throw new TypeError("A model is a ReadableStream, a Blob, a Uint8Array or a Source with size and read(offset, length).");
}

/** An engine over compiled kernels. */
export function createEngine(modules: () => Promise<WasmModules>): Engine {
  const pool = new KernelPool(modules);
  const into: Engine["compressInto"] = (source, recipe, sink, options) =>
    pool.use((tools) => compressInto(tools, normalized(source), recipe, sink, options));
  return {
    compressInto: into,
    compress(source, recipe, options) {
      const { sink, readable } = pipeSink();
      const report = into(normalized(source), recipe, sink, options).catch(async (error: unknown) => {
        await sink.abort(error);
        throw error;
      });
      report.catch(() => {}); // the stream carries the failure to those who do not ask for the report
      return { readable, report };
    },
    inspect: (source, options) => inspectModel(normalized(source), options),
  };
}
