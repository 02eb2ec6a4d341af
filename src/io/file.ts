/** Files as Source and Sink, in Node, Deno and Bun. Only doors that have a file system import this. */
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Sink } from "./sink.ts";
import type { Source } from "./source.ts";

export interface FileSource extends Source {
  close(): Promise<void>;
}

/** A source over a regular file. It stays readable when the file is replaced or removed. */
export async function fileSource(path: string): Promise<FileSource> {
  const handle = await open(path, "r");
  const { size } = await handle.stat();
  return {
    size,
    read: (...range) => readAt(handle, ...range),
    close: () => handle.close(),
  };
}

/** A word that no other run has. */
const unique = (): string => `${process.pid.toString(36)}${Math.random().toString(36).slice(2, 8)}`;

/** The path beside `path` at which it is made, which no other run has. */
export const temporaryOf = (path: string): string => join(dirname(path), `.${basename(path).slice(0, 200)}.${unique()}.part`);

/** Whether a file or a folder has a name that `temporaryOf` gives. */
export const isTemporary = (name: string): boolean => /^\..+\.[0-9a-z]{2,16}\.part$/s.test(name);

/**
 * A sink into a file that appears when it is complete: bytes go to a temporary file beside it, which takes its name on `close`
 * and is removed on `abort`. So the file may replace the one that is being read.
 */
export class FileSink implements Sink {
  readonly #handle: FileHandle;
  readonly #target: string;
  /** Where the bytes are until `close`. */
  readonly temporary: string;
  #length = 0;
  #state: "open" | "closing" | "closed" = "open";

  private constructor(handle: FileHandle, target: string, temporary: string) {
    this.#handle = handle;
    this.#target = target;
    this.temporary = temporary;
  }

  static async create(path: string): Promise<FileSink> {
    const target = await realpath(path).catch(() => path); // writes through a symbolic link, as a shell's `>` does
    const mode = await stat(target).then(
      (found) => found.mode & 0o777,
      () => undefined,
    );
    const temporary = temporaryOf(target);
    const handle = await open(temporary, "wx+");
    if (mode !== undefined) await handle.chmod(mode).catch(() => {}); // some file systems have no modes
    return new FileSink(handle, target, temporary);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAt(this.#handle, bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  patch(offset: number, bytes: Uint8Array): Promise<void> {
    return writeAt(this.#handle, bytes, offset);
  }

  async close(): Promise<void> {
    this.#state = "closing";
    await this.#handle.close();
    await rename(this.temporary, this.#target);
    this.#state = "closed";
  }

  /** Opens the file for each read: nobody closes what this returns. */
  async reopen(): Promise<Source> {
    return {
      size: this.#length,
      read: async (offset, length) => {
        const handle = await open(this.#target, "r");
        return readAt(handle, offset, length).finally(() => handle.close());
      },
    };
  }

  async abort(): Promise<void> {
    if (this.#state === "closed") return;
    if (this.#state === "open") await this.#handle.close().catch(() => {});
    this.#state = "closed";
    await rm(this.temporary, { force: true });
  }
}

async function readAt(handle: FileHandle, offset: number, length: number, used?: Uint8Array): Promise<Uint8Array> {
  // Garbage collectors are slow to see that buffers are large.
  const bytes = used && used.buffer.byteLength >= length ? new Uint8Array(used.buffer, 0, length) : new Uint8Array(length);
  let fill = 0;
  while (fill < length) {
    const { bytesRead } = await handle.read(bytes, fill, length - fill, offset + fill);
    if (bytesRead === 0) break; // the file has shrunk; the caller says so
    fill += bytesRead;
  }
  return fill === length ? bytes : bytes.subarray(0, fill);
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.byteLength - at, offset + at);
    at += bytesWritten;
  }
}
