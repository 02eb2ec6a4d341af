import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Spool } from "../engine/lookahead.ts";
import { fileSource } from "../io/file.ts";
import { type Payload, rangePayload } from "../payload.ts";

/** Tensor data in the system's folder for temporary files, for runs that read a stream. Nothing is made before it is needed. */
export function fileSpool(): Spool {
  let folder: string | undefined;
  let files = 0;
  const sources: Awaited<ReturnType<typeof fileSource>>[] = [];
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
      const source = await fileSource(path);
      sources.push(source);
      return rangePayload(source, 0, payload.length);
    },
    async clear() {
      await Promise.all(sources.splice(0).map((source) => source.close()));
      const gone = folder;
      folder = undefined;
      if (gone) await rm(gone, { recursive: true, force: true });
    },
  };
}

async function copy(payload: Payload, handle: FileHandle): Promise<void> {
  for await (const chunk of payload.chunks()) {
    for (let at = 0; at < chunk.byteLength; ) at += (await handle.write(chunk, at, chunk.byteLength - at)).bytesWritten;
  }
}
