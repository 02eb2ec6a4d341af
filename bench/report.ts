import { readFile, writeFile } from "node:fs/promises";
import { arch, cpus, platform } from "node:os";

const RESULTS = new URL("RESULTS.md", import.meta.url);

/** Replaces the section `name` of RESULTS.md, between its markers, or adds it at the end. What a benchmark found is printed, never typed. */
export async function section(name: string, markdown: string): Promise<void> {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = `${open}\n${markdown.trim()}\n\n${await machine()}\n${close}`;
  const results = await readFile(RESULTS, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return "# Results\n\nEach section is printed by the benchmark of its name.\n";
  });
  const [start, end] = [results.indexOf(open), results.indexOf(close)];
  const found = start >= 0 && end > start;
  const next = found ? results.slice(0, start) + text + results.slice(end + close.length) : `${results.trimEnd()}\n\n${text}\n`;
  await writeFile(RESULTS, next);
}

/** A markdown table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** The middle of the measurements, which must not be empty. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError("Cannot take the median of no values");
  return (low + high) / 2;
}

async function machine(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const runtime = `${process.release.name} ${process.versions.node} (V8 ${process.versions.v8})`;
  return `${model} × ${processors.length}, ${platform()} ${arch()}, ${runtime}, edgeslim ${version}`;
}
