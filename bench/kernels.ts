// The claims about kernels, measured in one process: `node bench/kernels.ts`. Prints its section of RESULTS.md; fails where a claim does.
//
// The yardstick is memory.copy in the same WebAssembly memory. A rate counts the bytes of the wide side of a kernel (its floats).
// Kernels are built with asc -O1: from -O2 on the vector code is regrouped and V8 spills. With -O3 a slab of 256 KiB took 2.2 times as long in
// f32_qc8w_rows, 1.7 in f32_qc8w_channels, 1.4 in f32_qb4w_rows and f32_qb4w_transpose, 2.4 in f32_f16 and 1.9 in f16_f32; only bf16_f32,
// the sums and the scalar f64 loops were quicker, by a tenth, and f64_bf16 by 1.7.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { weights } from "../src/kernels/fills.ts";
import { type CompressKernels, Kernels } from "../src/kernels/kernels.ts";
import { MIDDLE } from "../src/kernels/prune-rows.ts";
import { type Arg, input, output, type Row } from "../src/kernels/row.ts";
import { table } from "../src/kernels/table.ts";
import { compressModules } from "../src/kernels/wasm.ts";
import { int4Rows, int8Rows } from "./baselines/kernels.ts";
import { markdownTable, median, section } from "./report.ts";

/** Floats in the slab that the engine hands to a kernel, in 4 MiB, and in what no cache holds. */
const SLAB = 1 << 16;
const CACHE = 1 << 20;
const MAIN = 1 << 25;
const ROUNDS = { [SLAB]: 61, [CACHE]: 41, [MAIN]: 7 };

const wasm = (variant: string): URL => new URL(`../build/compress.${variant}.wasm`, import.meta.url);
const kernels = Kernels.instantiate(await compressModules());
const plain = Kernels.instantiate({ simd: await WebAssembly.compile(await readFile(wasm("simd"))) });

interface Rate {
  /** GB/s */
  readonly rate: number;
  /** Of memory.copy, timed in turns with it. */
  readonly ratio: number;
}

const find = (name: string): Row<keyof CompressKernels> => {
  const row = table.find((r) => r.name === name);
  if (row === undefined) throw new RangeError(`No kernel is called ${name}`);
  return row;
};

/** A later pass of an exact selection: few keys share the digits found so far. */
const later: Row<keyof CompressKernels> = {
  ...find("f32_key_counts"),
  doc: "the same under a prefix of 11 bits",
  bench: (n) => ({ args: [n, input(weights(n)), MIDDLE >> 20, 20, 10, 10, output(new Uint32Array(1024))], bytes: n * 4 }),
};
const rows = table.flatMap((row) => (row.name === later.name ? [row, later] : [row]));

/** A call of a kernel on `n` floats, with its data in place. */
function prepare({ arena, fn }: Kernels, row: Row<keyof CompressKernels>, n: number): { run: () => void; bytes: number } {
  const { args, bytes } = row.bench(n);
  const places = new Map<Arg, number>();
  const values = args.map((arg) => {
    if (typeof arg === "number") return arg;
    const { buffer, byteOffset, byteLength } = arg.data;
    const address = places.get(arg) ?? arena.alloc(byteLength);
    places.set(arg, address);
    arena.u8(address, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    return address;
  });
  const kernel = fn[row.name] as (...args: number[]) => unknown;
  return { run: () => void kernel(...values), bytes };
}

/** Seconds a call, over enough calls for the clock. */
function time(run: () => void, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) run();
  return (performance.now() - start) / calls / 1e3;
}

/** Medians of `a` and `b`, timed in turns after both have been compiled. */
function race(a: () => void, b: () => void, rounds: number): [a: number, b: number] {
  const warm = performance.now();
  while (performance.now() - warm < 40) for (const run of [a, b]) run();
  const calls = [a, b].map((run) => Math.max(1, Math.round(2e-4 / time(run, 1))));
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i++) for (const j of [0, 1] as const) times[j].push(time([a, b][j]!, calls[j]!));
  return [median(times[0]), median(times[1])];
}

function measure(which: Kernels, row: Row<keyof CompressKernels>, n: number): Rate {
  const { arena } = which;
  const mark = arena.mark();
  const copy = prepare(which, find("memory_copy"), n);
  const kernel = prepare(which, row, n);
  const [a, b] = race(copy.run, kernel.run, ROUNDS[n]!);
  arena.reset(mark);
  return { rate: kernel.bytes / b / 1e9, ratio: kernel.bytes / b / (copy.bytes / a) };
}

/** How many times as fast as the loop of the baselines a kernel is. */
function speedup(name: "f32_qc8w_rows" | "f32_qb4w_rows", n: number): number {
  const { arena } = kernels;
  const mark = arena.mark();
  const row = find(name);
  const x = row.bench(n).args.flatMap((arg) => (typeof arg === "number" ? [] : [arg.data]))[0] as Float32Array;
  const scale = new Float32Array(n / 32);
  const [y8, y4] = [new Int8Array(n), new Uint8Array(n / 2)];
  const loop = name === "f32_qc8w_rows" ? () => int8Rows(n / 1024, 1024, x, y8, scale) : () => int4Rows(n / 1024, 1024, x, y4, scale);
  const [a, b] = race(loop, prepare(kernels, row, n).run, 15);
  arena.reset(mark);
  return a / b;
}

const rates = rows.map((row) => ({
  row,
  slab: measure(kernels, row, SLAB),
  simd: measure(plain, row, SLAB),
  cache: measure(kernels, row, CACHE),
}));
const IN_MAIN = ["f32_qc8w_rows", "f32_qb4w_rows", "f32_qb4w_transpose", "f32_f16", "f16_f32", "f32_key_counts", "f32_mask", "f32_nm"];
const main = rows.filter(({ name }) => IN_MAIN.includes(name)).map((row) => ({ row, ...measure(kernels, row, MAIN) }));
const at = (name: string): Rate => (rates.find(({ row }) => row.name === name) ?? { cache: { rate: 0, ratio: 0 } }).cache;
const inMain = (row: Row): Rate => main.find((m) => m.row === row) ?? { rate: 0, ratio: 0 };

const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;
const times = (ratio: number): string => `${ratio.toFixed(0)}×`;
const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
const sizes = await Promise.all(["simd", "relaxed"].map(async (variant) => gzipSync(await readFile(wasm(variant)), { level: 9 }).length));

const claims: [claim: string, measured: number, least: number, format: (v: number) => string][] = [
  ["int8 per row, 4 MiB, of memory.copy", at("f32_qc8w_rows").ratio, 0.6, percent],
  ["int8 per row, 128 MiB, of memory.copy", inMain(find("f32_qc8w_rows")).ratio, 1, percent],
  ["int4 rows, 4 MiB, of memory.copy", at("f32_qb4w_rows").ratio, 0.35, percent],
  ["int4 columns, 4 MiB, of memory.copy", at("f32_qb4w_transpose").ratio, 0.35, percent],
  ["float to half, 4 MiB, of memory.copy", at("f32_f16").ratio, 0.22, percent],
  ["half to float, 4 MiB, of memory.copy", at("f16_f32").ratio, 0.22, percent],
  ["NF4, 4 MiB, of memory.copy", at("f32_nf4").ratio, 0.3, percent],
  ["a digit of all keys, 128 MiB, of memory.copy", inMain(find("f32_key_counts")).ratio, 0.25, percent],
  ["a digit under a prefix, 128 MiB, of memory.copy", inMain(later).ratio, 0.25, percent],
  ["2:4, 128 MiB, of memory.copy", inMain(find("f32_nm")).ratio, 0.6, percent],
  ["int8 per row, 256 KiB, of a plain loop", speedup("f32_qc8w_rows", SLAB), 50, times],
  ["int4 rows, 256 KiB, of a plain loop", speedup("f32_qb4w_rows", SLAB), 50, times],
];
const failed = claims.filter(([, measured, least]) => measured < least);
const tooLarge = Math.max(...sizes) > 30 * 1024;

const cell = ({ rate, ratio }: Rate): string => `${rate.toFixed(1)} (${percent(ratio)})`;
const markdown = `## Kernels

Each build gzipped: ${sizes.map(kib).join(" (simd) and ")} (relaxed), at most 30 KiB: ${tooLarge ? "**fail**" : "pass"}.

${markdownTable(
  ["claim", "measured", "at least", ""],
  claims.map(([claim, measured, least, format]) => [claim, format(measured), format(least), measured < least ? "**fail**" : "pass"]),
)}

The same loops at 4 MiB: int8 ${times(speedup("f32_qc8w_rows", CACHE))}, int4 ${times(speedup("f32_qb4w_rows", CACHE))}.

GB/s of floats (doubles where the name says so), and the share of memory.copy, ${kernels.variant} build unless said otherwise:

${markdownTable(
  ["kernel", "256 KiB", "256 KiB, simd build", "4 MiB", "128 MiB"],
  rates.map(({ row, slab, simd, cache }) => {
    const large = main.find((m) => m.row === row);
    return [`\`${row.name}\`: ${row.doc}`, cell(slab), cell(simd), cell(cache), large === undefined ? "" : cell(large)];
  }),
)}
`;
console.log(markdown);
await section("kernels", markdown);
if (failed.length > 0 || tooLarge) process.exitCode = 1;
