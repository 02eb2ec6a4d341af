import type { Context } from "hono";
import type { Report } from "../engine/report.ts";
import type { Slots } from "./slots.ts";

/** Counts since the isolate or process started. */
export class Metrics {
  readonly #runs = new Map<string, number>([
    ["done", 0],
    ["failed", 0],
  ]);
  #read = 0;
  #written = 0;

  done({ source, output }: Report): void {
    this.#count("done");
    this.#read += source.bytes;
    this.#written += output.bytes;
  }

  failed(): void {
    this.#count("failed");
  }

  #count(outcome: string): void {
    this.#runs.set(outcome, (this.#runs.get(outcome) ?? 0) + 1);
  }

  /** https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md */
  text(running: number): string {
    const lines = [
      "# TYPE edgeslim_runs counter",
      "# HELP edgeslim_runs Compressions that have ended.",
      ...[...this.#runs].map(([outcome, n]) => `edgeslim_runs_total{outcome="${outcome}"} ${n}`),
      "# TYPE edgeslim_running gauge",
      "# HELP edgeslim_running Runs under way.",
      `edgeslim_running ${running}`,
      "# TYPE edgeslim_source_bytes counter",
      "# UNIT edgeslim_source_bytes bytes",
      "# HELP edgeslim_source_bytes Bytes of models that were compressed.",
      `edgeslim_source_bytes_total ${this.#read}`,
      "# TYPE edgeslim_output_bytes counter",
      "# UNIT edgeslim_output_bytes bytes",
      "# HELP edgeslim_output_bytes Bytes of the results.",
      `edgeslim_output_bytes_total ${this.#written}`,
      "# EOF",
    ];
    return `${lines.join("\n")}\n`;
  }
}

/** GET /metrics */
export const metricsRoute =
  (metrics: Metrics, slots: Slots) =>
  (c: Context): Response =>
    c.body(metrics.text(slots.taken), 200, { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" });
