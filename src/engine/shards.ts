import { UnsupportedError } from "../errors.ts";
import { cutAt, shardName, writeIndex } from "../formats/safetensors/shards.ts";
import { sourceInput } from "../io/input.ts";
import { Output } from "../io/output.ts";
import { Reader } from "../io/reader.ts";
import { byteLength, isFloat, type TensorInfo } from "../tensor.ts";
import { VERSION } from "../version.ts";
import { Decider } from "./decide.ts";
import type { PartOptions } from "./folder-options.ts";
import { Lookahead } from "./lookahead.ts";
import type { Outputs } from "./outputs.ts";
import type { Tools } from "./pool.ts";
import { canonicalRecipe, type Recipe } from "./recipe.ts";
import { Log, type Report } from "./report.ts";
import { headOf, type Planned, planTensors, writePlanned } from "./safetensors.ts";
import { namesOf, type TensorFiles } from "./tensor-files.ts";

/** What was made of a safetensors model. */
export interface TensorsMade {
  report: Report;
  planned: readonly Planned[];
}

/** A tensor and the file it is read from. */
type Placed = Planned & { from: string };

/**
 * Compresses a safetensors model of one or several files into as many, or into files of `shard` bytes, headers included. Tensors keep
 * their order, and what stands for one of them stays in one file. Decisions see the names of all files.
 */
export async function compressTensors(
  { kernels, blocks }: Tools,
  model: TensorFiles,
  recipe: Recipe,
  outputs: Outputs,
  { shard, signal, spool, onUnmatched, onProgress, onPlan }: PartOptions,
): Promise<TensorsMade> {
  if (recipe.optimize) throw new UnsupportedError("The recipe asks to optimize the graph, and safetensors hold none; leave 'optimize' out");
  if (recipe.prune)
    throw new UnsupportedError("The recipe prunes, which this version does to safetensors of one file, given alone and not as a folder");
  const started = performance.now();
  const log = new Log();
  const decider = new Decider(recipe, (code, message, tensor) => log.warn(code, message, tensor), onUnmatched);
  const names = namesOf(model);
  const planned = [...model.files].flatMap(([from, { header }]) =>
    planTensors({ decider, log }, header.tensors, names).map((each): Placed => ({ ...each, from })),
  );
  decider.finish();
  if (!planned.some(({ encoding }) => encoding)) throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);

  const canonical = canonicalRecipe(recipe);
  const groups = shard === undefined ? bySource(model, planned) : bySize(model, planned, shard, canonical);
  const lookahead = new Lookahead(blocks, spool);
  const total = [...model.files.values()].reduce((n, { source }) => n + source.size, 0);
  const readers = new Readers(model, signal);
  let written = 0;
  let peak = 0;
  try {
    for (const [name, group] of groups) {
      const out = new Output(outputs.sink(name), blocks, signal, false);
      out.onWrite = () =>
        onProgress?.({ file: name, bytes: readers.read, total, written: written + out.length, tensors: log.tensors.length });
      const { head, bytes } = headOf(group, metadataOf(model, name), canonical);
      if (shard !== undefined && bytes > shard)
        log.warn("over-shard", `A tensor is never cut: these take more than a shard of ${shard} bytes`, (group[0] as Placed).entry.name);
      onPlan?.({ file: name, format: "safetensors", layout: "canonical", bytes });
      out.put(head);
      for (const each of group) {
        const reader = await readers.at(each);
        await writePlanned({ kernels, out, log, lookahead, reader }, each, model.files.get(each.from)?.source);
      }
      written += (await out.close()).bytes;
      peak = Math.max(peak, out.peak);
    }
  } catch (error) {
    await outputs.abort(error, [...groups.keys()]);
    throw error;
  } finally {
    await lookahead.clear();
  }
  const index = indexName(model, groups);
  if (index !== undefined) {
    const parts = new Map([...groups].map(([name, group]) => [name, group.flatMap((each) => each.parts.map(({ info }) => info))]));
    await outputs.put(index, new TextEncoder().encode(writeIndex(model.index?.rest ?? {}, parts)));
  }
  const seconds = (performance.now() - started) / 1000;
  const files = [...groups.keys(), ...(index === undefined ? [] : [index])];
  const report: Report = {
    edgeslim: VERSION,
    recipe,
    source: { format: "safetensors", bytes: total, files: [...(model.index ? [model.index.name] : []), ...model.files.keys()] },
    output: { format: "safetensors", layout: "canonical", bytes: files.reduce((n, name) => n + outputs.bytesOf(name), 0), files },
    tensors: log.tensors,
    layers: log.layerReports(),
    warnings: log.warnings,
    timing: {
      seconds: Math.round(seconds * 1e4) / 1e4,
      bytes_per_second: Math.round(total / seconds),
      peak_memory_bytes: kernels.memory.buffer.byteLength + lookahead.peak + peak,
    },
  };
  return { report, planned };
}

/** One reader at a time, since tensors are read in the order in which they lie. */
class Readers {
  readonly #model: TensorFiles;
  readonly #signal: AbortSignal | undefined;
  #reader: Reader | undefined;
  #from: string | undefined;
  #before = 0;

  constructor(model: TensorFiles, signal: AbortSignal | undefined) {
    this.#model = model;
    this.#signal = signal;
  }

  /** Bytes read so far, of all files. */
  get read(): number {
    return this.#before + (this.#reader?.position ?? 0);
  }

  /** A reader that stands at a tensor's data. */
  async at({ from, entry }: Placed): Promise<Reader> {
    const file = this.#model.files.get(from);
    if (!file) throw new TypeError(`'${from}' is no file of the model.`);
    if (!this.#reader || from !== this.#from) {
      this.#before += this.#reader?.position ?? 0;
      this.#reader = new Reader(sourceInput(file.source), { signal: this.#signal });
      this.#reader.format = "safetensors file";
      this.#from = from;
    }
    const offset = file.header.dataOffset + entry.offset;
    await this.#reader.skip(offset - this.#reader.position, `tensor '${entry.name}'`);
    return this.#reader;
  }
}

function bySource({ files }: TensorFiles, planned: readonly Placed[]): Map<string, Placed[]> {
  const groups = new Map([...files.keys()].map((name): [string, Placed[]] => [name, []]));
  for (const each of planned) groups.get(each.from)?.push(each);
  return groups;
}

function bySize(model: TensorFiles, planned: readonly Placed[], limit: number, recipe: string): Map<string, Placed[]> {
  const base = headOf([], metadataOf(model), recipe).bytes;
  const runs = cutAt(planned.map(roomOf), limit, base);
  let at = 0;
  return new Map(runs.map((n, i) => [shardName(model.stem, i + 1, runs.length), planned.slice(at, (at += n))]));
}

/** More than an entry of a header takes beside its name and shape. */
const ENTRY_BYTES = 96;

/** The most bytes that a tensor takes of a file: its parts, their entries in the header, its name among those kept in float. */
function roomOf({ entry, encoding, parts }: Placed): number {
  const kept = !encoding && isFloat(entry.dtype) ? 2 * textBytes(entry.name) : 0;
  const entryBytes = ({ name, shape }: TensorInfo): number => textBytes(name) + textBytes(shape) + ENTRY_BYTES;
  return parts.reduce((n, { info }) => n + byteLength(info.dtype, info.shape) + entryBytes(info), kept);
}

const textBytes = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).byteLength;

/** What a source file says of itself; for files that are cut anew, what the first one says. */
const metadataOf = ({ files }: TensorFiles, name?: string): Record<string, string> =>
  ((name === undefined ? undefined : files.get(name)) ?? [...files.values()][0])?.header.metadata ?? {};

function indexName(model: TensorFiles, groups: ReadonlyMap<string, unknown>): string | undefined {
  if (model.index && [...groups.keys()].every((name) => model.files.has(name))) return model.index.name;
  return groups.size > 1 ? `${model.stem}.safetensors.index.json` : undefined;
}
