/**
 * Operators of com.microsoft on quantized tensors:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Node } from "../graph/graph.ts";
import type { DType, Tensor } from "../tensor.ts";
import { applied, type Compute, isRoom, ofTensors, one } from "./compute.ts";
import { convShape, QLinearConv as qlinearConv } from "./conv.ts";
import { broadcast } from "./dims.ts";
import { eachPair } from "./each.ts";
import { picked } from "./elements.ts";
import { Where } from "./elementwise.ts";
import { Concat } from "./layout.ts";
import { Attention } from "./microsoft-attention.ts";
import { EmbedLayerNormalization } from "./microsoft-normalization.ts";
import { type ComputeContext, dtypeAttribute, int, type Op } from "./op.ts";
import { AveragePool, GlobalAveragePool, MaxPool } from "./pool.ts";
import { dequantized, quantizedBy } from "./quantize.ts";
import { ReduceMean } from "./reduce.ts";
import { Softmax } from "./softmax.ts";
import { offsets, strides } from "./strides.ts";
import { LeakyRelu, Sigmoid } from "./unary.ts";
import type { Dim, Dims, Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

const NO_ATTRIBUTES = { attributes: {} } as Node;

type Tensors = readonly (Tensor | undefined)[];

/** A tensor of integers in float, by its scale and zero point. */
const floats = ([x, scale, zero]: Tensors): Tensor | undefined => x && scale && dequantized(NO_ATTRIBUTES, x, scale, zero, "float32");

/** Floats in the scale and type of a zero point, or of the integers that were given. */
const integers = (y: Tensor | undefined, scale: Tensor | undefined, zero: Tensor | undefined, otherwise: DType | undefined) =>
  y && scale && one(quantizedBy(NO_ATTRIBUTES, y, scale, zero, zero?.dtype ?? otherwise ?? "uint8"));

/** x, its scale and zero point, then those of y: computed in float. */
const throughFloat = (f: (x: Tensor, node: Node, context: ComputeContext) => Tensor | undefined): Compute =>
  ofTensors((node, [x, scale, zero, y_scale, y_zero], context) => {
    const given = floats([x, scale, zero]);
    return given && integers(f(given, node, context), y_scale, y_zero, x?.dtype);
  });

export const QLinearLeakyRelu: Op = { ...likeFirst, compute: throughFloat((x, node, context) => applied(LeakyRelu, node, [x], context)) };
export const QLinearSigmoid: Op = { ...likeFirst, compute: throughFloat((x, node, context) => applied(Sigmoid, node, [x], context)) };
/** Its opset is that of the Softmax which it was. */
export const QLinearSoftmax: Op = {
  ...likeFirst,
  compute: throughFloat((x, node, context) => applied(Softmax, node, [x], { ...context, opset: int(node, "opset", 13) })),
};
export const QMoE = likeFirst;

/** A, its scale and zero point, then B. */
const binary = (f: (a: number, b: number) => number): Op => ({
  compute: ofTensors((_node, inputs, { outputs: [told] }) => {
    const [a, b] = [floats(inputs.slice(0, 3)), floats(inputs.slice(3, 6))];
    const y = a && b && isRoom(told?.shape) ? eachPair(a, b, "float32", told.shape, { number: f }) : undefined;
    return integers(y, inputs[6], inputs[7], inputs[0]?.dtype);
  }),
  infer: (_node, inputs, context) => [{ dtype: inputs[0]?.dtype, shape: broadcast([inputs[0]?.shape, inputs[3]?.shape], context) }],
});
export const QLinearAdd = binary((a, b) => a + b);
export const QLinearMul = binary((a, b) => a * b);

export const QLinearWhere: Op = {
  infer: (_node, inputs, context) => [
    {
      dtype: inputs[1]?.dtype,
      shape: broadcast(
        [0, 1, 4].map((i) => inputs[i]?.shape),
        context,
      ),
    },
  ],
  compute: ofTensors((node, [condition, ...rest], context) => {
    const [x, y] = [floats(rest.slice(0, 3)), floats(rest.slice(3, 6))];
    return condition && x && y && integers(applied(Where, node, [condition, x, y], context), rest[6], rest[7], rest[0]?.dtype);
  }),
};

/** Channels moved from the last axis to the second, and back. */
const channelsFirst = (shape: Dims | undefined): Dims | undefined => shape && [shape[0] as Dim, shape.at(-1) as Dim, ...shape.slice(1, -1)];
const channelsLast = (shape: Dims | undefined): Dims | undefined => shape && [shape[0] as Dim, ...shape.slice(2), shape[1] as Dim];

/** A pool of [N, C, …], or of [N, …, C] with `channels_last`. */
const pool = (op: Op, always = false): Op => ({
  infer(node, [x, ...rest], context) {
    if (!always && int(node, "channels_last", 0) === 0) return op.infer(node, [x, ...rest], context);
    const [y] = op.infer(node, [{ ...x, shape: channelsFirst(x?.shape) }, ...rest], context);
    return [{ ...y, shape: channelsLast(y?.shape) }];
  },
  compute: throughFloat((x, node, context) => {
    if (!always && int(node, "channels_last", 0) === 0) return applied(op, node, [x], context);
    const axes = [...x.shape.keys()];
    const y = applied(op, node, [transposed(x, channelsFirst(axes) as number[])], context);
    return y && transposed(y, channelsLast(axes) as number[]);
  }),
});

/** With its axes in another order, where it has any. */
function transposed(x: Tensor, order: readonly number[]): Tensor {
  if (x.shape.length < 3) return x;
  const [shape, steps] = [x.shape, strides(x.shape)].map((list) => order.map((axis) => list[axis] as number)) as [number[], number[]];
  return picked(x, shape, offsets(shape, steps));
}

export const QLinearAveragePool = pool(AveragePool);
export const QLinearGlobalAveragePool = pool(GlobalAveragePool);
export const NhwcMaxPool: Op = {
  infer: pool(MaxPool, true).infer,
  compute: ofTensors((node, [x], context) => {
    const axes = [...(x?.shape.keys() ?? [])];
    const y = x && x.shape.length > 2 && applied(MaxPool, node, [transposed(x, channelsFirst(axes) as number[])], context);
    return y ? [transposed(y, channelsLast(axes) as number[])] : undefined;
  }),
};

/** x[N, …, C] with w[M, …, C / group]. */
export const NhwcConv: Op = {
  infer: (node, [x, w], context) => [
    { dtype: x?.dtype, shape: channelsLast(convShape(node, channelsFirst(x?.shape), channelsFirst(w?.shape), context)) },
  ],
};
export const NhwcFusedConv = NhwcConv;

/** x, its scale and zero point, w, its scale and zero point, y's scale and zero point, bias. */
export const QLinearConv: Op = {
  infer(node, inputs, context) {
    const [x, w] = [inputs[0]?.shape, inputs[3]?.shape];
    const isLast = int(node, "channels_last", 0) !== 0;
    const shape = isLast ? channelsLast(convShape(node, channelsFirst(x), w, context)) : convShape(node, x, w, context);
    return [{ dtype: inputs[7]?.dtype ?? inputs[0]?.dtype, shape }];
  },
  compute: ofTensors((node, [x, ...rest], context) => {
    if (int(node, "channels_last", 0) === 0) return one(applied(qlinearConv, node, [x, ...rest], context));
    const axes = [...(x?.shape.keys() ?? [])];
    const y = x && applied(qlinearConv, node, [transposed(x, channelsFirst(axes) as number[]), ...rest], context);
    return y && [transposed(y, channelsLast(axes) as number[])];
  }),
};

/** Scale and zero point of the output, then each tensor with its own. */
export const QLinearConcat: Op = {
  infer: (node, inputs, context) =>
    Concat.infer(
      node,
      inputs.filter((_, i) => i % 3 === 2),
      context,
    ),
  compute: ofTensors((node, [scale, zero, ...rest], context) => {
    const parts = Array.from({ length: Math.floor(rest.length / 3) }, (_, i) => floats(rest.slice(3 * i, 3 * i + 3)));
    return parts.includes(undefined) ? undefined : integers(applied(Concat, node, parts, context), scale, zero, zero?.dtype);
  }),
};
export const QLinearReduceMean: Op = { infer: (node, [x], context) => ReduceMean.infer(node, [x], context) };

/** x, weight, bias, x's scale (which has the output's type), the weight's scale, mask, zero points, past. */
export const QAttention: Op = {
  infer(node, inputs, context) {
    const dtype = inputs[3]?.dtype;
    return Attention.infer(node, [{ ...inputs[0], dtype }, inputs[1], inputs[2], undefined, inputs[8]], context);
  },
};

/** Ids, segments, quantized embeddings, scale and shift of the norm, mask, then scales, which have the output's type. */
export const QEmbedLayerNormalization: Op = {
  infer(node, [ids, segments, word, ...rest], context) {
    const typed: Value = { ...word, dtype: rest[5]?.dtype };
    return EmbedLayerNormalization.infer(node, [ids, segments, typed], context);
  },
};

export const QuantizeLinear: Op = {
  infer: (_node, [x, , zero_point]) => [{ dtype: zero_point ? zero_point.dtype : "uint8", shape: x?.shape }],
  compute: ofTensors((node, [x, scale, zero]) => x && scale && one(quantizedBy(node, x, scale, zero, zero?.dtype ?? "uint8"))),
};
export const DequantizeLinear: Op = {
  infer: (_node, [x, scale]) => [{ dtype: scale?.dtype, shape: x?.shape }],
  compute: ofTensors((node, [x, scale, zero]) => x && scale && one(dequantized(node, x, scale, zero, scale.dtype))),
};

export const ReduceSumInteger: Op = {
  infer: (node, [x], context) => [{ ...ReduceMean.infer(node, [x], context)[0], dtype: dtypeAttribute(node, "data_type", x?.dtype) }],
};
