/**
 * Operators of the runtime's own, in the domain `edgeslim`, which its fusions write and no file holds. Images are channels last; attributes,
 * weights, scales and sizes stay as ONNX has them, channels first.
 */

import { DATA_TYPES } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import { Attention as attention } from "./attention.ts";
import { isRoom, ofTensors, one, stored } from "./compute.ts";
import * as conv from "./conv.ts";
import { broadcast, mayEqual } from "./dims.ts";
import { eachPair } from "./each.ts";
import { numbersOf, picked } from "./elements.ts";
import { roundEven } from "./half.ts";
import { matmulShape } from "./linear.ts";
import { fromBnb4 } from "./microsoft-linear.ts";
import * as normalization from "./normalization.ts";
import { int, isTensor, type Op } from "./op.ts";
import * as pool from "./pool.ts";
import * as recurrent from "./recurrent.ts";
import * as resize from "./resize.ts";
import { offsets, strides } from "./strides.ts";
import type { Dim, Dims, Value } from "./value.ts";

const first = (dims: Dims): Dims => [...dims.slice(0, 1), ...dims.slice(-1), ...dims.slice(1, -1)];
const last = (dims: Dims): Dims => [...dims.slice(0, 1), ...dims.slice(2), ...dims.slice(1, 2)];
const turned = (value: Value | undefined, turn: (dims: Dims) => Dims): Value | undefined =>
  value && { dtype: value.dtype, shape: value.shape && value.shape.length > 2 ? turn(value.shape) : undefined };

/** A tensor with its axes turned. */
function turnedTensor(x: Tensor, turn: (dims: Dims) => Dims): Tensor {
  const perm = turn([...x.shape.keys()]) as readonly number[];
  const steps = strides(x.shape);
  const shape = perm.map((axis) => x.shape[axis] as number);
  return picked(
    x,
    shape,
    offsets(
      shape,
      perm.map((axis) => steps[axis] as number),
    ),
  );
}

/** An operator of ONNX on an image whose channels are last. */
const channelsLast = (op: Op): Op => ({
  infer: (node, [x, ...rest], context) => op.infer(node, [turned(x, first), ...rest], context).map((value) => turned(value, last) ?? {}),
  compute(node, [x, ...rest], context) {
    if (!isTensor(x) || x.shape.length < 3 || node.attributes.kind !== undefined || rest.length > 3) return undefined;
    const outputs = context.outputs.map(({ dtype, shape }) => ({ dtype, shape: shape && (first(shape) as readonly number[]) }));
    const results = op.compute?.(node, [turnedTensor(x, first), ...rest], { ...context, outputs });
    return results?.map((y) => (isTensor(y) ? turnedTensor(y, last) : y));
  },
});

/** A bias of a convolution may have leading dimensions of 1. */
const ofWeight = (op: Op): Op => ({ ...op, infer: (node, [x, w], context) => op.infer(node, [x, w], context) });
export const Conv = channelsLast(ofWeight(conv.Conv));
export const ConvTranspose = channelsLast(ofWeight(conv.ConvTranspose));
export const MaxPool = channelsLast(pool.MaxPool);
export const AveragePool = channelsLast(pool.AveragePool);
export const GlobalAveragePool = channelsLast(pool.GlobalAveragePool);
export const GlobalMaxPool = channelsLast(pool.GlobalMaxPool);
export const Resize = channelsLast(resize.Resize);
export const Upsample = channelsLast(resize.Upsample);
export const InstanceNormalization = channelsLast(normalization.InstanceNormalization);
export const GroupNormalization = channelsLast(normalization.GroupNormalization);

/** An activation of the kernels, by number: `kind`, `alpha`, `beta`. */
export const Activate: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

/** `x · factors + summands`, float32 lists of one element or of one for each place along the last axis. */
export const Affine: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  compute: ofTensors((_node, [x, factors, summands]) => {
    const [data, a, b] = [x, factors, summands].map((each) => each && numbersOf(each));
    const n = a?.length ?? 0;
    if (!x || !data || !a || !b || b.length !== n || data.length % n !== 0) return undefined;
    return one(
      stored(
        x.dtype,
        x.shape,
        Float64Array.from(data, (v, i) => v * (a[i % n] as number) + (b[i % n] as number)),
      ),
    );
  }),
};

/** Channels in `group` groups along `axis`, the first of each group, then the second of each, and so on. */
export const ChannelShuffle = Activate;

/** A product with a constant matrix, [K, N] or with `transB` [N, K], a bias [N] and a tensor of its own shape that is added. */
export const MatMul: Op = {
  infer(node, [a, b, , z], context) {
    const isTurned = int(node, "transB", 0) !== 0;
    const shape = matmulShape(a?.shape, b?.shape && isTurned ? b.shape.toReversed() : b?.shape, context);
    return [{ dtype: a?.dtype, shape: z?.shape ? broadcast([shape, z.shape], context) : shape }];
  },
};

const swapped = (dims: Dims): Dims => [dims[0], dims[2], dims[1], dims[3]] as Dims;

/**
 * softmax(q kᵀ · scale + mask) v of q [batch, heads, steps, size], k and v; of each, and of the result, heads are axis 2 where `q_heads` or
 * its like say so.
 */
export const Attention: Op = {
  infer(node, [q, , v]) {
    const [from, to] = (["q", "v"] as const).map((name, i) => {
      const shape = [q, v][i]?.shape;
      return shape && int(node, `${name}_heads`, 1) === 2 ? swapped(shape) : shape;
    });
    const shape = from?.length === 4 && to?.length === 4 ? [...from.slice(0, 3), to[3] as Dim] : undefined;
    return [{ dtype: q?.dtype, shape: shape && int(node, "y_heads", 1) === 2 ? swapped(shape) : shape }];
  },
  compute: ofTensors((node, [q, k, v, mask], context) => {
    const isTurned = (name: string) => int(node, `${name}_heads`, 1) === 2;
    const [queries, keys, values] = [q, k, v].map((x, i) => (x && isTurned("qkv"[i] as string) ? turnedTensor(x, swapped) : x));
    const y = attention.compute?.(node, [queries, keys, values, mask], context)?.[0];
    return isTensor(y) ? one(isTurned("y") ? turnedTensor(y, swapped) : y) : undefined;
  }),
};

/** Recurrent layers with constant weights and the activations that are theirs by default. */
export const LSTM: Op = { infer: recurrent.LSTM.infer };
export const GRU: Op = { infer: recurrent.GRU.infer };
export const RNN: Op = { infer: recurrent.RNN.infer };

/** What an operator gives, as the type that its attribute `to` names. */
const typed = (op: Op): Op => ({
  infer: (node, inputs, context) => op.infer(node, inputs, context).map((value) => ({ ...value, dtype: DATA_TYPES[int(node, "to", 0)] })),
});
const like: Op = { infer: (_node, [x]) => [{ shape: x?.shape }] };

/**
 * Inputs x, w, bias, scale, a table, the zero point of x where no attribute says it, and those of w: bytes in; sums, floats or bytes out. Scales
 * are one or one a column, float32.
 */
export const QConv = typed(Conv);
export const QMatMul = typed({ infer: (node, [a, b], context) => MatMul.infer(node, [a, b], context) });
/** Bytes through a table of 256. */
export const QLookup = typed(like);
/** Add or Mul of bytes, (byte − zero) · scale each, by `kind`: bytes of `y_scale` and `y_zero` in `low` … `high`. */
export const QBinary: Op = {
  ...typed({ infer: (_node, [a, b], context) => [{ shape: broadcast([a?.shape, b?.shape], context) }] }),
  compute: ofTensors(({ attributes }, [a, b], { outputs: [y] }) => {
    if (!a || !b || !y?.dtype || !y.shape) return undefined;
    const { a_scale = 1, a_zero = 0, b_scale = 1, b_zero = 0, y_scale = 1, y_zero = 0 } = attributes as Record<string, number>;
    const { low = y.dtype === "int8" ? -128 : 0, high = y.dtype === "int8" ? 127 : 255 } = attributes as Record<string, number>;
    const number = (p: number, q: number) => {
      const [left, right] = [Math.fround((p - a_zero) * a_scale), Math.fround((q - b_zero) * b_scale)];
      const both = Math.fround(Math.fround(attributes.kind === "Add" ? left + right : left * right) / y_scale);
      return Number.isNaN(both) ? low : Math.min(high, Math.max(low, roundEven(both) + y_zero));
    };
    const bytes = eachPair(a, b, y.dtype, y.shape, { number, integer: number });
    return bytes && one(bytes);
  }),
};
export const QAveragePool = typed(AveragePool);
export const QGlobalAveragePool = typed(GlobalAveragePool);
export const QMaxPool = typed(MaxPool);
/** A product with a constant matrix of 4 or 8 bits in blocks, `n` columns of `k`: inputs x, w, bias, scales and zero points. */
export const BlockMatMul: Op = {
  infer(node, [x]) {
    const isProduct = mayEqual(x?.shape?.at(-1), int(node, "k", 0));
    return [{ dtype: x?.dtype, shape: x?.shape?.length && isProduct ? [...x.shape.slice(0, -1), int(node, "n", 0)] : undefined }];
  },
};
/** The weight of a MatMulBnb4, [N, K]. */
export const Bnb4Weight: Op = {
  infer: (node) => [{ dtype: "float32", shape: [int(node, "N", 0), int(node, "K", 0)] }],
  compute: ofTensors((node, [codes, absmax], { outputs: [y] }) => {
    const data = isRoom(y?.shape) ? fromBnb4(node, int(node, "K", 0), int(node, "N", 0), codes, absmax) : undefined;
    return data && [{ dtype: "float32", shape: y?.shape as number[], data }];
  }),
};
