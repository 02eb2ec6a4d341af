// The claims about pruning: `node bench/prune.ts [speed|weights|accuracy]`. Prints its sections of RESULTS.md; fails where a claim does.
import { writeFile } from "node:fs/promises";
import {
  characterErrorRate,
  detectorInput,
  type GrayImage,
  pageOf,
  readClasses,
  recognize,
  recognizerInput,
  renderLine,
  textLines,
} from "../demo/ocr.ts";
import { compress, load, type RecipeInput, type Report, type Tensors } from "../src/index.ts";
import { tensorsOf } from "../test/kit/calibrating.ts";
import { readRealModel, realModels } from "../test/kit/realmodels.ts";
import { type Case, Contestant, contest, type Standing } from "./contest.ts";
import { plot } from "./plot.ts";
import { markdownTable, section } from "./report.ts";
import { others, yoloL } from "./subjects.ts";

const ONLY = process.argv[2] ?? "";
const ROUNDS = 5;

const failed: string[] = [];
const cell = (text: string, holds: boolean, claim: string): string => {
  if (!holds) failed.push(claim);
  return holds ? text : `**${text}**`;
};
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const percent = (x: number): string => `${(x * 100).toFixed(1)} %`;

async function made(bytes: Uint8Array, recipe: RecipeInput, options: object = {}): Promise<{ bytes: Uint8Array; report: Report }> {
  const { readable, report } = compress(bytes, recipe, options);
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), report: await report };
}

/** Lets peers run cases in turns. */
async function turns(...entries: (readonly ["edgeslim" | "onnxruntime-web", Case])[]): Promise<Standing[]> {
  await using stack = new AsyncDisposableStack();
  const all: Contestant[] = [];
  for (const [peer, model] of entries) all.push(stack.use(await Contestant.start(peer, model)));
  return await contest(all, ROUNDS); // before they are let go
}

/** The share of channels that takes PP-YOLOE+ l from 208 to 125 MB, its first and last layers and its heads left alone. */
const SHARE = 0.3;

async function speed(): Promise<string> {
  const whole = await yoloL.make();
  const prune = { structure: "channel", sparsity: SHARE } as const;
  const float = await made(whole.bytes, { prune });
  const samples = [1, 2].map((seed) => tensorsOf(others(whole.feeds, 100 * seed)));
  const bytes = await made(
    whole.bytes,
    { prune, optimize: true, quantize: "w8a8", target: { runtime: "edgeslim" } },
    { calibration: { samples } },
  );
  const cases = [float, bytes].map((each): Case => ({ bytes: each.bytes, feeds: whole.feeds }));
  const [ours, before, web] = await turns(["edgeslim", cases[0]!], ["edgeslim", whole], ["onnxruntime-web", whole]);
  const [own, , webBefore] = await turns(["edgeslim", cases[1]!], ["edgeslim", whole], ["onnxruntime-web", whole]);
  const { parameters, operations = [1, 1] } = float.report.pruning!;
  const left = parameters[1] / parameters[0];
  const rows = [
    ["as it is", megabytes(whole.bytes.length), "", "", before!.ms.toFixed(0), "", `${(web!.ms / before!.ms).toFixed(2)}×`],
    [
      `channel:${SHARE}`,
      cell(megabytes(float.bytes.length), float.bytes.length <= 125e6, "PP-YOLOE+ l, pruned, takes at most 125 MB"),
      percent(left),
      percent(operations[1] / operations[0]),
      ours!.ms.toFixed(0),
      cell(`${before!.ratio.toFixed(2)}×`, before!.ratio >= 1.5, "PP-YOLOE+ l, pruned, is 1.5 times as fast"),
      `${web!.ratio.toFixed(2)}×`,
    ],
    [
      `channel:${SHARE}, w8a8`,
      cell(megabytes(bytes.bytes.length), bytes.bytes.length <= 32e6, "PP-YOLOE+ l, pruned in w8a8, takes at most 32 MB"),
      percent(left),
      "",
      own!.ms.toFixed(0),
      `${(before!.ms / own!.ms).toFixed(2)}×`,
      cell(
        `${webBefore!.ratio.toFixed(2)}×`,
        webBefore!.ratio >= 4,
        "PP-YOLOE+ l, pruned in w8a8, is 4 times as fast as onnxruntime-web was",
      ),
    ],
  ];
  return [
    "PP-YOLOE+ l at 640², its weights drawn: what its file takes (at most 125 MB, in w8a8 32 MB), milliseconds of a run in Edgeslim, how many fit into one of it",
    "unpruned (at least 1.5), and into one of onnxruntime-web on the unpruned file in f32 (in w8a8 at least 4).",
    "",
    markdownTable(["", "file", "parameters", "operations", "ms", "of unpruned", "of onnxruntime-web"], rows),
  ].join("\n");
}

const RATIOS = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5];
const SAMPLES = 32;
const LINES = 100;
const METHODS = ["bias", "least_squares"] as const;

async function accuracy(): Promise<string> {
  const model = await readRealModel(realModels.recognizer);
  const [classes, written] = [await readClasses(), textLines(LINES, 999)];
  const lines = await Promise.all(written.map(renderLine));
  const seen = await Promise.all(textLines(SAMPLES, 7).map(renderLine)); // other words in other orders
  const inputOf = (line: GrayImage): Tensors => {
    const { dims, data } = recognizerInput(line);
    return { x: { dtype: "float32", shape: dims, data } };
  };
  const calibration = { samples: seen.map(inputOf) };
  const rateOf = async (bytes: Uint8Array): Promise<number> => {
    const session = await load(bytes);
    const run = async ({ x }: { x: { dims: number[]; data: Float32Array } }) => {
      const results = await session.run({ x: { dtype: "float32", shape: x.dims, data: x.data } });
      return Object.fromEntries(
        Object.entries(results).map(([name, { shape, data }]) => [name, { dims: shape, data: data as Float32Array }]),
      );
    };
    return characterErrorRate(written, await recognize(run, lines, classes)).rate;
  };
  const least = await rateOf(model);
  const [rows, curves]: [string[][], { plain: [number, number][]; recovered: [number, number][] }] = [[], { plain: [], recovered: [] }];
  let judged: { plain: number; won: number } | undefined;
  for (const sparsity of RATIOS) {
    const prune = { structure: "channel", criterion: "wanda", sparsity } as const;
    const plain = await made(model, { optimize: true, prune }, { calibration });
    const recovered = await made(model, { optimize: true, prune: { ...prune, recover: [...METHODS] } }, { calibration });
    const [before, after] = [await rateOf(plain.bytes), await rateOf(recovered.bytes)];
    const { parameters, operations = [1, 1], recovery } = recovered.report.pruning!;
    const left = parameters[1] / parameters[0];
    const won = (before - after) / (before - least);
    if (before - least >= 0.1) judged ??= { plain: before, won };
    curves.plain.push([sparsity, Math.max(before, 1e-3)]);
    curves.recovered.push([sparsity, Math.max(after, 1e-3)]);
    rows.push([
      ...[`channel:${sparsity}`, percent(left), percent(operations[1] / operations[0]), percent(before), percent(after)],
      ...[before - least >= 0.01 ? percent(won) : "", ...recovery!.relative_mse.map((error) => error.toFixed(4))],
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const title = "PP-OCRv4 recognizer: characters that are read wrong";
  await writeFile(
    new URL("prune-accuracy.svg", import.meta.url),
    plot({
      title,
      x: "share of channels that went",
      y: "character error rate",
      curves: [
        { name: "pruned", points: curves.plain },
        { name: "recovered", points: curves.recovered },
        { name: "as it was", isBound: true, points: RATIOS.map((ratio) => [ratio, Math.max(least, 1e-3)]) },
      ],
    }),
  );
  const won = judged ? cell(percent(judged.won), judged.won >= 2 / 3, "Recovery wins back two thirds of what pruning loses") : "";
  return [
    `![${title}](prune-accuracy.svg)`,
    "",
    `Channels of PP-OCRv4's recognizer, chosen by \`wanda\`, over all layers, without training: the share of characters that are read wrong of ${LINES} rendered lines`,
    `(${percent(least)} as it was), before and after ${METHODS.join(" and ")} on ${SAMPLES} other lines, and the relative mean squared error of the outputs on`,
    `lines that were held out. Where pruning first loses 10 points (${percent((judged?.plain ?? 0) - least)}), recovery wins back ${won}; asked for are two thirds.`,
    "",
    markdownTable(["", "parameters", "operations", "pruned", "recovered", "won back", "error", "recovered"], rows),
  ].join("\n");
}

/** Single weights: how far outputs are on samples that were not fitted on, by magnitude and with the second-order update. */
async function weights(): Promise<string> {
  const rows: string[][] = [];
  for (const [model, inputOf] of [
    [realModels.recognizer, recognizerInput],
    [realModels.classifier, squeezed],
    [realModels.detector, undefined],
  ] as const) {
    const bytes = await readRealModel(model);
    const inputs = async (seed: number, count: number): Promise<Tensors[]> => {
      const lines = await Promise.all(textLines(inputOf ? count : 6 * count, seed).map(renderLine));
      const feeds = inputOf
        ? lines.map(inputOf)
        : Array.from({ length: count }, (_, i) => detectorInput(pageOf(lines.slice(6 * i, 6 * i + 6), 320)));
      return feeds.map(({ dims, data }) => ({ x: { dtype: "float32", shape: dims, data } }));
    };
    const [calibration, held] = [{ samples: await inputs(7, SAMPLES) }, await inputs(999, 16)];
    const wanted = await outputsOf(bytes, held);
    for (const structure of ["2:4", "unstructured"] as const) {
      const share = structure === "2:4" ? {} : { sparsity: 0.5 };
      const plain = await made(bytes, { optimize: true, prune: { structure, ...share } });
      const updated = await made(bytes, { optimize: true, prune: { structure, ...share, criterion: "sparsegpt" } }, { calibration });
      const [before, after] = [errorOf(wanted, await outputsOf(plain.bytes, held)), errorOf(wanted, await outputsOf(updated.bytes, held))];
      const less = 1 - after / before;
      rows.push([
        ...[`${model.name}, ${structure}${structure === "2:4" ? "" : ":0.5"}`, before.toFixed(4), after.toFixed(4)],
        cell(percent(less), less >= 0.4, `${model.name}: ${structure} with the second-order update has an error less by 40 %`),
      ]);
      console.error(rows.at(-1)!.join("  "));
    }
  }
  return [
    `Half of the weights of all but first and last layers, without training: the relative mean squared error of the outputs on 16 rendered lines or pages, by`,
    `magnitude and by \`sparsegpt\` on ${SAMPLES} others; asked is an error less by 40 %.`,
    "",
    markdownTable(["", "magnitude", "sparsegpt", "less"], rows),
  ].join("\n");
}

/** The classifier takes lines of 192 pixels. */
function squeezed(line: GrayImage): { dims: number[]; data: Float32Array } {
  const { dims, data } = recognizerInput(line);
  const [, , height = 0, width = 0] = dims;
  const cut = new Float32Array(3 * height * 192);
  for (let row = 0; row < 3 * height; row++) cut.set(data.subarray(row * width, row * width + 192), row * 192);
  return { dims: [1, 3, height, 192], data: cut };
}

async function outputsOf(bytes: Uint8Array, samples: readonly Tensors[]): Promise<Float32Array[]> {
  const model = await load(bytes);
  const all: Float32Array[] = [];
  for (const sample of samples) for (const { data } of Object.values(await model.run(sample))) all.push(data as Float32Array);
  return all;
}

function errorOf(wanted: readonly Float32Array[], given: readonly Float32Array[]): number {
  let [error, signal] = [0, 0];
  for (const [i, a] of wanted.entries()) {
    for (const [j, x] of a.entries()) {
      error += (x - given[i]![j]!) ** 2;
      signal += x * x;
    }
  }
  return error / signal;
}

for (const [name, measure] of [
  ["Pruning: speed", speed],
  ["Pruning: weights", weights],
  ["Pruning: accuracy", accuracy],
] as const) {
  if (!name.endsWith(ONLY)) continue;
  const markdown = `## ${name}\n\n${await measure()}`;
  console.log(`${markdown}\n`);
  await section(name, markdown);
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}
