import type { Spool } from "../engine/lookahead.ts";
import { type Payload, rangePayload } from "../payload.ts";
import type { Store, StoredObject } from "./ports.ts";

/** A spool in a store: an object a tensor, under `spool/ID/`. */
export function storeSpool(store: Store, id: string): Spool {
  const objects: StoredObject[] = [];
  const keys: string[] = [];
  return {
    async write(payload: Payload): Promise<Payload> {
      const key = `spool/${id}/${keys.length}`;
      const sink = store.sink(key);
      keys.push(key);
      try {
        for await (const chunk of payload.chunks()) await sink.write(chunk);
        await sink.close();
      } catch (error) {
        await sink.abort(error);
        throw error;
      }
      const object = await store.open(key);
      if (!object) throw new Error(`The spooled object ${key} has gone.`);
      objects.push(object);
      return rangePayload(object.source, 0, payload.length);
    },
    async clear() {
      await Promise.all(objects.splice(0).map((object) => object.close()));
      await Promise.all(keys.splice(0).map((key) => store.delete(key)));
    },
  };
}
