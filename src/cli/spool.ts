import { createReadStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Spool } from "../engine/lookahead.ts";
import type { Payload } from "../payload.ts";

/** Tensor data in the system's folder for temporary files, for runs that read a stream. Nothing is made before it is needed. */
export function fileSpool(): Spool {
  let folder: string | undefined;
  let files = 0;
  return {
    async write(payload) {
      folder ??= await mkdtemp(join(tmpdir(), "edgeslim-"));
      const path = join(folder, String(files++));
      const handle = await open(path, "wx");
      try {
        await copy(payload, handle);
      } finally {
        await handle.close();
      }
      return { length: payload.length, again: true, chunks: () => createReadStream(path, { highWaterMark: 1 << 18 }) };
    },
    async clear() {
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function copy(payload: Payload, handle: FileHandle): Promise<void> {
  for await (const chunk of payload.chunks()) {
    for (let at = 0; at < chunk.byteLength; ) at += (await handle.write(chunk, at, chunk.byteLength - at)).bytesWritten;
  }
}
