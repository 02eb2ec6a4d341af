// The claims about memory and start of inference: `node bench/runtime-memory.ts [peak|worker|start] [rounds]`. Prints its sections of
// RESULTS.md; fails where a claim does.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Case, CaseFiles, Contestant, type Time } from "./contest.ts";
import { markdownTable, median, section } from "./report.ts";
import { detector, recognizer, type Subject, yoloL } from "./subjects.ts";
import { measuredWorker } from "./worker/run.ts";

const ONLY = process.argv[2] ?? "";
const ROUNDS = Number(process.argv[3] ?? 7);
/** What a Worker has, for all that it holds. */
const WORKER_MEMORY = 128e6;
/** Most of onnxruntime-web's time that we may take from nothing to the first outputs. */
const MAX_START = 1 / 4;

const failed: string[] = [];
const verdict = (holds: boolean, claim: string): string => {
  if (!holds) failed.push(claim);
  return holds ? "yes" : "**no**";
};
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

async function peak(): Promise<string> {
  const model = await yoloL.make();
  const peaks: number[] = [];
  for (const peer of ["edgeslim", "onnxruntime-web"] as const) {
    await using running = await Contestant.start(peer, model);
    await running.run(2);
    peaks.push(await running.memory());
  }
  const [ours, theirs] = peaks as [number, number];
  const row = [yoloL.name, mb(model.bytes.byteLength), mb(ours), mb(theirs), verdict(ours < theirs, `${yoloL.name}: peak memory`)];
  return [
    "The most resident memory of a fresh process of Node that reads the model's file, loads it and runs it twice; below onnxruntime-web's:",
    "",
    markdownTable(["model", "file", "edgeslim", "onnxruntime-web", "holds"], [row]),
  ].join("\n");
}

/** Puts the model into a bucket in `persist`, as another Worker would. */
async function store(persist: string, { bytes }: Case): Promise<void> {
  await using worker = await measuredWorker(undefined, {}, persist);
  const put = await fetch(`${worker.url}/v1/models/model/model.onnx`, { method: "PUT", body: bytes as Uint8Array<ArrayBuffer> });
  if (!put.ok) throw new Error(`The Worker did not take the model: ${put.status} ${await put.text()}`);
}

/** A request of the Open Inference Protocol, its tensors in binary. */
function inference({ feeds }: Case): RequestInit {
  const tensors = Object.entries(feeds).map(([name, { dims, data, type }]) => {
    if (type !== "float32") throw new TypeError(`Cannot ask with '${name}' of ${type}: expected float32`);
    return { bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength), name, shape: dims };
  });
  const inputs = tensors.map(({ name, shape, bytes }) => ({
    ...{ name, shape, datatype: "FP32", parameters: { binary_data_size: bytes.byteLength } },
  }));
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return {
    method: "POST",
    body: Buffer.concat([json, ...tensors.map(({ bytes }) => bytes)]),
    headers: { "inference-header-content-length": String(json.byteLength), "content-type": "application/octet-stream" },
  };
}

async function inWorker({ name, make }: Subject): Promise<string[]> {
  const model = await make();
  const persist = await mkdtemp(join(tmpdir(), "edgeslim-bench-"));
  try {
    await store(persist, model);
    await using bare = await measuredWorker("bench/worker/empty.ts", {}, persist);
    await fetch(bare.url);
    const idle = await bare.resident();
    await bare.dispose();
    await using worker = await measuredWorker(undefined, {}, persist);
    const request = inference(model);
    const times: number[] = [];
    const most = await worker.peak(async () => {
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const response = await fetch(`${worker.url}/v2/models/model/infer`, request);
        const body = await response.arrayBuffer();
        if (!response.ok) throw new Error(`${name} in the Worker: ${response.status} ${Buffer.from(body).toString().slice(0, 500)}`);
        times.push(performance.now() - start);
      }
    });
    const holds = verdict(most - idle <= WORKER_MEMORY, `${name} within a Worker's memory`);
    return [name, mb(idle), mb(most), mb(most - idle), `${times[0]!.toFixed(0)} ms`, `${times.at(-1)!.toFixed(0)} ms`, holds];
  } catch (error) {
    failed.push((error as Error).message);
    return [name, "", "", "", "", "", "**no**"];
  } finally {
    await rm(persist, { recursive: true, force: true });
  }
}

async function worker(): Promise<string> {
  const rows: string[][] = [];
  for (const subject of [recognizer, detector]) rows.push(await inWorker(subject));
  return [
    "Resident memory of a workerd whose Worker does nothing; of a fresh one at its peak, while the Worker as it is deployed answers three inferences",
    `with a model from R2 (whose simulation stands in the same process); what that is more, at most ${mb(WORKER_MEMORY)}; the first and last answer:`,
    "",
    markdownTable(["model", "idle", "peak", "more", "first", "third", "holds"], rows),
  ].join("\n");
}

async function start(): Promise<string> {
  const model = await recognizer.make();
  await using files = await CaseFiles.write(model);
  const script = fileURLToPath(new URL("first-run.ts", import.meta.url));
  const once = async (peer: string): Promise<Time> =>
    JSON.parse((await promisify(execFile)(process.execPath, [script, peer, files.model, files.feeds])).stdout) as Time;
  const turns: [Time, Time][] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const turn: [Time, Time] = [await once("edgeslim"), await once("onnxruntime-web")];
    if (round >= 0) turns.push(turn); // the first fills the page cache
  }
  const rows = (["passed", "busy"] as const).map((clock) => {
    const share = median(turns.map(([ours, theirs]) => ours[clock] / theirs[clock]));
    const times = [0, 1].map((i) => `${median(turns.map((turn) => turn[i]![clock])).toFixed(0)} ms`);
    const isClaim = clock === "passed";
    const holds = isClaim ? verdict(share <= MAX_START, `start of ${recognizer.name}`) : "";
    return [`${recognizer.name}, ${isClaim ? "as time passes" : "of the processor"}`, ...times, `${(share * 100).toFixed(0)} %`, holds];
  });
  return [
    `From the import of the package to the first outputs, in a fresh process of Node that has the file in memory; median of ${ROUNDS} turns. At most`,
    `${MAX_START * 100} % of onnxruntime-web's time:`,
    "",
    markdownTable(["model", "edgeslim", "onnxruntime-web", "share", "holds"], rows),
  ].join("\n");
}

const parts: [string, () => Promise<string>][] = [
  ["Inference: peak", peak],
  ["Inference: worker", worker],
  ["Inference: start", start],
];
for (const [name, measure] of parts.filter(([name]) => name.endsWith(ONLY))) {
  const markdown = `## ${name}\n\n${await measure()}`;
  console.log(`${markdown}\n`);
  await section(name, markdown);
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}
