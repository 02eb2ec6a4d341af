import { UnsupportedError } from "../errors.ts";
import { detect } from "../formats/detect.ts";
import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { abortableSource } from "../io/abort.ts";
import { type Input, inputOf } from "../io/input.ts";
import { Output } from "../io/output.ts";
import { cancelOnAbort, Reader } from "../io/reader.ts";
import type { Sink } from "../io/sink.ts";
import { isSource, type Source } from "../io/source.ts";
import type { Curve } from "../prune/channels/allocate.ts";
import { VERSION } from "../version.ts";
import type { Calibration } from "./calibration.ts";
import { type DataFile, DataFiles, type ExternalSink } from "./data-files.ts";
import { Decider } from "./decide.ts";
import { Lookahead, type Spool } from "./lookahead.ts";
import { compressOnnxSource } from "./onnx-source.ts";
import { OnnxStream } from "./onnx-stream.ts";
import type { Tools } from "./pool.ts";
import { PrunePlan } from "./prune-plan.ts";
import { canonicalRecipe, parseRecipe, type RecipeInput } from "./recipe.ts";
import { Log, type Report } from "./report.ts";
import { runtimeOf } from "./runtimes.ts";
import { compressSafetensors } from "./safetensors.ts";
import { replayed } from "./sampled.ts";

/** What is known before the first byte of output. */
export interface Plan {
  format: "onnx" | "safetensors";
  layout: "canonical" | "patched" | "pieced";
  /** Length of the output, of all its files, where it is known. */
  bytes?: number;
  /** The files, the model's own first; where `external` is given. */
  files?: DataFile[];
}

export interface Progress {
  /** Bytes of the source read so far, in the first pass over it. */
  bytes: number;
  /** Bytes that will be read, where known. */
  total: number | undefined;
  /** Bytes written so far. */
  written: number;
  /** Tensors done so far, kept ones included. */
  tensors: number;
}

export interface CompressOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Called once, before the first byte is written. */
  onPlan?: ((plan: Plan) => void) | undefined;
  /**
   * Longest source whose SHA-256 the report tells; by default every one. Hashing takes a third of a run's time where the rest is as fast
   * as here, and a Worker's processor time is limited.
   */
  maxHashedBytes?: number | undefined;
  /** Whether the report tells any SHA-256, of the source or of the output. By default it does. */
  hash?: boolean | undefined;
  /** Samples to calibrate on, and what runs the model on them: for w8a8. */
  calibration?: Calibration | undefined;
  /** What was measured of channels before (`report.pruning.sensitivity`), so that it need not be measured again. */
  sensitivity?: readonly Curve[] | undefined;
  /** Where tensor data goes that must be held and does not fit in memory. */
  spool?: Spool | undefined;
  /** The files beside an ONNX model, where its external data is. */
  siblings?: FindSibling | undefined;
  /**
   * Takes the data of an ONNX model that does not fit into one file of 2 GiB, or that is to be split. A source that is read once gives one
   * file, unless it is to be split: then it is held, as for the optimizer.
   */
  external?: ExternalSink | undefined;
}

/** What the engine itself asks of a run that is one of several. */
export interface RunOptions extends CompressOptions {
  /** Told of the recipe's patterns that matched no tensor, which are else refused. */
  onUnmatched?: ((patterns: readonly string[]) => void) | undefined;
}

/**
 * Compresses a model from a stream (read once) or a Source (read again where needed) into a sink.
 * Memory is bounded by the largest tensor plus MAX_LOOKAHEAD, never by the model. On failure the sink is aborted.
 */
export async function compressInto(
  { kernels, load, spare, blocks }: Tools,
  from: ReadableStream<Uint8Array> | Source | Input,
  recipe: RecipeInput,
  sink: Sink,
  options: RunOptions = {},
): Promise<Report> {
  const started = performance.now();
  const log = new Log();
  const { hash = true } = options;
  let read = 0;
  const tell = (bytes: number): void =>
    options.onProgress?.({ bytes, total: source?.size, written: out.length + (data?.length ?? 0), tensors: log.tensors.length });
  const out = new Output(sink, blocks, options.signal, hash);
  const siblings = new Siblings(options.siblings, options.signal);
  const data = options.external && new DataFiles(options.external, blocks, options.signal);
  const lookahead = new Lookahead(blocks, options.spool);
  const source = isSource(from) ? abortableSource(from, options.signal) : undefined;
  const reader = new Reader(inputOf(source ?? from), {
    hash: hash ? (options.maxHashedBytes ?? Number.POSITIVE_INFINITY) : 0,
    signal: options.signal,
    onRead: (bytes) => tell((read = bytes)),
  });
  out.onWrite = () => tell(read);
  if (data) data.onWrite = out.onWrite;
  const release = cancelOnAbort(reader, options.signal);
  try {
    const parsed = parseRecipe(recipe);
    log.quantizes = parsed.quantize !== undefined;
    const run = {
      kernels,
      load,
      spare,
      out,
      data,
      reader,
      siblings,
      lookahead,
      decider: new Decider(parsed, (code, message, tensor) => log.warn(code, message, tensor), options.onUnmatched),
      log,
      calibration: options.calibration && replayed(options.calibration),
      sensitivity: options.sensitivity,
      signal: options.signal,
      runtime: parsed.target?.runtime === undefined ? undefined : runtimeOf(parsed.target.runtime),
      optimizes: parsed.optimize === true,
      pruning: parsed.prune && new PrunePlan(parsed.prune, parsed.target),
      recipe: canonicalRecipe(parsed),
      onPlan: options.onPlan ?? (() => {}),
    };
    if (options.calibration && run.decider.observer === undefined && !run.pruning?.isSampled)
      throw new UnsupportedError(
        "Nothing in the recipe looks at samples, so they would change nothing; leave them out, use w8a8, or recover what pruning loses",
      );
    const format = await detect(reader);
    if (format === "safetensors" && parsed.optimize)
      throw new UnsupportedError("The recipe asks to optimize the graph, and safetensors hold none; leave 'optimize' out");
    if (format === "safetensors" && data?.isAsked)
      throw new UnsupportedError(
        "The result is to be split, and a safetensors file comes out as one file; give a folder as the output, which takes shards",
      );
    if (format === "safetensors" && run.decider.observer !== undefined)
      throw new UnsupportedError(
        "The scheme w8a8 looks at activations, and safetensors hold no graph that gives any; give an ONNX model, or use w8",
      );
    // The optimizer, pruning and calibration look at all of a graph before they decide, and at some weights again; a result is split by the sizes of all
    // its parts.
    const isWhole = parsed.optimize === true || parsed.prune !== undefined || data?.isAsked === true || run.decider.observer !== undefined;
    const again = source ?? (format === "onnx" && isWhole ? await lookahead.whole(reader) : undefined);
    let layout: string = "canonical";
    let opset: number | undefined;
    if (format === "safetensors") await compressSafetensors(run, source);
    else
      ({ layout, opset } = await (again
        ? compressOnnxSource(again === source ? run : { ...run, reader: new Reader(inputOf(again)) }, again)
        : new OnnxStream(run, sink.patch ? "patched" : "pieced").compress()));
    const written = await out.close();
    const seconds = (performance.now() - started) / 1000;
    const bytes = reader.position + siblings.bytes;
    const sourceHash = reader.sha256();
    const sha256 = written.sha256 ?? (hash && sink.reopen ? await hashOf(await sink.reopen()) : undefined);
    return {
      edgeslim: VERSION,
      recipe: parsed,
      source: {
        format,
        ...(opset === undefined ? {} : { opset }),
        bytes,
        ...(sourceHash ? { sha256: sourceHash } : {}),
        ...(siblings.files.length > 0 && { files: siblings.files.map(({ location }) => location) }),
      },
      output: {
        format,
        layout,
        bytes: written.bytes + (data?.length ?? 0),
        ...(sha256 ? { sha256 } : {}),
        ...(data && { files: [data.sink.name, ...data.names] }),
      },
      tensors: log.tensors,
      layers: log.layerReports(),
      ...(log.optimization ? { optimization: log.optimization } : {}),
      ...(log.pruning ? { pruning: log.pruning } : {}),
      ...(log.calibration ? { calibration: log.calibration } : {}),
      warnings: log.warnings,
      timing: {
        seconds: Math.round(seconds * 1e4) / 1e4,
        bytes_per_second: Math.round(bytes / seconds),
        peak_memory_bytes: kernels.memory.buffer.byteLength + lookahead.peak + out.peak + (data?.peak ?? 0),
      },
    };
  } catch (error) {
    await Promise.allSettled([reader.cancel(error), out.abort(error), data?.abort(error)]); // the first failure is the one to tell
    throw error;
  } finally {
    release();
    await lookahead.clear();
  }
}

async function hashOf(source: Source): Promise<string | undefined> {
  const reader = new Reader(inputOf(source), { hash: Number.POSITIVE_INFINITY });
  await reader.skip(source.size, "the output");
  return reader.sha256();
}
