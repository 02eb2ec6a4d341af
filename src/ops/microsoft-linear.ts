/**
 * Products of com.microsoft, most of them with quantized weights:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Node } from "../graph/graph.ts";
import type { Tensor } from "../tensor.ts";
import { LSTM_CELL } from "./cells.ts";
import { isRoom, ofTensors, one, stored } from "./compute.ts";
import { broadcast } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { computeLayer, type Product, recurrent, rowsTimes } from "./layer.ts";
import { Gemm, gemm, MatMul, MatMulInteger, matmulShape } from "./linear.ts";
import { int, type Op } from "./op.ts";
import { addTo, multiplied, turned, type View, view } from "./product.ts";
import { dynamicScale, quantizedBy } from "./quantize.ts";
import { alongAxis, centered, requantized, scalar } from "./quantized.ts";

/** x[…, K] by weights [N, K], with a bias. */
function projected(x: Tensor, weights: Float32Array, n: number, bias: Tensor | undefined): Tensor | undefined {
  const [data, k, biases] = [numbersOf(x), x.shape.at(-1) ?? 0, bias && numbersOf(bias)];
  const product = data && multiplied(view(x.shape, data), turned(view([n, k], weights)));
  if (!product || (bias && !(biases && addTo(product.data as Float64Array, product.shape, { shape: bias.shape, data: biases }))))
    return undefined;
  return stored(x.dtype, product.shape, product.data as Float64Array);
}

/** x[…, K] by packed weights: [..., N]. */
const packed = (
  unpack: (node: Node, k: number, n: number, inputs: readonly (Tensor | undefined)[]) => Float32Array | undefined,
  bias: number,
): Op => ({
  infer: (node, [x]) => [{ dtype: x?.dtype, shape: x?.shape && [...x.shape.slice(0, -1), int(node, "N", 0)] }],
  compute: ofTensors((node, inputs) => {
    const [x] = inputs;
    const [k, n] = [int(node, "K", 0), int(node, "N", 0)];
    const weights = x?.shape.at(-1) === k && isRoom([k, n]) ? unpack(node, k, n, inputs) : undefined;
    return x && weights && one(projected(x, weights, n, inputs[bias]));
  }),
});

/** Codes of NF4 and of FP4: https://arxiv.org/abs/2305.14314, as bitsandbytes has them. */
// biome-ignore format: a table
const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];
const FP4_SIZES = [0, 0.005208333333, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25];
const FP4 = [...FP4_SIZES, ...FP4_SIZES.map((x) => -x)];

/** Codes in one line, two a byte with the first above, each block with its largest magnitude: [n, k]. */
export function fromBnb4(
  node: Node,
  k: number,
  n: number,
  codes: Tensor | undefined,
  absmax: Tensor | undefined,
): Float32Array | undefined {
  const [bytes, scales, block] = [codes?.data as Uint8Array | undefined, absmax && numbersOf(absmax), int(node, "block_size", 0)];
  const table = [FP4, NF4][int(node, "quant_type", 1)];
  if (!bytes || !scales || !table || !(block >= 1) || int(node, "transB", 1) !== 1) return undefined;
  if (bytes.length < (n * k) / 2 || scales.length < (n * k) / block) return undefined;
  return Float32Array.from({ length: n * k }, (_, i) => {
    const code = ((bytes[i >> 1] as number) >> (i % 2 === 0 ? 4 : 0)) & 15;
    return (table[code] as number) * (scales[Math.floor(i / block)] as number);
  });
}

export const MatMulBnb4 = packed((node, k, n, [, codes, absmax]) => fromBnb4(node, k, n, codes, absmax), -1);

/** Blocks of each row's codes, the first in the lowest bits, with a scale and a zero point (packed as they are, or in the scales' type). */
export const MatMulNBits = packed((node, k, n, [, codes, scale, zero, order]) => {
  const [bits, block] = [int(node, "bits", 4), int(node, "block_size", 0)];
  const [bytes, scales] = [codes?.data as Uint8Array | undefined, scale && numbersOf(scale)];
  if (!bytes || !scales || ![2, 4, 8].includes(bits) || !(block >= 1) || order) return undefined;
  const blocks = Math.ceil(k / block);
  const [row, zeroRow] = [blocks * Math.ceil((block * bits) / 8), Math.ceil((blocks * bits) / 8)];
  const isPacked = zero?.dtype === "uint8";
  const zeros = zero && numbersOf(zero);
  if (bytes.length !== n * row || scales.length !== n * blocks || (zero && zeros?.length !== n * (isPacked ? zeroRow : blocks)))
    return undefined;
  const code = (data: ArrayLike<number>, first: number, i: number) =>
    ((data[first + Math.floor((i * bits) / 8)] as number) >> ((i * bits) % 8)) & ((1 << bits) - 1);
  return Float32Array.from({ length: n * k }, (_, i) => {
    const [line, place] = [Math.floor(i / k), i % k];
    const at = Math.floor(place / block);
    const shift = !zeros ? 1 << (bits - 1) : isPacked ? code(zeros, line * zeroRow, at) : (zeros[line * blocks + at] as number);
    return (code(bytes, line * row + at * (row / blocks), place % block) - shift) * (scales[line * blocks + at] as number);
  });
}, 5);

export const MatMulFpQ4: Op = {
  infer: (_node, [x], context) => [{ dtype: x?.dtype, shape: x?.shape && [...x.shape.slice(0, -1), context.symbol()] }],
};

/** Integers multiplied, then scaled: by one, or one for each column of the second. */
function scaledProduct(
  [a, a_scale, a_zero]: readonly (Tensor | undefined)[],
  [b, b_scale, b_zero]: readonly (Tensor | undefined)[],
  bias: Tensor | undefined,
): Tensor | undefined {
  const [p, q] = [a && centered(a, a_zero, a.shape.length - 2), b && centered(b, b_zero, b.shape.length - 1)];
  const product = a && b && p && q && multiplied(view(a.shape, p), view(b.shape, q));
  const [scale, scales, biases] = [scalar(a_scale), b_scale && numbersOf(b_scale), bias && numbersOf(bias)];
  if (!product || scale === undefined || !scales) return undefined;
  const { shape } = product;
  const place = alongAxis(shape, shape.length - 1, scales.length);
  if (!place) return undefined;
  const sums = (product.data as Float64Array).map((sum, i) => Math.fround(sum) * Math.fround(scale * (scales[place(i)] as number)));
  if (bias && !(biases && addTo(sums, shape, { shape: bias.shape, data: biases }))) return undefined;
  return stored(a_scale?.dtype, shape, sums);
}

/** A, B, their scales and zero points, and a bias. */
export const MatMulIntegerToFloat: Op = {
  infer: (_node, inputs, context) => [{ dtype: inputs[2]?.dtype, shape: matmulShape(inputs[0]?.shape, inputs[1]?.shape, context) }],
  compute: ofTensors((_node, [a, b, a_scale, b_scale, a_zero, b_zero, bias]) =>
    one(scaledProduct([a, a_scale, a_zero], [b, b_scale, b_zero], bias)),
  ),
};

/** A, which is quantized as DynamicQuantizeLinear does, then B with its scale and zero point, and a bias. */
export const DynamicQuantizeMatMul: Op = {
  infer: MatMul.infer,
  compute: ofTensors((node, [a, b, b_scale, b_zero, bias]) => {
    const parts = a && dynamicScale(a);
    const codes = parts && quantizedBy({ ...node, attributes: {} }, a, parts.scale, parts.zero, "uint8");
    return parts && one(scaledProduct([codes, parts.scale, parts.zero], [b, b_scale, b_zero], bias));
  }),
};

export const MatMulInteger16 = MatMulInteger;
export const MulInteger: Op = {
  infer: (_node, inputs, context) => [{ dtype: "int32", shape: broadcast([inputs[0]?.shape, inputs[2]?.shape], context) }],
};

/** Float where the output's zero point is absent. */
export const QGemm: Op = {
  infer(node, inputs, context) {
    const [y] = Gemm.infer(node, [inputs[0], inputs[3]], context);
    return [{ ...y, dtype: inputs[8] ? inputs[8].dtype : "float32" }];
  },
  compute: ofTensors((node, [a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero]) => {
    const isTurned = int(node, "transB", 0) !== 0;
    const [p, q] = [a && centered(a, a_zero, 0), b && centered(b, b_zero, isTurned ? 0 : 1)];
    const plain = { ...node, attributes: { ...node.attributes, alpha: 1, beta: 1 } };
    const sums = a && b && p && q && gemm(plain, a, b, c, [p, q, c && numbersOf(c)]);
    const alpha = int(node, "alpha", 1);
    const [scale, scales] = [scalar(a_scale), b_scale && numbersOf(b_scale)];
    if (!sums || scale === undefined || !scales) return undefined;
    const factor: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(scale * alpha) };
    if (y_zero) return one(requantized(sums.data, sums.shape, 1, [factor, b_scale, y_scale], y_zero));
    const place = alongAxis(sums.shape, 1, scales.length);
    const data = place && sums.data.map((sum, i) => sum * Math.fround(alpha * scale * (scales[place(i)] as number)));
    return data && one(stored("float32", sums.shape, data));
  }),
};

/** Rows that are quantized as DynamicQuantizeLinear does, by integer weights [directions, K, gates · hidden]. */
function integerProduct(w: Tensor | undefined, scale: Tensor | undefined, zero: Tensor | undefined): Product | undefined {
  const [directions = 0, k = 0, columns = 0] = w?.shape ?? [];
  const [codes, scales, zeros] = [w, scale, zero].map((x) => x && numbersOf(x));
  const each = scales && scales.length / directions;
  if (!codes || !scales || w?.shape.length !== 3 || (each !== 1 && each !== columns) || (zero && zeros?.length !== scales.length))
    return undefined;
  return (rows, direction, from, to) => {
    const place = (column: number) => direction * each + (each === 1 ? 0 : column);
    const part = Float64Array.from({ length: k * (to - from) }, (_, i) => {
      const [row, column] = [Math.floor(i / (to - from)), from + (i % (to - from))];
      return (codes[(direction * k + row) * columns + column] as number) - (zeros?.[place(column)] ?? 0);
    });
    const x: Tensor = { dtype: "float32", shape: [rows.length], data: Float32Array.from(rows) };
    const parts = dynamicScale(x);
    const quantized = parts && quantizedBy(NO_ATTRIBUTES, x, parts.scale, parts.zero, "uint8");
    const integers = quantized && centered(quantized, parts.zero, 0);
    const sums = integers && rowsTimes(integers, k, view([k, to - from], part) as View);
    const step = parts?.scale.data[0] as number;
    return sums?.map((sum, i) => sum * Math.fround(step * (scales[place(from + (i % (to - from)))] as number)));
  };
}
const NO_ATTRIBUTES = { attributes: {} } as Node;

/** The weights are [directions, K, 4 · hidden]. */
export const DynamicQuantizeLSTM: Op = {
  ...recurrent(2, 1),
  compute: computeLayer(LSTM_CELL, ([, w, r, , , , , , w_scale, w_zero, r_scale, r_zero]) => [
    integerProduct(w, w_scale, w_zero),
    integerProduct(r, r_scale, r_zero),
  ]),
};
