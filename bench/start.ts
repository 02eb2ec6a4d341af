// The claims about size and start: `node bench/start.ts`. Prints its section of RESULTS.md; fails where a claim does.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipped, MAX_WASM, MAX_WORKER, workerUpload } from "../scripts/size.mjs";
import { Kernels } from "../src/kernels/kernels.ts";
import { markdownTable, section } from "./report.ts";

const failed: string[] = [];
const row = (what: string, found: number, most: number, unit: string): string[] => {
  if (found > most) failed.push(what);
  return [what, `${found.toFixed(1)} ${unit}`, `${most} ${unit}`, found <= most ? "yes" : "**no**"];
};

const rows: string[][] = [];
for (const variant of ["simd", "relaxed"] as const) {
  const path = fileURLToPath(new URL(`../build/compress.${variant}.wasm`, import.meta.url));
  rows.push(row(`compression kernels, ${variant} build, gzipped`, gzipped(path) / 1e3, MAX_WASM / 1e3, "kB"));
  const bytes = await readFile(path);
  const start = performance.now();
  const module = new WebAssembly.Module(bytes);
  const compiled = performance.now();
  Kernels.instantiate({ [variant]: module });
  rows.push(
    row(`compile, ${variant} build`, compiled - start, 5, "ms"),
    row(`instantiate, ${variant} build`, performance.now() - compiled, 5, "ms"),
  );
}
rows.push(row("Worker upload, gzipped", workerUpload() / 1e3, MAX_WORKER / 1e3, "kB"));

const markdown = `## Size and start\n\n${markdownTable(["", "found", "at most", "holds"], rows)}\n\nTimes are of the first instance in a fresh process of Node.`;
console.log(markdown);
await section("Size and start", markdown);
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}
