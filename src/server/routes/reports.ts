import type { Context } from "hono";
import { requireStore } from "../models.ts";
import type { Ports } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import { readReport } from "../reports.ts";

/** Seconds after which a client may ask again. */
const RETRY_SECONDS = 2;

/** GET /v1/reports/ID: 202 while the run is under way, then its report, or the error it ended with. */
export function reportRoute({ store, limits }: Ports): (c: Context) => Promise<Response> {
  return async (c) => {
    const id = c.req.param("id") ?? "";
    const entry = await readReport(requireStore(store), id, limits);
    c.header("cache-control", "no-store");
    if (!entry) throw new HttpProblem(404, "There is no such report");
    if (entry.state === "running")
      return c.json({ status: "running", recipe: entry.recipe }, 202, { "retry-after": String(RETRY_SECONDS) });
    return c.json(entry.report);
  };
}
