import type { Context } from "hono";
import type { Plan } from "../../engine/compress.ts";
import { UnsupportedError } from "../../errors.ts";
import { Gate } from "../gate.ts";
import type { Metrics } from "../metrics.ts";
import { requireStore } from "../models.ts";
import type { Ports } from "../ports.ts";
import { problemOf } from "../problem.ts";
import { parseQuery, type Query } from "../query.ts";
import { ReportEntry } from "../reports.ts";
import { Run, waitUntil } from "../run.ts";
import type { Slots } from "../slots.ts";
import { storeSpool } from "../spool.ts";
import { outputKey, storeTarget } from "../target.ts";
import { storeFolder } from "./compress-folder.ts";
import { type FileJob, prepare, refuseSeveral } from "./compress-job.ts";

/** POST /v1/compress: a body, a form or a stored model; to the response or into the store. */
export function compressRoute(ports: Ports, slots: Slots, metrics: Metrics): (c: Context) => Promise<Response> {
  const counting = { ...ports, engine: counted(ports.engine, metrics) };
  return async (c) => {
    const query = parseQuery(new URL(c.req.url).searchParams);
    if (query.output !== undefined && !ports.store)
      throw new UnsupportedError("'output' needs a store, and this server has none; read the response instead");
    const type = c.req.header("content-type") ?? "";
    const isForm = query.model === undefined && /^multipart\/form-data\b/i.test(type);
    const recipe = isForm ? undefined : query.recipe(); // refused before a byte is read
    if (recipe) refuseSeveral(recipe, query);
    const run = new Run(c.req.raw, ports.limits, slots);
    let handedOver = false;
    try {
      const job = await prepare(c, ports, run, query, isForm ? type : undefined, recipe);
      handedOver = true;
      const { output = "" } = query;
      if ("folder" in job) return await storeFolder(c, ports, metrics, job, output);
      return await (query.output === undefined ? respond(c, counting, job, query) : store(c, counting, job, output));
    } finally {
      if (!handedOver) run.end();
    }
  };
}

/** The engine, its runs counted. */
const counted = (engine: Ports["engine"], metrics: Metrics): Ports["engine"] => ({
  ...engine,
  async compressInto(...run) {
    try {
      const report = await engine.compressInto(...run);
      metrics.done(report);
      return report;
    } catch (error) {
      metrics.failed();
      throw error;
    }
  },
});

/** What a run needs beside its sink, and gives back when it ends. */
function options({ store, limits }: Ports, { run, stored, calibration, close }: FileJob, onPlan: (plan: Plan) => void) {
  const spool = store && storeSpool(store, crypto.randomUUID());
  const end = async (): Promise<void> => {
    await Promise.all([stored?.model.close(), close?.()]);
    run.end();
  };
  const maxHashedBytes = store ? limits.MAX_HASHED_BYTES : 0; // without a store there is no report to tell it
  return {
    options: { signal: run.signal, onProgress: run.moved, onPlan, spool, maxHashedBytes, siblings: stored?.siblings, calibration },
    end,
  };
}

async function respond(c: Context, ports: Ports, job: FileJob, { model = "model" }: Query): Promise<Response> {
  const { engine, store, limits, log } = ports;
  const { run, recipe, from } = job;
  let plan: Plan | undefined;
  const entry = store && new ReportEntry(store, recipe, limits);
  let announced: Promise<void> | undefined;
  const openPipe = () => {
    run.answered = true;
    announced = entry?.running();
    run.onBeat = () => entry?.beat();
    return ports.openPipe(plan?.bytes);
  };
  const gate = new Gate(openPipe, () => plan?.bytes, run.signal, run.moved);
  const settings = options(ports, job, (p) => void (plan = p));
  const work = engine
    .compressInto(from, recipe, gate, settings.options)
    .then(
      async (report) => {
        await entry?.done(report).catch(log); // the model is good without its report
        await gate.end();
      },
      async (error: unknown) => {
        await gate.abort(error); // where the engine failed before it had the sink
        if (!run.answered) return; // the answer says it
        const problem = problemOf(error);
        if (problem.status === 500 && !run.signal.aborted) log(error);
        await entry?.failed(problem);
      },
    )
    .catch(log) // the store failed
    .finally(settings.end);
  waitUntil(c, work);

  const opened = await gate.opened.finally(() => (run.answered ? announced?.catch(log) : work));
  const { format = "onnx", layout = "canonical", bytes } = plan ?? {};
  const length = "bytes" in opened ? opened.bytes.byteLength : bytes;
  return c.body("bytes" in opened ? opened.bytes : opened.readable, 200, {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="${model}-${recipe.quantize?.scheme ?? "edgeslim"}.${format}"`,
    "cache-control": "no-store, no-transform",
    "edgeslim-layout": layout,
    ...(length === undefined ? {} : { "content-length": String(length) }),
    ...(entry ? { "edgeslim-report": entry.path } : {}),
  });
}

async function store(c: Context, ports: Ports, job: FileJob, name: string): Promise<Response> {
  const target = requireStore(ports.store);
  const { run, recipe, from, stored } = job;
  let plan: Plan | undefined;
  const key = (): string => outputKey(name, plan as Plan);
  const settings = options(ports, job, (p) => void (plan = p));
  const entry = new ReportEntry(target, recipe, ports.limits);
  const work = ports.engine
    .compressInto(from, recipe, storeTarget(target, run, key, stored && `models/${stored.model.name}/${stored.file}`), settings.options)
    .finally(settings.end);
  waitUntil(
    c,
    work.catch(() => {}),
  );
  const report = await work;
  report.output.files = [`/v1/${key()}`];
  await entry.done(report).catch(ports.log);
  return c.json(report, 201, { location: `/v1/${key()}`, "cache-control": "no-store", "edgeslim-report": entry.path });
}
