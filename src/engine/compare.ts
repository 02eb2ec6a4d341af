import { LimitError, UnsupportedError } from "../errors.ts";
import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { type Node, reads, topological } from "../graph/graph.ts";
import { abortableSource } from "../io/abort.ts";
import type { Source } from "../io/source.ts";
import { isTensor } from "../ops/op.ts";
import { type Difference, Differing } from "../runtime/difference.ts";
import { type Latency, latencyOf } from "../runtime/latency.ts";
import type { Load } from "../runtime/load.ts";
import type { Feeds, InferenceModel } from "../runtime/model.ts";
import { portsOf } from "../runtime/ports.ts";
import { prepare } from "../runtime/prepare.ts";
import { isFloat, type Tensor } from "../tensor.ts";
import { VERSION } from "../version.ts";
import { inFile } from "./file-error.ts";

/** Memory that a model may take that gives all its values: there are two of them, and as much again in results. */
const LAYERS_BYTES = 512 << 20;
/** Error at which a value counts as touched: above what the order of float32 additions makes, below what half precision does. */
const FIRST_ERROR = 1e-11;
/** Runs of each model, taken in turns, that the latency is of, as far as they begin within this time. */
const REPEATS = 20;
const REPEATS_MS = 2000;
/** As many before those, for so long. */
const WARM_MS = 250;

/** A model that is compared. */
export interface Compared {
  name: string;
  source: Source;
  siblings?: FindSibling | undefined;
}

export interface ModelFigures {
  name: string;
  bytes: number;
  load_ms: number;
  latency: Latency;
  memory_bytes: number;
}

export interface OutputDifference extends Difference {
  name: string;
  dtype: string;
  shape: readonly number[];
}

/** A value that stands under one name in both graphs. */
export interface LayerDifference extends Difference {
  name: string;
  node: string;
  op_type: string;
  /** Relative error beyond the largest of what it is computed from. */
  added: number;
}

/** What `edgeslim compare --json` prints, and POST /v1/compare answers. */
export interface Comparison {
  edgeslim: string;
  models: [ModelFigures, ModelFigures];
  samples: number;
  /** How far the second model's outputs are from the first's. */
  outputs: OutputDifference[];
  /** In the order in which they are computed. */
  layers: LayerDifference[];
  /** The layer where the error arises, and the one where it grows most; absent where there is none. */
  first?: string;
  most?: string;
}

export interface CompareOptions {
  load: Load;
  /** What both are run on, from what the first takes; it is gone through several times. */
  feeds: (model: InferenceModel) => Promise<AsyncIterable<Feeds> | Iterable<Feeds>>;
  /** Memory that each may take, in bytes. */
  maxBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Runs two models on the same samples and tells how far the second is from the first: its outputs, and layer by layer. */
export async function compareModels(a: Compared, b: Compared, options: CompareOptions): Promise<Comparison> {
  const [first, second] = [await timedLoad(a, options), await timedLoad(b, options)];
  const samples = await options.feeds(first.model);
  const pairs = pairedOutputs(first.model, second.model);
  const differing = new Map<string, { total: Differing; tensor: Tensor }>();
  const times: [number[], number[]] = [[], []];
  let count = 0;
  for await (const feeds of samples) {
    const results = [
      await inFile(a.name, () => timed(first.model, feeds, times[0], options)),
      await inFile(b.name, () => timed(second.model, feeds, times[1], options)),
    ] as const;
    for (const [name, other] of pairs) {
      const [wanted, given] = [results[0][name], results[1][other]];
      if (!isTensor(wanted) || !isTensor(given)) throw new UnsupportedError(`The output '${name}' is no tensor, and cannot be compared`);
      const entry = differing.get(name) ?? { total: new Differing(), tensor: wanted };
      differing.set(name, entry);
      entry.total.add(name, wanted, given);
    }
    if (count === 0) await repeat([first.model, second.model], feeds, times, options);
    count++;
  }
  if (count === 0) throw new UnsupportedError("There are no samples to run the models on");
  const outputs = [...differing].map(([name, { total, tensor }]) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    ...total.difference,
  }));
  const most = Math.max(first.model.memory, second.model.memory) + LAYERS_BYTES;
  const layers = await compareLayers(a, b, samples, { ...options, maxBytes: Math.min(most, options.maxBytes ?? most) });
  const arises = layers.find(({ relative_mse = 1 }) => relative_mse > FIRST_ERROR);
  const grows = layers.reduce<LayerDifference | undefined>((best, layer) => (layer.added > (best?.added ?? 0) ? layer : best), undefined);
  return {
    edgeslim: VERSION,
    models: [figures(a, first, times[0]), figures(b, second, times[1])],
    samples: count,
    outputs,
    layers,
    ...(arises && { first: arises.name, most: (grows ?? arises).name }),
  };
}

type TimedModel = { model: InferenceModel; bytes: number; load_ms: number };

async function timedLoad({ name, source, siblings }: Compared, { load, maxBytes, signal }: CompareOptions): Promise<TimedModel> {
  const start = performance.now();
  let bytes = source.size;
  const findSibling: FindSibling = async (location) => {
    const found = await siblings?.(location);
    bytes += found?.size ?? 0;
    return found;
  };
  const model = await inFile(name, () => load(source, { findSibling: siblings && findSibling, maxBytes, signal }));
  return { model, bytes, load_ms: performance.now() - start };
}

async function timed(model: InferenceModel, feeds: Feeds, times: number[], { signal }: CompareOptions) {
  const start = performance.now();
  const results = await model.run(feeds, { signal });
  times.push(performance.now() - start);
  return results;
}

/** Times both in turns, each as often the first as the second, once what they share is warm: the one that starts would pay for it. */
async function repeat(models: readonly InferenceModel[], feeds: Feeds, times: readonly number[][], options: CompareOptions): Promise<void> {
  const both = models.map((model, i) => ({ model, times: times[i] as number[] }));
  const turns = async (ms: number, isMeasured: boolean) => {
    const end = performance.now() + ms; // the clock of a Worker stands still while it computes
    for (let i = 0; i < REPEATS && performance.now() < end; i++)
      for (const each of i % 2 === 0 ? both : both.toReversed()) await timed(each.model, feeds, isMeasured ? each.times : [], options);
  };
  await turns(WARM_MS, false);
  await turns(REPEATS_MS, true);
}

const figures = ({ name }: Compared, { model, bytes, load_ms }: TimedModel, [first = 0, ...times]: number[]): ModelFigures => ({
  name,
  bytes,
  load_ms,
  latency: latencyOf(first, times),
  memory_bytes: model.memory,
});

/** Outputs of one name, else by their places where there are as many. */
function pairedOutputs(a: InferenceModel, b: InferenceModel): [string, string][] {
  const [names, others] = [a, b].map(({ outputs }) => outputs.map(({ name }) => name)) as [string[], string[]];
  const shared = names.filter((name) => others.includes(name));
  if (shared.length > 0) return shared.map((name) => [name, name]);
  if (names.length === others.length) return names.map((name, i) => [name, others[i] as string]);
  throw new UnsupportedError(`The models have no output in common: one gives ${names.join(", ")}, the other ${others.join(", ")}`);
}

/** The values that stand in both graphs under one name, as many at a time as there is memory for. */
async function compareLayers(
  a: Compared,
  b: Compared,
  samples: AsyncIterable<Feeds> | Iterable<Feeds>,
  options: CompareOptions,
): Promise<LayerDifference[]> {
  const [nodes, others] = [await nodesOf(a, options.signal), await nodesOf(b, options.signal)];
  const there = new Set(others.flatMap(({ output }) => output));
  const names = nodes.flatMap(({ output }) => output.filter((name) => name && there.has(name)));
  const found = new Map<string, Difference>();
  const measure = async (part: readonly string[]): Promise<void> => {
    try {
      for (const [name, difference] of await differences(a, b, part, samples, options)) found.set(name, difference);
    } catch (error) {
      if (!(error instanceof LimitError) || part.length === 1) throw error;
      const half = part.length >> 1; // so many do not fit into memory at once
      await measure(part.slice(0, half));
      await measure(part.slice(half));
    }
  };
  if (names.length > 0) await measure(names);
  return layersOf(nodes, found);
}

/** The nodes that depend on what the model is fed, in order: others make weights, whose own error is no layer's. */
async function nodesOf({ source, siblings }: Compared, signal: AbortSignal | undefined): Promise<readonly Node[]> {
  const prepared = await prepare(abortableSource(source, signal), new Siblings(siblings, signal), { optimize: false });
  const fed = new Set(portsOf(prepared).inputs.map(({ name }) => name));
  return topological(prepared.document.main).filter((node) => {
    const isFed = [...reads(node)].some((name) => fed.has(name));
    if (isFed) for (const name of node.output) fed.add(name);
    return isFed;
  });
}

async function differences(
  a: Compared,
  b: Compared,
  outputs: readonly string[],
  samples: AsyncIterable<Feeds> | Iterable<Feeds>,
  { load, maxBytes, signal }: CompareOptions,
): Promise<Map<string, Difference>> {
  const opened = ({ source, siblings }: Compared) => load(source, { findSibling: siblings, outputs, optimize: false, maxBytes, signal });
  const [first, second] = [await opened(a), await opened(b)];
  const differing = new Map<string, Differing>();
  for await (const feeds of samples) {
    const [wanted, given] = [await first.run(feeds, { outputs, signal }), await second.run(feeds, { outputs, signal })];
    for (const name of outputs) {
      const [x, y] = [wanted[name], given[name]];
      if (!isTensor(x) || !isTensor(y) || !isFloat(x.dtype) || !isFloat(y.dtype) || x.shape.join() !== y.shape.join()) continue;
      const total = differing.get(name) ?? new Differing();
      differing.set(name, total);
      total.add(name, x, y);
    }
  }
  return new Map([...differing].map(([name, total]) => [name, total.difference]));
}

/** What each value adds to the error of those before it; values that were not measured hand on what they got. */
function layersOf(nodes: readonly Node[], found: ReadonlyMap<string, Difference>): LayerDifference[] {
  const errors = new Map<string, number>();
  return nodes.flatMap((node) => {
    const before = node.input.reduce((most, name) => Math.max(most, errors.get(name) ?? 0), 0);
    return node.output.flatMap((name) => {
      const difference = found.get(name);
      const own = difference ? (difference.relative_mse ?? Number.MAX_VALUE) : before;
      errors.set(name, own);
      if (!difference) return [];
      return [{ name, node: node.name, op_type: node.op_type, added: Math.max(0, own - before), ...difference }];
    });
  });
}
