import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { isAboutModel } from "../engine/file-error.ts";
import { UnsupportedError } from "../errors.ts";
import type { FindSibling } from "../formats/onnx/siblings.ts";
import { type FileSource, fileSource } from "../io/file.ts";
import { inputOf, readAll } from "../io/input.ts";
import { isSource, memorySource, type Source } from "../io/source.ts";
import { isSystemError, reasonOf, UsageError } from "./exit.ts";
import { standardInput } from "./streams.ts";

/** A model that is read from a pipe to be run; ONNX files end there too. */
const MAX_PIPED_BYTES = 2 ** 31;

/** A model named on the command line. */
export interface Model {
  /** How messages call it. */
  name: string;
  /** A regular file can be read again; pipes and standard input cannot. */
  source: Source | ReadableStream<Uint8Array>;
  /** The files beside it. */
  siblings: FindSibling | undefined;
  close(): Promise<void>;
}

/** Opens a model: `-` is standard input. */
export async function openModel(path: string, signal: AbortSignal): Promise<Model> {
  const opened = await openInput(path, signal).catch((error: unknown) => {
    throw missing(`Cannot read the model ${path}`, error);
  });
  const name = path === "-" ? "standard input" : path;
  const { source: file } = opened;
  if (!isSource(file)) return { name, source: file, siblings: undefined, close: opened.close };
  const beside: FileSource[] = [];
  const siblings = async (location: string): Promise<Source | undefined> => {
    const found = await openSibling(path, location);
    if (found) beside.push(found);
    return found;
  };
  const read: Source["read"] = (...range) => {
    signal.throwIfAborted();
    return file.read(...range);
  };
  const close = async (): Promise<void> => void (await Promise.all([opened, ...beside].map((each) => each.close())));
  return { name, source: { size: file.size, read }, siblings, close };
}

/** Opens a file; standard input, which `-` is, and pipes are read once. */
async function openInput(path: string, signal: AbortSignal): Promise<Pick<Model, "source" | "close">> {
  if (path === "-") return { source: standardInput(signal), async close() {} };
  const found = await stat(path);
  if (found.isDirectory()) throw Object.assign(new Error(`${path} is a folder`), { code: "EISDIR" }); // not first when it is read
  if (!found.isFile()) return openPipe(path, signal);
  const file = await fileSource(path);
  return { source: file, close: () => file.close() };
}

/** Opens what is no model and can be read again: what comes from a pipe or standard input is kept in memory, up to `limit` bytes. */
export async function openArrays(path: string, limit: number, signal: AbortSignal): Promise<{ source: Source; close(): Promise<void> }> {
  const { source, close } = await openInput(path, signal);
  return { source: isSource(source) ? source : memorySource(await readAll(inputOf(source), limit, "MAX_ARRAY_BYTES")), close };
}

/** A model that can be read again. */
export interface LoadableModel extends Omit<Model, "source"> {
  source: Source;
  /** Bytes of the file, and of those beside it that have been read. */
  bytes(): number;
}

/** Opens a model that is loaded: what comes from a pipe or standard input is kept in memory. */
export async function openLoadable(path: string, signal: AbortSignal): Promise<LoadableModel> {
  const { source: opened, siblings, ...model } = await openModel(path, signal);
  const source = isSource(opened) ? opened : memorySource(await readAll(inputOf(opened), MAX_PIPED_BYTES, "MAX_PIPED_BYTES"));
  const beside = new Map<string, number>();
  const find: FindSibling | undefined =
    siblings &&
    (async (location) => {
      const found = await siblings(location);
      if (found) beside.set(location, found.size);
      return found;
    });
  return { ...model, source, siblings: find, bytes: () => [...beside.values()].reduce((n, each) => n + each, source.size) };
}

/** A file that a model names, from the model's folder. */
async function openSibling(model: string, location: string): Promise<FileSource | undefined> {
  const folder = await realpath(dirname(model));
  const path = join(folder, location);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const target = await within(folder, path);
  if (target) return fileSource(target);
  throw new UnsupportedError(`'${location}' is a link out of the model's folder, or no file; put a copy in its place (cp -L)`);
}

/** The file at a path within a folder, links followed; undefined where they lead out of it, or to no file. */
export async function within(folder: string, path: string): Promise<string | undefined> {
  const target = await realpath(path).catch(() => undefined);
  return target?.startsWith(folder.replace(/[\\/]?$/, sep)) && (await stat(target)).isFile() ? target : undefined;
}

/** Says which model an error is about; the engine knows it by its bytes only. */
export function withName(error: unknown, name: string): unknown {
  const own = `${basename(name)}: `; // what the engine calls it
  if (isAboutModel(error)) error.message = `${name}: ${error.message.startsWith(own) ? error.message.slice(own.length) : error.message}`;
  return error;
}

/** A pipe, such as a shell's `<(command)`: read once. */
async function openPipe(path: string, signal: AbortSignal): Promise<Pick<Model, "source" | "close">> {
  const [{ createReadStream }, { readableStream }] = await Promise.all([import("node:fs"), import("./streams.ts")]);
  const stream = createReadStream(path, { highWaterMark: 1 << 18 });
  return {
    source: readableStream(stream, signal),
    async close() {
      stream.destroy();
    },
  };
}

/** A file that is not there is wrong usage; one that cannot be read is a failure. */
export function missing(action: string, error: unknown): unknown {
  if (!isSystemError(error)) {
    if (error instanceof Error) error.message = `${action}: ${error.message}`;
    return error;
  }
  const message = `${action}: ${reasonOf(error)}`;
  return error.code === "ENOENT" || error.code === "ENOTDIR" ? new UsageError(message) : new Error(message, { cause: error });
}
