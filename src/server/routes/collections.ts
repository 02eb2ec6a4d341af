import type { Context } from "hono";
import { type Room, requireStore } from "../models.ts";
import { checkName, pathSegments } from "../names.ts";
import type { Ports, Store, StoredInfo } from "../ports.ts";
import { HttpProblem } from "../problem.ts";

/** GET /v1/ROOM: the names there are, with the number and bytes of their files. */
export function listNames({ store }: Ports, room: Room): (c: Context) => Promise<Response> {
  return async (c) => {
    const names = new Map<string, { name: string; files: number; bytes: number }>();
    for await (const { key, size } of requireStore(store).list(`${room}/`)) {
      const name = key.split("/")[1] as string;
      const entry = names.get(name) ?? { name, files: 0, bytes: 0 };
      names.set(name, { name, files: entry.files + 1, bytes: entry.bytes + size });
    }
    return c.json({ [room]: [...names.values()] }, 200, { "cache-control": "no-store" });
  };
}

async function filesOf(store: Store, room: Room, name: string): Promise<StoredInfo[]> {
  const files: StoredInfo[] = [];
  for await (const info of store.list(`${room}/${name}/`)) files.push(info);
  if (files.length === 0) throw new HttpProblem(404, `There is nothing named '${name}'`);
  return files;
}

const nameOf = (c: Context): string => checkName(pathSegments(c.req.url, 2)[0] ?? "");

/** GET /v1/ROOM/NAME: its files. */
export function listFiles({ store }: Ports, room: Room): (c: Context) => Promise<Response> {
  return async (c) => {
    const name = nameOf(c);
    const files = await filesOf(requireStore(store), room, name);
    const prefix = `${room}/${name}/`;
    const rows = files.map(({ key, size, etag, modified }) => ({
      file: key.slice(prefix.length),
      bytes: size,
      etag,
      modified: modified.toISOString(),
    }));
    return c.json({ name, files: rows }, 200, { "cache-control": "no-store" });
  };
}

/** DELETE /v1/ROOM/NAME: with all its files. */
export function deleteFiles({ store }: Ports, room: Room): (c: Context) => Promise<Response> {
  return async (c) => {
    const bound = requireStore(store);
    for (const { key } of await filesOf(bound, room, nameOf(c))) await bound.delete(key);
    return c.body(null, 204);
  };
}
