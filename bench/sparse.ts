// What weights with zero blocks save: `node bench/sparse.ts [PART OF A NAME]`; without one the results are written. Products run with all blocks of
// their weights and without the zero ones in this process, whole models in processes of their own; both in turns, on one thread.
import { compress, type SchemeName } from "../src/index.ts";
import { FLOAT_WORK_BYTES, packedLength, winogradTiles, winogradWorkBytes } from "../src/kernels/infer/float.ts";
import {
  INTEGER_WORK_BYTES,
  outputWords,
  Q8_FORMS,
  q8PackedBytes,
  q8WinogradBytes,
  q8WinogradWorkBytes,
  windowWords,
} from "../src/kernels/infer/integer-layout.ts";
import type { InferKernels } from "../src/kernels/infer/kernels.ts";
import { blocksOf, FLOAT_FORM, type SparseForm, sparseForm, sparseLayout } from "../src/kernels/infer/sparse.ts";
import { withBlocks } from "../src/kernels/infer/sparse-cases.ts";
import { Kernels } from "../src/kernels/kernels.ts";
import { random } from "../src/kernels/row.ts";
import { inferModules } from "../src/kernels/wasm.ts";
import { calibrating } from "../test/kit/calibrating.ts";
import { withTensors } from "../test/kit/external.ts";
import { lcnet } from "../test/kit/models/lcnet.ts";
import type { GeneratedModel } from "../test/kit/models/model.ts";
import { ppyoloe } from "../test/kit/models/ppyoloe.ts";
import { encodeModel } from "../test/kit/onnx.ts";
import { type Case, Contestant, contest } from "./contest.ts";
import { race } from "./race.ts";
import { markdownTable, section } from "./report.ts";
import { others } from "./subjects.ts";

const ONLY = process.argv[2] ?? "";
const SPARSITIES = [0.5, 0.75, 0.9] as const;
const ROUNDS = 11;

const { fn, arena, variant } = Kernels.instantiate<InferKernels>(await inferModules());

/** A convolution [h, w, c] to [oh, ow, n] with square windows; a product of matrices is one of h rows, w = 1 and one tap. */
interface Shape {
  readonly name: string;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly n: number;
  readonly side: number;
  readonly stride: number;
  /** Whether the alternative is Winograd's algorithm. */
  readonly isPlain3x3: boolean;
}

const gemm = (m: number, n: number, k: number): Shape => ({
  ...{ name: `${m} × ${n} × ${k}`, h: m, w: 1, c: k, n, side: 1, stride: 1, isPlain3x3: false },
});
const conv = (h: number, c: number, n: number, side: number, stride = 1): Shape => ({
  ...{ name: `conv ${side}×${side}${stride > 1 ? ` s${stride}` : ""} ${h}×${h} ${c}→${n}`, h, w: h, c, n, side, stride },
  isPlain3x3: side === 3 && stride === 1,
});

type Kind = "int8 of 7 bits" | "int8" | "float32";
const TARGETS: Readonly<Record<string, number>> = { "512 × 512 × 512 int8 of 7 bits 0.5": 1.7, "512 × 512 × 512 int8 of 7 bits 0.75": 3 };

function place(data: Uint8Array | Int32Array | Float32Array): number {
  const address = arena.alloc(data.byteLength);
  arena.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return address;
}

const sizes = ({ h, w, side, stride }: Shape) => {
  const pad = side >> 1;
  const [oh, ow] = [h, w].map((s) => Math.floor((s + 2 * pad - side) / stride) + 1) as [number, number];
  return { pad, oh, ow };
};

/** Weights [n, c, taps] without zero blocks, packed. */
function sparse({ n, c, side }: Shape, w: number, form: SparseForm): number {
  const taps = side * side;
  const p = arena.alloc(sparseLayout(n, blocksOf(n, c, taps), form).end);
  fn.sparse_pack(n, c, taps, w, c * taps, taps, 1, 1, 0, form, p);
  return p;
}

/** Calls without the zero blocks, and with all. */
type Calls = readonly [without: () => void, all: () => void];

function integers(shape: Shape, sparsity: number, narrow: boolean): Calls {
  const { h, w, c, n, side, stride, isPlain3x3 } = shape;
  const { pad, oh, ow } = sizes(shape);
  const taps = side * side;
  const next = random(1);
  const draw = (length: number) => Uint8Array.from({ length }, () => next() * 256);
  const drawn = draw(n * c * taps).map((v) => (narrow ? (v & 127) - 64 : v) || 1);
  const weights = place(withBlocks(drawn, n, c, taps, 1 - sparsity));
  const form = narrow && variant === "relaxed" ? Q8_FORMS.narrow : Q8_FORMS.bytes;
  const [x, y, scale] = [place(draw(h * w * c)), arena.alloc(oh * ow * n), place(new Float32Array(n).fill(1e-4))];
  const output = place(outputWords({ kind: "byte", zero: 130 }));
  const dilated = { dh: 1, dw: 1, pt: pad, pl: pad, ldx: c };
  const window = place(windowWords({ h, w, c, oh, ow, kh: side, kw: side, sh: stride, sw: stride, ...dilated }));
  const work = arena.alloc(isPlain3x3 ? q8WinogradWorkBytes(c) : INTEGER_WORK_BYTES);
  const of = (b: number, form: number) => () => fn.q8_conv(x, window, 0, 117, b, form, n, y, n, 0, scale, 0, output, work);
  const without = of(sparse(shape, weights, sparseForm(form)), sparseForm(form));
  if (isPlain3x3) {
    const b = arena.alloc(q8WinogradBytes(n, c));
    fn.q8_winograd_pack(n, c, weights, b);
    return [without, () => fn.q8_winograd_conv(x, window, 0, 117, b, n, y, n, 0, scale, 0, output, work)];
  }
  const b = arena.alloc(q8PackedBytes(n, c * taps, form));
  fn.q8_pack(n, c, taps, weights, c * taps, taps, 1, 1, 0, form, b);
  return [without, of(b, form)];
}

function floats(shape: Shape, sparsity: number): Calls {
  const { h, w, c, n, side, stride, isPlain3x3 } = shape;
  const { pad, oh, ow } = sizes(shape);
  const taps = side * side;
  const next = random(1);
  const draw = (length: number) => Float32Array.from({ length }, () => next() - 0.5);
  const weights = place(withBlocks(draw(n * c * taps), n, c, taps, 1 - sparsity));
  const [x, y] = [place(draw(h * w * c)), arena.alloc(oh * ow * n * 4)];
  const tiles = winogradTiles(c, n, oh, ow);
  const work = arena.alloc(isPlain3x3 ? Math.max(FLOAT_WORK_BYTES, winogradWorkBytes(c, n, tiles)) : FLOAT_WORK_BYTES);
  const of = (b: number, isSparse: number) => () =>
    fn.f32_conv(
      ...([x, b, isSparse, y, 0, 0, h, w, c, oh, ow, n, side, side, stride, stride, 1, 1, pad, pad] as const),
      ...([c, n, n, 0, 0, 0, 0, work] as const),
    );
  const without = of(sparse(shape, weights, sparseForm(FLOAT_FORM)), 1);
  if (isPlain3x3) {
    const b = arena.alloc(4 * packedLength(9 * c, n) * 4);
    fn.f32_winograd_pack(n, c, weights, b);
    return [without, () => fn.f32_winograd_conv(x, b, y, 0, 0, h, w, c, oh, ow, n, pad, pad, c, n, n, 0, 0, 0, 0, tiles, work)];
  }
  const b = arena.alloc(packedLength(c * taps, n) * 4);
  fn.f32_pack_conv(n, c, taps, weights, b);
  return [without, of(b, 0)];
}

const missed: string[] = [];
/** A ratio, with whether it is what was aimed at where something was. */
function ratioCell(ratio: number, name: string, target: number | undefined): string {
  if (target === undefined) return `${ratio.toFixed(2)}×`;
  if (ratio < target) missed.push(`${name} is ${ratio.toFixed(2)}×, at least ${target}`);
  return `${ratio.toFixed(2)}× (at least ${target}: ${ratio < target ? "no" : "yes"})`;
}

async function measure(shape: Shape, kind: Kind): Promise<string[]> {
  const { n, c, side, name } = shape;
  const { oh, ow } = sizes(shape);
  const rate = (ms: number): string => ((2 * oh * ow * n * c * side * side) / ms / 1e6).toFixed(0);
  const cells: string[] = [];
  let all = "";
  for (const sparsity of SPARSITIES) {
    const mark = arena.mark();
    const { ours, theirs, ratio } = await race(
      ...(kind === "float32" ? floats(shape, sparsity) : integers(shape, sparsity, kind !== "int8")),
    );
    arena.reset(mark);
    const what = `${name} ${kind} ${sparsity}`;
    cells.push(rate(ours), ratioCell(ratio, what, TARGETS[what]));
    all ||= rate(theirs);
  }
  return [name, kind, all, ...cells];
}

/** A model whose convolutions of one group have that share of zero blocks, where they have blocks, in a scheme or in float32. */
async function pruned(model: GeneratedModel, sparsity: number, scheme: SchemeName | "float32"): Promise<Case> {
  const spec = withTensors(model.spec, (tensor) => {
    const [n = 0, c = 0, ...kernel] = tensor.dims;
    if (!(tensor.data instanceof Float32Array) || kernel.length !== 2 || c < 8 || n < 8) return tensor;
    return { ...tensor, data: withBlocks(tensor.data.slice(), n, c, kernel[0]! * kernel[1]!, 1 - sparsity) };
  });
  const bytes = encodeModel(spec);
  const feeds = model.inputs;
  if (scheme === "float32") return { bytes, feeds };
  const calibration = calibrating(bytes, [others(feeds, 100)]);
  const recipe = { quantize: scheme, optimize: true, target: { runtime: "edgeslim" } } as const;
  const { readable } = compress(bytes, recipe, { calibration });
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), feeds };
}

const MODELS: readonly { name: string; make(): GeneratedModel; target?: number }[] = [
  { name: "PP-LCNet ×1.0 attributes 256×192", make: () => lcnet({ height: 256, width: 192 })() },
  { name: "PP-LCNet ×2.5 attributes 256×192", make: () => lcnet({ height: 256, width: 192, multiplier: 2.5 })(), target: 1.35 },
  { name: "PP-YOLOE+ s 640²", make: () => ppyoloe({ size: "s" })() },
];

async function measureModel({ name, make, target }: (typeof MODELS)[number], scheme: "float32" | "w8a8"): Promise<string[]> {
  const model = make();
  await using stack = new AsyncDisposableStack();
  const contestants: Contestant[] = [];
  for (const sparsity of [0, 0.5, 0.75])
    contestants.push(stack.use(await Contestant.start("edgeslim", await pruned(model, sparsity, scheme))));
  const [all, half, quarter] = await contest(contestants, ROUNDS);
  const cell = (sparsity: number, ratio: number) =>
    ratioCell(1 / ratio, `${name} ${scheme} ${sparsity}`, scheme === "w8a8" && sparsity === 0.5 ? target : undefined);
  return [
    name,
    scheme,
    all!.ms.toFixed(2),
    half!.ms.toFixed(2),
    cell(0.5, half!.ratio),
    quarter!.ms.toFixed(2),
    cell(0.75, quarter!.ratio),
  ];
}

const SHAPES = [
  ...[gemm(512, 512, 512), gemm(128, 1536, 384), gemm(3136, 64, 64), gemm(1, 1024, 1024)],
  ...[conv(14, 512, 512, 1), conv(40, 128, 128, 3, 2), conv(28, 128, 128, 3)],
];
const isWanted = ({ name }: { name: string }): boolean => name.includes(ONLY);

const products: string[][] = [];
for (const kind of ["int8 of 7 bits", "int8", "float32"] as const)
  for (const shape of SHAPES.filter(isWanted)) {
    products.push(await measure(shape, kind));
    console.error(products.at(-1)!.join("  "));
  }
const models: string[][] = [];
for (const model of MODELS.filter(isWanted))
  for (const scheme of ["float32", "w8a8"] as const) {
    models.push(await measureModel(model, scheme));
    console.error(models.at(-1)!.join("  "));
  }

const markdown = `## Zero blocks

Weights of which blocks of 4 rows and 8 columns are zero, at random places, in the ${variant} build: G op/s, zeros among them, and how many times as
fast that is as with all blocks. A 3×3 convolution with stride 1 is compared with Winograd's algorithm, which it gives way to where that is faster.

${markdownTable(["product", "weights", "all", ...SPARSITIES.flatMap((s) => [`${s * 100} % zero`, "ratio"])], products)}

Models with such weights in every convolution of one group: milliseconds of a run, and how many times as fast as without zeros.

${markdownTable(["model", "scheme", "none zero", "50 % zero", "ratio", "75 % zero", "ratio"], models)}`;
console.log(`${markdown}\n`);
if (!ONLY) await section("Zero blocks", markdown);
if (missed.length > 0) {
  console.error(`Not reached: ${missed.join("; ")}`);
  process.exitCode = 1;
}
