import type { Curve } from "../prune/channels/allocate.ts";
import type { EncodingError } from "../quantize/encoder.ts";
import { byteLength, type TensorInfo } from "../tensor.ts";
import { METADATA_PREFIX, VERSION } from "../version.ts";
import { type Layer, type LayerReport, moduleOf, sumLayers } from "./layers.ts";
import type { Recipe } from "./recipe.ts";
import type { RecoveryReport } from "./recover.ts";

/** What happened to one tensor of the source. */
export interface TensorReport {
  /** The file it stands in, where the source has several models. */
  file?: string;
  name: string;
  shape: readonly number[];
  /** A scheme word, or `kept`; `all-web` where several did different things. */
  action: string;
  /** What each of several did, where they differ. */
  actions?: string[];
  /** Data bytes before and after, scales included. */
  bytes: [before: number, after: number];
  /** Why it was kept. */
  reason?: string;
  /** What was left of it, where it was pruned: its shape where channels went, or the share of its elements that are zero now. */
  pruned?: { shape?: readonly number[]; sparsity?: number };
  /** `bitmask` where it is written without its zeros, with a bit for each element. */
  stored?: "bitmask";
  /** Signal to quantization noise, 10·log10(Σx² / Σ(x − x̂)²); absent where the encoding is exact. */
  sqnr_db?: number;
}

export interface Warning {
  code: string;
  message: string;
  tensors?: string[];
  nodes?: string[];
  files?: string[];
}

export interface Report {
  edgeslim: string;
  recipe: Recipe;
  /** `files` where there are several: of one ONNX model those that hold its external data. They count in `bytes`; `sha256` is of the model's own file. */
  source: { format: string; opset?: number; bytes: number; sha256?: string; files?: string[] };
  /** `files` where the result went to some: their names, or their paths in the store. `bytes` are of all, `sha256` is of the first. */
  output: { format: string; layout?: string; bytes: number; sha256?: string; files?: string[] };
  tensors: TensorReport[];
  /** What each layer takes, the largest first. */
  layers: LayerReport[];
  /** Where the recipe asks to optimize. */
  optimization?: Optimization;
  /** Where the recipe prunes. */
  pruning?: PruningReport;
  /** Where the scheme looks at activations. */
  calibration?: CalibrationReport;
  warnings: Warning[];
  timing: { seconds: number; bytes_per_second: number; peak_memory_bytes: number };
}

export interface Optimization {
  /** Nodes of the main graph. */
  nodes: [before: number, after: number];
}

export interface PruningReport {
  structure: string;
  criterion: string;
  scope: string;
  /** Share of the elements of pruned weights that are zero, where single weights or blocks were. */
  sparsity?: number;
  /** Elements of all float tensors; zeros that pruning made do not count. */
  parameters: [before: number, after: number];
  /** Of the model's products for one run, additions counted apart; a size that a run binds counts as 1. Where channels were pruned. */
  operations?: [before: number, after: number];
  /** Channels that go together, where channels were pruned. */
  groups?: GroupReport[];
  /** Where the scope is by sensitivity: the output error of each group alone. */
  sensitivity?: readonly Curve[];
  /** Where single weights were pruned by samples: the outputs' error on those that were held out. */
  relative_mse?: number;
  /** Where the recipe recovers. */
  recovery?: RecoveryReport;
}

/** Channels that go together or stay together, by the first weight that makes them. */
export interface GroupReport {
  name: string;
  /** The weights that make its channels. */
  layers: string[];
  channels: [before: number, after: number];
  /** Channels that go at a time, where that is more than one: those of a head. */
  width?: number;
  /** Why all stayed that was not looked at. */
  reason?: string;
}

export interface CalibrationReport {
  observer: string;
  samples: number;
  /** Activations that became integers. */
  activations: number;
}

/** Signal to noise below which a weight does not do its work: noise of half the signal's size. */
const LOST_DB = 6;

/** Share of a weight's channels that must be coarse before it is said. */
const MANY_CHANNELS = 0.25;

/** Gathers what the report says while a model passes. */
export class Log {
  readonly tensors: TensorReport[] = [];
  /** Whether the recipe names a scheme. */
  quantizes = true;
  /** The layer of each tensor; where there is no graph, its module's. */
  layers: ReadonlyMap<string, Layer> | undefined;
  /** What the optimizer did. */
  optimization: Optimization | undefined;
  calibration: CalibrationReport | undefined;
  pruning: PruningReport | undefined;
  readonly #pruned = new Map<string, { was: TensorInfo; left: NonNullable<TensorReport["pruned"]> }>();
  readonly #sparse = new Set<string>();
  readonly #warnings = new Map<string, Warning>();

  /** Takes note of what is left of a tensor of the source. What becomes of that is told afterwards. */
  pruned(was: TensorInfo, left: NonNullable<TensorReport["pruned"]>): void {
    this.#pruned.set(was.name, { was, left });
  }

  /** Takes note that a tensor is written without its zeros, in so many bytes. */
  sparse(name: string, bytes: number): void {
    this.#sparse.add(name);
    const row = this.tensors.find((each) => each.name === name); // one that is kept has its row already
    if (row) {
      row.bytes = [row.bytes[0], bytes];
      row.stored = "bitmask";
    }
  }

  /** A row with the tensor as the source has it. */
  #add(row: TensorReport): void {
    const pruned = this.#pruned.get(row.name);
    if (this.#sparse.has(row.name)) row.stored = "bitmask";
    if (!pruned) this.tensors.push(row);
    else {
      const { was, left } = pruned;
      const bytes: [number, number] = [byteLength(was.dtype, was.shape), row.bytes[1]];
      this.tensors.push({ ...row, shape: was.shape, action: row.action === "kept" ? "pruned" : row.action, bytes, pruned: left });
    }
  }

  kept(info: TensorInfo, reason: string, bytes: number): void {
    this.#add({ name: info.name, shape: info.shape, action: "kept", bytes: [bytes, bytes], reason });
  }

  dropped(info: TensorInfo, reason: string, bytes: number): void {
    this.#add({ name: info.name, shape: info.shape, action: "dropped", bytes: [bytes, 0], reason });
  }

  /** A weight that stays in its type and has other elements. */
  folded(info: TensorInfo, reason: string, bytes: number): void {
    this.#add({ name: info.name, shape: info.shape, action: "folded", bytes: [bytes, bytes], reason });
  }

  encoded(info: TensorInfo, action: string, before: number, after: number, { signal, noise, nonfinite, coarse = 0 }: EncodingError): void {
    const sqnr = 10 * Math.log10(signal / noise);
    const row: TensorReport = { name: info.name, shape: info.shape, action, bytes: [before, after] };
    if (Number.isFinite(sqnr)) row.sqnr_db = Math.round(sqnr * 100) / 100;
    this.#add(row);
    if (Number.isFinite(sqnr) && sqnr < LOST_DB)
      this.warn("signal-lost", `Weights are lost: less than ${LOST_DB} dB are left of them; exclude them, or use bf16`, info.name);
    if (coarse >= MANY_CHANNELS)
      this.warn(
        "outlier-channels",
        "A few channels take the range of the one scale, and a quarter of all or more keep less than 4 bits; use granularity per_channel",
        info.name,
      );
    if (!Number.isFinite(noise)) this.warn("overflow", "Weights are too large for 16 bits and became Infinity; use bf16 or w8", info.name);
    if (nonfinite > 0)
      this.warn(
        "non-finite",
        "The source's weights hold NaN or Infinity: 16 bits keep them, integers hold 0 and the largest value instead",
        info.name,
      );
  }

  /** Adds a tensor to a warning. */
  warn(code: string, message: string, tensor: string): void {
    const warning = this.#warnings.get(code);
    if (warning) warning.tensors?.push(tensor);
    else this.#warnings.set(code, { code, message, tensors: [tensor] });
  }

  layerReports(): LayerReport[] {
    const { layers } = this;
    return sumLayers(this.tensors, layers ? (name) => layers.get(name) : moduleOf);
  }

  /** Adds a warning about nodes. */
  warnOf(code: string, message: string, nodes: string[]): void {
    this.#warnings.set(`${code} ${message}`, { code, message, nodes });
  }

  get warnings(): Warning[] {
    return [...this.#warnings.values()].map((warning) =>
      warning.tensors ? { ...warning, tensors: [...new Set(warning.tensors)] } : warning,
    );
  }

  /** Whether the optimizer changed the graph. */
  get #nodes(): boolean {
    const [before = 0, after = 0] = this.optimization?.nodes ?? [];
    return before !== after;
  }

  get changed(): boolean {
    return this.#nodes || this.tensors.some(({ action }) => action !== "kept");
  }

  /** Why a recipe changed nothing, in a sentence that names the commonest reasons. */
  whyNothing(): string {
    if (!this.quantizes) return "the optimizer found nothing to do";
    const reasons = new Map<string, number>();
    for (const { reason } of this.tensors) if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const isOther = (reason: string): number => Number(reason.endsWith("not a float tensor")); // nobody asked about those
    const common = [...reasons].sort(([a, m], [b, n]) => isOther(a) - isOther(b) || n - m).slice(0, 3);
    if (common.length === 0) return "the model has no weights";
    return common.map(([reason, n]) => `${n} tensor${n === 1 ? "" : "s"}: ${reason}`).join("; ");
  }

  /** Names of tensors in float, for the file's metadata. */
  keptInFloat(): string[] {
    return this.tensors
      .filter((t) => (t.action === "kept" || t.action === "pruned") && !t.reason?.endsWith("not a float tensor"))
      .map((t) => t.name);
  }
}

/** Metadata that the output file carries; deterministic. */
export function metadata(recipe: string, keptInFloat: readonly string[] | undefined): [key: string, value: string][] {
  const about: [string, string][] = [
    [`${METADATA_PREFIX}version`, VERSION],
    [`${METADATA_PREFIX}recipe`, recipe],
  ];
  return keptInFloat ? [...about, [`${METADATA_PREFIX}kept`, JSON.stringify(keptInFloat)]] : about;
}
