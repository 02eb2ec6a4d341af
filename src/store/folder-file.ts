import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Store, StoredObject, StoreSink } from "../server/ports.ts";

interface Place {
  /** Where the file will be. */
  path: string;
  /** Where it is written. */
  draft: string;
  inRoom<T>(path: string, make: () => Promise<T>): Promise<T>;
  tidy(directory: string): Promise<void>;
}

/** A sink into a file that appears, under its name, when it is complete. */
export function fileSink(store: Store, key: string, { path, draft, inRoom, tidy }: Place): StoreSink {
  const opening = inRoom(draft, () => open(draft, "wx"));
  opening.catch(() => {}); // the first write reports it
  let at = 0;
  let state: "open" | "closed" | "gone" = "open";
  let again: StoredObject | undefined;
  const write = async (bytes: Uint8Array, offset: number): Promise<void> => {
    const file = await opening;
    for (let done = 0; done < bytes.byteLength; ) {
      done += (await file.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
    }
  };
  const closeAgain = async (): Promise<void> => {
    const object = again;
    again = undefined;
    await object?.close();
  };
  return {
    async write(bytes) {
      await write(bytes, at);
      at += bytes.byteLength;
    },
    patch: (offset, bytes) => write(bytes, offset),
    async close() {
      await (await opening).close();
      state = "closed";
      await inRoom(path, () => rename(draft, path));
      await tidy(dirname(draft));
    },
    async reopen() {
      again = await store.open(key);
      if (!again) throw new Error(`${key} has gone.`);
      const { size, read } = again.source;
      return {
        size,
        async read(offset, length) {
          const bytes = await read(offset, length);
          if (offset + length === size) await closeAgain(); // it is read once, from end to end
          return bytes;
        },
      };
    },
    async abort() {
      if (state === "gone") return;
      const wasClosed = state === "closed";
      state = "gone";
      const file = await opening.catch(() => undefined);
      if (wasClosed) await closeAgain();
      else await file?.close().catch(() => {});
      await rm(draft, { force: true });
      await tidy(dirname(draft));
      if (wasClosed) await store.delete(key); // the run failed after all
    },
  };
}
