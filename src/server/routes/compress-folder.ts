import type { Context } from "hono";
import type { FolderReport } from "../../engine/folder-report.ts";
import { folderTarget, located } from "../folder.ts";
import type { Metrics } from "../metrics.ts";
import { requireStore } from "../models.ts";
import type { Ports } from "../ports.ts";
import { ReportEntry } from "../reports.ts";
import { waitUntil } from "../run.ts";
import type { FolderJob } from "./compress-job.ts";

/** A stored model of several files, or one that becomes several, into the store. Ends the run. */
export async function storeFolder(c: Context, ports: Ports, metrics: Metrics, job: FolderJob, output: string): Promise<Response> {
  const store = requireStore(ports.store);
  const work = makeFolder(ports, job, output)
    .finally(async () => {
      await job.folder.close();
      job.run.end();
    })
    .then(
      (report) => (metrics.done(report), report),
      (error: unknown) => {
        metrics.failed();
        throw error;
      },
    );
  waitUntil(
    c,
    work.catch(() => {}),
  );
  const report = located(await work, output);
  const entry = new ReportEntry(store, job.recipe, ports.limits);
  await entry.done(report).catch(ports.log);
  return c.json(report, 201, { location: `/v1/models/${output}`, "cache-control": "no-store", "edgeslim-report": entry.path });
}

async function makeFolder({ engine, store, limits }: Ports, job: FolderJob, output: string): Promise<FolderReport> {
  const { run, recipe, shard, folder } = job;
  const into = await folderTarget(requireStore(store), run, output, folder.name);
  const { MAX_HASHED_BYTES: maxHashedBytes } = limits;
  return engine.compress(folder.files, recipe, { into, shard, signal: run.signal, onProgress: run.moved, maxHashedBytes }).report;
}
