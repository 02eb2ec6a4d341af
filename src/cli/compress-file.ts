import { basename, dirname, join } from "node:path";
import type { Plan } from "../engine/compress.ts";
import type { ExternalSink } from "../engine/data-files.ts";
import { compressInto } from "../index.ts";
import type { Sink } from "../io/sink.ts";
import { type OpenedSamples, openCalibration } from "./calibrate.ts";
import type { CompressJob, CompressResult } from "./compress.ts";
import { openModel, withName } from "./model.ts";
import { openOutput } from "./output.ts";
import type { ProgressBar } from "./progress.ts";
import { fileSpool } from "./spool.ts";
import { summary, warningLines } from "./summary.ts";

/** Compresses a model into a file or a stream. */
export async function compressToFile({
  model: path,
  output,
  recipe,
  shard,
  calibrate,
  hash,
  bar,
  signal,
}: CompressJob): Promise<CompressResult> {
  const model = await openModel(path, signal);
  let samples: OpenedSamples | undefined;
  try {
    samples = calibrate === undefined ? undefined : await openCalibration(calibrate, signal);
    const sink = await openOutput(output, signal);
    const data = output === "-" ? undefined : dataFiles(output, shard, signal);
    const { siblings } = model;
    const watched = watch(bar, "size" in model.source ? model.source.size : undefined);
    const run = { signal, hash, spool: fileSpool(), siblings, calibration: samples?.calibration, external: data?.sink, ...watched };
    const report = await compressInto(model.source, recipe, data ? data.before(sink) : sink, run);
    if (output !== "-") report.output.files ??= [basename(output)];
    return {
      report,
      warnings: warningLines(report),
      summary: `${summary(report, path, output)}\n`,
      async finish() {}, // the file is in its place
      async abort() {},
    };
  } catch (error) {
    throw withName(error, model.name);
  } finally {
    await Promise.all([model.close(), samples?.close()]);
  }
}

/** Files beside the output, for data that does not fit into it. They appear just before it does, when all is complete. */
function dataFiles(output: string, shard: number | undefined, signal: AbortSignal): { sink: ExternalSink; before(sink: Sink): Sink } {
  const waiting: Sink[] = [];
  return {
    sink: {
      name: basename(output),
      ...(shard === undefined ? {} : { shard }),
      async open(name) {
        const file = await openOutput(join(dirname(output), name), signal);
        waiting.push(file);
        return { write: (bytes) => file.write(bytes), async close() {}, abort: (reason) => file.abort(reason) };
      },
    },
    before: (sink) => ({
      ...sink, // an object of functions, as openOutput makes it
      async close() {
        for (const file of waiting) await file.close();
        await sink.close();
      },
    }),
  };
}

/** Shows a run on the bar: what is read until the length of the output is known, then what is written. */
function watch(
  bar: ProgressBar,
  size: number | undefined,
): { onPlan(plan: Plan): void; onProgress(progress: { bytes: number; written: number }): void } {
  let planned = false;
  bar.phase("reading", size);
  return {
    onPlan({ bytes }) {
      planned = bytes !== undefined;
      if (planned) bar.phase("writing", bytes);
    },
    onProgress: ({ bytes, written }) => bar.at(planned ? written : bytes),
  };
}
