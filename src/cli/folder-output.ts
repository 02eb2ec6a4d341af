import { lstat, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FileSink, temporaryOf } from "../io/file.ts";
import type { FolderSink } from "../io/folder.ts";
import type { Sink } from "../io/sink.ts";
import { UsageError } from "./exit.ts";
import { failure, guarded } from "./output.ts";

/** A folder that results go to. They stand in a temporary folder until `finish`. */
export interface FolderOutput extends FolderSink {
  /** Puts everything in its place. */
  finish(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/**
 * Opens the folder that results go to. One that is not there appears whole. One that is there is filled when all is complete: it must be
 * empty, unless `adding`, and then no file of it is replaced.
 */
export async function openFolderOutput(path: string, adding: boolean, signal: AbortSignal): Promise<FolderOutput> {
  const target = await realpath(path).catch(() => undefined);
  const home = target ?? path.replace(/(?<=.)[\\/]+$/, "");
  const there = target === undefined ? [] : await readdir(target);
  if (!adding && there.length > 0)
    throw new UsageError(`Cannot write ${path}: the folder is not empty; name one that is not there, or an empty one`);
  const temporary = temporaryOf(target === undefined ? home : join(target, basename(target)));
  await mkdir(temporary).catch((error: unknown) => {
    throw failure(path, error);
  });
  const names: string[] = [];
  return {
    async open(name): Promise<Sink> {
      if (target !== undefined) await refuseReplacing(join(path, name));
      names.push(name);
      const file = join(temporary, name);
      try {
        await mkdir(dirname(file), { recursive: true });
        return guarded(join(path, name), await FileSink.create(file), signal);
      } catch (error) {
        throw failure(join(path, name), error);
      }
    },
    async finish() {
      signal.throwIfAborted();
      try {
        if (target === undefined) await rename(temporary, home);
        else await fill(path, temporary, names);
      } catch (error) {
        throw failure(path, error);
      }
    },
    abort: () => rm(temporary, { recursive: true, force: true }),
  };
}

async function refuseReplacing(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found) throw new UsageError(`Cannot write ${file}: it is there already; remove it, or name another folder`);
}

/** Moves files into a folder; if one cannot be, those before it are taken back. */
async function fill(folder: string, temporary: string, names: readonly string[]): Promise<void> {
  const moved: string[] = [];
  try {
    for (const name of names) {
      await refuseReplacing(join(folder, name)); // another program may have made it meanwhile
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await rename(join(temporary, name), join(folder, name));
      moved.push(name);
    }
  } catch (error) {
    for (const name of moved) await rm(join(folder, name), { force: true });
    throw error;
  }
  await rm(temporary, { recursive: true, force: true });
}
