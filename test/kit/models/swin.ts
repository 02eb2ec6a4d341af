/** A Swin transformer: attention in windows, of which every second block shifts them; channels come last throughout. */

import { concat, imageModel } from "./layers.ts";
import { INT64 } from "./model.ts";
import { conv, gelu, gemm, layerNorm, linear, reduce, reshape, slice, softmax, split, TO_END, transpose, unsqueeze } from "./operators.ts";
import { LEAST, type Trace } from "./trace.ts";

/** [batch, side, side, channels] under a name. */
interface Feature {
  name: string;
  channels: number;
  side: number;
}

const WINDOW = 4;
const CELLS = WINDOW * WINDOW;
const SHIFT = WINDOW / 2;
/** Elements of a head. */
const HEAD = 8;

/** Rows and columns moved by `by` towards the origin, round the edges. */
const rolled = (t: Trace, x: string, by: number): string =>
  [1, 2].reduce((x, axis) => concat(t, axis, slice(t, x, axis, by, TO_END), slice(t, x, axis, 0, by)), x);

/** [batch, side, side, channels] → [windows, cells, channels]. */
const windows = (t: Trace, { name, channels, side }: Feature): string => {
  const tiles = reshape(t, name, -1, side / WINDOW, WINDOW, side / WINDOW, WINDOW, channels);
  return reshape(t, transpose(t, tiles, 0, 1, 3, 2, 4, 5), -1, CELLS, channels);
};

const joined = (t: Trace, name: string, { channels, side }: Feature): string => {
  const tiles = reshape(t, name, -1, side / WINDOW, side / WINDOW, WINDOW, WINDOW, channels);
  return reshape(t, transpose(t, tiles, 0, 1, 3, 2, 4, 5), -1, side, side, channels);
};

/** [1, heads, cells, cells] of a table [(2 · WINDOW − 1)², heads], by how far two cells are apart. */
function positionBias(t: Trace, heads: number): string {
  const span = 2 * WINDOW - 1;
  const offset = (i: number, j: number) => ((i / WINDOW) | 0) - ((j / WINDOW) | 0) + WINDOW - 1;
  const at = (i: number, j: number) => offset(i, j) * span + (i % WINDOW) - (j % WINDOW) + WINDOW - 1;
  const index = BigInt64Array.from({ length: CELLS * CELLS }, (_, k) => BigInt(at((k / CELLS) | 0, k % CELLS)));
  const table = t.weight(`${t.module}.relative_position_bias_table`, [span * span, heads], 0.3);
  const flat = t.op("Gather", [table, t.tensor("relative_position_index", INT64, [CELLS * CELLS], index)], { axis: 0 });
  return unsqueeze(t, transpose(t, reshape(t, flat, CELLS, CELLS, heads), 2, 0, 1), 0);
}

/** [1, windows, 1, cells, cells]: the least float between cells that stood apart before the image was rolled. */
function shiftMask(t: Trace, side: number): string {
  const part = (at: number) => (at < side - WINDOW ? 0 : at < side - SHIFT ? 1 : 2);
  const across = side / WINDOW;
  const region = (window: number, cell: number) => {
    const row = ((window / across) | 0) * WINDOW + ((cell / WINDOW) | 0);
    return 3 * part(row) + part((window % across) * WINDOW + (cell % WINDOW));
  };
  const data = Float32Array.from({ length: across * across * CELLS * CELLS }, (_, k) => {
    const [window, i, j] = [(k / (CELLS * CELLS)) | 0, ((k / CELLS) | 0) % CELLS, k % CELLS];
    return region(window, i) === region(window, j) ? 0 : LEAST;
  });
  return t.tensor(`${t.module}.attn_mask`, 1, [1, across * across, 1, CELLS, CELLS], data);
}

/** Scores of [windows, heads, cells, cells], masked in [batch, windows of an image, heads, cells, cells]. */
function masked(t: Trace, scores: string, side: number, heads: number): string {
  const apart = reshape(t, scores, -1, (side / WINDOW) ** 2, heads, CELLS, CELLS);
  return reshape(t, t.op("Add", [apart, shiftMask(t, side)]), -1, heads, CELLS, CELLS);
}

function attention(t: Trace, x: string, { channels, side }: Feature, shifted: boolean): string {
  const heads = channels / HEAD;
  const parts = split(t, linear(t, x, `${t.module}.qkv`, channels, 3 * channels), [channels, channels, channels], 2);
  const [q, k, v] = parts.map((part) => transpose(t, reshape(t, part, -1, CELLS, heads, HEAD), 0, 2, 1, 3)) as [string, string, string];
  const scores = t.op("MatMul", [t.op("Mul", [q, t.float(1 / Math.sqrt(HEAD))]), transpose(t, k, 0, 1, 3, 2)]);
  const biased = t.op("Add", [scores, positionBias(t, heads)]);
  const weights = softmax(t, shifted ? masked(t, biased, side, heads) : biased, 4);
  const context = transpose(t, t.op("MatMul", [weights, v]), 0, 2, 1, 3);
  return linear(t, reshape(t, context, -1, CELLS, channels), `${t.module}.proj`, channels, channels);
}

function block(t: Trace, x: Feature, shifted: boolean): Feature {
  const { name, channels } = x;
  const normal = layerNorm(t, name, `${t.module}.norm1`, channels);
  const seen = windows(t, { ...x, name: shifted ? rolled(t, normal, SHIFT) : normal });
  const made = joined(
    t,
    t.in("attn", () => attention(t, seen, x, shifted)),
    x,
  );
  const attended = t.op("Add", [name, shifted ? rolled(t, made, -SHIFT) : made]);
  const again = layerNorm(t, attended, `${t.module}.norm2`, channels);
  const wide = gelu(t, linear(t, again, `${t.module}.mlp.0`, channels, 2 * channels));
  return { ...x, name: t.op("Add", [attended, linear(t, wide, `${t.module}.mlp.3`, 2 * channels, channels)]) };
}

/** Four neighbours side by side, normalized, and half as many channels of them. */
function merged(t: Trace, { name, channels, side }: Feature): Feature {
  const every = (row: number, column: number) =>
    t.op("Slice", [name, t.ints([row, column]), t.ints([TO_END, TO_END]), t.ints([1, 2]), t.ints([2, 2])]);
  const four = layerNorm(t, concat(t, -1, every(0, 0), every(1, 0), every(0, 1), every(1, 1)), "merging.norm", 4 * channels);
  return { name: linear(t, four, "merging.reduction", 4 * channels, 2 * channels, false), channels: 2 * channels, side: side / 2 };
}

export const swin = imageModel(
  "swin",
  "Swin: windows, q, k and v by Split on the last axis, biases by a table of heads, shifts, patches merged by strided Slices",
  (t, x) => {
    const patches = conv(t, x, "features.0.0", 3, 16, { kernel: [4, 4], stride: 4, pads: [0, 0, 0, 0] });
    const rows = layerNorm(t, transpose(t, patches, 0, 2, 3, 1), "features.0.2", 16);
    let feature: Feature = { name: rows, channels: 16, side: 8 };
    for (const i of [0, 1]) feature = t.in(`features.1.${i}`, () => block(t, feature, i === 1));
    feature = t.in("features.2", () => merged(t, feature));
    feature = t.in("features.3.0", () => block(t, feature, false));
    return gemm(t, reduce(t, "ReduceMean", layerNorm(t, feature.name, "norm", 32), [1, 2], 0), "head", 32, 10);
  },
);
