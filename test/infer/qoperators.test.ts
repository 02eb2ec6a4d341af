/** Operators on quantized tensors give on kernels what they give by themselves. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { createLoad } from "../../src/runtime/load.ts";
import { compiled } from "../kernels/harness.ts";
import { DataType, encodeModel, type NodeSpec, node, rng, type TensorSpec, tensor, value } from "../kit/onnx.ts";
import { agreement, fedTo } from "./agreement.ts";

type Byte = "int8" | "uint8";
const TYPES = { int8: DataType.INT8, uint8: DataType.UINT8 };

/** Draws the parts of one node. */
class Draw {
  readonly constants: TensorSpec[] = [];
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = rng(seed);
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  #add(type: number, dims: readonly number[], data: number[]): string {
    const name = `c${this.constants.length}`;
    const arrays = {
      [DataType.INT8]: Int8Array,
      [DataType.UINT8]: Uint8Array,
      [DataType.INT32]: Int32Array,
      [DataType.FLOAT]: Float32Array,
    };
    this.constants.push(tensor(name, type, dims, (arrays[type as 1] as never as typeof Int8Array).from(data)));
    return name;
  }

  bytes(type: Byte, dims: readonly number[]): string {
    const [low, high] = type === "int8" ? [-128, 127] : [0, 255];
    return this.#add(
      TYPES[type],
      dims,
      this.#many(dims, () => this.integer(low, high)),
    );
  }

  int32(dims: readonly number[]): string {
    return this.#add(
      DataType.INT32,
      dims,
      this.#many(dims, () => this.integer(-5000, 5000)),
    );
  }

  floats(dims: readonly number[], low: number, high: number): string {
    return this.#add(
      DataType.FLOAT,
      dims,
      this.#many(dims, () => low + this.#next() * (high - low)),
    );
  }

  /** A scale and a zero point, of none or of one dimension. */
  linear(type: Byte, size: number, dims: readonly number[] = []): [string, string] {
    return [this.floats(dims, size / 2, size), this.bytes(type, dims)];
  }

  #many(dims: readonly number[], one: () => number): number[] {
    return Array.from({ length: dims.reduce((a, b) => a * b, 1) }, one);
  }
}

interface Drawn {
  op: string;
  domain?: string;
  inputs: [name: string, type: number, dims: readonly number[]][];
  /** All that the node reads. */
  reads: string[];
  type: number;
  attributes?: NodeSpec["attributes"];
  /** How far integers may be apart: operators on floats round their quotients otherwise. */
  steps?: number;
}

const MICROSOFT = "com.microsoft";

/** Types of activations and weights, and whether there is a scale for each channel, by number. */
function kinds(i: number): { x: Byte; w: Byte; y: Byte; each: boolean } {
  const bit = (n: number) => ((i >> n) & 1) === 1;
  return { x: bit(0) ? "int8" : "uint8", w: bit(1) ? "int8" : "uint8", y: bit(2) ? "int8" : "uint8", each: bit(3) };
}

const CASES: Readonly<Record<string, (draw: Draw, i: number) => Drawn>> = {
  QLinearConv(draw, i) {
    const { x, w, y, each } = kinds(i);
    const [group, c] = i % 3 === 0 ? [1, draw.integer(1, 9)] : i % 3 === 1 ? [2, 4] : [6, 6];
    const n = i % 3 === 2 ? 6 : group * draw.integer(1, 5);
    const dims = [2, c, draw.integer(5, 9), draw.integer(5, 9)];
    const scales = each ? [n] : [];
    const weight = draw.bytes(w, [n, c / group, 3, 3]);
    const reads = ["x", ...draw.linear(x, 0.1), weight, ...draw.linear(w, 0.01, scales), ...draw.linear(y, 0.2)];
    if (i % 2) reads.push(draw.int32([n]));
    return {
      op: "QLinearConv",
      inputs: [["x", TYPES[x], dims]],
      reads,
      type: TYPES[y],
      attributes: { group, pads: [1, 1, 0, 1], strides: [1, 2] },
    };
  },
  QLinearMatMul(draw, i) {
    const { x, w, y, each } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const reads = [
      "x",
      ...draw.linear(x, 0.1, [1]),
      draw.bytes(w, [k, n]),
      ...draw.linear(w, 0.01, each ? [n] : []),
      ...draw.linear(y, 0.2),
    ];
    return { op: "QLinearMatMul", inputs: [["x", TYPES[x], [2, 3, k]]], reads, type: TYPES[y] };
  },
  "QLinearMatMul of two values"(draw, i) {
    const { x, w, y } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const reads = ["x", ...draw.linear(x, 0.1), "w", ...draw.linear(w, 0.01), ...draw.linear(y, 0.2)];
    const inputs: Drawn["inputs"] = [["x", TYPES[x], [2, 3, k]], ["w", TYPES[w], i % 2 ? [2, k, n] : [k, n]]]; // biome-ignore format: a pair
    return { op: "QLinearMatMul", inputs, reads, type: TYPES[y], steps: 1 };
  },
  MatMulInteger(draw, i) {
    const { x, w, each } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const reads = ["x", draw.bytes(w, [k, n]), draw.bytes(x, []), draw.bytes(w, each ? [n] : [])];
    return { op: "MatMulInteger", inputs: [["x", TYPES[x], [3, k]]], reads, type: DataType.INT32 };
  },
  ConvInteger(draw, i) {
    const { x, w } = kinds(i);
    const reads = ["x", draw.bytes(w, [5, 3, 3, 2]), draw.bytes(x, []), draw.bytes(w, [])];
    return { op: "ConvInteger", inputs: [["x", TYPES[x], [1, 3, 6, 7]]], reads, type: DataType.INT32, attributes: { pads: [0, 1, 1, 0] } };
  },
  QGemm(draw, i) {
    const { x, w, y, each } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const transB = i % 2;
    const weight = draw.bytes(w, transB ? [n, k] : [k, n]);
    const reads = ["x", ...draw.linear(x, 0.1), weight, ...draw.linear(w, 0.01, each ? [n] : []), i % 3 ? draw.int32([n]) : ""];
    const isFloat = i % 5 === 4;
    if (!isFloat) reads.push(...draw.linear(y, 0.2));
    const type = isFloat ? DataType.FLOAT : TYPES[y];
    return { op: "QGemm", domain: MICROSOFT, inputs: [["x", TYPES[x], [3, k]]], reads, type, attributes: { transB } };
  },
  QLinearAdd: (draw, i) => pair("QLinearAdd", draw, i),
  QLinearMul: (draw, i) => pair("QLinearMul", draw, i),
  QLinearSigmoid: (draw, i) => single("QLinearSigmoid", draw, i),
  QLinearLeakyRelu: (draw, i) => ({ ...single("QLinearLeakyRelu", draw, i), attributes: { alpha: { float: 0.1 } } }),
  QLinearSoftmax: (draw, i) => ({ ...single("QLinearSoftmax", draw, i), attributes: { axis: 1, opset: 13 }, steps: 1 }),
  QLinearGlobalAveragePool: (draw, i) => ({ ...single("QLinearGlobalAveragePool", draw, i), attributes: { channels_last: 0 }, steps: 1 }),
  QLinearAveragePool: (draw, i) => ({
    ...single("QLinearAveragePool", draw, i),
    attributes: { kernel_shape: [2, 3], strides: [2, 1] },
    steps: 1,
  }),
  QLinearConcat(draw, i) {
    const { x } = kinds(i);
    const reads = [...draw.linear(x, 0.1), "x", ...draw.linear(x, 0.1), "z", ...draw.linear(x, 0.05)];
    const inputs: Drawn["inputs"] = ["x", "z"].map((name) => [name, TYPES[x], [2, 3, 4]]);
    return { op: "QLinearConcat", domain: MICROSOFT, inputs, reads, type: TYPES[x], attributes: { axis: 1 } };
  },
  DynamicQuantizeMatMul(draw, i) {
    const { w, each } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const reads = ["x", draw.bytes(w, [k, n]), ...draw.linear(w, 0.01, each ? [n] : [1]), i % 2 ? draw.floats([n], -1, 1) : ""];
    return { op: "DynamicQuantizeMatMul", domain: MICROSOFT, inputs: [["x", DataType.FLOAT, [2, 3, k]]], reads, type: DataType.FLOAT };
  },
  MatMulIntegerToFloat(draw, i) {
    const { x, w, each } = kinds(i);
    const [k, n] = [draw.integer(1, 40), draw.integer(1, 20)];
    const [[a_scale, a_zero], [b_scale, b_zero]] = [draw.linear(x, 0.1), draw.linear(w, 0.01, each ? [n] : [1])];
    const reads = ["x", draw.bytes(w, [k, n]), a_scale, b_scale, a_zero, b_zero, i % 2 ? draw.floats([n], -1, 1) : ""];
    return { op: "MatMulIntegerToFloat", domain: MICROSOFT, inputs: [["x", TYPES[x], [3, k]]], reads, type: DataType.FLOAT };
  },
};

function pair(op: string, draw: Draw, i: number): Drawn {
  const { x } = kinds(i);
  const other = [[2, 3, 4, 5], [], [3, 1, 1], [4, 5]][i % 4] as number[];
  const inputs: Drawn["inputs"] = [["x", TYPES[x], [2, 3, 4, 5]], ["z", TYPES[x], other]]; // biome-ignore format: a pair
  const size = op === "QLinearMul" ? 3 : 0.15;
  return {
    op,
    domain: MICROSOFT,
    inputs,
    reads: ["x", ...draw.linear(x, 0.1), "z", ...draw.linear(x, 0.2), ...draw.linear(x, size)],
    type: TYPES[x],
    steps: 1,
  };
}

function single(op: string, draw: Draw, i: number): Drawn {
  const { x } = kinds(i);
  return {
    op,
    domain: MICROSOFT,
    inputs: [["x", TYPES[x], [2, 3, 4, 5]]],
    reads: ["x", ...draw.linear(x, 0.05), ...draw.linear(x, 0.02)],
    type: TYPES[x],
  };
}

function modelOf({ op, domain = "", inputs, reads, type, attributes }: Drawn, constants: TensorSpec[]): Uint8Array {
  return encodeModel({
    opsets: { "": 17, [MICROSOFT]: 1 },
    graph: {
      nodes: [node(op, reads, ["y"], attributes, domain ? { domain } : {})],
      inputs: inputs.map(([name, data_type, dims]) => value(name, data_type, dims)),
      initializers: constants,
      outputs: [value("y", type, undefined)],
    },
  });
}

describe.each(Object.keys(CASES))("%s", (name) => {
  test.each(Array.from({ length: 16 }, (_, i) => i))("case %d", async (i) => {
    const draw = new Draw(i + 1);
    const drawn = CASES[name]?.(draw, i) as Drawn;
    const bytes = modelOf(drawn, draw.constants);
    const { furthest, steps, plain } = await agreement(bytes, fedTo(await load(bytes), 3, i + 1));
    expect(furthest).toBeLessThan(1e-6);
    expect(steps).toBeLessThanOrEqual(drawn.steps ?? 0);
    expect(plain).toEqual([]);
  });
});

const modules = await compiled("infer");

test.each(["QLinearConv", "QLinearMatMul", "MatMulInteger", "QGemm", "DynamicQuantizeMatMul"])(
  "%s is the same in all builds",
  async (name) => {
    for (let i = 0; i < 16; i++) {
      const draw = new Draw(i + 1);
      const bytes = modelOf(CASES[name]?.(draw, i) as Drawn, draw.constants);
      const [simd, relaxed] = [createLoad(async () => ({ simd: modules.simd })), createLoad(async () => ({ relaxed: modules.relaxed }))];
      const [a, b] = [await simd(bytes), await relaxed(bytes)];
      const feeds = fedTo(a, 3, i + 1);
      expect(await a.run(feeds)).toEqual(await b.run(feeds));
    }
  },
);
