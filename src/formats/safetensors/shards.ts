import en from "zod/v4/locales/en.js";
import * as z from "zod/v4/mini";
import { FormatError } from "../../errors.ts";
import { byteLength, type TensorInfo } from "../../tensor.ts";
import type { Entry } from "./header.ts";

/** https://huggingface.co/docs/safetensors: `{"metadata": {"total_size": …}, "weight_map": {tensor: file}}`. */
const indexSchema = z.looseObject({
  metadata: z.optional(z.looseObject({})),
  weight_map: z.record(z.string(), z.string()),
});

/** Which file holds which tensor. */
export interface ShardIndex {
  /** In the order of the document. */
  weight_map: ReadonlyMap<string, string>;
  /** All else that the document says; `total_size` is written anew. */
  rest: Readonly<Record<string, unknown>>;
}

/** The files of a model as they are read: name to tensors. */
export type Shards = ReadonlyMap<string, { readonly tensors: readonly Entry[] }>;

const bad = (message: string, tensor?: string): FormatError =>
  new FormatError(message, { format: "safetensors index", ...(tensor === undefined ? {} : { tensor }) });

/** Reads the text of an index named `name`. A wrong `total_size` is nobody's harm: loaders do not read it. */
export function parseIndex(text: string, name: string): ShardIndex {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw bad(`The index '${name}' is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  const parsed = indexSchema.safeParse(document, { error: en().localeError });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(`The index '${name}' is not one: ${issue?.path.join(".") || "document"}: ${issue?.message}`);
  }
  const { weight_map, ...rest } = document as { weight_map: Record<string, string> };
  const files = new Map(Object.entries(weight_map));
  if (files.size === 0) throw bad(`The index '${name}' names no tensor`);
  return { weight_map: files, rest };
}

/** Checks that an index says what the files hold: every tensor once, and where it says. */
export function checkShards({ weight_map }: ShardIndex, name: string, shards: Shards): void {
  const home = new Map<string, string>();
  for (const [file, { tensors }] of shards) {
    for (const { name: tensor } of tensors) {
      const other = home.get(tensor);
      if (other !== undefined) throw bad(`The tensor '${tensor}' stands in '${other}' and in '${file}'`, tensor);
      home.set(tensor, file);
    }
  }
  for (const [tensor, file] of weight_map) {
    const found = home.get(tensor);
    if (found === file) continue;
    const where = found === undefined ? "no file has it" : `'${found}' has it`;
    throw bad(`The index '${name}' places the tensor '${tensor}' in '${file}', and ${where}`, tensor);
  }
  for (const [tensor, file] of home)
    if (!weight_map.has(tensor))
      throw bad(`The file '${file}' holds the tensor '${tensor}', which the index '${name}' does not name`, tensor);
}

/** An index over files of tensors: sorted, with two spaces, as the Hugging Face libraries write it. */
export function writeIndex(rest: ShardIndex["rest"], files: ReadonlyMap<string, readonly TensorInfo[]>): string {
  const all = [...files].flatMap(([file, tensors]) => tensors.map((tensor) => ({ file, tensor })));
  all.sort((a, b) => (a.tensor.name < b.tensor.name ? -1 : 1));
  const total_size = all.reduce((n, { tensor }) => n + byteLength(tensor.dtype, tensor.shape), 0);
  const metadata = { ...(rest.metadata as object | undefined), total_size };
  return `${JSON.stringify({ ...rest, metadata, weight_map: Object.fromEntries(all.map(({ file, tensor }) => [tensor.name, file])) }, null, 2)}\n`;
}

/**
 * Cuts a row of things into runs of at most `limit` bytes, `base` of which each run costs; one that is larger stands alone.
 * Gives the number of things in each run.
 */
export function cutAt(sizes: readonly number[], limit: number, base: number): number[] {
  const runs: number[] = [];
  let room = 0;
  for (const size of sizes) {
    if (runs.length === 0 || size > room) {
      runs.push(0);
      room = limit - base;
    }
    runs[runs.length - 1] = (runs.at(-1) as number) + 1;
    room -= size;
  }
  return runs;
}

/** `model-00001-of-00003.safetensors`, counted from 1; a model that fits in one file is `model.safetensors`. */
export const shardName = (stem: string, number: number, count: number): string =>
  count === 1 ? `${stem}.safetensors` : `${stem}-${String(number).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.safetensors`;
