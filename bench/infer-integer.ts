// The integer kernels against onnxruntime-web, one operator a model: `node bench/infer-integer.ts [PART OF A NAME]`. Both run on one thread in
// this process, in turns; a ratio is the median of theirs over ours, round by round, and outputs are compared first.

import {
  INTEGER_WORK_BYTES,
  outputWords,
  Q8_FORMS,
  QBW_WORK_BYTES,
  q8DepthwiseBytes,
  q8PackedBytes,
  q8WinogradBytes,
  q8WinogradWorkBytes,
  qbwPackedBytes,
  windowWords,
} from "../src/kernels/infer/integer-layout.ts";
import type { InferKernels } from "../src/kernels/infer/kernels.ts";
import { Kernels } from "../src/kernels/kernels.ts";
import { random } from "../src/kernels/row.ts";
import { inferModules } from "../src/kernels/wasm.ts";
import type { TensorValue } from "../test/kit/models/model.ts";
import { DataType, encodeModel, type NodeSpec, node, randn, type TensorSpec, tensor, value } from "../test/kit/onnx.ts";
import { openWeb } from "../test/kit/ort.ts";
import { race } from "./race.ts";
import { markdownTable } from "./report.ts";

const { fn, arena, variant } = Kernels.instantiate<InferKernels>(await inferModules());
const work = arena.alloc(Math.max(INTEGER_WORK_BYTES, QBW_WORK_BYTES));

/** An operator: how onnxruntime is told, and what our kernels do. */
interface Subject {
  readonly name: string;
  readonly operations: number;
  readonly node: NodeSpec;
  readonly weights: readonly TensorSpec[];
  readonly x: TensorValue;
  readonly y: readonly number[];
  /** Most that outputs may differ by: a step of bytes, as requantization rounds differently, or a share of the largest float. */
  readonly allowed: number;
  /** Makes a call from the addresses of x and y. */
  readonly prepare: (x: number, y: number) => () => void;
}

type Numbers = Uint8Array | Int8Array | Int32Array | Float32Array;

function place(data: Numbers): number {
  const address = arena.alloc(data.byteLength);
  arena.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return address;
}

const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const bytes = (n: number, seed: number): Uint8Array => {
  const next = random(seed);
  return Uint8Array.from({ length: n }, () => next() * 256);
};
const weights = (n: number, narrow: boolean): Int8Array => Int8Array.from(bytes(n, 2), (v) => (narrow ? (v >> 1) - 64 : v - 128));

/** Scales and zero points of x, w and y, and the bias, for sums of `k` products. */
const SCALES = { x: 0.02, w: 0.01 };
const [X_ZERO, Y_ZERO] = [117, 130];
const y_scale = (k: number, narrow: boolean): number => (SCALES.x * SCALES.w * Math.sqrt(k) * (narrow ? 74 * 37 : 74 * 74)) / 60;

function quantization(k: number, narrow: boolean): TensorSpec[] {
  const one = (name: string, v: number): TensorSpec => tensor(name, DataType.FLOAT, [], Float32Array.of(v));
  const zero = (name: string, type: number, v: number): TensorSpec =>
    tensor(name, type, [], type === DataType.INT8 ? Int8Array.of(v) : Uint8Array.of(v));
  return [
    ...[one("xs", SCALES.x), zero("xz", DataType.UINT8, X_ZERO), one("ws", SCALES.w), zero("wz", DataType.INT8, 0)],
    ...[one("ys", y_scale(k, narrow)), zero("yz", DataType.UINT8, Y_ZERO)],
  ];
}

const outputOf = (): number => place(outputWords({ kind: "byte", zero: Y_ZERO }));
const scalesOf = (n: number, k: number, narrow: boolean): number =>
  place(new Float32Array(n).fill((SCALES.x * SCALES.w) / y_scale(k, narrow)));

function gemm(m: number, n: number, k: number, narrow: boolean): Subject {
  const w = weights(k * n, narrow);
  return {
    name: `${m} × ${n} × ${k}${narrow ? " narrow" : ""}`,
    operations: 2 * m * n * k,
    node: node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"]),
    weights: [tensor("w", DataType.INT8, [k, n], w), ...quantization(k, narrow)],
    x: { type: "uint8", dims: [m, k], data: bytes(m * k, 1) },
    y: [m, n],
    allowed: 1,
    prepare(x, y) {
      const form = narrow && variant === "relaxed" ? Q8_FORMS.narrow : Q8_FORMS.bytes;
      const p = arena.alloc(q8PackedBytes(n, k, form));
      fn.q8_pack(n, k, 1, place(w), 1, n, 0, 1, 0, form, p);
      const [scale, output] = [scalesOf(n, k, narrow), outputOf()];
      return () => fn.q8_gemm(m, n, k, x, k, 0, X_ZERO, p, form, y, n, 0, scale, 0, output, work);
    },
  };
}

function conv(h: number, c: number, n: number, taps: number, stride: number, narrow: boolean): Subject {
  const pad = taps >> 1;
  const oh = Math.floor((h + 2 * pad - taps) / stride) + 1;
  const k = c * taps * taps;
  const w = weights(n * k, narrow);
  const bias = Int32Array.from(bytes(n, 5), (v) => (v - 128) * 40);
  const attributes = { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad] };
  return {
    name: `conv ${taps}×${taps}${stride > 1 ? ` s${stride}` : ""} ${h}×${h} ${c}→${n}${narrow ? " narrow" : ""}`,
    operations: 2 * oh * oh * n * k,
    node: node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], attributes),
    weights: [tensor("w", DataType.INT8, [n, c, taps, taps], w), tensor("b", DataType.INT32, [n], bias), ...quantization(k, narrow)],
    x: { type: "uint8", dims: [1, c, h, h], data: bytes(c * h * h, 1) },
    y: [1, n, oh, oh],
    allowed: 1,
    prepare(x, y) {
      const form = narrow && variant === "relaxed" ? Q8_FORMS.narrow : Q8_FORMS.bytes;
      const p = arena.alloc(q8PackedBytes(n, k, form));
      fn.q8_pack(n, c, taps * taps, place(w), k, taps * taps, 1, 1, 0, form, p);
      const window = place(windowOf(h, c, oh, taps, stride));
      const [b, scale, output] = [place(bias), scalesOf(n, k, narrow), outputOf()];
      return () => fn.q8_conv(x, window, 0, X_ZERO, p, form, n, y, n, b, scale, 0, output, work);
    },
  };
}

const windowOf = (h: number, c: number, oh: number, taps: number, stride: number): Int32Array => {
  const pad = taps >> 1;
  return windowWords({ h, w: h, c, oh, ow: oh, kh: taps, kw: taps, sh: stride, sw: stride, dh: 1, dw: 1, pt: pad, pl: pad, ldx: c });
};

function depthwise(h: number, c: number, taps: number, stride: number): Subject {
  const pad = taps >> 1;
  const oh = Math.floor((h + 2 * pad - taps) / stride) + 1;
  const k = taps * taps;
  const w = weights(c * k, false);
  const attributes = { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad], group: c };
  return {
    name: `depthwise ${taps}×${taps}${stride > 1 ? ` s${stride}` : ""} ${h}×${h} ${c}`,
    operations: 2 * oh * oh * c * k,
    node: node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], attributes),
    weights: [tensor("w", DataType.INT8, [c, 1, taps, taps], w), ...quantization(k, false)],
    x: { type: "uint8", dims: [1, c, h, h], data: bytes(c * h * h, 1) },
    y: [1, c, oh, oh],
    allowed: 1,
    prepare(x, y) {
      const p = arena.alloc(q8DepthwiseBytes(c, taps, taps));
      fn.q8_pack_depthwise(c, taps, taps, place(w), 1, 0, p);
      const window = place(windowOf(h, c, oh, taps, stride));
      const [scale, output] = [scalesOf(c, k, false), outputOf()];
      return () => fn.q8_depthwise(x, window, 0, X_ZERO, p, y, c, 0, scale, 0, output, work);
    },
  };
}

function winograd(h: number, c: number, n: number): Subject {
  const subject = conv(h, c, n, 3, 1, false);
  const { data: w } = subject.weights[0] as { data: Int8Array };
  const { data: bias } = subject.weights[1] as { data: Int32Array };
  return {
    ...subject,
    name: `Winograd 3×3 ${h}×${h} ${c}→${n}`,
    prepare(x, y) {
      const p = arena.alloc(q8WinogradBytes(n, c));
      fn.q8_winograd_pack(n, c, place(w), p);
      const [window, own] = [place(windowOf(h, c, h, 3, 1)), arena.alloc(q8WinogradWorkBytes(c))];
      const [b, scale, output] = [place(bias), scalesOf(n, 9 * c, false), outputOf()];
      return () => fn.q8_winograd_conv(x, window, 0, X_ZERO, p, n, y, n, b, scale, 0, output, own);
    },
  };
}

/** MatMulNBits in blocks of 32. */
function int4(m: number, n: number, k: number): Subject {
  const blocks = k / 32;
  const w = bytes((n * k) / 2, 2);
  const scale = Float32Array.from(bytes(n * blocks, 3), (v) => 0.01 + v / 1e4);
  return {
    name: `int4 ${m} × ${n} × ${k}`,
    operations: 2 * m * n * k,
    node: node("MatMulNBits", ["x", "w", "s"], ["y"], { K: k, N: n, bits: 4, block_size: 32 }, { domain: "com.microsoft" }),
    weights: [tensor("w", DataType.UINT8, [n, blocks, 16], w), tensor("s", DataType.FLOAT, [n * blocks], scale)],
    x: { type: "float32", dims: [m, k], data: randn(m * k, 1) },
    y: [m, n],
    allowed: 1e-5,
    prepare(x, y) {
      const p = arena.alloc(qbwPackedBytes(4, n, k, 32));
      fn.qbw_pack(4, n, k, 32, place(w), k, 1, 0, place(scale), 0, 8, blocks, 1, p);
      return () => fn.f32_qbw_gemm(4, m, n, k, 32, x, k, p, y, n, 0, 0, 0, 0, work);
    },
  };
}

/** DynamicQuantizeLinear and MatMulInteger are not compared: this is int8 weights with a scale a column, as DequantizeLinear has them. */
function int8(m: number, n: number, k: number): Subject {
  const w = weights(k * n, false);
  const scale = Float32Array.from(bytes(n, 3), (v) => 0.01 + v / 1e4);
  return {
    name: `int8 weights ${m} × ${n} × ${k}`,
    operations: 2 * m * n * k,
    node: node("MatMul", ["x", "d"], ["y"]),
    weights: [tensor("w", DataType.INT8, [k, n], w), tensor("s", DataType.FLOAT, [n], scale)],
    x: { type: "float32", dims: [m, k], data: randn(m * k, 1) },
    y: [m, n],
    allowed: 1e-5,
    prepare(x, y) {
      const p = arena.alloc(qbwPackedBytes(8, n, k, k));
      fn.qbw_pack(8, n, k, k, place(w), 1, n, 1, place(scale), 0, 0, 1, n, p);
      return () => fn.f32_qbw_gemm(8, m, n, k, k, x, k, p, y, n, 0, 0, 0, 0, work);
    },
  };
}

/** Channels last of [1, c, h, w]; a matrix as it is. */
function channelsLast<T extends Numbers>(data: T, dims: readonly number[]): T {
  const [, c, ...rest] = dims;
  if (dims.length < 4 || c === undefined) return data;
  const pixels = size(rest);
  return data.map((_, i) => data[(i % c) * pixels + Math.floor(i / c)]!) as T;
}

async function measure(subject: Subject): Promise<string[]> {
  const { name, x, y, allowed } = subject;
  const mark = arena.mark();
  const type = x.type === "uint8" ? DataType.UINT8 : DataType.FLOAT;
  const dequantize = subject.node.inputs.includes("d") ? [node("DequantizeLinear", ["w", "s"], ["d"], { axis: 1 })] : [];
  const nodes = [...dequantize, subject.node];
  const graph = { nodes, initializers: subject.weights, inputs: [value("x", type, x.dims)], outputs: [value("y", type, y)] };
  await using session = await openWeb(encodeModel({ graph, opsets: { "": 17, "com.microsoft": 1 } }));

  const data = x.data as Uint8Array | Float32Array;
  const xa = place(channelsLast(data, x.dims));
  const ya = arena.alloc(size(y) * 4);
  const ours = subject.prepare(xa, ya);
  const theirs = () => session.run({ x });
  ours();
  const want = [...channelsLast((await theirs()).y!.data as Numbers, y)];
  const got: Uint8Array | Float32Array = x.type === "uint8" ? arena.u8(ya, want.length) : arena.f32(ya, want.length);
  const largest = x.type === "uint8" ? 1 : want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const error = want.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i]!)), 0) / largest;
  if (!(error <= allowed)) throw new Error(`${name}: outputs differ by ${error}, and not by at most ${allowed}`);

  const { ours: mine, theirs: other, ratio } = await race(ours, theirs);
  arena.reset(mark);
  const rate = (ms: number): string => (subject.operations / ms / 1e6).toFixed(1);
  return [name, mine.toFixed(3), rate(mine), rate(other), `${ratio.toFixed(2)}×`, error.toExponential(0)];
}

const subjects = [
  ...[true, false].flatMap((narrow) => [
    ...[gemm(512, 512, 512, narrow), gemm(128, 1536, 384, narrow), gemm(3136, 64, 64, narrow), gemm(1, 1024, 1024, narrow)],
    ...[conv(28, 128, 128, 3, 1, narrow), conv(14, 256, 256, 3, 1, narrow), conv(80, 64, 128, 3, 2, narrow)],
    ...[conv(56, 64, 64, 1, 1, narrow), conv(40, 256, 256, 1, 1, narrow), conv(320, 3, 32, 3, 2, narrow)],
  ]),
  ...[
    winograd(28, 128, 128),
    winograd(14, 256, 256),
    winograd(80, 128, 128),
    winograd(56, 64, 64),
    winograd(20, 512, 512),
    winograd(160, 32, 32),
  ],
  ...[depthwise(112, 64, 3, 1), depthwise(28, 256, 3, 1), depthwise(56, 128, 3, 2), depthwise(14, 512, 5, 1)],
  ...[int4(1, 1024, 1024), int4(16, 1024, 1024), int4(128, 384, 1536), int8(1, 1024, 1024), int8(16, 1024, 1024)],
];
const lines: string[][] = [];
for (const subject of subjects.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
  lines.push(await measure(subject));
  console.error(lines.at(-1)!.join("  "));
}
console.log(markdownTable(["operator", "ms", "G op/s", "onnxruntime-web", "ratio", "error"], lines));
