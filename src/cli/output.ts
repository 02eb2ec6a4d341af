import { open, stat } from "node:fs/promises";
import { FileSink } from "../io/file.ts";
import type { Sink } from "../io/sink.ts";
import { isSystemError, reasonOf, UsageError } from "./exit.ts";
import { standardOutput } from "./streams.ts";

/**
 * Opens the file that a result goes to: it appears when it is complete. `-` is standard output; a pipe or a device is written as it
 * stands, since it cannot be replaced.
 */
export async function openOutput(path: string, signal: AbortSignal): Promise<Sink> {
  if (path === "-") return standardOutput(signal);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() || /[\\/]$/.test(path))
    throw new UsageError(`Cannot write ${path}: it is a folder, expected the name of a file`);
  try {
    return guarded(path, found && !found.isFile() ? await deviceSink(path) : await FileSink.create(path), signal);
  } catch (error) {
    throw failure(path, error);
  }
}

async function deviceSink(path: string): Promise<Sink> {
  const handle = await open(path, "w");
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.byteLength; ) at += (await handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
    },
    close: () => handle.close(),
    abort: () => handle.close().catch(() => {}),
  };
}

/** The sink, stopped by the signal, with the file's name in what it fails with. */
export function guarded(path: string, sink: Sink, signal: AbortSignal): Sink {
  const tell = (error: unknown): never => {
    throw failure(path, error);
  };
  const { patch, reopen } = sink;
  return {
    async write(bytes) {
      signal.throwIfAborted();
      await sink.write(bytes).catch(tell);
    },
    ...(patch && { patch: (offset, bytes) => patch.call(sink, offset, bytes).catch(tell) }),
    ...(reopen && { reopen: () => reopen.call(sink) }),
    async close() {
      signal.throwIfAborted();
      await sink.close().catch(tell);
    },
    abort: (reason) => sink.abort(reason),
  };
}

export function failure(path: string, error: unknown): unknown {
  if (!isSystemError(error) || error.code === "EPIPE") return error;
  const reason = error.code === "ENOENT" ? "its folder does not exist" : reasonOf(error);
  return new Error(`Cannot write ${path}: ${reason}`, { cause: error });
}
