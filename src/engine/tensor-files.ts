import { FormatError } from "../errors.ts";
import { type Header, readHeader } from "../formats/safetensors/header.ts";
import { checkShards, parseIndex, type ShardIndex } from "../formats/safetensors/shards.ts";
import { abortableSource } from "../io/abort.ts";
import { type Folder, siblingName } from "../io/folder.ts";
import { readAll, sourceInput } from "../io/input.ts";
import { Reader } from "../io/reader.ts";
import type { Source } from "../io/source.ts";
import { inFile } from "./file-error.ts";
import type { SafetensorsModel } from "./folder-plan.ts";
import { stemOf } from "./variants.ts";

/** An index takes some 100 bytes a tensor. */
const MAX_INDEX_BYTES = 16 << 20;

/** One file of a safetensors model, its header read. */
export interface TensorFile {
  source: Source;
  header: Header;
}

/** A safetensors model in one file or several. */
export interface TensorFiles {
  /** `model` of `model.safetensors` or `model.safetensors.index.json`. */
  stem: string;
  /** In the order of names, which is that of their parts. */
  files: ReadonlyMap<string, TensorFile>;
  index?: { name: string; rest: ShardIndex["rest"] };
}

/** Reads the headers of a model's files, and checks the index against them. */
export async function openTensors(folder: Folder, model: SafetensorsModel, signal: AbortSignal | undefined): Promise<TensorFiles> {
  if ("file" in model) {
    const file = await openFile(folder, model.file, signal);
    return { stem: stemOf(model.file), files: new Map([[model.file, file]]) };
  }
  const name = model.index;
  const bytes = await readAll(sourceInput(abortableSource(folder.get(name) as Source, signal)), MAX_INDEX_BYTES, "MAX_INDEX_BYTES");
  const index = parseIndex(new TextDecoder().decode(bytes), name);
  const files = new Map<string, TensorFile>();
  for (const location of [...new Set(index.weight_map.values())].sort()) {
    const file = siblingName(name, location);
    if (!folder.has(file))
      throw new FormatError(`The index '${name}' names the file '${location}', which is missing`, { format: "safetensors index" });
    files.set(file, await openFile(folder, file, signal));
  }
  checkShards(index, name, new Map([...files].map(([file, { header }]) => [file, header])));
  return { stem: name.replace(/\.safetensors\.index\.json$/, ""), files, index: { name, rest: index.rest } };
}

async function openFile(folder: Folder, name: string, signal: AbortSignal | undefined): Promise<TensorFile> {
  const source = abortableSource(folder.get(name) as Source, signal);
  return { source, header: await inFile(name, () => readHeader(new Reader(sourceInput(source), { signal }))) };
}

/** Names of all tensors of a model. */
export const namesOf = ({ files }: TensorFiles): Set<string> =>
  new Set([...files.values()].flatMap(({ header }) => header.tensors.map(({ name }) => name)));
