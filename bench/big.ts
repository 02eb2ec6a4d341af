// The claim that memory does not grow with the model: `node bench/big.ts --bytes 6e9`. Prints its section of RESULTS.md; fails where it does.
//
// A model of that size, its weights in a file beside it, is written to a temporary folder and compressed into files there, each time in a
// process of its own. The folder is gone at the end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bigExternalOnnx } from "../test/kit/big.ts";
import { markdownTable, section } from "./report.ts";

const CLI = fileURLToPath(new URL("../bin/edgeslim.mjs", import.meta.url));
const RUNS: readonly (readonly [scheme: string, shard?: number])[] = [["w8"], ["q4"], ["w8", 512 * 2 ** 20], ["fp16"]];
/** For what a run may hold, whatever the model's size, and the process itself. */
const MAX_PEAK = 400e6;

interface Run {
  seconds: number;
  bytes: number;
  files: number;
  /** Resident at most, in bytes. */
  peak: number;
}

const { values } = parseArgs({ options: { bytes: { type: "string", default: "6e9" }, folder: { type: "string", default: tmpdir() } } });
const bytes = Number(values.bytes);
if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new RangeError(`--bytes is ${values.bytes}, expected a number of bytes`);

const { bavail, bsize } = await statfs(values.folder);
// The source, and the largest result: half of it.
if (bavail * bsize < bytes * 1.6)
  throw new Error(`${values.folder} has ${bavail * bsize} bytes free, ${bytes * 1.6} are needed; give another --folder`);

const folder = await mkdtemp(join(values.folder, "edgeslim-big-"));
process.once("SIGINT", () => void rm(folder, { recursive: true, force: true }).then(() => process.exit(130)));
try {
  const size = await writeModel();
  const rows: string[][] = [];
  let highest = 0;
  for (const [scheme, shard] of RUNS) {
    const run = await compressed(scheme, shard);
    highest = Math.max(highest, run.peak);
    const what = shard === undefined ? scheme : `${scheme}, shards of ${gigabytes(shard)}`;
    rows.push([
      what,
      gigabytes(run.bytes),
      String(run.files),
      `${run.seconds.toFixed(1)} s`,
      `${(size / run.seconds / 1e6).toFixed(0)} MB/s`,
      megabytes(run.peak),
    ]);
    console.log(rows.at(-1)?.join("  "));
  }
  const markdown = `## A model larger than memory should be

An ONNX model of ${gigabytes(size)} with external data, by the command line; rates are of the source's bytes:

${markdownTable(["", "result", "files", "time", "rate", "peak memory"], rows)}

The peak is at most ${megabytes(MAX_PEAK)}, whatever the size: ${highest <= MAX_PEAK ? "pass" : "**no**"}.`;
  console.log(markdown);
  await section("A model larger than memory should be", markdown);
  if (highest > MAX_PEAK) {
    console.error("Not reached.");
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Writes the model; gives the bytes of its two files. */
async function writeModel(): Promise<number> {
  const { model, size, chunks } = bigExternalOnnx({ bytes, location: "model.onnx_data", chunk_size: 1 << 22, reuse: true });
  await writeFile(join(folder, "model.onnx"), model);
  const file = await open(join(folder, "model.onnx_data"), "w");
  for (const chunk of chunks()) await file.writeFile(chunk);
  await file.close();
  return model.length + size;
}

/** Runs the command line, whose peak Linux keeps (VmHWM) for as long as the process is there. */
async function compressed(scheme: string, shard: number | undefined): Promise<Run> {
  const into = join(folder, `${scheme}-${shard ?? "whole"}`);
  const command = ["compress", join(folder, "model.onnx"), "-o", `${into}/`, "--quantize", scheme];
  const started = performance.now();
  const child = spawn(process.execPath, [CLI, ...command, ...(shard === undefined ? [] : ["--shard", String(shard)])], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  let peak = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peak = Math.max(peak, 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
  }, 20);
  const [code] = await once(child, "exit");
  clearInterval(watch);
  if (code !== 0) throw new Error(`edgeslim ${command.join(" ")} ended with ${code}`);
  const seconds = (performance.now() - started) / 1000;
  const files = await readdir(join(into, "onnx"));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(into, "onnx", name))).size));
  await rm(into, { recursive: true });
  return { seconds, bytes: sizes.reduce((a, b) => a + b, 0), files: files.length, peak };
}

function gigabytes(n: number): string {
  return `${(n / 1e9).toFixed(2)} GB`;
}

function megabytes(n: number): string {
  return `${Math.round(n / 1e6)} MB`;
}
