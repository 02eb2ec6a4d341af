import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { compress, type FolderCompression, type FolderOptions } from "../index.ts";
import type { Source } from "../io/source.ts";
import { type OpenedSamples, openCalibration } from "./calibrate.ts";
import type { CompressJob, CompressResult } from "./compress.ts";
import { UsageError } from "./exit.ts";
import { openFolder } from "./folder.ts";
import { type FolderOutput, openFolderOutput } from "./folder-output.ts";
import { folderSummary } from "./folder-summary.ts";
import { openModel, withName } from "./model.ts";
import type { ProgressBar } from "./progress.ts";
import { tellWarnings, warningLines } from "./summary.ts";

/** Compresses the models of a folder, or one model, into a folder. */
export async function compressToFolder(job: CompressJob): Promise<CompressResult> {
  const { model, output, recipe, shard, calibrate, hash, bar, signal } = job;
  const isFolder = model !== "-" && ((await stat(model).catch(() => undefined))?.isDirectory() ?? false);
  const from = isFolder ? await openFolder(model, signal) : await openOne(model, signal);
  await tellWarnings(warningLines(from)); // at once: a failure may follow from them
  let to: FolderOutput | undefined;
  let samples: OpenedSamples | undefined;
  try {
    samples = calibrate === undefined ? undefined : await openCalibration(calibrate, signal);
    to = await openFolderOutput(output, !isFolder, signal);
    const options: FolderOptions & { into: FolderOutput } = {
      signal,
      shard,
      hash,
      siblings: from.siblings,
      calibration: samples?.calibration,
      into: to,
      onProgress: watch(bar),
    };
    const made: FolderCompression = "files" in from ? compress(from.files, recipe, options) : compress(from.source, recipe, options);
    const report = await made.report;
    const warnings = warningLines({ warnings: report.warnings.filter(({ code }) => code !== "refused") }); // the summary has a row for each
    report.warnings.unshift(...from.warnings);
    return {
      report,
      warnings,
      summary: folderSummary(report, model, output),
      finish: () => (to as FolderOutput).finish(),
      abort: () => (to as FolderOutput).abort(),
    };
  } catch (error) {
    await to?.abort();
    throw withName(error, model);
  } finally {
    await Promise.all([from.close(), samples?.close()]);
  }
}

/** One model whose results go into a folder: they are named after it, and it is read once a scheme. */
async function openOne(path: string, signal: AbortSignal) {
  const { source, siblings, close } = await openModel(path, signal);
  if (source instanceof ReadableStream) {
    await close();
    const name = path === "-" ? "standard input" : path;
    throw new UsageError(`Cannot compress ${name} into a folder: what is made is named after the model's file; name a file`);
  }
  return { source: Object.assign(source, { name: basename(path) }) as Source, siblings, close, warnings: [] };
}

/** Shows one file after the other on the bar. */
function watch(bar: ProgressBar): NonNullable<FolderOptions["onProgress"]> {
  let current = "";
  return ({ file, bytes, total }) => {
    if (file !== current) bar.phase(file, total);
    current = file;
    bar.at(bytes);
  };
}
