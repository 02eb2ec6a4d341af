/** Attention as ai.onnx has it from opset 23 on. */
import { attend, behind, headed, merged, plain, repeated, rotated } from "./attend.ts";
import { ofTensors, one, stored } from "./compute.ts";
import { product } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { int, type Op } from "./op.ts";
import { view } from "./product.ts";
import type { Dim, Value } from "./value.ts";

/** Q, K and V are [batch, heads, length, size] or [batch, length, heads · size]. https://onnx.ai/onnx/operators/onnx__Attention.html */
export const Attention: Op = {
  infer(node, [q, , v, , past_key, past_value], context) {
    const [qs, vs] = [q?.shape, v?.shape];
    const [heads, kv] = [int(node, "q_num_heads", 0), int(node, "kv_num_heads", 0)];
    const isFlat = qs?.length === 3 && vs?.length === 3;
    const width =
      isFlat && typeof vs[2] === "number" && kv > 0 && vs[2] % kv === 0 ? product([vs[2] / kv, heads], context) : context.symbol();
    const shape = isFlat
      ? [qs[0] as Dim, qs[1] as Dim, width]
      : qs?.length === 4 && vs?.length === 4
        ? [...qs.slice(0, 3), vs[3] as Dim]
        : undefined;
    const present = (past: Value | undefined): Value => ({ dtype: past?.dtype ?? v?.dtype });
    return [{ dtype: q?.dtype, shape }, present(past_key), present(past_value), { dtype: q?.dtype }];
  },
  /** Scores are not given out. */
  compute: ofTensors((node, [query, key, value, mask, past_key, past_value]) => {
    const isFlat = query?.shape.length === 3;
    const heads = isFlat ? int(node, "q_num_heads", 0) : (query?.shape[1] ?? 0);
    const shared = isFlat ? int(node, "kv_num_heads", 0) : (key?.shape[1] ?? 0);
    const [q, k, v] = [query, key, value].map((x, i) => {
      const data = x && numbersOf(x);
      const count = i === 0 ? heads : shared;
      return data && (x.shape.length === 3 ? headed(data, x.shape, count, (x.shape[2] ?? 0) / count) : view(x.shape, data));
    });
    if (!q || !k || !v || heads % shared !== 0 || node.output[3]) return undefined;
    const [keys, values] = [behind(past_key, k), behind(past_value, v)];
    const softcap = int(node, "softcap", 0);
    if (!keys || !values || (softcap > 0 && mask)) return undefined;
    const isHidden = mask?.dtype === "bool";
    const bias = isHidden
      ? { ...mask, dtype: "float32" as const, data: Float32Array.from(mask.data as Uint8Array, (x) => (x ? 0 : Number.NEGATIVE_INFINITY)) }
      : mask;
    const before = (keys.shape[2] as number) - (k.shape[2] as number);
    const isCausal = int(node, "is_causal", 0) !== 0;
    const masked = (score: number, _batch: number, at: number, step: number) =>
      isCausal && step > at + before ? Number.NEGATIVE_INFINITY : score;
    const [ks, vs] = [repeated(keys, heads / shared), repeated(values, heads / shared)];
    const y = attend(q, ks, vs, { scale: int(node, "scale", 0) || 1 / Math.sqrt(q.shape[3] as number), bias, masked, softcap });
    const result = y && (isFlat ? merged(y.data, y.shape) : y);
    const present = [keys, values].map((each) => stored(query?.dtype, each.shape, plain(each)));
    return result && [stored(query?.dtype, result.shape, result.data), ...(node.output.length > 1 ? present : [])];
  }),
};

/** Cosines and sines are those of each position, which `positions` names, or of each place. */
export const RotaryEmbedding: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  compute: ofTensors((node, [x, cosine, sine, positions]) => {
    const [data, cosines, sines] = [x, cosine, sine].map((each) => each && numbersOf(each));
    if (!x || !data || !cosines || !sines) return undefined;
    const heads = int(node, "num_heads", 0);
    const matrix = x.shape.length === 4 ? view(x.shape, data) : headed(data, x.shape, heads, (x.shape[2] ?? 0) / heads);
    const length = matrix?.shape[2] ?? 0;
    const position = (batch: number, place: number) =>
      positions ? Number(positions.data[batch * length + place]) : batch * length + place;
    const width = int(node, "rotary_embedding_dim", 0) || (matrix?.shape[3] ?? 0);
    if (cosine?.shape.at(-1) !== width / 2) return undefined;
    const y = matrix && rotated(matrix, cosines, sines, position, width, int(node, "interleaved", 0) !== 0);
    return (
      y && one(stored(x.dtype, x.shape, x.shape.length === 4 ? (y.data as Float64Array) : merged(y.data as Float64Array, y.shape).data))
    );
  }),
};
