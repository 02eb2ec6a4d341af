import type { Context } from "hono";
import { FormatError } from "../../errors.ts";
import type { Source } from "../../io/source.ts";
import { openModel, requireStore, siblingsOf, soleModel } from "../models.ts";
import { checkName } from "../names.ts";
import type { Ports } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import { Run } from "../run.ts";
import type { Slots } from "../slots.ts";

/** POST /v1/inspect: what a model is, from the body or, with `model=NAME`, from the store. */
export function inspectRoute({ engine, store, limits }: Ports, slots: Slots): (c: Context) => Promise<Response> {
  return async (c) => {
    const search = new URL(c.req.url).searchParams;
    for (const key of search.keys()) {
      if (key !== "model") throw new HttpProblem(400, `Unknown query parameter ${JSON.stringify(key.slice(0, 50))}; there is model`);
    }
    const name = search.get("model");
    const run = new Run(c.req.raw, limits, slots);
    try {
      const options = { signal: run.signal, onRead: run.moved };
      if (name !== null) {
        const stored = await openModel(requireStore(store), checkName(name, "model"));
        const file = soleModel(stored);
        try {
          if (file === undefined) return c.json(await engine.inspect(stored.files, options));
          return c.json(await engine.inspect(stored.files[file] as Source, { ...options, siblings: siblingsOf(stored, file) }));
        } finally {
          await stored.close();
        }
      }
      const body = run.upload(c);
      if (!body) throw new FormatError("The body is empty: expected an ONNX or safetensors file");
      return c.json(await engine.inspect(body, options));
    } finally {
      run.end();
    }
  };
}
