// The claim against onnxruntime's Python tools: `node bench/python.ts [rounds]`. Prints its section of RESULTS.md; fails where the claim does.
//
// Each side does from start to end what its user starts: `edgeslim compress` and a script of Python, from file to file, in turns, each in a
// process whose wall time and peak memory are measured from outside in the same way. It needs Python and makes an environment of its own.
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bertGraph } from "../test/kit/models/bert.ts";
import { encodeModel } from "../test/kit/onnx.ts";
import { realModels } from "../test/kit/realmodels.ts";
import { environment, type Measured, measured, script } from "./python/environment.ts";
import { markdownTable, median, section } from "./report.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const MAX_TIME = 1 / 3;
const MAX_MEMORY = 1 / 4;
const SCHEMES = ["q8", "q4"] as const;

interface Model {
  name: string;
  path: string;
  /** What q8 is for it. */
  q8: "int8" | "uint8";
}

const folder = await mkdtemp(join(tmpdir(), "edgeslim-python-"));
process.once("SIGINT", () => void rm(folder, { recursive: true, force: true }).then(() => process.exit(130)));
const python = await environment();
const command = fileURLToPath(new URL("../bin/edgeslim.mjs", import.meta.url));
const [ours, theirs] = ["edgeslim.onnx", "python.onnx"].map((name) => join(folder, name)) as [string, string];

const rows: string[][] = [];
const notes: string[] = [];
const failed: string[] = [];
try {
  const sizes = { vocabulary: 30522, heads: 12, positions: 512, words: false };
  for (const model of [
    await bert("BERT of MiniLM's size", { ...sizes, hidden: 384, layers: 6 }),
    await bert("BERT of BERT-base's size", { ...sizes, hidden: 768, layers: 12 }),
    { name: realModels.recognizer.name, path: realModels.recognizer.path, q8: "uint8" as const },
  ]) {
    for (const scheme of SCHEMES) {
      rows.push(await compared(model, scheme));
      console.log(rows.at(-1)?.join("  "));
    }
  }
  const markdown = `## Against onnxruntime's Python tools

\`edgeslim compress\` against \`onnxruntime.quantization\` 1.30 (\`quantize_dynamic\`, \`MatMulNBitsQuantizer\`) with the same options, whole processes from
file to file, in turns; medians of ${ROUNDS}, ratios turn by turn. At most ${percent(MAX_TIME)} of the time and ${percent(MAX_MEMORY)} of the peak memory:

${markdownTable(["model", "result: ours, theirs", "time: ours, theirs", "ratio", "memory: ours, theirs", "ratio", "holds"], rows)}
${notes.length > 0 ? `\n${notes.join("\n")}\n` : ""}`;
  console.log(markdown);
  await section("Against onnxruntime's Python tools", markdown);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}

async function bert(name: string, size: Parameters<typeof bertGraph>[1]): Promise<Model> {
  const path = join(folder, `${size.hidden}.onnx`);
  await writeFile(path, encodeModel({ graph: bertGraph(17, size), opsets: { "": 17 } }));
  return { name, path, q8: "int8" };
}

async function compared({ name, path, q8 }: Model, scheme: "q8" | "q4"): Promise<string[]> {
  const commands = {
    ours: [process.execPath, command, "compress", path, "-o", ours, "--quantize", scheme],
    theirs: [python, script("quantize.py"), scheme === "q8" ? q8 : scheme, path, theirs],
  };
  const runs = { ours: [] as Measured[], theirs: [] as Measured[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of ["ours", "theirs"] as const) runs[side].push(await measured(python, commands[side]));
  }
  const bytes = (await stat(path)).size;
  const what = `${name}, ${mb(bytes)}, ${scheme}`;
  const [refusal] = runs.ours.flatMap(({ error }) => error ?? []);
  if (refusal) throw new Error(`${what}: ${refusal}`);
  const result = (await stat(ours)).size;
  const own = (value: (run: Measured) => number): number => median(runs.ours.map(value));
  const other = (value: (run: Measured) => number): number => median(runs.theirs.map(value));
  const ratio = (value: (run: Measured) => number): number =>
    median(runs.ours.map((run, i) => value(run) / value(runs.theirs[i] as Measured)));
  const [seconds, peak] = [(run: Measured) => run.seconds, (run: Measured) => run.peak];
  const error = runs.theirs[0]?.error;
  const made = error ? 0 : (await stat(theirs)).size;
  const does = made > 0 && made < bytes * 0.99;
  if (error) notes.push(`- ${what}: theirs fails: \`${error}\``);
  else if (!does) notes.push(`- ${what}: theirs writes the model with its weights as they were.`);
  if (!does) return [what, `${mb(result)}, –`, `${s(own(seconds))}, –`, "", `${mb(own(peak))}, –`, "", ""];
  const holds = ratio(seconds) <= MAX_TIME && ratio(peak) <= MAX_MEMORY;
  if (!holds) failed.push(what);
  return [
    what,
    `${mb(result)}, ${mb(made)}`,
    `${s(own(seconds))}, ${s(other(seconds))}`,
    percent(ratio(seconds)),
    `${mb(own(peak))}, ${mb(other(peak))}`,
    percent(ratio(peak)),
    holds ? "yes" : "**no**",
  ];
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function s(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(0)} %`;
}
