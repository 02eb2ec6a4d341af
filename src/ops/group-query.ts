import { attend, headed, merged, plain, repeated, rotated } from "./attend.ts";
import { type Compute, ofTensors, roomFor, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { int } from "./op.ts";
import { view } from "./product.ts";
import { scalar } from "./quantized.ts";

/**
 * Causal attention where several heads of queries share keys and values. A batch's last key stands at `seqlens_k`; without a key, the query
 * holds all three.
 */
export const groupQuery: Compute = ofTensors(
  (node, [query, key, value, past_key, past_value, lengths, total, cosine, sine, positions, bias, sink]) => {
    const [heads, shared] = [int(node, "num_heads", 1), int(node, "kv_num_heads", 1)];
    const data = query && numbersOf(query);
    const [batch = 0, length = 0, width = 0] = query?.shape ?? [];
    const size = key ? width / heads : width / (heads + 2 * shared);
    const isOther = positions || sink || int(node, "smooth_softmax", 0) > 0;
    if (!query || !data || !lengths || isOther || query.shape.length !== 3 || !(shared >= 1) || heads % shared !== 0) return undefined;
    const [keys, values] = [key, value].map((x) => x && numbersOf(x));
    const isPacked = !key && !value;
    const of = (own: typeof keys, shape: readonly number[] | undefined, from: number) =>
      isPacked ? headed(data, query.shape, shared, size, from) : own && shape && headed(own, shape, shared, size);
    let q = headed(data, query.shape, heads, size);
    let k = of(keys, key?.shape, heads * size);
    const v = of(values, value?.shape, (heads + shared) * size);
    const ends = Array.from(lengths.data as ArrayLike<number | bigint>, (last) => Number(last) + 1);
    const whole = scalar(total) ?? 0;
    // The first steps have nothing behind them, however long each batch is.
    const starts = ends.map((end) => (whole === length ? 0 : end - length));
    const room = past_key?.shape[2] ?? 0;
    const steps = Math.max(whole, room);
    const shape = [batch, shared, steps, size];
    if (ends.length !== batch || starts.some((start) => !(start >= 0 && start <= room && start + length <= steps))) return undefined;
    const [cosines, sines] = [cosine && numbersOf(cosine), sine && numbersOf(sine)];
    if (int(node, "do_rotary", 0) !== 0) {
      const turn = (x: typeof q) =>
        x &&
        cosines &&
        sines &&
        rotated(
          x,
          cosines,
          sines,
          (b, place) => (starts[b] as number) + place,
          2 * (cosine?.shape[1] ?? 0),
          int(node, "rotary_interleaved", 0) !== 0,
        );
      [q, k] = [turn(q), turn(k)];
    }
    if (!q || !k || !v || v.shape[2] !== length || k.shape[2] !== length) return undefined;
    const present = [[past_key, k] as const, [past_value, v] as const].map(([past, now]) => {
      const [y, before, rest] = [roomFor(shape), past && numbersOf(past), plain(now)];
      if (!y || (past && past.shape.join() !== [batch, shared, room, size].join())) return undefined;
      for (let i = 0; i < batch * shared; i++) {
        const start = starts[Math.floor(i / shared)] as number;
        if (before) y.set(before.subarray(i * room * size, (i * room + start) * size), i * steps * size);
        y.set(rest.subarray(i * length * size, (i + 1) * length * size), (i * steps + start) * size);
      }
      return y;
    });
    const [ks, vs] = present;
    if (!ks || !vs) return undefined;
    const window = int(node, "local_window_size", -1);
    const masked = (score: number, b: number, at: number, step: number) => {
      const now = (starts[b] as number) + at;
      return step > now || (window > 0 && step <= now - window) ? Number.NEGATIVE_INFINITY : score;
    };
    const times = heads / shared;
    const scale = int(node, "scale", 0) || 1 / Math.sqrt(size);
    const y = attend(q, repeated(view(shape, ks), times), repeated(view(shape, vs), times), {
      scale,
      bias,
      masked,
      softcap: int(node, "softcap", 0),
    });
    const result = y && merged(y.data, y.shape);
    return result && [stored(query.dtype, result.shape, result.data), ...[ks, vs].map((each) => stored(query.dtype, shape, each))];
  },
);
