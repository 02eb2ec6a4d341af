import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Warning } from "../engine/report.ts";
import { type FileSource, fileSource, isTemporary } from "../io/file.ts";
import { isFileName, MAX_FILES, tooMany } from "../io/folder.ts";
import { Kept } from "../io/kept.ts";
import type { Source } from "../io/source.ts";
import { missing, within } from "./model.ts";

/** Files that are open at a time. */
const MAX_OPEN = 8;

/** A folder named on the command line. */
export interface ModelFolder {
  files: Record<string, Source>;
  /** What of it is not looked at. */
  warnings: Warning[];
  siblings: undefined;
  close(): Promise<void>;
}

/** What was found in a folder: files, and what is passed over. */
interface Found {
  files: Map<string, string>;
  links: string[];
  hidden: string[];
  others: string[];
}

/** Opens the files of a folder. Links that lead out of it are not followed: a folder that strangers made may hold some to anywhere. */
export async function openFolder(path: string, signal: AbortSignal): Promise<ModelFolder> {
  const found: Found = { files: new Map(), links: [], hidden: [], others: [] };
  try {
    await walk(await realpath(path), "", found);
  } catch (error) {
    throw missing(`Cannot read the folder ${path}`, error);
  }
  const kept = new Kept<FileSource>(MAX_OPEN);
  const files: Record<string, Source> = {};
  for (const [name, file] of found.files) {
    const { size } = await stat(file);
    const open = async (): Promise<FileSource> => {
      const source = await fileSource(file);
      if (source.size === size) return source;
      await source.close();
      throw new Error(`${name} changed while it was read`);
    };
    const read: Source["read"] = (...range) => {
      signal.throwIfAborted();
      return kept.use(name, open, (source) => source.read(...range));
    };
    Object.defineProperty(files, name, { value: { size, read }, enumerable: true });
  }
  return { files, warnings: warningsOf(found), siblings: undefined, close: () => kept.close() };
}

async function walk(root: string, prefix: string, found: Found): Promise<void> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isTemporary(entry.name)) continue; // a report or a result that this run, or another, is making there
    const name = prefix + entry.name;
    const path = join(root, name);
    if (!isFileName(name)) found.others.push(name);
    else if (entry.isDirectory()) {
      if (entry.name.startsWith(".")) found.hidden.push(name);
      else await walk(root, `${name}/`, found);
    } else if (entry.isFile()) found.files.set(name, path);
    else if (entry.isSymbolicLink()) {
      const target = await within(root, path);
      if (target) found.files.set(name, target);
      else found.links.push(name);
    } else found.others.push(name);
    if (found.files.size > MAX_FILES) throw tooMany();
  }
}

function warningsOf({ links, hidden, others }: Found): Warning[] {
  const all: Warning[] = [
    {
      code: "link",
      message: "Links are followed to files within the folder only, not these; put copies in their place (cp -L)",
      files: links,
    },
    { code: "hidden", message: "Hidden folders are not looked at, and not copied", files: hidden },
    { code: "not-a-file", message: "These are no files of a name that every system allows, and are not copied", files: others },
  ];
  return all.filter(({ files = [] }) => files.length > 0);
}
