/**
 * `npm run demo`: the main job on real models. Starts the Worker in workerd, streams the PP-OCRv4 recognizer and detector through
 * POST /v1/compress with each scheme that their opsets allow, and reads rendered text with what comes back.
 */
import { readFile } from "node:fs/promises";
import Table from "cli-table3";
import { type MeasuredWorker, measuredWorker } from "../bench/worker/run.ts";
import { openNode } from "../test/kit/ort.ts";
import { realModels } from "../test/kit/realmodels.ts";
import {
  characterErrorRate,
  detectorInput,
  type FloatTensor,
  pageOf,
  readClasses,
  recognize,
  relativeError,
  renderLine,
  textLines,
} from "./ocr.ts";

const LINES = 20;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
const percent = (share: number, digits = 2): string => `${(share * 100).toFixed(digits)} %`;

/** Accuracy of a model, in words; what the original gives is kept to compare with. */
type Judge = (model: Uint8Array) => Promise<string>;

async function readerJudge(): Promise<Judge> {
  const written = textLines(LINES, 3);
  const images = await Promise.all(written.map(renderLine));
  const classes = await readClasses();
  return async (model) => {
    await using runner = await openNode(model);
    const read = await recognize((feeds) => runner.run(feeds) as Promise<Record<string, FloatTensor>>, images, classes);
    const { rate, exact } = characterErrorRate(written, read);
    return `CER ${percent(rate)}, ${exact} of ${LINES} lines`;
  };
}

async function detectorJudge(original: Uint8Array): Promise<Judge> {
  const page = detectorInput(pageOf(await Promise.all(textLines(8, 3).map(renderLine))));
  const map = async (model: Uint8Array): Promise<Float32Array> => {
    await using runner = await openNode(model);
    const [output] = Object.values(await runner.run({ x: page }));
    return output?.data as Float32Array;
  };
  const expected = await map(original);
  return async (model) => `map off by ${percent(relativeError(expected, await map(model)))}`;
}

interface Estimate {
  scheme: string;
  reason?: string;
  /** What it takes besides the model. */
  needs?: "samples";
}

/** The schemes that the model's opset allows, and why it does not allow others. */
async function schemesFor(worker: MeasuredWorker, model: Uint8Array): Promise<Estimate[]> {
  const response = await fetch(`${worker.url}/v1/inspect`, { method: "POST", body: model as Uint8Array<ArrayBuffer> });
  return ((await response.json()) as { schemes: Estimate[] }).schemes;
}

async function compressThrough(worker: MeasuredWorker, model: Uint8Array, scheme: string) {
  let result = new Uint8Array(0);
  let seconds = 0;
  const peak = await worker.peak(async () => {
    const started = performance.now();
    const response = await fetch(`${worker.url}/v1/compress?quantize=${scheme}`, {
      method: "POST",
      body: model as Uint8Array<ArrayBuffer>,
    });
    if (!response.ok) throw new Error(await response.text());
    result = new Uint8Array(await response.arrayBuffer());
    seconds = (performance.now() - started) / 1000;
  });
  return { result, seconds, peak };
}

const table = new Table({
  head: ["model", "scheme", "bytes", "ratio", "accuracy", "rate", "workerd, whole process"],
  colAligns: ["left", "left", "right", "right", "left", "right", "right"],
  style: process.stdout.isTTY ? {} : { head: [], border: [] },
});
const refusals: string[] = [];

console.log("Starting the Worker in workerd …");
const worker = await measuredWorker("src/worker.ts");
try {
  for (const { name, path } of [realModels.recognizer, realModels.detector]) {
    const original = await readFile(path);
    const judge = name.includes("recognizer") ? await readerJudge() : await detectorJudge(original);
    table.push([name, "f32", megabytes(original.byteLength), "", await judge(original), "", ""]);
    for (const { scheme, reason, needs } of await schemesFor(worker, original)) {
      if (reason || needs) {
        refusals.push(`${name}, ${scheme}: ${reason ?? "it takes samples besides the model, as edgeslim compress --calibrate does"}`);
        continue;
      }
      const { result, seconds, peak } = await compressThrough(worker, original, scheme);
      const ratio = percent(result.byteLength / original.byteLength, 1);
      const rate = `${(original.byteLength / seconds / 1e6).toFixed(0)} MB/s`;
      table.push(["", scheme, megabytes(result.byteLength), ratio, await judge(result), rate, `${(peak / 1e6).toFixed(0)} MB`]);
    }
  }
} finally {
  await worker.dispose();
}
console.log(table.toString());
console.log("An idle workerd takes some 100 MB of its own; what it takes more is what the model takes.");
console.log(
  `Accuracy: ${LINES} lines of rendered text read by onnxruntime (CER: character error rate); the detector's probability map against the original's.`,
);
for (const refusal of refusals) console.log(`Not shown: ${refusal}`);
