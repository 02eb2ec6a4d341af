/**
 * Float operators of com.microsoft, which onnxruntime and its tools write:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { Conv } from "./conv.ts";
import * as create from "./create.ts";
import { computed, product, quotient } from "./dims.ts";
import { GridSample as gridSample } from "./image.ts";
import { Gemm, matmulShape } from "./linear.ts";
import { type Context, dtypeAttribute, int, numbers, type Op } from "./op.ts";
import { Pad as pad } from "./pad.ts";
import { MaxPool } from "./pool.ts";
import { GatherND as gatherND, Trilu as trilu } from "./select.ts";
import type { Dim, Dims, Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
const typeOfFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }] };
const tokens: Op = { infer: (node) => node.output.map((_, i) => (i === 0 ? { dtype: "int32" } : {})) };

export const BiasAdd = likeFirst;
export const BiasGelu = likeFirst;
export const BiasSoftmax = likeFirst;
export const ComplexMul = likeFirst;
export const ComplexMulConj = likeFirst;
export const FastGelu = likeFirst;
export const Gelu = likeFirst;
export const GroupNorm = likeFirst;
export const Inverse = likeFirst;
export const LongformerAttention = likeFirst;
export const MoE = likeFirst;
export const NGramRepeatBlock: Op = { infer: (_node, [, scores]) => [{ dtype: scores?.dtype, shape: scores?.shape }] };
export const QuickGelu = likeFirst;
export const RotaryEmbedding = likeFirst;

export const AttnLSTM: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };
export const ConvTransposeWithDynamicPads = typeOfFirst;
export const DecoderAttention: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };
export const ExpandDims = typeOfFirst;
export const GemmFastGelu = typeOfFirst;
export const Irfft = typeOfFirst;
export const PackedAttention = typeOfFirst;
export const PackedMultiHeadAttention = typeOfFirst;
export const RelativePositionBias = typeOfFirst;
export const RestorePadding = typeOfFirst;
export const Rfft = typeOfFirst;
export const SampleOp = likeFirst;
export const SparseToDenseMatMul: Op = { infer: (_node, [, b]) => [{ dtype: b?.dtype }] };
export const UnfoldTensor = typeOfFirst;
export const WordConvEmbedding: Op = { infer: (_node, [, w]) => [{ dtype: w?.dtype }] };

export const BeamSearch = tokens;
export const GreedySearch = tokens;
export const Sampling = tokens;
export const WhisperBeamSearch = tokens;

export const FusedConv = Conv;
export const FusedGemm = Gemm;
export const GatherND = gatherND;
export const GridSample = gridSample;
export const MaxpoolWithMask = MaxPool;
export const Pad = pad;
export const Range = create.Range;
export const Trilu = trilu;

export const GemmFloat8: Op = {
  infer: (node, inputs, context) => [{ ...Gemm.infer(node, inputs, context)[0], dtype: dtypeAttribute(node, "dtype", "float32") }],
};
export const IsAllFinite: Op = { infer: () => [{ dtype: "bool", shape: [] }] };
export const Tokenizer: Op = { infer: () => [{ dtype: "string" }] };
export const MurmurHash3: Op = { infer: (node, [x]) => [{ dtype: int(node, "positive", 1) ? "uint32" : "int32", shape: x?.shape }] };
export const CDist: Op = {
  infer: (_node, [a, b]) => [{ dtype: a?.dtype, shape: a?.shape && b?.shape && [a.shape[0] as Dim, b.shape[0] as Dim] }],
};

/** `transBatchA` says that A's rows are its first axis, before those of the batch. */
export const FusedMatMul: Op = {
  infer(node, [a, b], context) {
    const turned = (shape: Dims | undefined, which: string): Dims | undefined => {
      if (!shape || shape.length < 2) return shape;
      const [batch, rows, columns] = int(node, `transBatch${which}`, 0)
        ? [shape.slice(1, -1), shape[0], shape.at(-1)]
        : [shape.slice(0, -2), shape.at(-2), shape.at(-1)];
      return [...batch, ...((int(node, `trans${which}`, 0) ? [columns, rows] : [rows, columns]) as Dim[])];
    };
    return [{ dtype: a?.dtype, shape: matmulShape(turned(a?.shape, "A"), turned(b?.shape, "B"), context) }];
  },
};
export const FusedMatMulActivation = FusedMatMul;
export const TransposeMatMul = FusedMatMul;

/** Half of the last axis gates the other. */
export const BiasSplitGelu: Op = {
  infer(_node, [x], context) {
    const half = x?.shape?.length ? quotient([x.shape.at(-1) as Dim], [2], context) : undefined;
    return [{ dtype: x?.dtype, shape: half === undefined ? undefined : [...(x?.shape ?? []).slice(0, -1), half] }];
  },
};

export const BiasDropout: Op = {
  infer: (_node, [x]) => [
    { dtype: x?.dtype, shape: x?.shape },
    { dtype: "bool", shape: x?.shape },
  ],
};

/** Output, mean, inverse deviation, and the sum before it was normalized. */
export const SkipLayerNormalization: Op = {
  infer(_node, [x], _context) {
    const y: Value = { dtype: x?.dtype, shape: x?.shape };
    const statistic: Value = { dtype: "float32", shape: x?.shape?.map((d, i, { length }) => (i === length - 1 ? 1 : d)) };
    return [y, statistic, statistic, y];
  },
};
export const SkipSimplifiedLayerNormalization = SkipLayerNormalization;

export const SkipGroupNorm: Op = { infer: (_node, [x]) => Array.from({ length: 2 }, () => ({ dtype: x?.dtype, shape: x?.shape })) };

/** ids[batch, length], segments, word embedding[words, hidden], … → [batch, length, hidden], mask index, sum. */
export const EmbedLayerNormalization: Op = {
  infer(_node, [ids, , word], context) {
    const hidden = word?.shape?.[1] ?? context.symbol();
    const y: Value = { dtype: word?.dtype, shape: ids?.shape && [...ids.shape, hidden] };
    return [y, { dtype: "int32", shape: [ids?.shape?.[0] ?? context.symbol()] }, y];
  },
};

/** Keys or values of all steps so far: [batch, heads, steps, head size]. */
const cache = (batch: Dim | undefined, past: Value | undefined, dtype: Value["dtype"], context: Context): Value => ({
  dtype: past?.dtype ?? dtype,
  shape: [batch ?? context.symbol(), past?.shape?.[1] ?? context.symbol(), context.symbol(), past?.shape?.[3] ?? context.symbol()],
});

/** x[batch, length, input], weight[input, 3 · hidden], …; the fifth input is [2, batch, heads, steps, head size] of the past. */
export const Attention: Op = {
  infer(node, [x, weight, bias, , past], context) {
    const columns = weight?.shape?.[1] ?? bias?.shape?.[0];
    const hidden = numbers(node, "qkv_hidden_sizes")?.[2] ?? (columns === undefined ? undefined : quotient([columns], [3], context));
    const [batch, length] = x?.shape ?? [context.symbol(), context.symbol()];
    const present = past?.shape?.map((d, i) => (i === 3 ? context.symbol() : d));
    return [
      { dtype: x?.dtype, shape: hidden === undefined ? undefined : [batch as Dim, length as Dim, hidden] },
      { dtype: x?.dtype, shape: present },
    ];
  },
};

/** query[batch, length, hidden], key, value: [batch, length, hidden of the value]; packed, query[batch, length, heads, 3, head size]. */
export const MultiHeadAttention: Op = {
  infer(node, inputs, context) {
    const [query, , value] = inputs;
    const q = query?.shape;
    const v = value?.shape;
    const [batch, length] = q ?? [];
    const heads = int(node, "num_heads", 0);
    const packed = q?.length === 5 ? product([q[2] as Dim, q[4] as Dim], context) : undefined;
    const hidden = packed ?? (v?.length === 4 ? product([v[1] as Dim, v[3] as Dim], context) : v?.[2]);
    const y: Value = { dtype: query?.dtype, shape: q && hidden !== undefined ? [batch as Dim, length as Dim, hidden] : undefined };
    const present = [6, 7].map((past) => cache(batch, inputs[past], query?.dtype, context));
    const scores = [batch ?? context.symbol(), heads, length ?? context.symbol(), context.symbol()];
    return [y, ...present, { dtype: query?.dtype, shape: q?.length === 3 ? scores : undefined }];
  },
};
export const DecoderMaskedMultiHeadAttention: Op = {
  infer: (_node, [query, , value]) => {
    const shape =
      query?.shape?.length === 3 && value?.shape?.length === 3 ? [...query.shape.slice(0, 2), value.shape[2] as Dim] : undefined;
    return [{ dtype: query?.dtype, shape }, { dtype: query?.dtype }, { dtype: query?.dtype }, { dtype: query?.dtype }];
  },
};
export const DecoderMaskedSelfAttention: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }, { dtype: x?.dtype }] };

/** Without a key, query holds the three side by side: num_heads of it, and kv_num_heads of key and value each. */
export const GroupQueryAttention: Op = {
  infer(node, [query, key, , past_key, past_value], context) {
    const q = query?.shape?.length === 3 ? query.shape : undefined;
    const [heads, kv] = [int(node, "num_heads", 1), int(node, "kv_num_heads", 1)];
    const hidden = q && (key ? q[2] : computed(`grouped/${[heads, kv]}`, [q[2] as Dim], context, (n) => (n / (heads + 2 * kv)) * heads));
    const y: Value = { dtype: query?.dtype, shape: q && hidden !== undefined ? [q[0] as Dim, q[1] as Dim, hidden] : undefined };
    const present = [past_key, past_value].map((past): Value => {
      const { dtype, shape } = cache(q?.[0], past, query?.dtype, context);
      return { dtype, shape: shape?.map((d, i) => (i === 1 ? kv : d)) };
    });
    return [y, ...present];
  },
};
export const SparseAttention = GroupQueryAttention;

export const GatedRelativePositionBias: Op = {
  infer: (node, [query], context) => [
    { dtype: query?.dtype, shape: [context.symbol(), int(node, "num_heads", 1), context.symbol(), context.symbol()] },
  ],
};

export const RemovePadding: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype }, { dtype: "int32" }, { dtype: "int32" }, { dtype: "int32" }],
};

/** Values, which of them each element is, and how many of each. */
export const Unique: Op = {
  infer(_node, [x], context) {
    const count = context.symbol();
    return [
      { dtype: x?.dtype, shape: [count] },
      { dtype: "int64", shape: x?.shape },
      { dtype: "int64", shape: [count] },
    ];
  },
};

export const CropAndResize: Op = {
  infer: (_node, [x, rois], context) => [
    {
      dtype: x?.dtype,
      shape: [rois?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), context.symbol(), context.symbol()],
    },
  ],
};
