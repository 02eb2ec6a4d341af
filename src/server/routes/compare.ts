import type { Context } from "hono";
import { type Compared, compareModels } from "../../engine/compare.ts";
import type { Source } from "../../io/source.ts";
import { randomFeeds } from "../../runtime/random-feeds.ts";
import { withWayOut } from "../hot.ts";
import { openModel, requireStore, runnable, siblingsOf } from "../models.ts";
import { checkName } from "../names.ts";
import type { Ports, Store } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import { Run } from "../run.ts";
import { storedSamples } from "../samples.ts";
import type { Slots } from "../slots.ts";

const PARAMETERS = ["a", "b", "samples"] as const;

/** What the query names: two models, and samples where there are some. */
function parseQuery(search: URLSearchParams): { a: string; b: string; samples: string | undefined } {
  for (const key of search.keys())
    if (!PARAMETERS.some((name) => name === key) || search.getAll(key).length > 1)
      throw new HttpProblem(
        400,
        `The query parameter ${JSON.stringify(key.slice(0, 50))} is unknown or there twice; there are ${PARAMETERS.join(", ")}`,
      );
  const [a, b, samples] = PARAMETERS.map((name) => search.get(name));
  if (typeof a !== "string" || typeof b !== "string") throw new HttpProblem(400, "The query names two stored models: a=NAME&b=NAME");
  return { a: checkName(a, "a"), b: checkName(b, "b"), samples: typeof samples === "string" ? checkName(samples, "samples") : undefined };
}

/** POST /v1/compare?a=NAME&b=NAME&samples=NAME: how far the second model is from the first, on stored samples or random inputs. */
export function compareRoute({ engine, store, limits }: Ports, slots: Slots): (c: Context) => Promise<Response> {
  return async (c) => {
    const query = parseQuery(new URL(c.req.url).searchParams);
    const bound = requireStore(store);
    const run = new Run(c.req.raw, limits, slots);
    const closing: (() => Promise<void>)[] = [];
    try {
      run.settled();
      const [a, b] = [await opened(bound, query.a, closing), await opened(bound, query.b, closing)];
      const comparison = await compareModels(a, b, {
        load: engine.load,
        maxBytes: Math.floor(limits.MAX_HOT_BYTES / 2), // both are loaded
        signal: run.signal,
        async feeds({ inputs }) {
          if (query.samples === undefined) return [randomFeeds(inputs)];
          const { open, close } = await storedSamples(bound, query.samples, limits);
          closing.push(close);
          return open(inputs);
        },
      }).catch((error: unknown) => {
        throw withWayOut(error, `${query.a}' or '${query.b}`, limits);
      });
      return c.json(comparison, 200, { "cache-control": "no-store" });
    } finally {
      run.end();
      await Promise.all(closing.map((close) => close()));
    }
  };
}

async function opened(store: Store, name: string, closing: (() => Promise<void>)[]): Promise<Compared> {
  const stored = await openModel(store, name);
  closing.push(stored.close);
  const file = runnable(stored, undefined);
  return { name, source: stored.files[file] as Source, siblings: siblingsOf(stored, file) };
}
