import { type Context, Hono } from "hono";
import { pipeSink } from "../io/sink.ts";
import { HotModels } from "./hot.ts";
import { Metrics, metricsRoute } from "./metrics.ts";
import { type Ports, WORKER_LIMITS } from "./ports.ts";
import { HttpProblem, problemOf, problemResponse, StallError } from "./problem.ts";
import { deleteFiles, listFiles, listNames } from "./routes/collections.ts";
import { compareRoute } from "./routes/compare.ts";
import { compressRoute } from "./routes/compress.ts";
import { live, ready, serverMetadata } from "./routes/health.ts";
import { inferRoute, modelMetadata, modelReady } from "./routes/infer.ts";
import { inspectRoute } from "./routes/inspect.ts";
import { deleteObject, getObject, putObject } from "./routes/objects.ts";
import { openapi } from "./routes/openapi.ts";
import { page } from "./routes/page.ts";
import { reportRoute } from "./routes/reports.ts";
import { lasting, waitUntil } from "./run.ts";
import { Slots } from "./slots.ts";
import { dropped } from "./upload.ts";

export type { Limits, OpenPipe, Ports, PutOptions, Store, StoredInfo, StoredObject, StoreSink } from "./ports.ts";
export { HOST_LIMITS, WORKER_LIMITS } from "./ports.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE";
type Handler = (c: Context) => Response | Promise<Response>;

/** What `createApp` needs: an engine, and what else the platform has. */
export type AppOptions = Pick<Ports, "engine"> & Partial<Omit<Ports, "limits">> & { limits?: Partial<Ports["limits"]> };

/**
 * The HTTP door as a Hono application, for any platform.
 * @example
 * import * as engine from "edgeslim";
 * export default createApp({ engine });
 */
export function createApp({ engine, store, openPipe = pipeSink, log = () => {}, limits }: AppOptions): Hono {
  const ports: Ports = { engine, store, openPipe, log, limits: { ...WORKER_LIMITS, ...limits } };
  const slots = new Slots(ports.limits);
  const inferring = new Slots(ports.limits, "MAX_INFERRING");
  const hot = new HotModels(ports);
  const metrics = new Metrics();
  const app = new Hono();

  /** A path and its methods; any other method is answered 405. HEAD comes with GET. */
  const route = (path: string, methods: Partial<Record<Method, Handler>>): void => {
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, (c) => lasting(c, async () => handler(c)));
    const allow = Object.keys(methods)
      .flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]))
      .join(", ");
    app.all(path, (c) => {
      throw new HttpProblem(405, `${c.req.method} is not possible here; ${allow} is`, { allow });
    });
  };

  route("/", { GET: page });
  route("/openapi.json", { GET: openapi });
  route("/metrics", { GET: metricsRoute(metrics, slots) });
  route("/v1/compress", { POST: compressRoute(ports, slots, metrics) });
  route("/v1/compare", { POST: compareRoute(ports, slots) });
  route("/v1/inspect", { POST: inspectRoute(ports, slots) });
  route("/v1/reports/:id", { GET: reportRoute(ports) });
  for (const room of ["models", "data"] as const) {
    route(`/v1/${room}`, { GET: listNames(ports, room) });
    route(`/v1/${room}/:name`, { GET: listFiles(ports, room), DELETE: deleteFiles(ports, room) });
    route(`/v1/${room}/:name/:file{.+}`, {
      GET: getObject(ports, room),
      PUT: putObject(ports, room, slots),
      DELETE: deleteObject(ports, room),
    });
  }
  route("/v2", { GET: serverMetadata });
  route("/v2/health/live", { GET: live });
  route("/v2/health/ready", { GET: ready });

  for (const model of ["/v2/models/:name", "/v2/models/:name/versions/:version"]) {
    route(model, { GET: modelMetadata(ports, hot) });
    route(`${model}/ready`, { GET: modelReady(ports, hot) });
    route(`${model}/infer`, { POST: inferRoute(ports, hot, inferring) });
  }

  app.notFound(() => {
    throw new HttpProblem(404, "There is nothing here; /openapi.json tells what there is");
  });
  app.onError(async (error, c) => {
    if (problemOf(error).status === 500 && !c.req.raw.signal.aborted) log(error);
    if (!(error instanceof StallError)) await dropped(c.req.raw, (work) => waitUntil(c, work));
    return problemResponse(c, error);
  });
  return app;
}
