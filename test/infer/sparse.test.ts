/** Weights of which blocks are zero are packed without them, and models with such weights give what their operators give one by one. */
import { describe, expect, test } from "vitest";
import { Siblings } from "../../src/formats/onnx/siblings.ts";
import { load } from "../../src/index.ts";
import { memorySource } from "../../src/io/source.ts";
import type { InferKernels } from "../../src/kernels/infer/kernels.ts";
import { SPARSE } from "../../src/kernels/infer/sparse.ts";
import { withBlocks } from "../../src/kernels/infer/sparse-cases.ts";
import { Kernels, MAX_ARENA } from "../../src/kernels/kernels.ts";
import { InferenceModel } from "../../src/runtime/model.ts";
import { prepare } from "../../src/runtime/prepare.ts";
import { Program } from "../../src/runtime/program.ts";
import type { Tensor } from "../../src/tensor.ts";
import { compiled, runnable } from "../kernels/harness.ts";
import { DataType, encodeModel, f32, type NodeSpec, node, randn, rng, type TensorSpec, tensor, value } from "../kit/onnx.ts";

const modules = await compiled("infer");

interface Product {
  readonly op_type: "Conv" | "Gemm" | "MatMul";
  readonly x: readonly number[];
  /** Of the weights: columns, rows and taps. */
  readonly n: number;
  readonly c: number;
  readonly taps: number;
  readonly attributes?: Record<string, number | readonly number[]>;
  /** The share of blocks that are not zero. */
  readonly density: number;
  /** Whether its weights stay as they are: always, or where Winograd's algorithm is quicker. */
  readonly isDense?: true | "3×3";
}

const image = (c: number) => [2, c, 11, 9];
const square = (side: number, stride = 1, group = 1) => ({
  kernel_shape: [side, side],
  strides: [stride, stride],
  pads: Array(4).fill(side >> 1),
  group,
});

const PRODUCTS: readonly Product[] = [
  { op_type: "Conv", x: image(20), n: 28, c: 20, taps: 1, attributes: square(1), density: 0.5 },
  { op_type: "Conv", x: image(16), n: 24, c: 16, taps: 9, attributes: square(3), density: 0.1 },
  { op_type: "Conv", x: image(16), n: 24, c: 16, taps: 9, attributes: square(3), density: 0.6, isDense: "3×3" },
  { op_type: "Conv", x: image(16), n: 20, c: 16, taps: 9, attributes: square(3, 2), density: 0.5 },
  { op_type: "Conv", x: image(24), n: 48, c: 8, taps: 9, attributes: square(3, 1, 3), density: 0.5 },
  { op_type: "Conv", x: image(3), n: 16, c: 3, taps: 9, attributes: square(3, 2), density: 0, isDense: true }, // three channels are no block
  { op_type: "Conv", x: image(8), n: 8, c: 1, taps: 9, attributes: square(3, 1, 8), density: 0, isDense: true },
  { op_type: "Gemm", x: [5, 36], n: 19, c: 36, taps: 1, attributes: { transB: 1 }, density: 0.5 },
  { op_type: "MatMul", x: [2, 7, 1064], n: 40, c: 1064, taps: 1, density: 0.3 },
  { op_type: "MatMul", x: [1, 1064], n: 40, c: 1064, taps: 1, density: 0.3 },
  { op_type: "MatMul", x: [9, 40], n: 64, c: 40, taps: 1, density: 0 },
  { op_type: "MatMul", x: [9, 40], n: 64, c: 40, taps: 1, density: 1, isDense: true },
];

/** Weights as the operator has them, from [n, c, taps]. */
function weightsOf<T extends Uint8Array | Float32Array>({ op_type, n, c, taps, density }: Product, w: T, zero = 0): [number[], T] {
  withBlocks(w, n, c, taps, density, zero ? new Uint8Array(n).fill(zero) : 0);
  if (op_type === "Conv") return [[n, c, Math.sqrt(taps), Math.sqrt(taps)], w];
  return op_type === "Gemm" ? [[n, c], w] : [[c, n], w.map((_, i) => w[(i % n) * c + Math.floor(i / n)]!) as T];
}

const bias = ({ op_type, n }: Product): TensorSpec[] => (op_type === "MatMul" ? [] : [f32("b", [n], randn(n, 3))]);
const bytesOf = (length: number, seed: number): Uint8Array => {
  const next = rng(seed);
  return Uint8Array.from({ length }, () => next() * 256);
};
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function floatModel(product: Product): Uint8Array {
  const { op_type, x, n, c, taps, attributes } = product;
  const w = f32("w", ...weightsOf(product, randn(n * c * taps, 2)));
  const nodes = [node(op_type, ["x", "w", ...bias(product).map(({ name }) => name)], ["s"], attributes), node("Relu", ["s"], ["y"])];
  const graph = {
    nodes,
    initializers: [w, ...bias(product)],
    inputs: [value("x", DataType.FLOAT, x)],
    outputs: [value("y", DataType.FLOAT)],
  };
  return encodeModel({ graph, opsets: { "": 13 } });
}

/** The same between bytes; weights of int8 of seven bits, int8, or uint8 with a zero point. */
function quantizedModel(product: Product, kind: "int7" | "int8" | "uint8"): Uint8Array {
  const { op_type, x, n, c, taps, attributes } = product;
  const next = rng(4);
  const bytes = bytesOf(n * c * taps, 6);
  const zero = kind === "uint8" ? 131 : 0;
  const [shape, w] = weightsOf(product, kind === "int7" ? bytes.map((v) => (v & 127) - 64) : bytes, zero);
  const one = (name: string, v: number): TensorSpec => tensor(name, DataType.FLOAT, [], Float32Array.of(v));
  const uint8 = (name: string, v: number): TensorSpec => tensor(name, DataType.UINT8, [], Uint8Array.of(v));
  const own = kind === "uint8" ? tensor("w", DataType.UINT8, shape, w) : tensor("w", DataType.INT8, shape, new Int8Array(w.buffer));
  const [b] = bias(product);
  const nodes: NodeSpec[] = [
    node("DequantizeLinear", ["x", "xs", "xz"], ["fx"]),
    node("DequantizeLinear", ["w", "ws", "wz"], ["fw"]),
    node(op_type, ["fx", "fw", ...(b ? ["fb"] : [])], ["fy"], attributes),
    node("QuantizeLinear", ["fy", "ys", "yz"], ["y"]),
  ];
  if (b) nodes.unshift(node("DequantizeLinear", ["b", "bs"], ["fb"]));
  const initializers = [
    ...[one("xs", 0.02), uint8("xz", 117), one("ws", 0.01), own, one("ys", 0.05 * Math.sqrt(c * taps)), uint8("yz", 120)],
    kind === "uint8" ? uint8("wz", zero) : tensor("wz", DataType.INT8, [], Int8Array.of(0)),
    ...(b
      ? [
          one("bs", 0.0002),
          tensor(
            "b",
            DataType.INT32,
            [n],
            Int32Array.from({ length: n }, () => (next() - 0.5) * 30000),
          ),
        ]
      : []),
  ];
  const graph = { nodes, initializers, inputs: [value("x", DataType.UINT8, x)], outputs: [value("y", DataType.UINT8)] };
  return encodeModel({ graph, opsets: { "": 13 } });
}

/** A model on a build, and whether its product has weights without zero blocks. */
async function opened(bytes: Uint8Array, variant: "simd" | "relaxed"): Promise<[InferenceModel, boolean]> {
  const kernels = Kernels.instantiate<InferKernels>({ [variant]: modules[variant] });
  const program = await Program.load(await prepare(memorySource(bytes), new Siblings(undefined, undefined), {}), kernels, MAX_ARENA);
  const { main } = program.prepared.document;
  const product = main.nodes.find(({ op_type }) => /^Q?(Conv|MatMul)$/.test(op_type))!;
  const w = program.held(main, product.input[1] as string)!;
  return [new InferenceModel(program), (program.operand(w, product, 1)?.form ?? 0) >= SPARSE];
}

const label = ({ op_type, x, n, taps, density, attributes }: Product) =>
  `${op_type} ${x} to ${n}, ${taps} taps, ${JSON.stringify(attributes ?? {})}, density ${density}`;

describe.each(runnable)("%s", (variant) => {
  describe.each(["int7", "int8", "uint8"] as const)("%s", (kind) => {
    test.each(PRODUCTS.map((product) => [label(product), product] as const))("%s", async (_, product) => {
      const bytes = quantizedModel(product, kind);
      const x: Tensor = { dtype: "uint8", shape: product.x, data: bytesOf(sizeOf(product.x), 5) };
      const [model, isSparse] = await opened(bytes, variant);
      expect(isSparse).toBe(kind === "uint8" ? product.isDense !== true : !product.isDense);
      const [given, expected] = [(await model.run({ x })).y!, (await (await load(bytes, { optimize: false })).run({ x })).y!];
      expect(given.shape).toEqual(expected.shape);
      const steps = Array.from(expected.data as Uint8Array, (v, i) => Math.abs(v - (given.data as Uint8Array)[i]!));
      // Sums of floats round otherwise than those of integers do.
      expect(Math.max(...steps)).toBeLessThanOrEqual(1);
      expect(steps.filter((step) => step > 0).length).toBeLessThanOrEqual(steps.length / 500);
      expect(product.density === 0 || new Set(expected.data as Uint8Array).size > 10).toBe(true);
    });
  });

  test.each(PRODUCTS.map((product) => [label(product), product] as const))("float32 %s", async (_, product) => {
    const bytes = floatModel(product);
    const x: Tensor = { dtype: "float32", shape: product.x, data: randn(sizeOf(product.x), 5) };
    const [model, isSparse] = await opened(bytes, variant);
    expect(isSparse).toBe(!product.isDense);
    const [given, expected] = [(await model.run({ x })).y!, (await (await load(bytes, { optimize: false })).run({ x })).y!];
    expect(given.shape).toEqual(expected.shape);
    const [own, others] = [given.data as Float32Array, expected.data as Float32Array];
    const most = others.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(others.every((v, i) => Math.abs(v - own[i]!) <= most * (product.isDense === "3×3" ? 1e-5 : 1e-6))).toBe(true);
    expect(product.density === 0 || new Set(others).size > 10).toBe(true);
  });
});
