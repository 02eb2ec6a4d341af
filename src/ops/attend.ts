/** Attention of queries to keys: softmax(Q · Kᵀ · scale + mask) · V. */
import { elements, type Tensor } from "../tensor.ts";
import { roomFor } from "./compute.ts";
import { type Numbers, numbersOf } from "./elements.ts";
import { broadcastShape, multiplied, turned, type View, view } from "./product.ts";
import { softmax } from "./softmax.ts";
import { broadcastStrides, offsets } from "./strides.ts";

/** x[batch, length, heads · size] as [batch, heads, length, size]; `from` a column of rows `width` wide. */
export function headed(
  data: Numbers,
  [batch = 0, length = 0, width = 0]: readonly number[],
  heads: number,
  size: number,
  from = 0,
): View | undefined {
  if (!(heads >= 1) || !Number.isInteger(heads) || !Number.isInteger(size) || from + heads * size > width) return undefined;
  return { data: data.subarray(from), shape: [batch, heads, length, size], steps: [length * width, size, width, 1] };
}

/** [batch, heads, length, size] as [batch, length, heads · size]. */
export function merged(
  data: ArrayLike<number>,
  [batch = 0, heads = 0, length = 0, size = 0]: readonly number[],
): { shape: number[]; data: Float64Array } {
  const from = offsets([batch, length, heads, size], [heads * length * size, size, length * size, 1]);
  return { shape: [batch, length, heads * size], data: Float64Array.from(from, (at) => data[at] as number) };
}

/** The elements of a view, one after the other. */
export const plain = ({ data, shape, steps }: View): Float64Array => Float64Array.from(offsets(shape, steps), (at) => data[at] as number);

/** A tensor [batch, heads, past, size] with a view behind it along the third axis. */
export function behind(past: Tensor | undefined, now: View): View | undefined {
  if (!past) return now;
  const before = numbersOf(past);
  const [batch = 0, heads = 0, length = 0, size = 0] = now.shape;
  const steps = past.shape[2] ?? 0;
  const y = roomFor([batch, heads, steps + length, size]);
  if (!before || !y || past.shape.join() !== [batch, heads, steps, size].join()) return undefined;
  const rest = plain(now);
  for (let i = 0; i < batch * heads; i++) {
    y.set(before.subarray(i * steps * size, (i + 1) * steps * size), i * (steps + length) * size);
    y.set(rest.subarray(i * length * size, (i + 1) * length * size), (i * (steps + length) + steps) * size);
  }
  return view([batch, heads, steps + length, size], y);
}

/** Each head of keys and values for so many heads of queries. */
export function repeated({ data, shape, steps }: View, times: number): View {
  const [batch = 0, heads = 0, length = 0, size = 0] = shape;
  return view(
    [batch, heads * times, length, size],
    plain({
      data,
      shape: [batch, heads, times, length, size],
      steps: [steps[0] as number, steps[1] as number, 0, steps[2] as number, steps[3] as number],
    }),
  );
}

export interface Attending {
  scale: number;
  /** Added to the scores: broadcast to [batch, heads, queries, keys]. */
  bias?: Tensor | undefined;
  /** What else is done to a score: of a query in a batch for a key. */
  masked?: (score: number, batch: number, query: number, key: number) => number;
  /** Bounds scores by tanh, where it is not 0. */
  softcap?: number;
}

/** Queries, keys and values are [batch, heads, length, size]. Rows without any key give zeros. */
export function attend(
  q: View,
  k: View,
  v: View,
  { scale, bias, masked, softcap = 0 }: Attending,
): { shape: readonly number[]; data: Float64Array } | undefined {
  const scores = multiplied(q, turned(k));
  if (!scores) return undefined;
  const sums = scores.data as Float64Array;
  const [, heads = 0, queries = 0, keys = 0] = scores.shape;
  const added = bias && numbersOf(bias);
  if (bias && (!added || broadcastShape(bias.shape, scores.shape)?.join() !== scores.shape.join())) return undefined;
  const places = bias && offsets(scores.shape, broadcastStrides(bias.shape, scores.shape));
  for (let i = 0; i < sums.length; i++) {
    const plainScore = (sums[i] as number) * scale;
    const capped = softcap > 0 ? softcap * Math.tanh(plainScore / softcap) : plainScore;
    const score = capped + (added && places ? (added[places[i] as number] as number) : 0);
    sums[i] = masked ? masked(score, Math.floor(i / (heads * queries * keys)), Math.floor(i / keys) % queries, i % keys) : score;
  }
  for (let i = 0; i < elements(scores.shape.slice(0, 3)); i++) {
    const line = sums.subarray(i * keys, (i + 1) * keys);
    if (line.every((score) => score === Number.NEGATIVE_INFINITY)) line.fill(0);
    else softmax(line);
  }
  const y = multiplied(view(scores.shape, sums), v);
  return y as { shape: readonly number[]; data: Float64Array } | undefined;
}

/** Pairs of each head's first elements turned by angles of their positions. `interleaved`: neighbours are pairs, else halves. */
export function rotated(
  x: View,
  cosines: ArrayLike<number>,
  sines: ArrayLike<number>,
  position: (batch: number, place: number) => number,
  width: number,
  isInterleaved: boolean,
): View | undefined {
  const [batch = 0, heads = 0, length = 0, size = 0] = x.shape;
  const half = width / 2;
  if (!Number.isInteger(half) || width > size) return undefined;
  const y = plain(x);
  for (let i = 0; i < batch * heads * length; i++) {
    const at = position(Math.floor(i / heads / length), i % length);
    for (let k = 0; k < half; k++) {
      const [c, s] = [cosines[at * half + k], sines[at * half + k]];
      if (c === undefined || s === undefined) return undefined;
      const [first, second] = isInterleaved ? [i * size + 2 * k, i * size + 2 * k + 1] : [i * size + k, i * size + k + half];
      const [a, b] = [y[first] as number, y[second] as number];
      y[first] = a * c - b * s;
      y[second] = a * s + b * c;
    }
  }
  return view(x.shape, y);
}
