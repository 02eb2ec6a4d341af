/** What goes into a layer and what comes out, as columns of matrices: a row a number, a column a place of a sample. */

import type { Node } from "../../graph/graph.ts";
import { int } from "../../ops/op.ts";
import { windowOf } from "../../ops/window.ts";
import { elements, type Tensor } from "../../tensor.ts";

/** A product of a constant weight with what the model computes, in groups that have nothing to do with each other. */
export interface Tap {
  node: Node;
  /** What it reads and gives. */
  x: string;
  y: string;
  weight: string;
  /** The constant that is added, where there is one. */
  bias: string | undefined;
  /** Rows that a group reads, and columns it makes. */
  k: number;
  m: number;
  groups: number;
  /** Rows of one channel: the taps of a convolution's kernel. */
  kernel: number;
  /** What the product, and the bias, are multiplied by. */
  alpha: number;
  beta: number;
  /** Where the weight has what row `k` gives to column `m` of a group. */
  place(group: number, m: number, k: number): number;
  /** How many places an output has. */
  count(y: Tensor): number;
  /** Writes the rows of a group at some places, one after the other, each `step` numbers long, to `to`. */
  rows(x: Tensor, y: Tensor, group: number, places: Int32Array, to: Float32Array, step: number): void;
  /** Likewise what a group gives. */
  columns(y: Tensor, group: number, places: Int32Array, to: Float32Array, step: number): void;
}

/** The shape of a constant that one node alone reads. */
export type ShapeOf = (name: string) => readonly number[] | undefined;

/** The tap of a node that multiplies by a constant; undefined for one that does not, or whose form is not known. */
export function tapOf(node: Node, shapeOf: ShapeOf): Tap | undefined {
  const [x = "", weight = "", bias = ""] = node.input;
  const shape = shapeOf(weight);
  if (!shape || node.domain !== "") return undefined;
  const form = formOf(node, shape);
  if (!form) return undefined;
  const [alpha, beta] = node.op_type === "Gemm" ? [int(node, "alpha", 1), int(node, "beta", 1)] : [1, 1];
  if (alpha === 0) return undefined;
  const isAdded = beta !== 0 && node.op_type !== "MatMul" && isRow(shapeOf(bias), form);
  return { node, x, y: node.output[0] as string, weight, bias: isAdded ? bias : undefined, alpha, beta, ...form };
}

/** Whether a constant has a number for each column of all groups. */
export const isRow = (shape: readonly number[] | undefined, { m, groups }: Pick<Tap, "m" | "groups">): boolean =>
  shape !== undefined && shape.at(-1) === m * groups && elements(shape) === m * groups;

function formOf(node: Node, shape: readonly number[]): Form | undefined {
  if (node.op_type === "Conv") return convolution(node, shape);
  if (shape.length !== 2) return undefined;
  const [rows, columns] = shape as [number, number];
  if (node.op_type === "MatMul") return matrix(rows, columns, false);
  if (node.op_type !== "Gemm" || int(node, "transA", 0) !== 0) return undefined;
  return int(node, "transB", 0) === 0 ? matrix(rows, columns, false) : matrix(columns, rows, true);
}

type Form = Pick<Tap, "k" | "m" | "groups" | "kernel" | "place" | "count" | "rows" | "columns">;

/** x[…, K] with w[K, M], or w[M, K] where that is turned. */
const matrix = (k: number, m: number, isTurned: boolean): Form => ({
  k,
  m,
  groups: 1,
  kernel: 1,
  place: (_, column, row) => (isTurned ? column * k + row : row * m + column),
  count: (y) => y.data.length / m,
  rows: (x, _y, _group, places, to, step) => transposed(x.data as Float32Array, k, places, to, step),
  columns: (y, _group, places, to, step) => transposed(y.data as Float32Array, m, places, to, step),
});

/** Some rows of a matrix of `width` columns, as columns. */
function transposed(from: Float32Array, width: number, places: Int32Array, to: Float32Array, step: number): void {
  places.forEach((place, p) => {
    for (let i = 0, at = place * width; i < width; i++) to[i * step + p] = from[at + i] as number;
  });
}

/** x[N, C, …] with w[M, C / group, …]: a row is a channel at a tap of the kernel. */
function convolution(node: Node, [all = 0, channels = 0, ...kernel]: readonly number[]): Form {
  const groups = int(node, "group", 1);
  const taps = kernel.reduce((n, d) => n * d, 1);
  const m = all / groups;
  const k = channels * taps;
  return {
    k,
    m,
    groups,
    kernel: taps,
    place: (group, column, row) => (group * m + column) * k + row,
    count: (y) => y.data.length / all,
    columns(y, group, places, to, step) {
      const size = y.shape.slice(2).reduce((n, d) => n * d, 1);
      const data = y.data as Float32Array;
      places.forEach((place, p) => {
        const at = Math.floor(place / size) * all * size + group * m * size + (place % size);
        for (let i = 0; i < m; i++) to[i * step + p] = data[at + i * size] as number;
      });
    },
    rows(x, y, group, places, to, step) {
      const [dims, outer] = [x.shape.slice(2), y.shape.slice(2)];
      const window = windowOf(node, dims, outer, kernel);
      if (!window) return;
      const data = x.data as Float32Array;
      const [size, places_] = [dims.reduce((n, d) => n * d, 1), outer.reduce((n, d) => n * d, 1)];
      const total = x.shape[1] as number;
      const offsets = new Int32Array(taps);
      for (const [p, place] of places.entries()) {
        tapsAt(place % places_, window, offsets);
        const base = (Math.floor(place / places_) * total + group * channels) * size;
        for (let c = 0, row = 0; c < channels; c++) {
          for (let tap = 0; tap < taps; tap++, row++) {
            const offset = offsets[tap] as number;
            to[row * step + p] = offset < 0 ? 0 : (data[base + c * size + offset] as number);
          }
        }
      }
    },
  };
}

/** Where the taps of a kernel at a place lie in a channel; −1 for those in the padding. */
function tapsAt(place: number, window: NonNullable<ReturnType<typeof windowOf>>, to: Int32Array): void {
  const { dims, places, kernel, strides, dilations, before } = window;
  const starts = new Array<number>(dims.length);
  for (let axis = dims.length - 1, rest = place; axis >= 0; axis--) {
    const count = places[axis] as number;
    starts[axis] = (rest % count) * (strides[axis] as number) - (before[axis] as number);
    rest = Math.floor(rest / count);
  }
  for (let tap = 0; tap < to.length; tap++) {
    let [offset, step, rest] = [0, 1, tap];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const [size, width] = [dims[axis] as number, kernel[axis] as number];
      const at = (starts[axis] as number) + (rest % width) * (dilations[axis] as number);
      rest = Math.floor(rest / width);
      if (at < 0 || at >= size) offset = Number.NEGATIVE_INFINITY;
      offset += at * step;
      step *= size;
    }
    to[tap] = offset >= 0 ? offset : -1;
  }
}

/** Places of a sample that stand for all of `count`: `wanted` of them, evenly spread and not in step with rows. */
export function placesOf(count: number, wanted: number, sample: number): Int32Array {
  if (count <= wanted) return Int32Array.from({ length: count }, (_, i) => i);
  const start = (sample * 0.6180339887498949) % 1; // the golden ratio: samples begin in different places
  return Int32Array.from({ length: wanted }, (_, i) =>
    Math.min(count - 1, Math.floor(((i + ((start + i * 0.618034) % 1)) * count) / wanted)),
  );
}
