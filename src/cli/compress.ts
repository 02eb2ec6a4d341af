import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { Plan } from "../engine/compress.ts";
import { type RecipeInput, withShortForms } from "../engine/recipe.ts";
import type { Report } from "../engine/report.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import { compressInto } from "../index.ts";
import type { Sink } from "../io/sink.ts";
import { UsageError } from "./exit.ts";
import { missing, openModel } from "./model.ts";
import { openOutput } from "./output.ts";
import { type ProgressBar, progressBar } from "./progress.ts";
import { fileSpool } from "./spool.ts";
import { writeErr, writeOut } from "./streams.ts";
import { summary, warningLines } from "./summary.ts";

export interface CompressFlags {
  output: string;
  quantize?: string;
  prune?: string;
  optimize?: boolean;
  recipe?: string;
  report?: string;
  calibrate?: string;
  shard?: string;
}

export async function compressCommand(path: string, flags: CompressFlags, signal: AbortSignal): Promise<void> {
  refuse(path, flags);
  const recipe = await readRecipe(flags);
  const model = await openModel(path, signal);
  const opened: Sink[] = [];
  const open = async (file: string): Promise<Sink> => {
    const sink = await openOutput(file, signal);
    opened.push(sink);
    return sink;
  };
  const bar = progressBar();
  try {
    const reportSink = flags.report === undefined ? undefined : await open(flags.report);
    const sink = await open(flags.output);
    const run = { signal, spool: fileSpool(), ...watch(bar, sink, "size" in model.source ? model.source.size : undefined) };
    const report = await compressInto(model.source, recipe as RecipeInput, run.sink, run);
    if (flags.output !== "-") report.output.files = [basename(flags.output)];
    bar.stop();
    if (reportSink) await writeReport(flags.report as string, reportSink, report, basename(path));
    await tell(path, flags, report);
  } catch (error) {
    bar.stop();
    await Promise.all(opened.map((sink) => sink.abort(error).catch(() => {})));
    throw withName(error, model.name);
  } finally {
    await model.close();
  }
}

/** Refuses what is contradictory, and what the command line knows but this version cannot do. */
function refuse(path: string, { output, quantize, recipe, report, calibrate, shard }: CompressFlags): void {
  if (report !== undefined && report !== "-" && !/\.(json|html?)$/i.test(report)) {
    throw new UsageError(`Cannot tell the kind of report from ${report}: expected a name that ends in .json or .html`);
  }
  if (path === "-" && recipe === "-") throw new UsageError("The model and the recipe cannot both be standard input");
  if (output === "-" && report === "-") throw new UsageError("The model and the report cannot both be standard output");
  if (
    report !== undefined &&
    report !== "-" &&
    [path, output, recipe].some((file) => file !== undefined && file !== "-" && resolve(file) === resolve(report))
  ) {
    throw new UsageError(`--report would overwrite ${report}; give it another name`);
  }
  const absent =
    calibrate !== undefined ? "--calibrate" : shard !== undefined ? "--shard" : quantize === "all-web" ? "--quantize all-web" : undefined;
  if (absent) throw new UnsupportedError(`${absent} is not in this version`);
}

async function readRecipe({ recipe: path, quantize, prune, optimize }: CompressFlags): Promise<unknown> {
  if (path === undefined) return withShortForms(undefined, { quantize, prune, optimize });
  const text = await readText(path).catch((error: unknown) => {
    throw missing(`Cannot read the recipe ${path}`, error);
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`Cannot read the recipe ${path}: it is not JSON: ${(error as Error).message}`, { format: "recipe" });
  }
  return withShortForms(document, { quantize, prune, optimize });
}

async function readText(path: string): Promise<string> {
  if (path !== "-") return readFile(path, "utf8");
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}

/** Shows a run on the bar: what is read until the length of the output is known, then what is written. */
function watch(
  bar: ProgressBar,
  to: Sink,
  size: number | undefined,
): { sink: Sink; onPlan(plan: Plan): void; onProgress(p: { bytes: number }): void } {
  let written = 0;
  let planned = false;
  bar.phase("reading", size);
  const sink: Sink = {
    ...to,
    async write(bytes) {
      await to.write(bytes);
      written += bytes.byteLength;
      if (planned) bar.at(written);
    },
  };
  return {
    sink,
    onPlan({ bytes }) {
      planned = bytes !== undefined;
      if (planned) bar.phase("writing", bytes);
    },
    onProgress({ bytes }) {
      if (!planned) bar.at(bytes);
    },
  };
}

async function writeReport(path: string, sink: Sink, report: Report, model: string): Promise<void> {
  const { reportPage } = await import("./page.ts");
  const text = /\.html?$/i.test(path) ? await reportPage(report, model) : `${JSON.stringify(report, null, 2)}\n`;
  await sink.write(new TextEncoder().encode(text));
  await sink.close();
}

/** One line about the result: on standard output, unless that carries the model or the report. */
async function tell(path: string, { output, report: reportPath }: CompressFlags, report: Report): Promise<void> {
  for (const line of warningLines(report)) await writeErr(`edgeslim: warning: ${line}\n`);
  const line = `${summary(report, path, output)}\n`;
  const carriesOther = output === "-" || reportPath === "-" || !(await isRegular(output));
  if (!carriesOther) await writeOut(line);
  else if (process.stderr.isTTY) await writeErr(line);
}

/** A device or a pipe may be standard output by another name (/dev/stdout). */
const isRegular = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Says which model an error is about; the engine knows it by its bytes only. */
function withName(error: unknown, name: string): unknown {
  if (error instanceof Error && (error.name === "FormatError" || error.name === "UnsupportedError" || error.name === "LimitError")) {
    error.message = `${name}: ${error.message}`;
  }
  return error;
}
