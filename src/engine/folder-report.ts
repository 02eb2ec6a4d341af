import type { LayerReport } from "./layers.ts";
import type { Recipe } from "./recipe.ts";
import type { Report, TensorReport, Warning } from "./report.ts";

/** One file of a result, with its external data or its shards: what a scheme made of a model, or why it made nothing. */
export interface Variant {
  /** The scheme's word; absent where the recipe quantizes nothing. */
  scheme?: string;
  /** The source: a file, or the index of its shards. */
  model: string;
  /** Files that were written, in the folder of the result. */
  files: string[];
  /** What they take. */
  bytes: number;
  report?: Report;
  /** Why the model does not allow the scheme. */
  refused?: string;
}

/** A report on a folder: `tensors` holds every weight of every model once, `variants` each result by itself. */
export interface FolderReport extends Report {
  variants: Variant[];
  /** Files that were copied byte for byte. */
  copied: string[];
}

/** What the report of a run of several parts is made of. */
export interface Parts {
  recipe: Recipe;
  variants: Variant[];
  warnings: readonly Warning[];
  /** Every file of the result. */
  files: string[];
  copied: string[];
  seconds: number;
}

/** Joins the reports of variants. Bytes are those of models: companions that are copied do not count. */
export function joinReports(version: string, { recipe, variants, warnings, files, copied, seconds }: Parts): FolderReport {
  const made = variants.filter((variant): variant is Variant & { report: Report } => variant.report !== undefined);
  const firsts = [...new Map(made.map((variant) => [variant.model, variant.report] as const).reverse()).values()].reverse();
  const [only] = firsts;
  const read = made.reduce((n, { report }) => n + report.source.bytes, 0);
  return {
    edgeslim: version,
    recipe,
    source: {
      ...(firsts.length === 1 ? only?.source : undefined),
      format: formats(firsts.map(({ source }) => source.format)),
      bytes: firsts.reduce((n, { source }) => n + source.bytes, 0),
      files: [...new Set(firsts.flatMap(({ source }) => source.files ?? []))],
    },
    output: {
      ...(made.length === 1 ? made[0]?.report.output : undefined),
      format: formats(made.map(({ report }) => report.output.format)),
      bytes: made.reduce((n, { bytes }) => n + bytes, 0),
      files,
    },
    tensors: joinTensors(made, firsts.length > 1),
    layers: joinLayers(made, firsts.length > 1),
    warnings: joinWarnings([...refusals(variants), ...warnings, ...made.flatMap(({ report }) => report.warnings)]),
    timing: {
      seconds: Math.round(seconds * 1e4) / 1e4,
      bytes_per_second: Math.round(read / seconds),
      peak_memory_bytes: made.reduce((n, { report }) => Math.max(n, report.timing.peak_memory_bytes), 0),
    },
    variants,
    copied,
  };
}

const refusals = (variants: readonly Variant[]): Warning[] =>
  variants.flatMap(({ scheme = "the recipe", model, refused }) =>
    refused === undefined ? [] : [{ code: "refused", message: `${scheme} cannot be used: ${refused}`, files: [model] }],
  );

const formats = (all: readonly string[]): string => [...new Set(all)].join("+");

/** Every weight once: where several schemes were at work, with what each did, and the bytes of all of them. */
function joinTensors(made: readonly (Variant & { report: Report })[], severalModels: boolean): TensorReport[] {
  const rows = new Map<string, TensorReport[]>();
  for (const { model, report } of made) {
    const seen = new Map<string, number>();
    for (const tensor of report.tensors) {
      const nth = seen.get(tensor.name) ?? 0; // subgraphs may use a name again
      seen.set(tensor.name, nth + 1);
      const key = JSON.stringify([model, tensor.name, nth]);
      const row = severalModels ? { file: model, ...tensor } : tensor;
      rows.set(key, [...(rows.get(key) ?? []), row]);
    }
  }
  return [...rows.values()].map(joinTensor);
}

function joinTensor(rows: readonly TensorReport[]): TensorReport {
  const [first] = rows as [TensorReport];
  if (rows.length === 1) return first;
  const actions = [...new Set(rows.map(({ action }) => action))];
  const { file, name, shape, bytes } = first;
  const reasons = [...new Set(rows.flatMap(({ reason }) => (reason === undefined ? [] : [reason])))];
  return {
    ...(file === undefined ? {} : { file }),
    name,
    shape,
    action: actions.length === 1 ? (actions[0] as string) : "all-web",
    ...(actions.length === 1 ? {} : { actions }),
    bytes: [bytes[0], rows.reduce((n, row) => n + row.bytes[1], 0)],
    ...(actions.length === 1 && reasons.length > 0 ? { reason: reasons.join("; ") } : {}),
  };
}

/** What each layer takes in all results together. */
function joinLayers(made: readonly (Variant & { report: Report })[], severalModels: boolean): LayerReport[] {
  const rows = new Map<string, LayerReport>();
  for (const { model, report } of made) {
    for (const layer of report.layers) {
      const key = JSON.stringify([model, layer.name]);
      const known = rows.get(key);
      const [before, after] = known?.bytes ?? [layer.bytes[0], 0];
      rows.set(key, { ...(severalModels ? { file: model } : {}), ...layer, ...known, bytes: [before, after + layer.bytes[1]] });
    }
  }
  return [...rows.values()].sort((a, b) => b.bytes[0] - a.bytes[0]);
}

/** Warnings of one code and message as one. */
function joinWarnings(warnings: readonly Warning[]): Warning[] {
  const joined = new Map<string, Warning>();
  for (const { code, message, tensors, nodes, files } of warnings) {
    const key = `${code}\n${message}`;
    const known = joined.get(key);
    const union = (a: readonly string[] = [], b: readonly string[] = []): string[] => [...new Set([...a, ...b])];
    const all = { tensors: union(known?.tensors, tensors), nodes: union(known?.nodes, nodes), files: union(known?.files, files) };
    const lists = Object.fromEntries(Object.entries(all).filter(([, list]) => list.length > 0));
    joined.set(key, { code, message, ...lists });
  }
  return [...joined.values()];
}
