// The claim about ONNX in to ONNX out in Node: `node bench/node.ts [rounds]`. Prints its section of RESULTS.md; fails where the claim does.
//
// The peer decodes the model with protobufjs and encodes it again, changing nothing; edgeslim quantizes every weight to int8 on the way.
// For its report it also hashes the source and the result, unless told not to: the peer does not, so the claim is about a run without.
// Chunks are generated, output is thrown away; each run is a process of its own.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { markdownTable, median, section } from "./report.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const MEBIBYTES = 512;
const MIN_SPEED = 4;
const MAX_MEMORY = 1 / 10;

interface Run {
  seconds: number;
  size: number;
  peak: number;
}

const script = fileURLToPath(new URL("node-one.ts", import.meta.url));
async function run(what: string): Promise<Run> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, what, String(MEBIBYTES)]);
  return JSON.parse(stdout) as Run;
}

const runs: Record<string, Run[]> = { edgeslim: [], hashing: [], protobufjs: [] };
for (let round = 0; round < ROUNDS; round++) for (const [what, list] of Object.entries(runs)) list.push(await run(what));
const { peak: idle } = await run("nothing");

const of = (what: string, value: (run: Run) => number): number => median((runs[what] as Run[]).map(value));
const speed = median((runs.edgeslim as Run[]).map((ours, i) => ((runs.protobufjs as Run[])[i] as Run).seconds / ours.seconds));
const memory = (of("edgeslim", (r) => r.peak) - idle) / (of("protobufjs", (r) => r.peak) - idle);
const whole = of("edgeslim", (r) => r.peak) / of("protobufjs", (r) => r.peak);
const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
const names: Record<string, string> = { hashing: "edgeslim with hashes" };
const rows = Object.keys(runs).map((what) => [
  names[what] ?? what,
  `${of(what, (r) => r.size / r.seconds / 1e6).toFixed(0)} MB/s`,
  mb(of(what, (r) => r.peak)),
  mb(of(what, (r) => r.peak) - idle),
]);
const markdown = `## ONNX in to ONNX out in Node

A model of ${MEBIBYTES} MiB, median of ${ROUNDS} turns. protobufjs 8 decodes and encodes; edgeslim also quantizes (\`w8\`),
and where it is said so hashes its source and its result for the report:

${markdownTable(["", "rate", "peak memory", "over an idle process"], rows)}

${speed.toFixed(1)} times as fast (at least ${MIN_SPEED}), ${(whole * 100).toFixed(1)} % of the whole process's memory (at most ${MAX_MEMORY * 100} %), ${(memory * 100).toFixed(1)} % of what is more than an idle process's ${mb(idle)}.`;
console.log(markdown);
await section("ONNX in to ONNX out in Node", markdown);
if (speed < MIN_SPEED || whole > MAX_MEMORY) {
  console.error("Not reached.");
  process.exitCode = 1;
}
