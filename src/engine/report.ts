import type { EncodingError } from "../quantize/encoder.ts";
import type { TensorInfo } from "../tensor.ts";
import { METADATA_PREFIX, VERSION } from "../version.ts";
import type { Recipe } from "./recipe.ts";

/** What happened to one tensor of the source. */
export interface TensorReport {
  name: string;
  shape: readonly number[];
  /** A scheme word, or `kept`. */
  action: string;
  /** Data bytes before and after, scales included. */
  bytes: [before: number, after: number];
  /** Why it was kept. */
  reason?: string;
  /** Signal to quantization noise, 10·log10(Σx² / Σ(x − x̂)²); absent where the encoding is exact. */
  sqnr_db?: number;
}

export interface Warning {
  code: string;
  message: string;
  tensors?: string[];
  nodes?: string[];
}

export interface Report {
  edgeslim: string;
  recipe: Recipe;
  source: { format: string; opset?: number; bytes: number; sha256?: string };
  /** `files` where the result went to some: their names, or their paths in the store. */
  output: { format: string; layout?: string; bytes: number; sha256?: string; files?: string[] };
  tensors: TensorReport[];
  warnings: Warning[];
  timing: { seconds: number; bytes_per_second: number; peak_memory_bytes: number };
}

/** Signal to noise below which a weight does not do its work: noise of half the signal's size. */
const LOST_DB = 6;

/** Gathers what the report says while a model passes. */
export class Log {
  readonly tensors: TensorReport[] = [];
  readonly #warnings = new Map<string, { message: string; tensors: Set<string> }>();

  kept(info: TensorInfo, reason: string, bytes: number): void {
    this.tensors.push({ name: info.name, shape: info.shape, action: "kept", bytes: [bytes, bytes], reason });
  }

  encoded(info: TensorInfo, action: string, before: number, after: number, { signal, noise, nonfinite }: EncodingError): void {
    const sqnr = 10 * Math.log10(signal / noise);
    const row: TensorReport = { name: info.name, shape: info.shape, action, bytes: [before, after] };
    if (Number.isFinite(sqnr)) row.sqnr_db = Math.round(sqnr * 100) / 100;
    this.tensors.push(row);
    if (Number.isFinite(sqnr) && sqnr < LOST_DB)
      this.warn("signal-lost", `Weights are lost: less than ${LOST_DB} dB are left of them; exclude them, or use bf16`, info.name);
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
    const warning = this.#warnings.get(code) ?? { message, tensors: new Set() };
    warning.tensors.add(tensor);
    this.#warnings.set(code, warning);
  }

  get warnings(): Warning[] {
    return [...this.#warnings].map(([code, { message, tensors }]) => ({ code, message, tensors: [...tensors] }));
  }

  get changed(): boolean {
    return this.tensors.some((tensor) => tensor.action !== "kept");
  }

  /** Why a recipe changed nothing, in a sentence that names the commonest reasons. */
  whyNothing(): string {
    const reasons = new Map<string, number>();
    for (const { reason } of this.tensors) if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const common = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 3);
    if (common.length === 0) return "the model has no weights";
    return common.map(([reason, n]) => `${n} tensor${n === 1 ? "" : "s"}: ${reason}`).join("; ");
  }

  /** Names of tensors in float, for the file's metadata. */
  keptInFloat(): string[] {
    return this.tensors.filter((t) => t.action === "kept" && !t.reason?.endsWith("not a float tensor")).map((t) => t.name);
  }
}

/** Metadata that the output file carries; deterministic. */
export const metadata = (recipe: string, log: Log): [key: string, value: string][] => [
  [`${METADATA_PREFIX}version`, VERSION],
  [`${METADATA_PREFIX}recipe`, recipe],
  [`${METADATA_PREFIX}kept`, JSON.stringify(log.keptInFloat())],
];
