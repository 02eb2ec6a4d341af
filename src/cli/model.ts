import { stat } from "node:fs/promises";
import { UnsupportedError } from "../errors.ts";
import { fileSource } from "../io/file.ts";
import type { Source } from "../io/source.ts";
import { isSystemError, reasonOf, UsageError } from "./exit.ts";
import { standardInput } from "./streams.ts";

/** A model named on the command line. */
export interface Model {
  /** How messages call it. */
  name: string;
  /** A regular file can be read again; pipes and standard input cannot. */
  source: Source | ReadableStream<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a model: `-` is standard input. */
export async function openModel(path: string, signal: AbortSignal): Promise<Model> {
  if (path === "-") return { name: "standard input", source: standardInput(signal), async close() {} };
  try {
    const found = await stat(path);
    if (found.isDirectory())
      throw new UnsupportedError(`${path} is a folder, and models of several files are not in this version; name one file`);
    if (!found.isFile()) return await openPipe(path, signal);
    const file = await fileSource(path);
    const read = (offset: number, length: number): Promise<Uint8Array> => {
      signal.throwIfAborted();
      return file.read(offset, length);
    };
    return { name: path, source: { size: file.size, read }, close: file.close };
  } catch (error) {
    throw missing(`Cannot read the model ${path}`, error);
  }
}

/** A pipe, such as a shell's `<(command)`: read once. */
async function openPipe(path: string, signal: AbortSignal): Promise<Model> {
  const [{ createReadStream }, { readableStream }] = await Promise.all([import("node:fs"), import("./streams.ts")]);
  const stream = createReadStream(path, { highWaterMark: 1 << 18 });
  return {
    name: path,
    source: readableStream(stream, signal),
    async close() {
      stream.destroy();
    },
  };
}

/** A file that is not there is wrong usage; one that cannot be read is a failure. */
export function missing(action: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const message = `${action}: ${reasonOf(error)}`;
  return error.code === "ENOENT" || error.code === "ENOTDIR" ? new UsageError(message) : new Error(message, { cause: error });
}
