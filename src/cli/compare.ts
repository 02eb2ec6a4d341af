import { basename } from "node:path";
import { type Comparison, compareModels, type LayerDifference, type OutputDifference } from "../engine/compare.ts";
import { load } from "../index.ts";
import type { Difference } from "../runtime/difference.ts";
import { randomFeeds } from "../runtime/random-feeds.ts";
import { UsageError } from "./exit.ts";
import { readFeeds } from "./feeds.ts";
import { openLoadable } from "./model.ts";
import { writeOut } from "./streams.ts";
import { table } from "./table.ts";
import { milliseconds, number, percent, plural, printable, size } from "./units.ts";

/** Layers that are shown, those that add most. */
const SHOWN_LAYERS = 10;

export interface CompareFlags {
  input: string[];
  /** Shapes of inputs that are drawn. */
  shape: [name: string, shape: number[]][];
  json?: boolean;
}

/** `edgeslim compare`: how far the second model's outputs are from the first's, and where that arises. */
export async function compareCommand(
  pathA: string,
  pathB: string,
  { input, shape, json }: CompareFlags,
  signal: AbortSignal,
): Promise<void> {
  if (pathA === "-" && pathB === "-") throw new UsageError("Two models cannot both be standard input");
  if (input.length > 0 && shape.length > 0) throw new UsageError("--shape is for inputs that are drawn, and --input gives them");
  const a = await openLoadable(pathA, signal);
  try {
    const b = await openLoadable(pathB, signal);
    try {
      const comparison = await compareModels(a, b, {
        load,
        signal,
        feeds: async ({ inputs }) => [input.length > 0 ? await readFeeds(input, inputs, signal) : randomFeeds(inputs, new Map(shape))],
      });
      await writeOut(json ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonText(comparison, input.length === 0));
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

function comparisonText({ models, outputs, layers, first, most }: Comparison, isDrawn: boolean): string {
  const [a, b] = models;
  const rows = [
    ["size", size(a.bytes), `${size(b.bytes)} (${percent(b.bytes, a.bytes)})`],
    ["loaded in, the first one cold", milliseconds(a.load_ms), milliseconds(b.load_ms)],
    ["first run, likewise", milliseconds(a.latency.first_ms), milliseconds(b.latency.first_ms)],
    [
      `median of ${plural(a.latency.runs, "run")}`,
      milliseconds(a.latency.median_ms),
      `${milliseconds(b.latency.median_ms)} (${percent(b.latency.median_ms, a.latency.median_ms)})`,
    ],
    ["memory", size(a.memory_bytes), `${size(b.memory_bytes)} (${percent(b.memory_bytes, a.memory_bytes)})`],
  ];
  const blocks = [
    table(rows, ["", ...models.map(({ name }) => (name === "standard input" ? name : basename(name)))]),
    `Outputs${isDrawn ? " for random inputs; give real ones with --input" : ""}\n${table(outputs.map(outputRow), ["output", "type", "shape", ...HEAD])}`,
    layersText(layers, first, most),
  ];
  return blocks.join("\n");
}

const HEAD = ["SQNR", "relative MSE", "largest", "different"];

const cells = ({ relative_mse, sqnr_db, max_abs, different }: Difference): string[] => [
  different === 0 ? "same" : sqnr_db === undefined ? "–" : `${sqnr_db.toFixed(1)} dB`,
  relative_mse === undefined ? "–" : number(relative_mse),
  number(max_abs),
  `${number(100 * different)} %`,
];

const outputRow = ({ name, dtype, shape, ...rest }: OutputDifference): string[] => [
  name,
  dtype,
  shape.join("×") || "scalar",
  ...cells(rest),
];

function layersText(layers: readonly LayerDifference[], first: string | undefined, most: string | undefined): string {
  if (layers.length === 0) return "No value stands under one name in both graphs: where the error arises cannot be told\n";
  const known = `${plural(layers.length, "value")} ${layers.length === 1 ? "stands" : "stand"} under one name in both graphs`;
  if (first === undefined) return `${known}; none differs\n`;
  const told = (name: string | undefined): string => {
    const { node, op_type } = layers.find((layer) => layer.name === name) as LayerDifference;
    return printable(`${name} (${op_type}${node && node !== name ? ` ${node}` : ""})`);
  };
  const shown = layers
    .filter(({ added }) => added > 0)
    .toSorted((x, y) => y.added - x.added)
    .slice(0, SHOWN_LAYERS);
  const rows = shown.map(({ name, op_type, added, ...rest }) => [name, op_type, number(added), ...cells(rest)]);
  return `${known}. The error arises at ${told(first)}, and grows most at ${told(most)}\n${table(rows, ["layer", "operator", "added MSE", ...HEAD])}`;
}
