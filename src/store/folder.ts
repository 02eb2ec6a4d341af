import type { Dirent } from "node:fs";
import { mkdir, open, readdir, realpath, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { Store, StoredInfo } from "../server/ports.ts";
import { HttpProblem } from "../server/problem.ts";
import { fileSink } from "./folder-file.ts";
import { infoOf, storedFile } from "./folder-read.ts";
import { pump } from "./pump.ts";

/** What is not a model lives here. No NAME can be this: none holds a tilde. */
const PRIVATE = ".edgeslim~";
/** Another run may remove a directory, as empty, just before a file is made in it. */
const ATTEMPTS = 5;

/** What a file system says when a folder is where a file should be, or the other way round. */
const CLASHES = ["ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY"];

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** For errors that say that there is nothing. */
function nothing(error: unknown): undefined {
  if (["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG"].includes(codeOf(error))) return undefined;
  throw error;
}

/**
 * A store in a folder: `models/NAME/FILE` is ROOT/NAME/FILE, all else lies under ROOT/.edgeslim~. A file is written beside and renamed,
 * so that none is ever visible in part. Symbolic links are followed as long as they stay within the folder.
 */
export function folderStore(root: string): Store {
  const temporary = join(root, PRIVATE, "tmp");

  const pathOf = (key: string): string => {
    const segments = key.split("/");
    if (segments.some((s) => s === "" || s === "." || s === ".." || /[\\\0]/.test(s))) {
      throw new RangeError(`Not a key: ${JSON.stringify(key)}`);
    }
    return segments[0] === "models" ? join(root, ...segments.slice(1)) : join(root, PRIVATE, ...segments);
  };

  /** The real path of a file, if it is there and within the folder. */
  const resolved = async (key: string): Promise<string | undefined> => {
    const path = await realpath(pathOf(key)).catch(nothing);
    return path?.startsWith((await realpath(root)) + sep) ? path : undefined;
  };

  /** Makes a file's directory, within the folder, and then the file. */
  const inRoom = async <T>(path: string, make: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        await mkdir(root, { recursive: true });
        const base = await realpath(root);
        let at = dirname(path);
        let real = await realpath(at).catch(nothing);
        while (real === undefined) {
          at = dirname(at);
          real = await realpath(at).catch(nothing);
        }
        if (real !== base && !real.startsWith(base + sep)) throw new HttpProblem(409, "A link on this path leads out of the store");
        await mkdir(dirname(path), { recursive: true });
        return await make();
      } catch (error) {
        if (CLASHES.includes(codeOf(error))) throw new HttpProblem(409, "A file and a folder cannot have the same name in this store");
        if (codeOf(error) !== "ENOENT" || attempt === ATTEMPTS) throw error;
      }
    }
  };

  /** Removes directories that have become empty, up to the root. */
  const tidy = async (directory: string): Promise<void> => {
    for (let at = directory; at.length > root.length; at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return; // not empty, or gone
      }
    }
  };

  const head = async (key: string): Promise<StoredInfo | undefined> => {
    const path = await resolved(key);
    const stats = path === undefined ? undefined : await stat(path).catch(nothing);
    return stats?.isFile() ? infoOf(key, stats) : undefined;
  };

  async function* walk(path: string, key: string): AsyncGenerator<StoredInfo> {
    const entries: Dirent[] = (await readdir(path, { withFileTypes: true }).catch(nothing)) ?? [];
    for (const { name, ...entry } of entries
      .map((e) => ({ name: e.name, isDirectory: e.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (path === root && name === PRIVATE) continue;
      if (entry.isDirectory) yield* walk(join(path, name), `${key}/${name}`);
      else {
        const info = name.includes("\\") ? undefined : await head(`${key}/${name}`);
        if (info) yield info;
      }
    }
  }

  const store: Store = {
    head,

    async open(key) {
      const path = await resolved(key);
      const file = path === undefined ? undefined : await open(path, "r").catch(nothing);
      return file && storedFile(key, file);
    },

    async put(key, body, options = {}) {
      await pump(body, store.sink(key), options);
      const info = await head(key);
      if (!info) throw new Error(`${key} has gone.`);
      return info;
    },

    sink: (key) => fileSink(store, key, { path: pathOf(key), draft: join(temporary, crypto.randomUUID()), inRoom, tidy }),

    async delete(key) {
      if (!(await head(key))) return false;
      const path = pathOf(key);
      await rm(path, { force: true });
      await tidy(dirname(path));
      return true;
    },

    list(prefix) {
      const directory = prefix.slice(0, prefix.lastIndexOf("/"));
      return walk(directory === "models" ? root : pathOf(directory), directory);
    },
  };
  return store;
}
