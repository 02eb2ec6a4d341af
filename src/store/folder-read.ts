import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Source } from "../io/source.ts";
import type { StoredInfo, StoredObject } from "../server/ports.ts";

/** Bytes of a response that are read at a time. */
const WINDOW = 1 << 18;

/** The inode tells apart what was written within the same tick of the file system's clock. */
export const infoOf = (key: string, { size, mtimeMs, ino }: Stats): StoredInfo => ({
  key,
  size,
  etag: `"${size.toString(16)}-${Math.round(mtimeMs * 1000).toString(16)}-${ino.toString(16)}"`,
  modified: new Date(mtimeMs),
});

/** An open file as a stored object: renamed over, it stays what it was. Undefined where it is no file. */
export async function storedFile(key: string, file: FileHandle): Promise<StoredObject | undefined> {
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    return undefined;
  }
  const source: Source = {
    size: stats.size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let fill = 0; fill < length; ) {
        const { bytesRead } = await file.read(bytes, fill, length - fill, offset + fill);
        if (bytesRead === 0) throw new Error(`${key} became shorter while it was read.`);
        fill += bytesRead;
      }
      return bytes;
    },
  };
  let users = 1; // the object itself, and every stream of it
  const close = async (): Promise<void> => {
    users--;
    if (users === 0) await file.close();
  };
  return {
    ...infoOf(key, stats),
    source,
    close,
    async stream(offset, length) {
      users++;
      return rangeStream(source, offset, length, close);
    },
  };
}

/** A range as a stream that is read as fast as it is taken. */
function rangeStream(source: Source, offset: number, length: number, close: () => Promise<void>): ReadableStream<Uint8Array> {
  let at = offset;
  const end = offset + length;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const bytes = await source.read(at, Math.min(WINDOW, end - at));
          at += bytes.byteLength;
          controller.enqueue(bytes);
        } catch (error) {
          await close();
          throw error;
        }
        if (at < end) return;
        controller.close();
        await close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
