// The claims about the whole way through workerd: `node bench/worker.ts [rounds] [time|size|memory]`. Prints its sections of RESULTS.md; fails where a claim does.
//
// Client and Worker are two processes on one machine that talk over loopback; the model is made while it is sent.
import { AVAILABLE } from "../src/engine/decide.ts";
import { bigOnnx, bigSafetensors } from "../test/kit/big.ts";
import { markdownTable, median, section } from "./report.ts";
import { type Model, measuredWorker } from "./worker/run.ts";

const MiB = 2 ** 20;
const ROUNDS = Number(process.argv[2] ?? 5);
const ONLY = process.argv[3] ?? "";
/** Most time that a scheme may take, as a multiple of the pass-through's. */
const MAX_RATIO = 1.05;
/** Most of the upload that may have been sent when the first byte of the answer comes. */
const MAX_SENT = 0.5;
/** Most resident memory over the idle Worker's. */
const MAX_MEMORY = 96e6;
/** A file of 2 GiB is more than protobuf takes. */
const ALMOST_2_GIB = 2047 * MiB;

interface Format {
  /** Tensors of 4 MB, and of 16 MB where memory is asked about. */
  model: (bytes: number, side?: number) => Model;
  schemes: readonly string[];
}

const formats = {
  safetensors: {
    model: (bytes, side = 1024) => bigSafetensors({ bytes, rows: side, cols: side, reuse: true }),
    schemes: ["fp16", "bf16", "w8", "w4"],
  },
  ONNX: { model: (bytes, side = 1024) => bigOnnx({ bytes, k: side, n: side, reuse: true }), schemes: AVAILABLE },
} satisfies Record<string, Format>;

const failed: string[] = [];
const verdict = (holds: boolean, claim: string): string => {
  if (!holds) failed.push(claim);
  return holds ? "yes" : "**no**";
};

/** Each scheme against the pass-through that runs just before it, in a Worker of its own; `note` marks rows that make no claim. */
async function throughput(bindings: Record<string, string>, rounds: number, only?: string, note?: string): Promise<string[][]> {
  await using worker = await measuredWorker(undefined, bindings);
  const runs = Object.entries<Format>(formats).flatMap(([format, { model, schemes }]) =>
    schemes
      .filter((scheme) => only === undefined || scheme === only)
      .map((scheme) => ({ format, scheme, model, pass: [] as number[], seconds: [] as number[], sent: [] as number[] })),
  );
  for (let round = -1; round < rounds; round++) {
    for (const { scheme, model, pass, seconds, sent } of runs) {
      const made = model(round < 0 ? 64 * MiB : 1024 * MiB); // V8 and the page cache warm up
      const passed = await worker.run("/bench/pass-through", made);
      const compressed = await worker.run(`/v1/compress?quantize=${scheme}`, made);
      if (round < 0) continue;
      pass.push(passed.seconds);
      seconds.push(compressed.seconds);
      sent.push(compressed.sentAtFirstByte);
    }
  }
  return runs.map(({ format, scheme, pass, seconds, sent }) => {
    const ratios = seconds.map((s, i) => s / (pass[i] as number));
    const middle = median(ratios);
    const share = Math.max(...sent);
    return [
      `${format}, ${scheme}${note ? `, ${note}` : ""}`,
      rate(pass),
      rate(seconds),
      `${middle.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`,
      `${(share * 100).toFixed(1)} %`,
      note ? "" : verdict(middle <= MAX_RATIO && share < MAX_SENT, `${scheme} of ${format} in time`),
    ];
  });
}

const rate = (seconds: readonly number[]): string => `${Math.round((1024 * MiB) / 1e6 / median(seconds))} MB/s`;

async function throughputs(): Promise<string> {
  const rows = await throughput({}, ROUNDS);
  rows.push(...(await throughput({ MAX_HASHED_BYTES: String(2 ** 32) }, Math.ceil(ROUNDS / 2), "w8", "hashed")));
  return [
    `Models of 1 GiB. Time of a scheme over that of a pass-through in the same Worker just before it, median of ${ROUNDS} turns (least–most), at most`,
    `${MAX_RATIO}; and how much of the upload had been sent, at most, when the first byte of output came: less than ${MAX_SENT * 100} %:`,
    "",
    markdownTable(["model", "pass-through", "scheme", "ratio", "sent", "holds"], rows),
    "",
    "As a Worker is deployed, its reports leave `source.sha256` out for models over 64 MiB (`MAX_HASHED_BYTES`); the hashed rows do not.",
  ].join("\n");
}

async function scaling(): Promise<string> {
  await using worker = await measuredWorker();
  const sizes = [100e6, 512 * MiB, 1024 * MiB, ALMOST_2_GIB];
  await worker.run("/v1/compress?quantize=w8", formats.ONNX.model(512 * MiB)); // warms up
  const perByte = sizes.map((): number[] => []);
  for (let round = 0; round < Math.max(3, Math.ceil(ROUNDS / 2)); round++) {
    for (const [i, size] of sizes.entries()) {
      const model = formats.ONNX.model(size);
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
  for (const [format, { model, schemes }] of Object.entries<Format>(formats)) {
    for (const scheme of schemes) {
      for (const size of scheme === "w8" ? [256 * MiB, 1024 * MiB, ALMOST_2_GIB] : [1024 * MiB]) {
        await using worker = await measuredWorker();
        const idle = await worker.resident();
        const peak = await worker.peak(() => worker.run(`/v1/compress?quantize=${scheme}`, model(size, 2048)));
        const holds = verdict(peak - idle <= MAX_MEMORY, `${scheme} of ${format}, ${size} bytes, within memory`);
        rows.push([`${format}, ${Math.round(size / MiB)} MiB, ${scheme}`, mb(idle), mb(peak), mb(peak - idle), holds]);
      }
    }
  }
  return [
    `Resident memory of a fresh workerd, idle and at its peak, with tensors of 16 MB; at most ${mb(MAX_MEMORY)} more:`,
    "",
    markdownTable(["model", "idle", "peak", "more", "holds"], rows),
  ].join("\n");
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const parts: [string, () => Promise<string>][] = [
  ["Through workerd: time", throughputs],
  ["Through workerd: size", scaling],
  ["Through workerd: memory", memory],
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
