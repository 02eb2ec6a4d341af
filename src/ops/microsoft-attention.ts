/**
 * Operators of com.microsoft that transformers are made of:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { computed, product, quotient } from "./dims.ts";
import { type Context, int, numbers, type Op } from "./op.ts";
import type { Dim, Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
const typeOfFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }] };

export const LongformerAttention = likeFirst;
export const RotaryEmbedding = likeFirst;
export const PackedAttention = typeOfFirst;
export const PackedMultiHeadAttention = typeOfFirst;
export const RelativePositionBias = typeOfFirst;
export const RestorePadding = typeOfFirst;
export const DecoderAttention: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };

/** Output, mean, inverse deviation, and the sum before it was normalized. */
export const SkipLayerNormalization: Op = {
  infer(_node, [x], _context) {
    const y: Value = { dtype: x?.dtype, shape: x?.shape };
    const statistic: Value = { dtype: "float32", shape: x?.shape?.map((d, i, { length }) => (i === length - 1 ? 1 : d)) };
    return [y, statistic, statistic, y];
  },
};
export const SkipSimplifiedLayerNormalization = SkipLayerNormalization;

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
