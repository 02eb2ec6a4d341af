/**
 * Every model under every recipe, in onnxruntime-node and onnxruntime-web: that the result of each layout loads, and that it is as near to
 * its source as its weights allow. Each test file of it has a section of docs/support.md, and fails where a cell changes its kind.
 */
import { createHash } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { detectorInput, pageOf, recognizerInput, renderLine, textLines } from "../../demo/ocr.ts";
import { compress, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { everyModel, type Feeds } from "../kit/models.ts";
import { EXACT, type Outputs, openNode, openWeb, sqnr } from "../kit/ort.ts";
import { type DecodedModel, everyGraph, readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { addsExactly } from "../kit/saturation.ts";
import { withRoundedActivations, withWeights } from "../kit/simulated.ts";
import { section } from "../kit/support.ts";
import { findsWork } from "./findswork.ts";
import { type Restored, restoredWeights } from "./restored.ts";

/** A column of the matrix. */
export interface Recipe {
  word: string;
  scheme?: string;
  optimize?: boolean;
}

/** dB below the reference that a result may lose: kernels add in another order, and round another way where two codes are as near. */
const TOLERANCE = 0.5;
/** dB of what differs in the last digits of float32. */
const EXACTLY = 130;
/** dB that arithmetic in float16 leaves at least, over the layers of a model. */
const HALF_ARITHMETIC = 40;
/** dB that the activations of an LSTM keep, which has them rounded inside, where no model in float can follow. */
const RECURRENT = 38;
/** Of the largest element: what optimizing may change. */
const SAME = 1e-5;

interface Subject {
  name: string;
  opset: number;
  bytes: () => Promise<Uint8Array>;
  feeds: () => Promise<readonly Feeds[]>;
}

/** Noise says nothing of a model of text: these two get what they are made for. */
const realFeeds: Record<string, () => Promise<Feeds>> = {
  [realModels.detector.name]: async () => ({
    x: detectorInput(pageOf(await Promise.all(textLines(6).map(renderLine)))),
  }),
  [realModels.recognizer.name]: async () => ({ x: recognizerInput(await renderLine(textLines(1)[0] as string)) }),
};

const subjects: readonly Subject[] = [
  ...Object.values(realModels).map((m) => ({
    name: m.name,
    opset: m.opset,
    bytes: () => readRealModel(m),
    feeds: async () => [(await realFeeds[m.name]?.()) ?? m.inputs],
  })),
  ...everyModel().map((m) => ({ name: m.name, opset: m.opset, bytes: async () => m.bytes, feeds: async () => [m.inputs, ...m.more] })),
];

type Open = typeof openWeb;

/** Outputs of all feeds, with weights in float where onnxruntime-node would quantize activations by itself. */
async function outputs(open: Open, model: Uint8Array, feeds: readonly Feeds[]): Promise<Outputs[]> {
  await using runner = await open(model, open === openNode ? EXACT : {});
  const all: Outputs[] = [];
  for (const feed of feeds) all.push(await runner.run(feed));
  return all;
}

/** Whether a value is of floats that have an error. */
const isFloat = (data: unknown): data is Float32Array => data instanceof Float32Array || data instanceof Float64Array;

/** The least signal to noise of any float output. */
function worst(reference: readonly Outputs[], actual: readonly Outputs[]): number {
  let least = Number.POSITIVE_INFINITY;
  reference.forEach((outs, i) => {
    for (const [name, { data, dims }] of Object.entries(outs)) {
      const got = actual[i]?.[name];
      expect(got?.dims, `shape of ${name}`).toEqual(dims);
      if (isFloat(data)) least = Math.min(least, sqnr(data, got?.data as Float32Array));
    }
  });
  return least;
}

/** The largest root mean square of the difference, relative to the largest element; what is not float must be equal. */
function difference(reference: readonly Outputs[], actual: readonly Outputs[]): number {
  let most = 0;
  reference.forEach((outs, i) => {
    for (const [name, { data }] of Object.entries(outs)) {
      const got = actual[i]?.[name]?.data;
      if (!isFloat(data)) expect(got, name).toEqual(data);
      else {
        const largest = data.reduce((a, x) => Math.max(a, Math.abs(x)), Number.MIN_VALUE);
        const squares = data.reduce((sum, x, j) => sum + (x - Number(got?.[j])) ** 2, 0);
        most = Math.max(most, Math.sqrt(squares / Math.max(1, data.length)) / largest);
      }
    }
  });
  return most;
}

type Result = { bytes: Uint8Array<ArrayBuffer>; report: Report; refusal?: undefined } | { refusal: UnsupportedError };

async function compressed(model: Uint8Array | ReadableStream<Uint8Array>, { scheme, optimize }: Recipe): Promise<Result> {
  const { readable, report } = compress(model, { ...(scheme && { quantize: scheme }), ...(optimize && { optimize }) } as RecipeInput);
  try {
    return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), report: await report };
  } catch (error) {
    if (error instanceof UnsupportedError) return { refusal: error };
    throw error;
  }
}

const streamOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** A model as it was decoded, whatever the order of its weights; a run that reads once may leave one that is no longer read. */
function contents(model: DecodedModel) {
  const { initializers, metadata, ...rest } = model;
  const read = new Set(
    [...everyGraph(model)].flatMap(({ nodes, outputs }) => [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)]),
  );
  const weights = [...initializers].filter(([name]) => read.has(name) || !initializers.has(`${name}_float16`));
  return {
    ...rest,
    weights: weights.map(([name, { bytes, ...weight }]) => ({ ...weight, name, bytes: bytes && hash(bytes) })).sort(byName),
    kept: JSON.parse(metadata.get("edgeslim.kept") ?? "[]").sort(),
  };
}

/** What the runtimes make of a subject, once for all its recipes. */
class Bench {
  readonly #subject: Subject;
  readonly #kept = new Map<string, Promise<unknown>>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  #once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(key) ?? make();
    this.#kept.set(key, known);
    return known as Promise<T>;
  }

  source = () => this.#once("source", this.#subject.bytes);
  model = () => this.#once("model", async () => readOnnx(await this.source()));
  feeds = () => this.#once("feeds", this.#subject.feeds);
  original = (open: Open) => this.#once(open.name, async () => outputs(open, await this.source(), await this.feeds()));
  run = async (open: Open, bytes: Uint8Array) => outputs(open, bytes, await this.feeds());
  /** The source, optimized where that changes it. */
  optimized = () =>
    this.#once("optimized", async () => {
      const source = await this.source();
      const result = await compressed(source, { word: "", optimize: true });
      return result.refusal ? source : result.bytes;
    });

  clear(): void {
    this.#kept.clear();
  }
}

/** Each weight is as near to its source as the nearest that its encoding can hold, and the report says how near that is. */
function checkWeights(weights: readonly Restored[], { tensors }: Report): void {
  for (const { name, kind, restored, reference, sqnr: ours, referenceSqnr } of weights) {
    if (kind === "half")
      expect(
        restored.findIndex((x, i) => !Object.is(x, reference[i])),
        name,
      ).toBe(-1);
    else expect(ours, name).toBeGreaterThanOrEqual(Math.min(referenceSqnr, EXACTLY) - TOLERANCE);
    const reported = tensors.find((t) => t.name === name)?.sqnr_db;
    if (reported !== undefined && kind !== "half" && weights.filter((w) => w.name === name).length === 1)
      expect(Math.abs(reported - ours), `reported sqnr of ${name}`).toBeLessThan(0.05);
  }
}

/** Noise adds up. */
const together = (...sqnrs: number[]): number => -10 * Math.log10(sqnrs.reduce((sum, db) => sum + 10 ** (-db / 10), 0));

/** The signal to noise that a result should have, from a model in float with the values that its weights should have. */
async function expected(bench: Bench, { scheme, optimize }: Recipe, base: Uint8Array, weights: readonly Restored[]) {
  const values = weights.map(({ name, reference }) => ({ name, data: reference }));
  const dynamic = weights.some(({ kind }) => kind === "affine8");
  const read = readOnnx(base);
  if (dynamic && (read.opsets.get("") ?? 0) < 11) return undefined; // no DynamicQuantizeLinear to compare with
  const model = dynamic ? withRoundedActivations(base, values) : withWeights(base, values);
  const theirs = model && worst(await bench.original(openNode), await bench.run(openNode, model));
  const halves = scheme === "q4f16" || (scheme === "fp16" && optimize);
  const recurs = dynamic && [...everyGraph(read)].some(({ nodes }) => nodes.some(({ op_type }) => op_type === "LSTM"));
  return theirs === undefined ? undefined : together(theirs, ...(halves ? [HALF_ARITHMETIC] : []), ...(recurs ? [RECURRENT] : []));
}

/** Tries a recipe on a subject, and gives the cell. */
async function tried(bench: Bench, recipe: Recipe): Promise<string> {
  const source = await bench.source();
  const result = await compressed(source, recipe);
  const streamed = await compressed(streamOf(source), recipe);
  const works = findsWork(await bench.model(), recipe.scheme, recipe.optimize === true);
  if (result.refusal) {
    expect(works, result.refusal.message).toBe(false);
    expect(result.refusal.message).toMatch(/change nothing/);
    expect(streamed.refusal?.message).toMatch(/change nothing|read again/);
    return "nothing to do";
  }
  expect(works, "that it should refuse").toBe(true);
  const { bytes, report } = result;

  const base = recipe.optimize ? await bench.optimized() : source;
  const weights = recipe.scheme ? restoredWeights(base, bytes) : [];
  checkWeights(weights, report);
  if (!recipe.optimize) {
    const taken = report.tensors.filter(({ action }) => action !== "kept").map(({ name }) => name);
    expect(weights.map(({ name }) => name).sort()).toEqual(taken.sort());
  }

  let least = Number.POSITIVE_INFINITY;
  const theirs = await expected(bench, recipe, base, weights);
  // A runtime whose integer kernels saturate must run the result; how near it comes says nothing of the weights.
  const isJudge = weights.some(({ kind }) => kind === "affine8") ? await addsExactly() : true;
  for (const open of [openNode, openWeb]) {
    const [original, actual] = [await bench.original(open), await bench.run(open, bytes)];
    const ours = worst(original, actual);
    if (open === openNode && !isJudge) continue;
    if (!recipe.scheme) expect(difference(original, actual), open.name).toBeLessThanOrEqual(SAME);
    else expect(ours, open.name).toBeGreaterThanOrEqual((theirs ?? ours) - TOLERANCE);
    least = Math.min(least, ours);
  }
  const cell = Number.isFinite(least) ? `${Math.round(least)} dB` : "exact";

  if (streamed.refusal) {
    // That a weight is an output too stands behind it in the file.
    const { initializers, outputs: out } = await bench.model();
    expect(streamed.refusal.message).toContain("read again");
    expect(out.some(({ name }) => initializers.has(name))).toBe(true);
    return `${cell} (source)`;
  }
  if (recipe.optimize) expect(hash(streamed.bytes)).toBe(hash(bytes));
  else expect(contents(readOnnx(streamed.bytes))).toEqual(contents(readOnnx(bytes)));
  return cell;
}

/** A table's cells without their figures. */
const kinds = (table: string) => table.replaceAll(/-?\d+ dB|exact/g, "loads");

/** A cell's dB. */
const figure = (cell: string): number => (cell === "exact" ? Number.POSITIVE_INFINITY : Number.parseFloat(cell));

/** Rows, with those of opsets that differ in figures only as one: it has the least figure. */
function table(recipes: readonly Recipe[], cells: ReadonlyMap<string, string>): string {
  const rows: { name: string; opsets: number[]; cells: string[] }[] = [];
  for (const { name, opset } of subjects) {
    const own = recipes.map(({ word }) => cells.get(`${name} @${opset} ${word}`) ?? "?");
    const last = rows.at(-1);
    if (last?.name === name && kinds(last.cells.join()) === kinds(own.join())) {
      last.opsets.push(opset);
      last.cells = last.cells.map((cell, i) => (figure(own[i] as string) < figure(cell) ? (own[i] as string) : cell));
    } else rows.push({ name, opsets: [opset], cells: own });
  }
  return [
    `| model | opset | ${recipes.map(({ word }) => word).join(" | ")} |`,
    `|---|---|${recipes.map(() => "---").join("|")}|`,
    ...rows.map((row) => `| ${row.name} | ${row.opsets.join(", ")} | ${row.cells.join(" | ")} |`),
  ].join("\n");
}

/** Tries all recipes on all models; `heading` is that of the section of docs/support.md that holds the figures. */
export function matrix(heading: string, recipes: readonly Recipe[]): void {
  const cells = new Map<string, string>();

  describe.each(subjects)("$name @$opset", (subject) => {
    const bench = new Bench(subject);
    afterAll(() => bench.clear());
    test.each(recipes)("$word", async (recipe) => {
      cells.set(`${subject.name} @${subject.opset} ${recipe.word}`, await tried(bench, recipe));
    });
  });

  afterAll(async () => {
    if (cells.size < subjects.length * recipes.length) return; // a filtered run
    await section(heading, table(recipes, cells), kinds);
  });
}
