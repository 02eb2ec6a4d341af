import type { Context } from "hono";
import { LimitError } from "../../errors.ts";
import { readAll } from "../../io/input.ts";
import type { Port } from "../../runtime/ports.ts";
import type { HotModels, ModelPlace } from "../hot.ts";
import { answerBody, JSON_LENGTH, parseRequest } from "../infer-request.ts";
import { checkName, pathSegments } from "../names.ts";
import type { Limits, Ports } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import { Run } from "../run.ts";
import type { Slots } from "../slots.ts";
import { datatypeOf } from "../tensors.ts";

/** `/v2/models/NAME[/versions/VERSION]…` */
function placeOf(c: Context): ModelPlace {
  const [name = "", versions, version] = pathSegments(c.req.url, 2);
  return { name: checkName(name), version: versions === "versions" ? checkName(version ?? "", "VERSION") : undefined };
}

const named = ({ name, version }: ModelPlace) => ({ model_name: name, ...(version !== undefined && { model_version: version }) });

/** POST …/infer: runs a stored model on the tensors of the body. */
export function inferRoute({ limits }: Ports, hot: HotModels, slots: Slots): (c: Context) => Promise<Response> {
  return async (c) => {
    const place = placeOf(c);
    const run = new Run(c.req.raw, limits, slots);
    try {
      const request = parseRequest(await bodyOf(c, run, limits), c.req.header(JSON_LENGTH));
      run.settled();
      const outputs = request.outputs?.map(({ name }) => name);
      const results = await hot.use(place, run.signal, (model) => model.run(request.feeds, { outputs, signal: run.signal }));
      const { body, jsonBytes } = answerBody(named(place), request, results);
      return c.body(body as Uint8Array<ArrayBuffer>, 200, {
        "content-type": jsonBytes === undefined ? "application/json" : "application/octet-stream",
        "cache-control": "no-store, no-transform",
        ...(jsonBytes !== undefined && { [JSON_LENGTH]: String(jsonBytes) }),
      });
    } finally {
      run.end();
    }
  };
}

async function bodyOf(c: Context, run: Run, { MAX_INFER_BYTES }: Limits): Promise<Uint8Array> {
  const tooLong = (): LimitError =>
    new LimitError("MAX_INFER_BYTES", `The body has more than ${MAX_INFER_BYTES} bytes; send tensors as binary data, or fewer at a time`);
  if (Number(c.req.header("content-length") ?? 0) > MAX_INFER_BYTES) throw tooLong();
  const upload = run.upload(c);
  const input = upload && { ...upload, pull: () => upload.pull().finally(run.moved) };
  try {
    const body = input && (await readAll(input, MAX_INFER_BYTES, "MAX_INFER_BYTES"));
    if (body?.byteLength) return body;
  } catch (error) {
    await upload?.cancel(error);
    throw error instanceof LimitError ? tooLong() : error;
  }
  throw new HttpProblem(400, "The body is empty: expected a JSON object with 'inputs'");
}

/** GET /v2/models/NAME: what a model takes and gives. A dimension that a run binds is -1. */
export function modelMetadata({ limits }: Ports, hot: HotModels): (c: Context) => Promise<Response> {
  return async (c) => {
    const { place, inputs, outputs, versions } = await described(c, limits, hot);
    const ports = (all: readonly Port[]) =>
      all.map(({ name, dtype, shape = [""] }) => ({
        name,
        datatype: datatypeOf(dtype),
        shape: shape.map((d) => (typeof d === "number" ? d : -1)),
      }));
    return c.json({ name: place.name, versions, platform: "edgeslim_onnx", inputs: ports(inputs), outputs: ports(outputs) });
  };
}

/** GET …/ready: whether a model is there, can be read, and may fit into memory. */
export function modelReady({ limits }: Ports, hot: HotModels): (c: Context) => Promise<Response> {
  return async (c) => {
    const { place, fits } = await described(c, limits, hot);
    return c.json({ name: place.name, ready: fits });
  };
}

async function described(c: Context, limits: Limits, hot: HotModels) {
  const place = placeOf(c);
  const run = new Run(c.req.raw, limits);
  try {
    run.settled();
    return { place, ...(await hot.describe(place, run.signal)) };
  } finally {
    run.end();
  }
}
