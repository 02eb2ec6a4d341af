import type { R2Bucket, R2Object } from "@cloudflare/workers-types";
import { writableSink } from "../io/sink.ts";
import type { Store, StoredInfo, StoredObject } from "../server/ports.ts";
import { pump } from "./pump.ts";
import { R2Sink } from "./r2-sink.ts";
import { R2Source } from "./r2-source.ts";

/** Above this an object is put in parts: R2 takes about 5 GB at once. */
const MAX_PUT_BYTES = 4 * 2 ** 30;

const infoOf = ({ key, size, httpEtag, uploaded }: R2Object): StoredInfo => ({ key, size, etag: httpEtag, modified: uploaded });

/** A store in an R2 bucket. */
export function r2Store(bucket: R2Bucket): Store {
  return {
    async head(key) {
      const object = await bucket.head(key);
      return object ? infoOf(object) : undefined;
    },

    async open(key): Promise<StoredObject | undefined> {
      const object = await bucket.head(key);
      if (!object) return undefined;
      const source = new R2Source(bucket, object);
      return {
        ...infoOf(object),
        source,
        close: () => source.close(),
        async stream(offset, length) {
          const part = await bucket.get(key, { range: { offset, length }, onlyIf: { etagMatches: object.etag } });
          if (!part || !("body" in part)) throw new Error(`${key} was replaced while it was read.`);
          return part.body as unknown as ReadableStream<Uint8Array>;
        },
      };
    },

    async put(key, body, options = {}) {
      const { size } = options;
      if (size === undefined || size > MAX_PUT_BYTES) {
        const sink = new R2Sink(bucket, key);
        await pump(body, sink, options);
        return infoOf(sink.object);
      }
      const { readable, writable } = new FixedLengthStream(size);
      const [object] = await Promise.all([
        bucket.put(key, readable as never),
        pump(body, writableSink(writable as unknown as WritableStream<Uint8Array>), options),
      ]);
      return infoOf(object as R2Object);
    },

    sink: (key) => new R2Sink(bucket, key),

    async delete(key) {
      const exists = (await bucket.head(key)) !== null;
      if (exists) await bucket.delete(key);
      return exists;
    },

    async *list(prefix) {
      for (let cursor: string | undefined; ; ) {
        const page = await bucket.list(cursor === undefined ? { prefix } : { prefix, cursor });
        yield* page.objects.map(infoOf);
        if (!page.truncated) return;
        cursor = page.cursor;
      }
    },
  };
}
