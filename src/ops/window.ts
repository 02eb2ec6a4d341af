import type { Node } from "../graph/graph.ts";
import { computed } from "./dims.ts";
import { type Context, int, numbers, text } from "./op.ts";
import type { Dim, Dims } from "./value.ts";

/** Places of a window along each spatial axis, by the attributes that convolutions and pools share. Undefined where they do not fit. */
export function windowDims(node: Node, dims: Dims, kernel: Dims, context: Context): Dims | undefined {
  const [strides, dilations, pads] = ["strides", "dilations", "pads"].map((name) => numbers(node, name));
  const auto = text(node, "auto_pad", "NOTSET");
  const up = int(node, "ceil_mode", 0) === 1;
  if (kernel.length !== dims.length) return undefined;
  const result = dims.map((dim, i): Dim | undefined => {
    const stride = strides?.[i] ?? 1;
    const dilation = dilations?.[i] ?? 1;
    const [before, after] = auto === "VALID" ? [0, 0] : [pads?.[i] ?? 0, pads?.[i + dims.length] ?? 0];
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") return computed(`same/${stride}`, [dim], context, (d) => Math.ceil(d / stride));
    return computed(`window/${[stride, dilation, before, after, up]}`, [dim, kernel[i] as Dim], context, (d, k) => {
      const room = d + before + after - (dilation * (k - 1) + 1);
      const places = (up ? Math.ceil : Math.floor)(room / stride) + 1;
      // A window that would start in the padding behind the end is left out.
      return up && (places - 1) * stride >= d + before ? places - 1 : places;
    });
  });
  return result.includes(undefined) ? undefined : (result as Dims);
}

/** A window at all its places along the spatial axes. */
export interface Window {
  /** Sizes of what it moves over. */
  dims: readonly number[];
  places: readonly number[];
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** Padding before and after. */
  before: readonly number[];
  after: readonly number[];
}

const isList = (list: readonly number[], length: number, least: number): boolean =>
  list.length === length && list.every((x) => Number.isInteger(x) && x >= least && x < 2 ** 31);

/** The window that a node's attributes tell of; undefined where they make no sense. */
export function windowOf(
  node: Node,
  dims: readonly number[],
  places: readonly number[],
  kernel: readonly number[] | undefined,
): Window | undefined {
  const rank = dims.length;
  const [strides, dilations, pads] = ["strides", "dilations", "pads"].map(
    (name, i) => numbers(node, name) ?? new Array<number>(rank << (i >> 1)).fill(i < 2 ? 1 : 0),
  ) as [readonly number[], readonly number[], readonly number[]];
  const isWell = kernel && [kernel, strides, dilations].every((list) => isList(list, rank, 1)) && isList(pads, 2 * rank, 0);
  if (!isWell || places.length !== rank) return undefined;
  const auto = text(node, "auto_pad", "NOTSET");
  const isSame = auto.startsWith("SAME");
  const total = (i: number) =>
    Math.max(
      0,
      ((places[i] as number) - 1) * (strides[i] as number) +
        ((kernel[i] as number) - 1) * (dilations[i] as number) +
        1 -
        (dims[i] as number),
    );
  const first = (i: number) => (total(i) + (auto === "SAME_LOWER" ? 1 : 0)) >> 1;
  const pad = (given: number, same: (i: number) => number) =>
    dims.map((_, i) => (isSame ? same(i) : auto === "VALID" ? 0 : (pads[given + i] as number)));
  return { dims, places, kernel, strides, dilations, before: pad(0, first), after: pad(rank, (i) => total(i) - first(i)) };
}

/** The taps of a window along an axis that lie within, where it starts at `start`: from the first to before the end. */
const tapsWithin = (start: number, dim: number, k: number, step: number): [first: number, end: number] => [
  Math.max(0, Math.ceil(-start / step)),
  Math.min(k, Math.ceil((dim - start) / step)),
];

/** Whether a window has something of what it moves over at every place: dilated taps may all lie in the padding. */
export const isFull = ({ dims, places, kernel, strides, dilations, before }: Window): boolean =>
  dims.every((dim, i) => {
    const [count, k, stride, step, pad] = [places, kernel, strides, dilations, before].map((list) => list[i] as number) as Five;
    for (let place = 0; place < count; place++) {
      const [first, end] = tapsWithin(place * stride - pad, dim, k, step);
      if (first >= end) return false;
    }
    return true;
  });
type Five = [number, number, number, number, number];

/** Elements of a window that are looked at at once, at most. */
const MAX_TAPS = 1 << 24;

/**
 * Visits every place of a window, in row-major order, with the number of its elements that lie within: where those are in what it moves
 * over, and in the kernel. False where the window is absurdly large.
 */
export function slide(
  { dims, places, kernel, strides, dilations, before }: Window,
  visit: (place: number, count: number, from: Int32Array, by: Int32Array) => void,
): boolean {
  let size = 1;
  const buffers = [size, ...dims.map((d, i) => (size *= Math.min(d, kernel[i] as number)))];
  if (size > MAX_TAPS) return false;
  const [from, by] = [0, 1].map(() => buffers.map((length) => new Int32Array(length))) as [Int32Array[], Int32Array[]];
  const walk = (axis: number, at: number, count: number): void => {
    const [f, b] = [from[axis] as Int32Array, by[axis] as Int32Array];
    if (axis === dims.length) {
      visit(at, count, f, b);
      return;
    }
    const [nextF, nextB] = [from[axis + 1] as Int32Array, by[axis + 1] as Int32Array];
    const [dim, k, step] = [dims, kernel, dilations].map((list) => list[axis] as number) as [number, number, number];
    for (let place = 0; place < (places[axis] as number); place++) {
      const start = place * (strides[axis] as number) - (before[axis] as number);
      const [first, end] = tapsWithin(start, dim, k, step);
      let n = 0;
      for (let i = 0; i < count; i++) {
        for (let tap = first; tap < end; tap++) {
          nextF[n] = (f[i] as number) * dim + start + tap * step;
          nextB[n++] = (b[i] as number) * k + tap;
        }
      }
      walk(axis + 1, at * (places[axis] as number) + place, n);
    }
  };
  walk(0, 0, 1);
  return true;
}
