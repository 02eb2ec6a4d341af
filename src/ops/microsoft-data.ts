/** Operators of com.microsoft that pick, compare and turn around: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { elements, type Tensor } from "../tensor.ts";
import { filled, ofKnown, ofTensors, one, roomFor, stored } from "./compute.ts";
import { unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { indicesOf } from "./indices.ts";
import { axisOf, int, type Op, text } from "./op.ts";
import { Unique as unique } from "./search.ts";
import { strides } from "./strides.ts";
import type { Dim } from "./value.ts";

/** A dimension of 1 at `axis`, an input. */
export const ExpandDims: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype }],
  compute: ofTensors((_node, [x, place]) => {
    const axis = x && place?.data.length === 1 ? axisOf(Number(place.data[0]), x.shape.length + 1) : undefined;
    return x && axis !== undefined ? [{ ...x, shape: x.shape.toSpliced(axis, 0, 1) }] : undefined;
  }),
};

/** Distances between the rows of two matrices. */
export const CDist: Op = {
  infer: (_node, [a, b]) => [{ dtype: a?.dtype, shape: a?.shape && b?.shape && [a.shape[0] as Dim, b.shape[0] as Dim] }],
  compute: ofKnown((node, [a, b], { outputs: [y] }) => {
    const [p, q] = [a && numbersOf(a), b && numbersOf(b)];
    const [size, columns] = [a?.shape[1], b?.shape[0] ?? 0];
    if (!p || !q || size === undefined || size !== b?.shape[1]) return undefined;
    const squared = (i: number, j: number) => {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += ((p[i * size + k] as number) - (q[j * size + k] as number)) ** 2;
      return sum;
    };
    const isRoot = text(node, "metric", "sqeuclidean") === "euclidean";
    const distance = (i: number) => squared(Math.floor(i / columns), i % columns);
    return one(filled(y?.dtype, y?.shape, (i) => (isRoot ? Math.sqrt(distance(i)) : distance(i))));
  }),
};

/** Inverses of the last two axes, by Gauss and Jordan with pivots. */
export const Inverse: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  compute: ofTensors((_node, [x]) => {
    const n = x?.shape.at(-1);
    const [from, to] = [x && numbersOf(x), roomFor(x?.shape)];
    if (!x || !from || !to || n === undefined || n !== x.shape.at(-2)) return undefined;
    for (let start = 0; start < to.length; start += n * n) {
      const rows = Array.from({ length: n }, (_, i) =>
        Float64Array.from({ length: 2 * n }, (_, j) => (j < n ? (from[start + i * n + j] as number) : Number(j - n === i))),
      );
      for (let i = 0; i < n; i++) {
        const size = (row: number) => Math.abs(rows[row]?.[i] as number);
        let pivot = i;
        for (let row = i + 1; row < n; row++) if (size(row) > size(pivot)) pivot = row;
        rows.splice(pivot, 1, ...rows.splice(i, 1, ...rows.slice(pivot, pivot + 1)));
        const own = rows[i] as Float64Array;
        const by = own[i] as number;
        for (let j = 0; j < 2 * n; j++) own[j] = (own[j] as number) / by;
        for (const row of rows) {
          const factor = row[i] as number;
          if (row !== own) for (let j = 0; j < 2 * n; j++) row[j] = (row[j] as number) - factor * (own[j] as number);
        }
      }
      rows.forEach((row, i) => {
        to.set(row.subarray(n), start + i * n);
      });
    }
    return one(stored(x.dtype, x.shape, to));
  }),
};

/** Values in the order that they come in, which of them each element is, and how many of each. */
export const Unique: Op = {
  infer(_node, [x], context) {
    const count = context.symbol();
    return [
      { dtype: x?.dtype, shape: [count] },
      { dtype: "int64", shape: x?.shape },
      { dtype: "int64", shape: [count] },
    ];
  },
  compute(node, inputs, context) {
    const [values, , places, counts] = unique.compute?.({ ...node, attributes: { sorted: 0 } }, inputs, context) ?? [];
    return values && [values, places, counts];
  },
};

/** Tokens that would repeat an n-gram of the ids [batch, length] get the score −∞. */
export const NGramRepeatBlock: Op = {
  infer: (_node, [, scores]) => [{ dtype: scores?.dtype, shape: scores?.shape }],
  compute: ofTensors((node, [ids, scores]) => {
    const size = int(node, "ngram_size", 0);
    const [batch = 0, length = 0] = ids?.shape ?? [];
    const data = scores?.data instanceof Float32Array ? scores.data.slice() : undefined;
    const words = scores?.shape[1] ?? 0;
    if (!ids || !scores || !data || size < 1 || scores.shape.length !== 2 || scores.shape[0] !== batch || ids.shape.length !== 2)
      return undefined;
    const context = size - 1;
    for (let row = 0; row < batch; row++) {
      const id = (i: number) => Number(ids.data[row * length + i]);
      for (let at = 0; at + context < length; at++) {
        const isSame = Array.from({ length: context }, (_, k) => id(at + k) === id(length - context + k)).every(Boolean);
        const next = id(at + context);
        if (isSame && next >= 0 && next < words) data[row * words + next] = Number.NEGATIVE_INFINITY;
      }
    }
    return [{ ...scores, data }];
  }),
};

/** The code at `i`: eight bits, or four, of which the last axis' may be filled up to a byte. */
function code({ dtype, data }: Tensor, bits: number, i: number, width?: number): number {
  const bytes = data as Uint8Array;
  if (bits === 8) return bytes[i] as number;
  const at = width === undefined ? i : Math.floor(i / width) * 2 * Math.ceil(width / 2) + (i % width);
  const nibble = ((bytes[at >> 1] as number) >> (4 * (at & 1))) & 15;
  return dtype === "int4" ? (nibble ^ 8) - 8 : nibble;
}

/** Rows of a matrix of codes, of which each block along an axis has a scale and a zero point; bytes hold codes of `bits`. */
export const GatherBlockQuantized: Op = {
  infer: (_node, [data, indices, scales], context) => [
    { dtype: scales?.dtype, shape: data?.shape && indices?.shape && unknownDims(data.shape.length + indices.shape.length - 1, context) },
  ],
  compute: ofTensors((node, [x, indices, scale, zero_point]) => {
    const isBytes = x?.dtype === "uint8";
    const bits = isBytes ? int(node, "bits", 4) : 4;
    const scales = scale && numbersOf(scale);
    if (
      !x?.shape.length ||
      !indices ||
      !scale ||
      !scales ||
      !(isBytes || x.dtype === "int4" || x.dtype === "uint4") ||
      (bits !== 4 && bits !== 8)
    )
      return undefined;
    const shape = isBytes && bits === 4 ? x.shape.with(-1, 2 * (x.shape.at(-1) ?? 0)) : x.shape;
    const [gathered, along] = [int(node, "gather_axis", 0), int(node, "quantize_axis", 1)].map((axis) => axisOf(axis, shape.length));
    const block = int(node, "block_size", 128);
    const places = gathered === undefined ? undefined : indicesOf(indices, shape[gathered] as number);
    if (gathered === undefined || along === undefined || !places || !(block > 0)) return undefined;
    const [size, step] = [shape[along] as number, strides(shape)[along] as number];
    const blocks = Math.ceil(size / block);
    const scaled = shape.with(along, blocks);
    const width = isBytes ? scaled.at(-1) : undefined;
    if (scale.shape.join() !== scaled.join() || (zero_point && zero_point.dtype !== x.dtype)) return undefined;
    const zero = isBytes ? 1 << (bits - 1) : 0;
    const [rows, inner] = [shape[gathered] as number, elements(shape.slice(gathered + 1))];
    const to = [...shape.slice(0, gathered), ...indices.shape, ...shape.slice(gathered + 1)];
    const value = (i: number): number => {
      const [at, outer] = [places[Math.floor(i / inner) % places.length] as number, Math.floor(i / inner / places.length)];
      const from = (outer * rows + at) * inner + (i % inner);
      const which =
        (Math.floor(from / (step * size)) * blocks + Math.floor((Math.floor(from / step) % size) / block)) * step + (from % step);
      return (code(x, bits, from) - (zero_point ? code(zero_point, bits, which, width) : zero)) * (scales[which] as number);
    };
    return one(filled(scale.dtype, to, value));
  }),
};
