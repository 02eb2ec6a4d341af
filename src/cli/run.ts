import { mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { load } from "../index.ts";
import { writeNpy } from "../io/npy.ts";
import { type Latency, timedRuns } from "../runtime/latency.ts";
import type { Results } from "../runtime/model.ts";
import { UsageError } from "./exit.ts";
import { arrayable, fileNames, inputFiles, readFeeds, statistics } from "./feeds.ts";
import { openLoadable, withName } from "./model.ts";
import { failure, openOutput } from "./output.ts";
import { writeOut } from "./streams.ts";
import { table } from "./table.ts";
import { milliseconds, number, printable, seconds, size } from "./units.ts";

export interface RunFlags {
  input: string[];
  output: string;
  repeat: number;
}

/** `edgeslim run`: feeds a model from files, writes its outputs, tells how long it took. */
export async function runCommand(path: string, flags: RunFlags, signal: AbortSignal): Promise<void> {
  if (flags.output === "-") throw new UsageError("A run writes a file for each output: name a folder with -o, not standard output");
  if (path === "-" && (await inputFiles(flags.input)).includes("-"))
    throw new UsageError("The model and an input cannot both be standard input");
  const file = await openLoadable(path, signal);
  const named = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw withName(error, file.name);
    });
  try {
    const start = performance.now();
    const model = await named(load(file.source, { findSibling: file.siblings, signal }));
    const loaded = performance.now() - start;
    const feeds = await readFeeds(flags.input, model.inputs, signal);
    const { results, latency } = await named(timedRuns(model, feeds, flags.repeat, { signal }));
    const files = await write(results, flags, signal);
    const name = path === "-" ? "standard input" : basename(path);
    await writeOut(`${printable(name)} ${size(file.bytes())}, loaded in ${seconds(loaded / 1000)}\n\n`);
    await writeOut(`${outputTable(results, files)}\n${latencyLine(latency, flags.repeat > 0)}\nmemory   ${size(model.memory)}\n`);
  } finally {
    await file.close();
  }
}

/** Writes each output as it is named, each file when it is complete. */
async function write(results: Results, { input, output }: RunFlags, signal: AbortSignal): Promise<Map<string, string>> {
  const tensors = Object.entries(results).filter(([, tensor]) => "data" in tensor);
  const files = fileNames(tensors.map(([name]) => name));
  const read = new Set((await inputFiles(input)).map((file) => resolve(file)));
  for (const [name, file] of files)
    if (read.has(resolve(output, file)))
      throw new UsageError(`The output ${name} would overwrite the input ${join(output, file)}; name another folder with -o`);
  await mkdir(output, { recursive: true }).catch((error: unknown) => {
    throw failure(output, error);
  });
  for (const [name, tensor] of tensors) {
    const sink = await openOutput(join(output, files.get(name) as string), signal);
    try {
      await sink.write(writeNpy(arrayable(tensor)));
      await sink.close();
    } catch (error) {
      await sink.abort(error);
      throw error;
    }
  }
  return files;
}

function outputTable(results: Results, files: ReadonlyMap<string, string>): string {
  const rows = Object.entries(results).map(([name, tensor]) => {
    const file = files.get(name);
    if (file === undefined) return [name, "sequence or optional", "", "", "", "", "", "", "not written"];
    const { dtype, shape } = tensor;
    const told = statistics(tensor);
    const numbers = told ? [told.min, told.max, told.mean, told.std].map(number) : ["", "", "", ""];
    return [name, dtype, shape.join("×") || "scalar", ...numbers, told?.nan ? String(told.nan) : "", file];
  });
  return table(rows, ["output", "type", "shape", "min", "max", "mean", "std", "NaN", "file"]);
}

/** `latency  12.3 ms first, then 4.51 ms median, 5.02 ms p90 of 20 runs` */
export function latencyLine({ first_ms, median_ms, p90_ms, runs }: Latency, repeated: boolean): string {
  const rest = repeated ? `, then ${milliseconds(median_ms)} median, ${milliseconds(p90_ms)} p90 of ${runs} runs` : "";
  return `latency  ${milliseconds(first_ms)} first${rest}`;
}
