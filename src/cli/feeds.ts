/** Arrays of the command line: what a model is fed, and what it gives. */
import { stat } from "node:fs/promises";
import { UnsupportedError } from "../errors.ts";
import { MAX_ARRAY_BYTES, openNpy } from "../io/npy.ts";
import { readNpz } from "../io/npz.ts";
import type { Source } from "../io/source.ts";
import { anyNumbers } from "../ops/narrow.ts";
import type { Feeds } from "../runtime/model.ts";
import { type Port, portsText, typeText } from "../runtime/ports.ts";
import { BITS, elements, type Tensor } from "../tensor.ts";
import { UsageError } from "./exit.ts";
import { missing, openArrays } from "./model.ts";
import { plural } from "./units.ts";

/** Reads what `--input` names: NAME=FILE.npy, FILE.npz with arrays by the inputs' names, or FILE.npy where the model takes one input. */
export async function readFeeds(flags: readonly string[], inputs: readonly Port[], signal: AbortSignal): Promise<Feeds> {
  const feeds = new Map<string, Tensor>();
  for (const flag of flags) {
    for (const [name, tensor] of await readInput(flag, inputs, signal)) {
      if (feeds.has(name)) throw new UsageError(`The input ${name} is given twice`);
      if (!inputs.some((port) => port.name === name))
        throw new UnsupportedError(`The model has no input '${name}'; it takes ${portsText(inputs)}`);
      feeds.set(name, tensor);
    }
  }
  const left = inputs.filter(({ name, optional }) => !optional && !feeds.has(name));
  if (left.length > 0) {
    const missing = left.length < inputs.length ? `, and ${left.map(({ name }) => name).join(", ")} is not given` : "";
    throw new UsageError(`The model takes ${plural(inputs.length, "input")}${missing}; give`, wanted(inputs));
  }
  return Object.fromEntries(feeds);
}

/** A flag as the input's name, if it says one, and the file. */
async function parts(flag: string): Promise<[name: string, path: string]> {
  const cut = flag.indexOf("=");
  const isFile = cut < 1 || (await stat(flag).catch(() => undefined))?.isFile();
  return isFile ? ["", flag] : [flag.slice(0, cut), flag.slice(cut + 1)];
}

/** The files that flags name. */
export const inputFiles = async (flags: readonly string[]): Promise<string[]> =>
  (await Promise.all(flags.map(parts))).map(([, path]) => path);

async function readInput(flag: string, inputs: readonly Port[], signal: AbortSignal): Promise<[string, Tensor][]> {
  const [name, path] = await parts(flag);
  if (/\.npz$/i.test(path)) {
    if (name) throw new UsageError(`--input ${flag}: a .npz has its own names; give it alone: --input ${quoted(path)}`);
    return Object.entries(await opened(path, signal, (source) => readNpz(source)));
  }
  if (inputs.length === 0) throw new UsageError(`--input ${flag}: the model takes no input`);
  if (!name && inputs.length !== 1) throw new UsageError(`--input ${flag} does not say which input that is`, wanted(inputs));
  const port = name || (inputs[0] as Port).name;
  return [[port, await opened(path, signal, async (source) => (await openNpy(source)).read())]];
}

async function opened<T>(path: string, signal: AbortSignal, work: (source: Source) => Promise<T>): Promise<T> {
  const name = path === "-" ? "standard input" : path;
  const file = await openArrays(path, MAX_ARRAY_BYTES, signal).catch((error: unknown) => {
    throw missing(`Cannot read ${name}`, error);
  });
  try {
    return await work(file.source);
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  } finally {
    await file.close();
  }
}

/** What to give, word for word. */
const wanted = (inputs: readonly Port[]): string[] =>
  inputs.map((port) => `  --input ${quoted(`${port.name}=FILE.npy`)}    ${typeText(port)}${port.optional ? ", optional" : ""}`);

const quoted = (word: string): string => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Files for outputs, by their names: what a file system does not take becomes `_`, and names that become one are numbered. */
export function fileNames(names: readonly string[]): Map<string, string> {
  const taken = new Set<string>();
  const files = new Map<string, string>();
  for (const name of names) {
    const safe =
      name
        .replace(/[^\w.-]/g, "_")
        .replace(/^\.+/, "_")
        .slice(0, 200) || "_";
    let file = `${safe}.npy`;
    for (let n = 2; taken.has(file.toLowerCase()); n++) file = `${safe}_${n}.npy`;
    taken.add(file.toLowerCase()); // some file systems know no case
    files.set(name, file);
  }
  return files;
}

/** A tensor of a type that NumPy has: its own, or one that holds every value of it. */
export function arrayable(tensor: Tensor): Tensor {
  const { dtype, shape } = tensor;
  if (dtype !== "bfloat16" && !dtype.startsWith("float8") && BITS[dtype] >= 8) return tensor;
  const numbers = anyNumbers(tensor);
  if (!numbers) return tensor;
  if (numbers instanceof Float32Array) return { dtype: "float32", shape, data: numbers };
  return dtype.startsWith("u") ? { dtype: "uint8", shape, data: Uint8Array.from(numbers) } : { dtype: "int8", shape, data: numbers };
}

export interface Statistics {
  min: number;
  max: number;
  mean: number;
  std: number;
  /** Elements that are NaN; the others are what the rest is of. */
  nan: number;
}

/** What a table shows of a tensor's elements; undefined for text. */
export function statistics(tensor: Tensor): Statistics | undefined {
  const data = anyNumbers(tensor) ?? tensor.data;
  if (tensor.dtype === "string" || elements(tensor.shape) === 0) return undefined;
  let [min, max, sum, squares, nan] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const element of data as ArrayLike<number | bigint> & Iterable<number | bigint>) {
    const x = Number(element);
    if (Number.isNaN(x)) nan++;
    else {
      min = Math.min(min, x);
      max = Math.max(max, x);
      sum += x;
      squares += x * x;
    }
  }
  const count = data.length - nan;
  const mean = count > 0 ? sum / count : Number.NaN;
  return { min, max, mean, std: Math.sqrt(Math.max(0, squares / count - mean * mean)), nan };
}
