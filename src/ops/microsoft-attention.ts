/**
 * Operators of com.microsoft that transformers are made of:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Node } from "../graph/graph.ts";
import type { Tensor } from "../tensor.ts";
import { attend, behind, headed, merged, plain, rotated } from "./attend.ts";
import { ofTensors, one, stored } from "./compute.ts";
import { computed, product, quotient } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { groupQuery } from "./group-query.ts";
import { type Context, int, numbers, type Op } from "./op.ts";
import { addTo, multiplied, type View, view } from "./product.ts";
import type { Dim, Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
const typeOfFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }] };

export const LongformerAttention = likeFirst;
/** x[batch, length, heads · size] or [batch, heads, length, size], a first position or those of all, cosines and sines of each position. */
export const RotaryEmbedding: Op = {
  ...likeFirst,
  compute: ofTensors((node, [x, positions, cosine, sine]) => {
    const [data, cosines, sines] = [x, cosine, sine].map((each) => each && numbersOf(each));
    const half = cosine?.shape[1] ?? 0;
    const list = Array.from((positions?.data ?? []) as ArrayLike<number | bigint>, Number);
    if (!x || !data || !cosines || !sines || list.length === 0 || int(node, "is_packed_batching", 0) !== 0) return undefined;
    const heads = int(node, "num_heads", 0) || Math.floor((x.shape.at(-1) ?? 0) / (half * 2));
    const matrix = x.shape.length === 4 ? view(x.shape, data) : headed(data, x.shape, heads, (x.shape[2] ?? 0) / heads);
    const length = matrix?.shape[2] ?? 0;
    const position = (batch: number, place: number) =>
      list.length === 1 ? (list[0] as number) + place : (list[batch * length + place] ?? -1);
    const width = int(node, "rotary_embedding_dim", 0) || half * 2;
    const y = matrix && width === half * 2 && rotated(matrix, cosines, sines, position, width, int(node, "interleaved", 0) !== 0);
    if (!y) return undefined;
    return one(stored(x.dtype, x.shape, x.shape.length === 4 ? (y.data as Float64Array) : merged(y.data as Float64Array, y.shape).data));
  }),
};
export const PackedAttention = typeOfFirst;
export const PackedMultiHeadAttention = typeOfFirst;
export const RelativePositionBias = typeOfFirst;
export const RestorePadding = typeOfFirst;
export const DecoderAttention: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };

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
  compute: ofTensors((node, [x, weight, bias, mask, past, added]) => {
    const [data, weights, biases] = [x, weight, bias].map((each) => each && numbersOf(each));
    const [batch = 0, length = 0] = x?.shape ?? [];
    const columns = weight?.shape[1] ?? 0;
    const heads = int(node, "num_heads", 0);
    const sizes = (numbers(node, "qkv_hidden_sizes") ?? [columns / 3, columns / 3, columns / 3]) as readonly number[];
    const product = x && weight && data && weights && multiplied(view(x.shape, data), view(weight.shape, weights));
    if (!x || !product || sizes.length !== 3 || x.shape.length !== 3 || int(node, "do_rotary", 0) !== 0 || past) return undefined;
    if (bias && !(biases && addTo(product.data as Float64Array, product.shape, { shape: bias.shape, data: biases }))) return undefined;
    const [first, second, third] = sizes as [number, number, number];
    const [q, k, v] = (
      [
        [first, 0],
        [second, first],
        [third, first + second],
      ] as const
    ).map(([size, from]) => headed(product.data as Float64Array, product.shape, heads, size / heads, from));
    const hidden = mask && hiding(node, mask, batch, length);
    if (!q || !k || !v || (mask && !hidden)) return undefined;
    const isCausal = int(node, "unidirectional", 0) !== 0;
    const masked = (score: number, b: number, query: number, key: number) =>
      isCausal && key > query ? Number.NEGATIVE_INFINITY : score + (hidden?.(b, query, key) ?? 0);
    const y = attend(q, k, v, { scale: int(node, "scale", 0) || 1 / Math.sqrt(first / heads), bias: added, masked });
    const result = y && merged(y.data, y.shape);
    return result && one(stored(x.dtype, result.shape, result.data));
  }),
};

/** What is added to a score: a mask is how many keys of each batch count, or 0 for each key that does not, for all queries or each. */
function hiding(
  node: Node,
  mask: Tensor,
  batch: number,
  keys: number,
): ((batch: number, query: number, key: number) => number) | undefined {
  const value = int(node, "mask_filter_value", -10000);
  const data = Array.from(mask.data as ArrayLike<number | bigint>, Number);
  if (mask.shape.join() === `${batch}`) return (b, _query, key) => (key < (data[b] as number) ? 0 : value);
  if (mask.shape.join() === [batch, keys].join()) return (b, _query, key) => (data[b * keys + key] ? 0 : value);
  const queries = mask.shape[1] ?? 0;
  if (mask.shape.join() !== [batch, queries, keys].join()) return undefined;
  return (b, query, key) => (data[(b * queries + query) * keys + key] ? 0 : value);
}

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
  /** Keys and values [batch, heads, length, size] come without a past. */
  compute: ofTensors((node, [query, key, value, bias, mask, added, past_key, past_value]) => {
    const heads = int(node, "num_heads", 0);
    const biases = bias && numbersOf(bias);
    let from = 0;
    const [q, k, v] = [query, key, value].map((x): View | undefined => {
      const data = x && numbersOf(x);
      if (!data || x.shape.length < 3) return undefined;
      if (x.shape.length === 4) return x.shape[1] === heads ? view(x.shape, data) : undefined;
      const width = x.shape[2] as number;
      const own = biases?.subarray(from, (from += width));
      const sums = Float64Array.from(data, (value, i) => value + (own?.[i % width] ?? 0));
      return headed(sums, x.shape, heads, width / heads);
    });
    if (!q || !k || !v || (bias && biases?.length !== from) || node.output.length > 3) return undefined;
    const [keys, values] = [behind(past_key, k), behind(past_value, v)];
    const [batch = 0, , length = 0, size = 1] = q.shape;
    const total = keys?.shape[2] ?? 0;
    const hidden = mask && hiding(node, mask, batch, total);
    if (!keys || !values || (mask && !hidden)) return undefined;
    const isCausal = int(node, "unidirectional", 0) !== 0;
    const masked = (score: number, b: number, at: number, key: number) =>
      isCausal && key > at + total - length ? Number.NEGATIVE_INFINITY : score + (hidden?.(b, at, key) ?? 0);
    const y = attend(q, keys, values, { scale: int(node, "scale", 0) || 1 / Math.sqrt(size), bias: added, masked });
    const result = y && merged(y.data, y.shape);
    const present = [keys, values].map((each) => stored(query?.dtype, each.shape, plain(each)));
    return result && [stored(query?.dtype, result.shape, result.data), ...(node.output.length > 1 ? present : [])];
  }),
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
  compute: groupQuery,
};
export const SparseAttention: Op = { infer: GroupQueryAttention.infer };

export const GatedRelativePositionBias: Op = {
  infer: (node, [query], context) => [
    { dtype: query?.dtype, shape: [context.symbol(), int(node, "num_heads", 1), context.symbol(), context.symbol()] },
  ],
};

export const RemovePadding: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype }, { dtype: "int32" }, { dtype: "int32" }, { dtype: "int32" }],
};
