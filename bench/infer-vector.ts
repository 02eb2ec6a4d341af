// The kernels that go over tensors against onnxruntime-web: `node bench/infer-vector.ts [PART OF A NAME]`. A model applies its operators
// several times over, so that what a run costs besides does not count. Both run on one thread in this process, in turns; a ratio is the
// median of theirs over ours, round by round, and outputs are compared first.
import type { InferKernels } from "../src/kernels/infer/kernels.ts";
import { Kernels } from "../src/kernels/kernels.ts";
import { inferModules } from "../src/kernels/wasm.ts";
import { type AttributeSpec, encodeModel, f32, node, randn, type TensorSpec, value } from "../test/kit/onnx.ts";
import { openWeb } from "../test/kit/ort.ts";
import { race } from "./race.ts";
import { markdownTable } from "./report.ts";

const ROUNDS = 11;
/** How many times a model applies its operators. */
const TIMES = 8;
/** Milliseconds that a turn lasts at least. */
const TURN = 8;

const { fn, arena } = Kernels.instantiate<InferKernels>(await inferModules());

type Operator = readonly [
  op_type: string,
  attributes?: Record<string, AttributeSpec>,
  before?: readonly string[],
  after?: readonly string[],
];

/** One or two operators whose result has the shape of the input, or with `y` another shape, and the same as calls. */
interface Subject {
  readonly name: string;
  readonly x: readonly number[];
  readonly y?: readonly number[];
  readonly operators: readonly Operator[];
  readonly weights?: readonly TensorSpec[];
  readonly integers?: boolean;
  readonly run: (x: number, y: number, weights: readonly number[]) => void;
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function place(data: Float32Array | Int32Array): number {
  const address = arena.alloc(data.byteLength);
  arena.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return address;
}

const [C, H, W] = [64, 56, 56];
const IMAGE = [1, C, H, W];
const N = product(IMAGE);

const activation = (op_type: string, kind: number, attributes: Record<string, AttributeSpec> = {}, alpha = 0, beta = 0): Subject => ({
  name: op_type,
  x: IMAGE,
  operators: [[op_type, attributes]],
  run: (x, y) => fn.f32_activate(N, x, y, kind, alpha, beta),
});

const binary = (name: string, op_type: string, op: number, dims: readonly number[], strides: readonly number[]): Subject => ({
  name,
  x: IMAGE,
  operators: [[op_type, {}, [], ["b"]]],
  weights: [f32("b", dims, randn(product(dims), 2))],
  run: (x, y, [b]) => fn.f32_binary(op, x, b!, y, 1, 1, H * W, C, 0, 0, C, 1, 0, 0, strides[0]!, strides[1]!),
});

const reduction = (name: string, x: readonly number[], y: readonly number[], operator: Operator, run: Subject["run"]): Subject => {
  return { name, x, y, operators: [operator], run };
};

function pool(op_type: string, taps: number): Subject {
  const pad = taps >> 1;
  const window = [H, W, C, taps, taps, 1, 1, 1, 1, pad, pad] as const;
  return {
    name: `${op_type} ${taps}×${taps}`,
    x: IMAGE,
    operators: [[op_type, { kernel_shape: [taps, taps], pads: [pad, pad, pad, pad] }]],
    run(x, y) {
      if (op_type === "MaxPool") fn.f32_max_pool(...window, H, W, x, y);
      else fn.f32_average_pool(...window, pad, pad, H, W, 0, x, y);
    },
  };
}

/** Twice as large, and back by the mean of each four. */
function resize(mode: string): Subject {
  const [between, scales] = [arena.alloc(N * 16), f32("s", [4], [1, 1, 2, 2])];
  const taps = (size: number, at: (i: number) => number[]) => Array.from({ length: 2 * size }, (_, i) => at(i)).flat();
  const sides = [H, W].map((size) => {
    const nearest = place(Int32Array.from(taps(size, (i) => [i >> 1])));
    const middle = (i: number): number => Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), size - 1);
    const pairs = taps(size, (i) => [Math.floor(middle(i)), Math.min(Math.floor(middle(i)) + 1, size - 1)]);
    const weights = taps(size, (i) => [1 - (middle(i) % 1), middle(i) % 1]);
    return { nearest, pairs: place(Int32Array.from(pairs)), weights: place(Float32Array.from(weights)) };
  });
  const [rows, columns] = sides as [(typeof sides)[0], (typeof sides)[0]];
  return {
    name: `Resize ${mode} and AveragePool`,
    x: IMAGE,
    operators: [
      [
        "Resize",
        { mode, coordinate_transformation_mode: mode === "nearest" ? "asymmetric" : "half_pixel", nearest_mode: "floor" },
        [],
        ["", "s"],
      ],
      ["AveragePool", { kernel_shape: [2, 2], strides: [2, 2] }],
    ],
    weights: [scales],
    run(x, y) {
      if (mode === "nearest") fn.resize_nearest(W, C * 4, 2 * H, 2 * W, x, between, rows.nearest, columns.nearest);
      else fn.f32_resize(W, C, 2 * H, 2 * W, 2, 2, x, between, rows.pairs, rows.weights, columns.pairs, columns.weights);
      fn.f32_average_pool(2 * H, 2 * W, C, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0, H, W, 0, between, y);
    },
  };
}

function transposes(
  name: string,
  x: readonly number[],
  perm: readonly number[],
  axes: readonly number[],
  back: readonly number[],
): Subject {
  const between = arena.alloc(product(x) * 4);
  const tables = [axes, back].map((table) => place(Int32Array.from(table)));
  return {
    name,
    x,
    operators: [
      ["Transpose", { perm }],
      ["Transpose", { perm: perm.map((_, i) => perm.indexOf(i)) }],
    ],
    run(x, y) {
      fn.strided_copy(4, axes.length / 2, tables[0]!, x, between);
      fn.strided_copy(4, back.length / 2, tables[1]!, between, y);
    },
  };
}

const rows = (count: number, n: number): readonly number[] => [count, n];
const layer = [f32("g", [384], randn(384, 2)), f32("h", [384], randn(384, 3))];
const channels = [f32("g", [C], randn(C, 2)), f32("h", [C], randn(C, 3))];
const work = arena.alloc(8 * C);

const subjects: Subject[] = [
  ...[activation("Relu", 1), activation("Sigmoid", 3), activation("Tanh", 10), activation("Erf", 15), activation("Softplus", 12)],
  ...[activation("HardSwish", 6, {}, 1 / 6, 0.5), activation("LeakyRelu", 7, { alpha: { float: 0.1 } }, 0.1)],
  ...[activation("HardSigmoid", 5, {}, 0.2, 0.5), activation("Elu", 11, {}, 1)],
  {
    name: "Exp and Log",
    x: IMAGE,
    operators: [["Exp"], ["Log"]],
    run(x, y) {
      fn.f32_activate(N, x, y, 14, 0, 0);
      fn.f32_unary(N, y, y, 8);
    },
  },
  ...[binary("Add", "Add", 0, IMAGE, [C, 1]), binary("Mul by channels", "Mul", 2, [C, 1, 1], [0, 1])],
  ...[binary("Sub one", "Sub", 1, [1], [0, 0]), binary("PRelu by channels", "PRelu", 7, [C, 1, 1], [0, 1])],
  {
    name: "Sub of 3 channels",
    x: [400, 400, 3],
    operators: [["Sub", {}, [], ["b"]]],
    weights: [f32("b", [3], [0.5, 0.4, 0.3])],
    run: (x, y, [b]) => fn.f32_binary(1, x, b!, y, 1, 1, 160_000, 3, 0, 0, 3, 1, 0, 0, 0, 1),
  },
  ...[[1536, 128] as const, [40, 6625] as const].map(
    ([count, n]): Subject => ({
      name: `Softmax ${count}×${n}`,
      x: rows(count, n),
      operators: [["Softmax", { axis: -1 }]],
      run: (x, y) => fn.f32_softmax(count, n, 1, x, y),
    }),
  ),
  {
    name: "Softmax of channels",
    x: [1, 128, 64],
    operators: [["Softmax", { axis: 1 }]],
    run: (x, y) => fn.f32_softmax(1, 128, 64, x, y),
  },
  {
    name: "LayerNormalization 128×384",
    x: rows(128, 384),
    operators: [["LayerNormalization", { axis: -1 }, [], ["g", "h"]]],
    weights: layer,
    run: (x, y, [g, h]) => fn.f32_layer_norm(128, 384, x, y, g!, h!, 1e-5, 1, 0, 0),
  },
  {
    name: "InstanceNormalization",
    x: IMAGE,
    operators: [["InstanceNormalization", {}, [], ["g", "h"]]],
    weights: channels,
    run: (x, y, [g, h]) => fn.f32_group_norm(H * W, C, C, x, y, g!, h!, 1e-5, work),
  },
  reduction("ReduceMean 1024×384", [1024, 384], [1024, 1], ["ReduceMean", { axes: [-1] }], (x, y) => fn.f32_reduce(1, 1024, 384, 1, x, y)),
  reduction("ReduceMax of channels", [64, 128, 64], [64, 1, 64], ["ReduceMax", { axes: [1] }], (x, y) =>
    fn.f32_reduce(2, 64, 128, 64, x, y),
  ),
  reduction("GlobalAveragePool", IMAGE, [1, C, 1, 1], ["GlobalAveragePool"], (x, y) => fn.f32_reduce(1, 1, H * W, C, x, y)),
  {
    ...reduction("ArgMax 40×6625", [40, 6625], [40, 1], ["ArgMax", { axis: -1 }], (x, y) => fn.f32_arg(0, 0, 40, 6625, 1, x, y)),
    integers: true,
  },
  ...[pool("MaxPool", 3), pool("MaxPool", 5), pool("AveragePool", 3), resize("nearest"), resize("linear")],
  transposes("Transpose of heads", [128, 12, 32], [1, 0, 2], [12, 128, 32, 32, 384, 1], [128, 12, 32, 32, 4096, 1]),
  transposes("Transpose of channels", [C, H * W], [1, 0], [H * W, C, 1, H * W], [C, H * W, 1, C]),
];

/** Channels last of [1, c, h, w]; anything else as it is. */
function channelsLast(data: Float32Array, dims: readonly number[]): Float32Array {
  const [, c, ...rest] = dims;
  if (dims.length < 4 || c === undefined) return data;
  const pixels = product(rest);
  return data.map((_, i) => data[(i % c) * pixels + Math.floor(i / c)]!);
}

/** The operators in a chain, or side by side where their result has another shape. */
function model({ x, y, operators, weights = [], integers }: Subject): Uint8Array {
  const nodes = Array.from({ length: TIMES }, (_, i) =>
    operators.map(([op_type, attributes = {}, before = [], after = []], j) => {
      const first = y ? "x" : i === 0 ? "x" : `v${i - 1}.${operators.length - 1}`;
      return node(op_type, [...before, j === 0 ? first : `v${i}.${j - 1}`, ...after], [`v${i}.${j}`], attributes);
    }),
  );
  const ends = nodes.map((_, i) => `v${i}.${operators.length - 1}`);
  const outputs = (y ? ends : ends.slice(-1)).map((name) => value(name, integers ? 7 : 1, y ?? x));
  const initializers = weights.map((weight) => weight);
  return encodeModel({ graph: { nodes: nodes.flat(), initializers, inputs: [value("x", 1, x)], outputs }, opsets: { "": 17 } });
}

async function measure(subject: Subject): Promise<string[]> {
  const { name, x, y = x, integers } = subject;
  const mark = arena.mark();
  const data = randn(product(x), 1);
  await using session = await openWeb(model(subject), { graphOptimizationLevel: "disabled" });
  const feeds = { x: { type: "float32" as const, dims: [...x], data } };

  const weights = (subject.weights ?? []).map((w) => place(channelsLast(Float32Array.from(w.data as Float32Array), w.dims)));
  const from = place(channelsLast(data, x));
  const to = [arena.alloc(product(x) * 8), arena.alloc(product(x) * 8)] as const;
  const ours = (): void => {
    for (let i = 0; i < TIMES; i++) subject.run(subject.y || i === 0 ? from : to[(i + 1) % 2]!, to[i % 2]!, weights);
  };
  const theirs = () => session.run(feeds);
  ours();
  const result = (await theirs())[session.outputNames.at(-1)!]!;
  const want = channelsLast(Float32Array.from(result.data as Float32Array, Number), y);
  const last = to[(TIMES - 1) % 2]!;
  const got = integers ? new BigInt64Array(arena.u8(last, want.length * 8).slice().buffer) : arena.f32(last, want.length);
  const size = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
  const error = want.reduce((most, v, i) => Math.max(most, Math.abs(v - Number(got[i]!))), 0) / size;
  if (!(error < 1e-5)) console.error(`${name}: outputs differ by ${error} of the largest`);

  const { ours: mine, theirs: other, ratio } = await race(ours, theirs, ROUNDS, TURN);
  arena.reset(mark);
  const rate = (ms: number): string => ((product(x) * TIMES) / ms / 1e6).toFixed(2);
  return [name, (mine / TIMES).toFixed(3), rate(mine), rate(other), `${ratio.toFixed(2)}×`, error.toExponential(0)];
}

const lines: string[][] = [];
for (const subject of subjects.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
  lines.push(await measure(subject));
  console.error(lines.at(-1)!.join("  "));
}
console.log(markdownTable(["operator", "ms", "G elements/s", "onnxruntime-web", "ratio", "error"], lines));
