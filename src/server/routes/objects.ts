import type { Context } from "hono";
import type { Input } from "../../io/input.ts";
import { type Room, requireStore } from "../models.ts";
import { checkFile, checkName, pathSegments } from "../names.ts";
import type { Ports, StoredInfo } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import { hasTag, parseRange } from "../range.ts";
import { Run } from "../run.ts";
import type { Slots } from "../slots.ts";

interface Place {
  name: string;
  file: string;
  key: string;
}

/** `/v1/ROOM/NAME/FILE…`, from the undecoded path, so that an encoded slash is no slash. */
function placeOf(c: Context, room: Room): Place {
  const [name = "", ...rest] = pathSegments(c.req.url, 2);
  checkName(name);
  const file = checkFile(rest);
  return { name, file, key: `${room}/${name}/${file}` };
}

const missing = ({ name, file }: Place): HttpProblem => new HttpProblem(404, `There is no file '${file}' in '${name}'`);

/** GET and HEAD: the bytes, or a range of them. */
export function getObject({ store }: Ports, room: Room): (c: Context) => Promise<Response> {
  return async (c) => {
    const place = placeOf(c, room);
    const bound = requireStore(store);
    if (c.req.method === "HEAD") {
      const info = await bound.head(place.key);
      if (!info) throw missing(place);
      return answer(c, info, async () => null);
    }
    const object = await bound.open(place.key);
    if (!object) throw missing(place);
    try {
      return await answer(c, object, (offset, length) => object.stream(offset, length));
    } finally {
      await object.close();
    }
  };
}

type Body = (offset: number, length: number) => Promise<ReadableStream<Uint8Array> | null>;

async function answer(c: Context, { etag, size, modified }: StoredInfo, body: Body): Promise<Response> {
  const match = c.req.header("if-match");
  if (match !== undefined && !hasTag(match, etag, false)) throw new HttpProblem(412, `The file has the entity tag ${etag}`);
  const headers: Record<string, string> = {
    etag,
    "last-modified": modified.toUTCString(),
    "accept-ranges": "bytes",
    "cache-control": "no-cache, no-transform",
  };
  const noneMatch = c.req.header("if-none-match");
  if (noneMatch !== undefined && hasTag(noneMatch, etag, true)) return c.body(null, 304, headers);
  const condition = c.req.header("if-range");
  const range = condition === undefined || condition === etag ? parseRange(c.req.header("range"), size) : undefined;
  if (range === "unsatisfiable") throw new HttpProblem(416, `The file has ${size} bytes`, { "content-range": `bytes */${size}` });
  const { offset, length } = range ?? { offset: 0, length: size };
  if (range) headers["content-range"] = `bytes ${offset}-${offset + length - 1}/${size}`;
  headers["content-type"] = "application/octet-stream";
  headers["content-length"] = String(length);
  const bytes = length > 0 ? await body(offset, length) : null;
  return c.body(bytes as ReadableStream, range ? 206 : 200, headers);
}

const NOTHING: Input = { size: 0, pull: async () => undefined, cancel: async () => {} };

/** PUT: 201 where the file is new, 200 where it was replaced. */
export function putObject({ store, limits }: Ports, room: Room, slots: Slots): (c: Context) => Promise<Response> {
  return async (c) => {
    const place = placeOf(c, room);
    const bound = requireStore(store);
    const before = await bound.head(place.key);
    const [match, noneMatch] = [c.req.header("if-match"), c.req.header("if-none-match")];
    if (match !== undefined && !(before && hasTag(match, before.etag, false)))
      throw new HttpProblem(412, "The file is not what If-Match names");
    if (noneMatch !== undefined && before && hasTag(noneMatch, before.etag, true)) throw new HttpProblem(412, "The file exists already");
    const declared = c.req.header("content-length");
    const size = declared === undefined ? undefined : Number(declared);
    const run = new Run(c.req.raw, limits, size === undefined ? slots : undefined); // what comes without a length must be buffered
    try {
      const stored = await bound.put(place.key, run.upload(c) ?? NOTHING, { size, signal: run.signal, moved: run.moved });
      const document = { name: place.name, file: place.file, bytes: stored.size, etag: stored.etag };
      return c.json(document, before ? 200 : 201, { location: new URL(c.req.url).pathname, etag: stored.etag });
    } finally {
      run.end();
    }
  };
}

export function deleteObject({ store }: Ports, room: Room): (c: Context) => Promise<Response> {
  return async (c) => {
    const place = placeOf(c, room);
    if (!(await requireStore(store).delete(place.key))) throw missing(place);
    return c.body(null, 204);
  };
}
