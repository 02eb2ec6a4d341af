// The claims about the whole way through workerd: `node bench/worker.ts [rounds]`. Prints its sections of RESULTS.md; fails where a claim does.
//
// Client and Worker are two processes on one machine that talk over loopback; the model is made while it is sent.
import { bigOnnx, bigSafetensors } from "../test/kit/big.ts";
import { markdownTable, median, section } from "./report.ts";
import { type MeasuredWorker, type Model, measuredWorker } from "./worker/run.ts";

const MiB = 2 ** 20;
const ROUNDS = Number(process.argv[2] ?? 7);
/** Most time that w8 may take, as a multiple of the pass-through's. */
const MAX_RATIO = 1.05;
/** Most resident memory over the idle Worker's. */
const MAX_MEMORY = 96e6;
/** A file of 2 GiB is more than protobuf takes. */
const ALMOST_2_GIB = 2047 * MiB;

/** Tensors of 4 MB, and of 16 MB where memory is asked about. */
const formats: Record<string, (bytes: number, side?: number) => Model> = {
  safetensors: (bytes, side = 1024) => bigSafetensors({ bytes, rows: side, cols: side, reuse: true }),
  ONNX: (bytes, side = 1024) => bigOnnx({ bytes, k: side, n: side, reuse: true }),
};

const failed: string[] = [];
const verdict = (holds: boolean, claim: string): string => {
  if (!holds) failed.push(claim);
  return holds ? "yes" : "**no**";
};

/** The rows of one Worker; `hashing` ones make no claim. */
async function throughput(worker: MeasuredWorker, rounds: number, hashing = false): Promise<{ rows: string[][]; share: number }> {
  const ratios: Record<string, number[]> = {};
  const seconds: Record<string, number[]> = {};
  const first: number[] = [];
  const note = (name: string, s: number): number => ((seconds[name] ??= []).push(s), s);
  for (let round = -1; round < rounds; round++) {
    for (const [format, model] of Object.entries(formats)) {
      const pass = await worker.run("/bench/pass-through", model(1024 * MiB));
      const w8 = await worker.run("/v1/compress?quantize=w8", model(1024 * MiB));
      if (round < 0) continue; // V8 and the page cache warm up
      note(`${format} pass-through`, pass.seconds);
      (ratios[format] ??= []).push(note(`${format} w8`, w8.seconds) / pass.seconds);
      first.push(w8.sentAtFirstByte);
    }
  }
  const rate = (name: string): string => `${Math.round((1024 * MiB) / 1e6 / median(seconds[name] as number[]))} MB/s`;
  const rows = Object.entries(ratios).map(([format, all]) => {
    const middle = median(all);
    return [
      `${format}, 1 GiB${hashing ? ", hashed" : ""}`,
      rate(`${format} pass-through`),
      rate(`${format} w8`),
      `${middle.toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
      hashing ? "" : verdict(middle <= MAX_RATIO, `${format} in ${MAX_RATIO} of the pass-through's time`),
    ];
  });
  return { rows, share: Math.max(...first) };
}

async function throughputs(worker: MeasuredWorker): Promise<string> {
  const { rows, share } = await throughput(worker, ROUNDS);
  verdict(share < 0.5, "first byte of output while the upload runs");
  const hashing = await measuredWorker(undefined, { MAX_HASHED_BYTES: String(2 ** 32) });
  try {
    rows.push(...(await throughput(hashing, Math.ceil(ROUNDS / 2), true)).rows);
  } finally {
    await hashing.dispose();
  }
  return [
    `Time of \`w8\` over that of a pass-through in the same Worker, turn by turn, median of ${ROUNDS} (least–most); at most ${MAX_RATIO}:`,
    "",
    markdownTable(["model", "pass-through", "w8", "ratio", "holds"], rows),
    "",
    "As a Worker is deployed, its reports leave `source.sha256` out for models over 64 MiB (`MAX_HASHED_BYTES`); the hashed rows do not.",
    `When the first byte of output came, at most ${(share * 100).toFixed(1)} % of the upload had been sent.`,
  ].join("\n");
}

async function scaling(worker: MeasuredWorker): Promise<string> {
  const sizes = [100e6, 512 * MiB, 1024 * MiB, ALMOST_2_GIB];
  const perByte = sizes.map((): number[] => []);
  for (let round = 0; round < Math.max(3, Math.ceil(ROUNDS / 2)); round++) {
    for (const [i, size] of sizes.entries()) {
      const model = (formats.ONNX as (bytes: number) => Model)(size);
      perByte[i]?.push((await worker.run("/v1/compress?quantize=w8", model)).seconds / model.size);
    }
  }
  const medians = perByte.map(median);
  const middle = median(medians);
  const rows = sizes.map((size, i) => {
    const relative = (medians[i] as number) / middle - 1;
    return [
      `${Math.round(size / 1e6)} MB`,
      `${((medians[i] as number) * 1e9).toFixed(2)} ns`,
      `${(relative * 100).toFixed(1)} %`,
      verdict(Math.abs(relative) <= 0.15, `time per byte at ${size}`),
    ];
  });
  return [
    `Time per byte of ONNX under \`w8\`, within ±15 % of the median whatever the size:`,
    "",
    markdownTable(["size", "per byte", "off", "holds"], rows),
  ].join("\n");
}

async function memory(): Promise<string> {
  const rows: string[][] = [];
  for (const [format, model] of Object.entries(formats)) {
    for (const size of [256 * MiB, 1024 * MiB, ALMOST_2_GIB]) {
      const worker = await measuredWorker();
      try {
        const idle = await worker.resident();
        const peak = await worker.peak(() => worker.run("/v1/compress?quantize=w8", model(size, 2048)));
        rows.push([
          `${format}, ${Math.round(size / MiB)} MiB`,
          mb(idle),
          mb(peak),
          mb(peak - idle),
          verdict(peak - idle <= MAX_MEMORY, `${format} ${size} within memory`),
        ]);
      } finally {
        await worker.dispose();
      }
    }
  }
  return [
    `Resident memory of a fresh workerd, idle and at its peak under \`w8\` with tensors of 16 MB; at most ${mb(MAX_MEMORY)} more:`,
    "",
    markdownTable(["model", "idle", "peak", "more", "holds"], rows),
  ].join("\n");
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const worker = await measuredWorker();
const parts: [string, string][] = [];
try {
  parts.push(["Through workerd: time", await throughputs(worker)], ["Through workerd: size", await scaling(worker)]);
} finally {
  await worker.dispose();
}
parts.push(["Through workerd: memory", await memory()]);
for (const [name, text] of parts) {
  const markdown = `## ${name}\n\n${text}`;
  console.log(`${markdown}\n`);
  await section(name, markdown);
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}
