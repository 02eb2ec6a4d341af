/**
 * Operators of com.microsoft on quantized tensors:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { convShape } from "./conv.ts";
import { broadcast, unknownDims } from "./dims.ts";
import { Concat } from "./layout.ts";
import { Attention, EmbedLayerNormalization } from "./microsoft-attention.ts";
import { dtypeAttribute, int, type Op } from "./op.ts";
import { AveragePool } from "./pool.ts";
import { ReduceMean } from "./reduce.ts";
import type { Dim, Dims, Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

export const QLinearLeakyRelu = likeFirst;
export const QLinearSigmoid = likeFirst;
export const QLinearSoftmax = likeFirst;
export const QMoE = likeFirst;

/** A, its scale and zero point, then B. */
const binary: Op = {
  infer: (_node, inputs, context) => [{ dtype: inputs[0]?.dtype, shape: broadcast([inputs[0]?.shape, inputs[3]?.shape], context) }],
};
export const QLinearAdd = binary;
export const QLinearMul = binary;

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
});
const global: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape?.map((d, i) => (i < 2 ? d : 1)) }] };
export const QLinearAveragePool = pool(AveragePool);
export const QLinearGlobalAveragePool = pool(global);
export const NhwcMaxPool = pool(AveragePool, true);

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
};

/** Scale and zero point of the output, then each tensor with its own. */
export const QLinearConcat: Op = {
  infer: (node, inputs, context) =>
    Concat.infer(
      node,
      inputs.filter((_, i) => i % 3 === 2),
      context,
    ),
};
export const QLinearReduceMean: Op = { infer: (node, [x], context) => ReduceMean.infer(node, [x], context) };

export const GatherBlockQuantized: Op = {
  infer: (_node, [data, indices, scales], context) => [
    { dtype: scales?.dtype, shape: data?.shape && indices?.shape && unknownDims(data.shape.length + indices.shape.length - 1, context) },
  ],
};

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
};
export const DequantizeLinear: Op = { infer: (_node, [x, scale]) => [{ dtype: scale?.dtype, shape: x?.shape }] };

export const ReduceSumInteger: Op = {
  infer: (node, [x], context) => [{ ...ReduceMean.infer(node, [x], context)[0], dtype: dtypeAttribute(node, "data_type", x?.dtype) }],
};
