// The kernels that run models against onnxruntime-web, one operator a model: `node bench/infer-kernels.ts [PART OF A NAME]`. Both run on one
// thread in this process, in turns; a ratio is the median of theirs over ours, round by round, and outputs are compared first.
import { FLOAT_WORK_BYTES, packedLength, winogradTiles, winogradWorkBytes } from "../src/kernels/infer/float.ts";
import type { InferKernels } from "../src/kernels/infer/kernels.ts";
import { Kernels } from "../src/kernels/kernels.ts";
import { inferModules } from "../src/kernels/wasm.ts";
import { type AttributeSpec, encodeModel, f32, node, randn, value } from "../test/kit/onnx.ts";
import { openWeb } from "../test/kit/ort.ts";
import { race } from "./race.ts";
import { markdownTable } from "./report.ts";

const { fn, arena } = Kernels.instantiate<InferKernels>(await inferModules());

/** An operator with a weight: how onnxruntime is told, and what our kernels do. */
interface Subject {
  readonly name: string;
  readonly op_type: string;
  readonly attributes: Record<string, AttributeSpec>;
  /** Multiplications and additions. */
  readonly operations: number;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly bias: boolean;
  /** A call on addresses, with `w` packed. */
  readonly pack: (w: number) => number;
  readonly run: (x: number, w: number, bias: number, y: number) => void;
}

const work = arena.alloc(FLOAT_WORK_BYTES);
const floats = (n: number): number => arena.alloc(n * 4);
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function gemm(m: number, n: number, k: number): Subject {
  return {
    ...{
      name: `${m} × ${n} × ${k}`,
      op_type: "MatMul",
      attributes: {},
      operations: 2 * m * n * k,
      x: [m, k],
      w: [k, n],
      y: [m, n],
      bias: false,
    },
    pack(w) {
      const packed = floats(packedLength(k, n));
      fn.f32_pack_b(k, n, w, n, packed);
      return packed;
    },
    run: (x, w, _, y) => fn.f32_gemm(m, n, k, x, k, w, 0, y, n, 0, 0, 0, 0, 0, 0, 0, work),
  };
}

function conv(size: number | readonly [number, number], c: number, n: number, taps: number, stride = 1): Subject {
  const [h, wd] = typeof size === "number" ? [size, size] : size;
  const pad = taps >> 1;
  const [oh, ow] = [h, wd].map((s) => Math.floor((s + 2 * pad - taps) / stride) + 1) as [number, number];
  return {
    name: `conv ${taps}×${taps}${stride > 1 ? ` s${stride}` : ""} ${h}×${wd} ${c}→${n}`,
    op_type: "Conv",
    attributes: { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad] },
    ...{ operations: 2 * oh * ow * n * c * taps * taps, x: [1, c, h, wd], w: [n, c, taps, taps], y: [1, n, oh, ow], bias: true },
    pack(w) {
      const packed = floats(packedLength(c * taps * taps, n));
      fn.f32_pack_conv(n, c, taps * taps, w, packed);
      return packed;
    },
    run: (x, w, bias, y) =>
      fn.f32_conv(
        ...([x, w, 0, y, bias, 0, h, wd, c, oh, ow, n, taps, taps, stride, stride, 1, 1, pad, pad] as const),
        ...([c, n, n, 0, 0, 0, 0, work] as const),
      ),
  };
}

function winograd(size: number, c: number, n: number): Subject {
  const tiles = winogradTiles(c, n, size, size);
  const own = arena.alloc(winogradWorkBytes(c, n, tiles));
  return {
    ...conv(size, c, n, 3),
    name: `Winograd 3×3 ${size}×${size} ${c}→${n}`,
    pack(w) {
      const packed = floats(4 * packedLength(9 * c, n));
      fn.f32_winograd_pack(n, c, w, packed);
      return packed;
    },
    run: (x, w, bias, y) =>
      fn.f32_winograd_conv(...([x, w, y, bias, 0, size, size, c, size, size, n, 1, 1, c, n, n, 0, 0, 0, 0, tiles, own] as const)),
  };
}

function depthwise(size: number | readonly [number, number], c: number, taps: number, stride = 1): Subject {
  const [h, wd] = typeof size === "number" ? [size, size] : size;
  const pad = taps >> 1;
  const [oh, ow] = [h, wd].map((s) => Math.floor((s + 2 * pad - taps) / stride) + 1) as [number, number];
  return {
    name: `depthwise ${taps}×${taps}${stride > 1 ? ` s${stride}` : ""} ${h}×${wd} ${c}`,
    op_type: "Conv",
    attributes: { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad], group: c },
    ...{ operations: 2 * oh * ow * c * taps * taps, x: [1, c, h, wd], w: [c, 1, taps, taps], y: [1, c, oh, ow], bias: true },
    pack(w) {
      const packed = floats(Math.ceil(c / 4) * 4 * taps * taps);
      fn.f32_pack_depthwise(c, taps * taps, w, packed);
      return packed;
    },
    run: (x, w, bias, y) =>
      fn.f32_depthwise(x, w, y, bias, ...([h, wd, c, oh, ow, taps, taps, stride, stride, 1, 1, pad, pad, 0, 0, 0] as const)),
  };
}

function transposed(h: number, c: number, n: number, taps: number, stride: number): Subject {
  const side = (h - 1) * stride + taps;
  const columns = n * taps * taps;
  const between = floats(h * h * columns);
  return {
    name: `transposed ${taps}×${taps} s${stride} ${h}×${h} ${c}→${n}`,
    op_type: "ConvTranspose",
    attributes: { kernel_shape: [taps, taps], strides: [stride, stride] },
    ...{ operations: 2 * h * h * columns * c, x: [1, c, h, h], w: [c, n, taps, taps], y: [1, n, side, side], bias: true },
    pack(w) {
      const packed = floats(packedLength(c, columns));
      fn.f32_pack_conv_transpose(c, n, taps * taps, w, packed);
      return packed;
    },
    run(x, w, bias, y) {
      fn.f32_gemm(h * h, columns, c, x, c, w, 0, between, columns, 0, 0, 0, 0, 0, 0, 0, work);
      fn.f32_col2im(between, y, bias, ...([h, h, n, side, side, taps, taps, stride, stride, 1, 1, 0, 0, 0, 0, 0] as const));
    },
  };
}

/** Channels last of [1, c, h, w]; a matrix as it is. */
function channelsLast(data: Float32Array, dims: readonly number[]): Float32Array {
  const [, c, ...rest] = dims;
  if (dims.length < 4 || c === undefined) return data;
  const pixels = product(rest);
  return data.map((_, i) => data[(i % c) * pixels + Math.floor(i / c)]!);
}

function place(data: Float32Array): number {
  const address = floats(data.length);
  arena.f32(address, data.length).set(data);
  return address;
}

async function measure(subject: Subject): Promise<string[]> {
  const { name, op_type, attributes, operations, x, w, y, bias } = subject;
  const mark = arena.mark();
  const [xs, ws, bs] = [randn(product(x), 1), randn(product(w), 2, 0.1), randn(subject.bias ? y[1]! : 0, 3)];
  const nodes = [node(op_type, bias ? ["x", "w", "b"] : ["x", "w"], ["y"], attributes)];
  const initializers = [f32("w", w, ws), ...(bias ? [f32("b", [bs.length], bs)] : [])];
  const graph = { nodes, initializers, inputs: [value("x", 1, x)], outputs: [value("y", 1, y)] };
  await using session = await openWeb(encodeModel({ graph, opsets: { "": 17 } }));
  const feeds = { x: { type: "float32" as const, dims: [...x], data: xs } };

  const [xa, wa, ba] = [place(channelsLast(xs, x)), subject.pack(place(ws)), bias ? place(bs) : 0];
  const ya = floats(product(y));
  const ours = (): void => subject.run(xa, wa, ba, ya);
  const theirs = () => session.run(feeds);
  ours();
  const want = channelsLast((await theirs()).y!.data as Float32Array, y);
  const got = arena.f32(ya, want.length);
  const size = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const error = want.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i]!)), 0) / size;
  if (!(error < 1e-5)) throw new Error(`${name}: outputs differ by ${error} of the largest`);

  const { ours: mine, theirs: other, ratio } = await race(ours, theirs);
  arena.reset(mark);
  const rate = (ms: number): string => (operations / ms / 1e6).toFixed(1);
  return [name, mine.toFixed(3), rate(mine), rate(other), `${ratio.toFixed(2)}×`, error.toExponential(0)];
}

const subjects = [
  ...[gemm(512, 512, 512), gemm(784, 128, 1152), gemm(128, 384, 1536), gemm(1, 1024, 1024), gemm(3, 1024, 1024), gemm(7, 384, 384)],
  ...[
    conv(20, 512, 512, 3),
    conv(80, 128, 128, 3),
    conv(40, 256, 256, 3),
    conv(40, 256, 256, 1),
    conv(640, 3, 32, 3, 2),
    conv(160, 16, 64, 1),
  ],
  ...[winograd(20, 512, 512), winograd(80, 128, 128), winograd(40, 256, 256), winograd(80, 32, 32)],
  ...[conv([12, 80], 480, 96, 1), conv(80, 64, 128, 3, 2), depthwise(112, 64, 3), depthwise(28, 256, 3), depthwise(112, 64, 3, 2)],
  ...[
    depthwise(14, 512, 5),
    depthwise([12, 80], 240, 5),
    depthwise(28, 120, 5, 2),
    transposed(80, 64, 64, 2, 2),
    transposed(160, 24, 1, 2, 2),
  ],
];
const wanted = subjects.filter(({ name }) => name.includes(process.argv[2] ?? ""));
const lines: string[][] = [];
for (const subject of wanted) {
  lines.push(await measure(subject));
  console.error(lines.at(-1)!.join("  "));
}
console.log(markdownTable(["operator", "ms", "G op/s", "onnxruntime-web", "ratio", "error"], lines));
