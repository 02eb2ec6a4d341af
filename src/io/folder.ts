import { FormatError, LimitError } from "../errors.ts";
import { isInput } from "./input.ts";
import { MemorySink, type Sink } from "./sink.ts";
import { blobSource, isSource, memorySource, type Source } from "./source.ts";

/** A model of several files: names to sources. A name may hold slashes; it never leaves the folder. */
export type Folder = ReadonlyMap<string, Source>;

/** A folder as callers give it. */
export type FolderInput = Readonly<Record<string, Source | Blob | Uint8Array>>;

/** Where the files of a result go: each name is opened once, and its sink closed when the file is complete. */
export interface FolderSink {
  open(name: string): Promise<Sink>;
}

/** Far above any model: what a folder of this many files holds is something else. */
export const MAX_FILES = 10_000;

/** Whether a name stays within its folder on every system: no empty, `.` or `..` segment, no backslash, colon of a drive or NUL. */
export const isFileName = (name: string): boolean =>
  !/[\\\0]|^[A-Za-z]:/.test(name) && name.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");

/** Whether something is meant as a folder: an object of names that is nothing else that a model can come as. */
export const isFolderInput = (value: unknown): value is FolderInput =>
  typeof value === "object" &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value)) &&
  !isSource(value) &&
  !isInput(value);

/** Checks names and contents of a folder. */
export function folderOf(input: FolderInput): Folder {
  const entries = Object.entries(input);
  if (entries.length > MAX_FILES) throw tooMany();
  return new Map(
    entries.map(([name, value]) => {
      if (!isFileName(name))
        throw new FormatError(`A file of the folder is named ${JSON.stringify(name)}: names are relative, with / and without ..`, {
          format: "folder",
        });
      return [name, sourceOf(name, value)];
    }),
  );
}

export const tooMany = (): LimitError =>
  new LimitError("MAX_FILES", `The folder holds more than ${MAX_FILES} files; name the folder of one model`);

function sourceOf(name: string, value: Source | Blob | Uint8Array): Source {
  if (value instanceof Uint8Array) return memorySource(value);
  if (value instanceof Blob) return blobSource(value);
  if (isSource(value)) return value;
  throw new TypeError(`The folder's file '${name}' is neither a Blob, a Uint8Array nor a Source with size and read(offset, length).`);
}

/** Keeps the files of a result in memory. */
export class MemoryFolder implements FolderSink {
  readonly files = new Map<string, MemorySink>();

  async open(name: string): Promise<MemorySink> {
    const sink = new MemorySink();
    this.files.set(name, sink);
    return sink;
  }
}

/** The folder part of a name, with its slash; empty at the top. */
export const folderPart = (name: string): string => name.slice(0, name.lastIndexOf("/") + 1);

/** The name within its folder. */
export const filePart = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/**
 * The name of a file that another file names relative to itself, as an index does its shards and an ONNX model its external data.
 * @throws {FormatError} where it would leave the folder.
 */
export function siblingName(of: string, location: string): string {
  if (!isFileName(location))
    throw new FormatError(`'${of}' names the file ${JSON.stringify(location)}: such a name is relative to it, with / and without ..`, {
      format: "folder",
    });
  return folderPart(of) + location;
}
