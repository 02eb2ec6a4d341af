// How the cost of a run grows: `node bench/runtime-scaling.ts [resolution|width] [rounds]`. Prints its sections of RESULTS.md and draws
// runtime-resolution.svg and runtime-width.svg, with the least time that the multiply-adds of the model take: at the rate at which our f32 GEMM
// multiplies two matrices that stay in the cache.
import { writeFile } from "node:fs/promises";
import { FLOAT_WORK_BYTES, packedLength } from "../src/kernels/infer/float.ts";
import type { InferKernels } from "../src/kernels/infer/kernels.ts";
import { Kernels } from "../src/kernels/kernels.ts";
import { inferModules } from "../src/kernels/wasm.ts";
import { multiplyAdds } from "../test/kit/cost.ts";
import { type PPYoloeOptions, ppyoloe } from "../test/kit/models/ppyoloe.ts";
import { randn } from "../test/kit/onnx.ts";
import { Contestant, contest } from "./contest.ts";
import { plot } from "./plot.ts";
import { clock } from "./race.ts";
import { markdownTable, section } from "./report.ts";

const ONLY = process.argv[2] ?? "";
const ROUNDS = Number(process.argv[3] ?? 7);
const PEERS = ["edgeslim", "onnxruntime-web"] as const;
const SIDE = 512;
const GEMM_RUNS = 60;

/** Operations a second of our f32 GEMM, in the build that this runtime gets: the best of many runs, since it is a bound. */
async function peakRate(): Promise<number> {
  const { fn, arena } = Kernels.instantiate<InferKernels>(await inferModules());
  const [x, w, packed, y] = [SIDE * SIDE, SIDE * SIDE, packedLength(SIDE, SIDE), SIDE * SIDE].map((n) => arena.alloc(n * 4)) as number[];
  const work = arena.alloc(FLOAT_WORK_BYTES);
  for (const [seed, address] of [x!, w!].entries()) arena.f32(address, SIDE * SIDE).set(randn(SIDE * SIDE, seed + 1));
  fn.f32_pack_b(SIDE, SIDE, w!, SIDE, packed!);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < GEMM_RUNS; i++) {
    const start = clock();
    fn.f32_gemm(SIDE, SIDE, SIDE, x!, SIDE, packed!, 0, y!, SIDE, 0, 0, 0, 0, 0, 0, 0, work);
    best = Math.min(best, clock() - start);
  }
  return (2 * SIDE ** 3) / (best / 1e3);
}

interface Series {
  file: string;
  title: string;
  axis: string;
  of: (value: number) => PPYoloeOptions;
  values: readonly number[];
}

async function grown({ file, title, axis, of, values }: Series): Promise<string> {
  const rows: string[][] = [];
  const times = PEERS.map((): [number, number][] => []);
  const bound: [number, number][] = [];
  const rate = await peakRate();
  for (const value of values) {
    const { bytes, spec, inputs } = ppyoloe(of(value))();
    const operations = 2 * (await multiplyAdds(spec));
    await using stack = new AsyncDisposableStack();
    const all: Contestant[] = [];
    for (const peer of PEERS) all.push(stack.use(await Contestant.start(peer, { bytes, feeds: inputs })));
    const [ours, web] = await contest(all, ROUNDS);
    times[0]!.push([value, ours!.ms]);
    times[1]!.push([value, web!.ms]);
    const least = (operations / rate) * 1e3;
    bound.push([value, least]);
    rows.push([
      ...[String(value), (operations / 1e9).toFixed(2), ours!.ms.toFixed(1), web!.ms.toFixed(1)],
      ...[`${web!.ratio.toFixed(2)}×`, least.toFixed(1), `${((least / ours!.ms) * 100).toFixed(0)} %`],
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const curves = [
    ...PEERS.map((name, i) => ({ name, points: times[i]! })),
    { name: `roofline, ${(rate / 1e9).toFixed(0)} G op/s`, isBound: true, points: bound },
  ];
  await writeFile(new URL(file, import.meta.url), plot({ title, x: axis, y: "ms a run, one thread", curves }));
  return [
    `![${title}](${file})`,
    "",
    `Milliseconds of the processor, medians of ${ROUNDS} turns, one thread. The roofline is the model's multiplications and additions at ${(rate / 1e9).toFixed(1)}`,
    `G a second, the most that our f32 GEMM reached on ${SIDE} × ${SIDE} × ${SIDE}; Winograd's convolutions do with fewer and may pass it.`,
    "",
    markdownTable([axis, "G operations", "edgeslim", "onnxruntime-web", "ratio", "roofline", "reached"], rows),
  ].join("\n");
}

const all: Record<string, Series> = {
  "How cost grows: resolution": {
    file: "runtime-resolution.svg",
    title: "PP-YOLOE+ s against the image's side",
    axis: "pixels a side",
    of: (image) => ({ size: "s", image }),
    values: [160, 320, 480, 640, 800, 960],
  },
  "How cost grows: width": {
    file: "runtime-width.svg",
    title: "PP-YOLOE+ at 320², depth of s, against its width",
    axis: "width multiplier",
    of: (width) => ({ size: "s", image: 320, width }),
    values: [0.25, 0.5, 0.75, 1, 1.25],
  },
};
for (const [name, series] of Object.entries(all).filter(([name]) => name.endsWith(ONLY))) {
  const markdown = `## ${name}\n\n${await grown(series)}`;
  console.log(`${markdown}\n`);
  await section(name, markdown);
}
