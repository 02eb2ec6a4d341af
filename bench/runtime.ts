// The claims about running whole models: `node bench/runtime.ts [f32|w8a8|weights|Deno] [rounds] [PART OF A NAME]`. Prints its sections of
// RESULTS.md, but for a run on some models only; fails where a claim does.
//
// Each peer has a process of its own and one thread (peers.ts); they run in turns, never two at once. Times are of the processor.
import { compress, type SchemeName } from "../src/index.ts";
import { calibrating } from "../test/kit/calibrating.ts";
import { lastSteps, relativeError, shareWithinStep } from "./agreement.ts";
import { type Case, Contestant, contest, type Runtime, type Standing } from "./contest.ts";
import type { Peer } from "./peers.ts";
import { markdownTable, section } from "./report.ts";
import { decoders, others, type Subject, subjects } from "./subjects.ts";

const ONLY = process.argv[2] ?? "";
const ROUNDS = Number(process.argv[3] ?? 11);
const NAMED = process.argv[4] ?? "";
/** Sets of inputs that w8a8 is calibrated on. */
const SAMPLES = 2;

const failed: string[] = [];
/** A cell, and whether it holds what is claimed of it; without a claim it is told. */
const cell = (text: string, holds = true, claim = ""): string => {
  if (!holds) failed.push(claim);
  return holds ? text : `**${text}**`;
};
const least = (value: number, claim: number | undefined, text: (value: number) => string, what: string): string =>
  cell(text(value), claim === undefined || value >= claim, `${what} is ${text(value)}, at least ${text(claim ?? 0)}`);
const times = (x: number): string => `${x.toFixed(2)}×`;
const percent = (x: number): string => `${(x * 100).toFixed(0)} %`;
const geometric = (values: readonly number[]): number => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** Lets peers run cases in turns, and `meanwhile` look at their outputs. */
async function held<T>(
  entries: readonly (readonly [Peer, Case])[],
  meanwhile: (all: Contestant[]) => Promise<T>,
  runtime: Runtime = "node",
): Promise<[Standing[], T]> {
  await using stack = new AsyncDisposableStack();
  const all: Contestant[] = [];
  for (const [peer, model] of entries) all.push(stack.use(await Contestant.start(peer, model, runtime)));
  const seen = await meanwhile(all);
  return [await contest(all, ROUNDS), seen];
}

/** How much of their processor time the peers waited besides: a run that waits is slower than its row says. */
const waits = (standings: readonly Standing[][], peers: readonly string[]): string =>
  peers.map((peer, i) => `${peer} ${percent(geometric(standings.map((each) => (each[i] as Standing).waiting)))}`).join(", ");

async function compressed({ bytes, feeds }: Case, scheme: SchemeName): Promise<Case> {
  const samples = Array.from({ length: SAMPLES }, (_, i) => others(feeds, 100 * (i + 1)));
  const options = scheme === "w8a8" ? { calibration: calibrating(bytes, samples) } : {};
  const recipe = { quantize: scheme, optimize: scheme === "w8a8", target: { runtime: "edgeslim" } } as const;
  const { readable } = compress(bytes, recipe, options);
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), feeds };
}

async function floatModels(wanted: readonly Subject[]): Promise<string> {
  const peers = ["edgeslim", "onnxruntime-web", "onnxruntime-node"] as const;
  const [rows, standings]: [string[][], Standing[][]] = [[], []];
  for (const { name, make } of wanted) {
    const model = await make();
    const [standing, error] = await held(
      peers.map((peer) => [peer, model]),
      async ([ours, , native]) => relativeError(await ours!.outputs(), await native!.outputs()),
    );
    const [ours, web, native] = standing as [Standing, Standing, Standing];
    standings.push(standing);
    rows.push([
      name,
      ours.ms.toFixed(2),
      least(web.ratio, 1.5, times, `${name} against onnxruntime-web`),
      least(native.ratio, 0.45, percent, `${name} against onnxruntime-node`),
      cell(error.toExponential(1), error <= 1e-4, `${name} differs from onnxruntime-node by ${error}, at most 1e-4`),
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const mean = (i: number): number => geometric(standings.map((each) => (each[i] as Standing).ratio));
  const means = [least(mean(1), 1.8, times, "The mean against onnxruntime-web"), percent(mean(2))];
  rows.push(["geometric mean", "", ...means, ""]);
  return [
    `Milliseconds of a run; how many of ours fit into one of onnxruntime-web (at least 1.5, in the mean 1.8), and what share of onnxruntime-node's`,
    `speed that is (at least 45 %); and the largest difference from onnxruntime-node over the largest element of an output (at most 1e-4).`,
    "",
    markdownTable(["model", "ms", "onnxruntime-web", "of native", "error"], rows),
    "",
    `Time that passed over processor time: ${waits(standings, peers)}.`,
  ].join("\n");
}

async function integerModels(wanted: readonly Subject[]): Promise<string> {
  const [rows, standings]: [string[][], Standing[][]] = [[], []];
  for (const { name, kind, make } of wanted) {
    const float = await make();
    const model = await compressed(float, "w8a8");
    await using plain = await Contestant.start("onnxruntime-node, not optimized", model);
    const [standing, [share, nativeShare]] = await held(
      [
        ["edgeslim", model],
        ["onnxruntime-web", model],
        ["onnxruntime-node", model],
        ["onnxruntime-web", float],
      ],
      async ([ours, , native]) => {
        const [expected, steps] = [await plain.outputs(), lastSteps(model.bytes)];
        return [shareWithinStep(await ours!.outputs(), expected, steps), shareWithinStep(await native!.outputs(), expected, steps)];
      },
    );
    const [ours, web, native, before] = standing as [Standing, Standing, Standing, Standing];
    standings.push(standing);
    rows.push([
      name,
      ours.ms.toFixed(2),
      least(web.ratio, kind === "transformer" ? 1.3 : 1.7, times, `${name} in w8a8 against onnxruntime-web`),
      times(before.ratio),
      least(native.ratio, kind === "3×3 convolutions" ? 0.25 : 0.35, percent, `${name} in w8a8 against onnxruntime-node`),
      cell(`${(share * 100).toFixed(2)} %`, share >= 0.999, `${name} in w8a8 has ${share} of its elements within a step, at least .999`),
      `${(nativeShare! * 100).toFixed(2)} %`,
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const mean = (i: number): number => geometric(standings.map((each) => (each[i] as Standing).ratio));
  rows.push([
    "geometric mean",
    "",
    least(mean(1), 2.2, times, "The mean in w8a8 against onnxruntime-web"),
    least(mean(3), 3, times, "The mean in w8a8 against onnxruntime-web in f32"),
    percent(mean(2)),
    "",
    "",
  ]);
  return [
    `The same models as \`w8a8\` writes them (calibrated on ${SAMPLES} sets of random inputs; target edgeslim), one file for all. How many runs of ours fit into`,
    "one of onnxruntime-web on that file (at least 1.7, transformers 1.3, in the mean 2.2) and on the file in f32 (in the mean 3); the share of",
    "onnxruntime-node's speed (at least 25 % where 3×3 convolutions take most, else 35 %); and the share of output elements that are within one step,",
    "the last QuantizeLinear's scale, of onnxruntime-node with its optimizations off (at least 99.9 %), beside that of its optimized runs.",
    "",
    markdownTable(["model", "ms", "onnxruntime-web", "its f32", "of native", "within a step", "native's"], rows),
    "",
    `Time that passed over processor time: ${waits(standings, ["edgeslim", "onnxruntime-web", "onnxruntime-node", "onnxruntime-web in f32"])}.`,
  ].join("\n");
}

async function weightsOnly(wanted: readonly Subject[]): Promise<string> {
  const peers = ["edgeslim", "onnxruntime-web", "onnxruntime-node"] as const;
  const rows: string[][] = [];
  for (const { name, make } of wanted) {
    const float = await make();
    for (const scheme of ["w8", "w4", "q4"] as const) {
      const model = await compressed(float, scheme);
      const [standing, error] = await held(
        peers.map((peer) => [peer, model]),
        async ([ours, web]) => relativeError(await ours!.outputs(), await web!.outputs()),
      );
      const [ours, web, native] = standing as [Standing, Standing, Standing];
      const what = `${name}, ${scheme}`;
      const ratio = least(web.ratio, 10, times, `${what} against onnxruntime-web`);
      rows.push([what, ours.ms.toFixed(2), ratio, percent(native.ratio), error.toExponential(1)]);
      console.error(rows.at(-1)!.join("  "));
    }
  }
  return [
    `Weights alone are quantized, and one row is multiplied by them. How many runs of ours fit into one of onnxruntime-web (at least 10), the share of`,
    "onnxruntime-node's speed, and the largest difference from onnxruntime-web over the largest element (each may quantize the row in its own way).",
    "",
    markdownTable(["model", "ms", "onnxruntime-web", "of native", "difference"], rows),
  ].join("\n");
}

/** Both under Deno, as servers and edge runtimes other than Node have it. */
async function underDeno(wanted: readonly Subject[]): Promise<string> {
  const [rows, ratios]: [string[][], [number, number, number][]] = [[], []];
  for (const { name, kind, make } of wanted) {
    const float = await make();
    const model = await compressed(float, "w8a8");
    const turns = async (...cases: Case[]): Promise<Standing[]> => {
      const entries = cases.map((each, i) => [i === 0 ? "edgeslim" : "onnxruntime-web", each] as const);
      return (await held(entries, async () => {}, "deno"))[0];
    };
    const [ours, web] = (await turns(float, float)) as [Standing, Standing];
    const [own, same, before] = (await turns(model, model, float)) as [Standing, Standing, Standing];
    ratios.push([web.ratio, same.ratio, before.ratio]);
    rows.push([
      name,
      ours.ms.toFixed(2),
      least(web.ratio, 1.5, times, `${name} under Deno`),
      own.ms.toFixed(2),
      least(same.ratio, kind === "transformer" ? 1.3 : 1.7, times, `${name} in w8a8 under Deno`),
      times(before.ratio),
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const mean = (i: 0 | 1 | 2): number => geometric(ratios.map((each) => each[i]));
  rows.push([
    "geometric mean",
    "",
    least(mean(0), 1.8, times, "The mean under Deno"),
    "",
    least(mean(1), 2.2, times, "The mean in w8a8 under Deno"),
    least(mean(2), 3, times, "The mean in w8a8 against onnxruntime-web in f32 under Deno"),
  ]);
  return [
    "The same models with both runtimes under Deno: milliseconds of a run, and how many of ours fit into one of onnxruntime-web, in f32 and in w8a8 on",
    "the same file, and of w8a8 into one on the file in f32. Claims are as above.",
    "",
    markdownTable(["model", "f32, ms", "onnxruntime-web", "w8a8, ms", "onnxruntime-web", "its f32"], rows),
  ].join("\n");
}

const parts: readonly [string, (wanted: readonly Subject[]) => Promise<string>, readonly Subject[]][] = [
  ["Whole models: f32", floatModels, subjects],
  ["Whole models: w8a8", integerModels, subjects],
  ["Whole models: weights", weightsOnly, decoders],
  ["Whole models: Deno", underDeno, subjects],
];
for (const [name, measure, all] of parts.filter(([name]) => name.endsWith(ONLY))) {
  const wanted = all.filter((subject) => subject.name.includes(NAMED));
  if (wanted.length === 0) continue;
  const markdown = `## ${name}\n\nMedians of ${ROUNDS} turns, one thread.\n\n${await measure(wanted)}`;
  console.log(`${markdown}\n`);
  if (wanted.length === all.length) await section(name, markdown);
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}
