import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { Recipe } from "../engine/recipe.ts";
import type { Report } from "../engine/report.ts";
import type { Sink } from "../io/sink.ts";
import { compressToFile } from "./compress-file.ts";
import { compressToFolder } from "./compress-folder.ts";
import { goesIntoFolder } from "./destination.ts";
import { UsageError } from "./exit.ts";
import { openOutput } from "./output.ts";
import { type ProgressBar, progressBar } from "./progress.ts";
import { type RecipeFlags, readRecipe } from "./recipe.ts";
import { writeErr, writeOut } from "./streams.ts";
import { tellWarnings } from "./summary.ts";

export interface CompressFlags extends RecipeFlags {
  output: string;
  report?: string;
  calibrate?: string;
  /** Bytes. */
  shard?: number;
}

/** What a run is told, into a file or a folder. */
export interface CompressJob {
  model: string;
  output: string;
  recipe: Recipe;
  shard: number | undefined;
  /** Samples to calibrate on: a folder or a file. */
  calibrate: string | undefined;
  /** Whether somebody reads the hashes of the report. */
  hash: boolean;
  bar: ProgressBar;
  signal: AbortSignal;
}

/** What a run tells when its result is ready, and how the result is put in its place or removed. */
export interface CompressResult {
  report: Report;
  /** Lines for people. */
  warnings: string[];
  summary: string;
  finish(): Promise<void>;
  abort(reason: unknown): Promise<void>;
}

export async function compressCommand(model: string, flags: CompressFlags, signal: AbortSignal): Promise<void> {
  refuse(model, flags);
  const { output, shard } = flags;
  const recipe = await readRecipe(flags);
  const intoFolder = await goesIntoFolder(model, output, recipe);
  const bar = progressBar();
  let reportSink: Sink | undefined;
  let result: CompressResult | undefined;
  try {
    reportSink = flags.report === undefined ? undefined : await openOutput(flags.report, signal);
    result = await (intoFolder ? compressToFolder : compressToFile)({
      model,
      output,
      recipe,
      shard,
      calibrate: flags.calibrate,
      hash: flags.report !== undefined,
      bar,
      signal,
    });
    bar.stop();
    if (reportSink) await writeReport(flags.report as string, reportSink, result.report, basename(resolve(model)));
    await result.finish();
  } catch (error) {
    bar.stop();
    await Promise.allSettled([reportSink?.abort(error), result?.abort(error)]);
    throw error;
  }
  await tell(flags, result);
}

/** Refuses what is contradictory. */
function refuse(path: string, { output, recipe, report }: CompressFlags): void {
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
}

async function writeReport(path: string, sink: Sink, report: Report, model: string): Promise<void> {
  const { reportPage } = await import("./page.ts");
  const text = /\.html?$/i.test(path) ? await reportPage(report, model) : `${JSON.stringify(report, null, 2)}\n`;
  await sink.write(new TextEncoder().encode(text));
  await sink.close();
}

/** The result in words: on standard output, unless that carries the model or the report. */
async function tell({ output, report: reportPath }: CompressFlags, { warnings, summary }: CompressResult): Promise<void> {
  await tellWarnings(warnings);
  const carriesOther = output === "-" || reportPath === "-" || !(await isPlace(output));
  if (!carriesOther) await writeOut(summary);
  else if (process.stderr.isTTY) await writeErr(summary);
}

/** A device or a pipe may be standard output by another name (/dev/stdout). */
const isPlace = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile() || found.isDirectory(),
    () => false,
  );
