import { UnsupportedError } from "../errors.ts";
import { type Folder, filePart } from "../io/folder.ts";
import { MAX_ARRAY_BYTES, openNpy } from "../io/npy.ts";
import { readNpz } from "../io/npz.ts";
import type { Source } from "../io/source.ts";
import type { Tensor } from "../tensor.ts";
import { type Port, portsText, typeText } from "./ports.ts";

/** Inputs of a model, by name. */
export type Sample = Readonly<Record<string, Tensor>>;

/** What a model is run on, sample by sample; it can be gone through again, and holds one file's arrays at a time. */
export interface Samples extends AsyncIterable<Sample> {
  /** How many there are. */
  readonly count: number;
}

/** Part of an array that one sample takes: from `rows` entries of the first axis, which it keeps or drops. */
interface Cut {
  count: number;
  rows: number;
  drops: boolean;
}

const isNpz = (file: string): boolean => /\.npz$/i.test(file);
const isNpy = (file: string): boolean => /\.npy$/i.test(file);

/**
 * Opens samples for a model with these inputs. Each file is one sample: a .npz with all inputs by their names, or a .npy where the model takes
 * one input. A single file may hold many, along a leading axis. Other files are passed over, and so are hidden ones.
 * @throws {UnsupportedError} where there are none, or one does not name the inputs; what breaks its format tells so when it is read.
 */
export async function openSamples(folder: Folder, inputs: readonly Port[], limit: number = MAX_ARRAY_BYTES): Promise<Samples> {
  const files = [...folder.keys()].filter((file) => (isNpz(file) || isNpy(file)) && !filePart(file).startsWith(".")).sort();
  const [first] = files;
  if (first === undefined) throw new UnsupportedError("There are no samples: expected files .npz with all inputs by their names, or .npy");
  const sourceOf = (file: string): Source => folder.get(file) as Source;
  if (files.length > 1) {
    const read = async (file: string) => checked(file, inputs, await whole(file, sourceOf(file), inputs, limit));
    return samples(files.length, async function* () {
      for (const file of files) yield await read(file);
    });
  }
  return within(first, () =>
    isNpz(first) ? ofArchive(first, sourceOf(first), inputs, limit) : ofArray(first, sourceOf(first), inputs, limit),
  );
}

function samples(count: number, feeds: () => AsyncGenerator<Sample>): Samples {
  if (count === 0) throw new UnsupportedError("There are no samples in it: its first axis is of length 0");
  return { count, [Symbol.asyncIterator]: feeds };
}

/** A file as one sample. */
function whole(file: string, source: Source, inputs: readonly Port[], limit: number): Promise<Sample> {
  return within(file, async () => {
    if (isNpz(file)) return readNpz(source, limit);
    return { [soleInput(inputs).name]: await (await openNpy(source, limit)).read() };
  });
}

/** One array that holds all samples: they are read one by one. */
async function ofArray(file: string, source: Source, inputs: readonly Port[], limit: number): Promise<Samples> {
  const port = soleInput(inputs);
  const array = await openNpy(source, limit);
  const cut = cutOf(array.shape, port);
  if (!cut)
    throw new UnsupportedError(
      `It has the shape [${array.shape}], and the model takes ${portsText([port])}: expected that shape, or samples of it along a leading axis`,
    );
  return samples(cut.count, async function* () {
    for (let i = 0; i < cut.count; i++)
      yield { [port.name]: dropped(await within(file, () => array.rows(i * cut.rows, cut.rows)), cut.drops) };
  });
}

/** An archive whose arrays hold as many samples each; where they do not, it is one sample. */
async function ofArchive(file: string, source: Source, inputs: readonly Port[], limit: number): Promise<Samples> {
  const feeds = checked(file, inputs, await readNpz(source, limit)) as Record<string, Tensor>;
  const cuts = inputs.flatMap((port) =>
    feeds[port.name] ? [{ name: port.name, cut: cutOf((feeds[port.name] as Tensor).shape, port) }] : [],
  );
  const count = cuts[0]?.cut?.count ?? 1;
  if (!cuts.every(({ cut }) => cut?.count === count))
    return samples(1, async function* () {
      yield feeds;
    });
  return samples(count, async function* () {
    for (let i = 0; i < count; i++)
      yield Object.fromEntries(cuts.map(({ name, cut }) => [name, sampleOf(feeds[name] as Tensor, i, cut as Cut)]));
  });
}

/** How an array is cut into samples for an input; undefined where its shape does not fit. */
function cutOf(shape: readonly number[], { shape: wanted }: Port): Cut | undefined {
  const [length] = shape;
  if (!wanted) return length === undefined ? undefined : { count: length, rows: 1, drops: false };
  const fits = (from: number, skipped: number): boolean =>
    wanted.slice(skipped).every((d, i) => typeof d === "string" || d === shape[i + from]);
  if (shape.length === wanted.length + 1 && fits(1, 0)) return { count: length as number, rows: 1, drops: true };
  if (shape.length !== wanted.length || !fits(1, 1)) return undefined;
  if (length === undefined) return { count: 1, rows: 1, drops: false };
  const rows = typeof wanted[0] === "number" ? wanted[0] : 1;
  return length % rows === 0 ? { count: length / rows, rows, drops: false } : undefined;
}

function sampleOf({ dtype, shape, data }: Tensor, i: number, { rows, drops }: Cut): Tensor {
  if (shape.length === 0) return { dtype, shape, data };
  const size = (data.length / (shape[0] as number)) * rows;
  return dropped({ dtype, shape: [rows, ...shape.slice(1)], data: data.slice(i * size, (i + 1) * size) as Tensor["data"] }, drops);
}

const dropped = (tensor: Tensor, drops: boolean): Tensor => (drops ? { ...tensor, shape: tensor.shape.slice(1) } : tensor);

function soleInput(inputs: readonly Port[]): Port {
  const needed = inputs.filter(({ optional }) => !optional);
  const [port] = needed.length > 0 ? needed : inputs;
  if (port && needed.length <= 1) return port;
  throw new UnsupportedError(
    `A .npy is one array, and the model takes ${portsText(inputs)}: save each sample as a .npz with all of them by name`,
  );
}

/** Refuses what names other arrays than the model takes: it would else be left out in silence. */
function checked(file: string, inputs: readonly Port[], feeds: Sample): Sample {
  const expected = `the model takes ${portsText(inputs)}`;
  for (const name of Object.keys(feeds))
    if (!inputs.some((port) => port.name === name))
      throw new UnsupportedError(`${file}: there is no input '${name}'; ${expected}`, { tensor: name });
  for (const { name, dtype, shape, optional } of inputs)
    if (!feeds[name] && !optional)
      throw new UnsupportedError(`${file}: the input ${name}: ${typeText({ dtype, shape })} is missing; ${expected}`, { tensor: name });
  return feeds;
}

/** Says which file an error is about. */
async function within<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith(`${file}: `)) error.message = `${file}: ${error.message}`;
    throw error;
  }
}
