/** Operators that pick elements out by index. */
import { elements } from "../tensor.ts";
import { ofKnown } from "./compute.ts";
import { computed } from "./dims.ts";
import { emptyLike, type Numbers, picked } from "./elements.ts";
import { elementOffsets, indicesOf, sliceOffsets } from "./indices.ts";
import { axesOf, axisOf, int, integers, numbers, type Op } from "./op.ts";
import { offsets, strides } from "./strides.ts";
import { constantValue, type Dim, elementsOf, integersOf, type Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

/** The beginning of each sequence backwards, as long as `lengths` say. */
export const ReverseSequence: Op = {
  ...likeFirst,
  compute: ofKnown((node, [x, lengths]) => {
    const [batch, time] = [int(node, "batch_axis", 1), int(node, "time_axis", 0)];
    if (!x || !lengths || axesOf([batch, time], x.shape.length) === undefined || lengths.data.length !== x.shape[batch]) return undefined;
    const steps = strides(x.shape);
    const place = (i: number, axis: number) => Math.floor(i / (steps[axis] as number)) % (x.shape[axis] as number);
    const from = offsets(x.shape, steps).map((i) => {
      const last = Number(lengths.data[place(i, batch)]) - 1;
      const at = place(i, time);
      return at > last ? i : i + (last - 2 * at) * (steps[time] as number);
    });
    const isWithin = Array.from(lengths.data as ArrayLike<number | bigint>).every((n) => n >= 0 && n <= (x.shape[time] as number));
    return isWithin ? [picked(x, x.shape, from)] : undefined;
  }),
};
export const TensorScatter = likeFirst;

/** The upper or lower triangle of each matrix, from the diagonal `k` on. */
export const Trilu: Op = {
  ...likeFirst,
  fold(node, [x, diagonal], { outputs: [y] }) {
    if (!x || !y || x.shape.length < 2 || Array.isArray(x.data)) return undefined;
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const k = diagonal ? Number(diagonal.data[0]) : 0;
    const isUpper = int(node, "upper", 1) !== 0;
    const data = emptyLike(x.data as Numbers, x.data.length);
    for (let i = 0; i < data.length; i++) {
      const right = (i % columns) - (Math.floor(i / columns) % rows) - k;
      if (isUpper ? right >= 0 : right <= 0) data[i] = x.data[i] as number;
    }
    return [{ dtype: x.dtype, shape: y.shape, data }];
  },
};

/** [..., axis, ...] with the indices' dimensions in the axis' place. */
export const Gather: Op = {
  infer(node, [x, indices]) {
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    if (!x?.shape || axis === undefined || !indices?.shape) return [{ dtype: x?.dtype }];
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    const all = elementsOf(x);
    const chosen = x.shape.length === 1 && shape.length <= 1 && all ? integersOf(indices) : undefined;
    return [{ dtype: x.dtype, shape, elements: chosen?.map((i) => all?.at(i)) }];
  },
  fold(node, [x, indices], { outputs: [y] }) {
    const axis = x && axisOf(int(node, "axis", 0), x.shape.length);
    if (!x || !indices || !y || axis === undefined) return undefined;
    const places = indicesOf(indices, x.shape[axis] as number);
    if (!places) return undefined;
    const [outer, inner] = [elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis + 1))];
    const at = new Int32Array(outer * places.length * inner);
    let n = 0;
    for (let i = 0; i < outer; i++)
      for (const place of places) for (let j = 0; j < inner; j++) at[n++] = (i * (x.shape[axis] as number) + place) * inner + j;
    return [picked(x, y.shape, at)];
  },
};

export const GatherElements: Op = {
  infer: (_node, [x, indices]) => [{ dtype: x?.dtype, shape: indices?.shape }],
  fold(node, [x, indices], { outputs: [y] }) {
    const at = x && indices && elementOffsets(x.shape, indices, int(node, "axis", 0));
    return at && y && [picked(x, y.shape, at)];
  },
};

export const GatherND: Op = {
  infer(node, [x, indices]) {
    const last = indices?.shape?.at(-1);
    const batch = int(node, "batch_dims", 0);
    if (!x?.shape || !indices?.shape || typeof last !== "number" || batch + last > x.shape.length) return [{ dtype: x?.dtype }];
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + last)] }];
  },
  fold(node, [x, indices], { outputs: [y] }) {
    const starts = x && indices && sliceOffsets(x.shape, indices, int(node, "batch_dims", 0));
    if (!starts || !y) return undefined;
    const size = starts.length === 0 ? 0 : elements(y.shape) / starts.length;
    const at = new Int32Array(starts.length * size);
    for (let i = 0; i < at.length; i++) at[i] = (starts[Math.floor(i / size)] as number) + (i % size);
    return [picked(x, y.shape, at)];
  },
};

/** Starts, ends, axes and steps are attributes up to opset 9, then inputs. */
export const Slice: Op = {
  infer(node, inputs, context) {
    const [x, starts, ends] = inputs;
    const shape = x?.shape;
    if (!shape) return [{ dtype: x?.dtype }];
    const [from, to] = [boundaries(node.attributes.starts, starts), boundaries(node.attributes.ends, ends)];
    const count = from?.length ?? to?.length ?? starts?.shape?.[0];
    const chosen = integers(node, "axes", inputs[3], typeof count === "number" ? [...Array(Math.min(count, shape.length)).keys()] : []);
    const axes = axesOf(chosen, shape.length);
    if (!axes) return [{ dtype: x.dtype, shape: chosen ? undefined : shape.map(() => context.symbol()) }];
    const steps = inputs[4] ? integersOf(inputs[4]) : axes.map(() => 1);
    const sliced = shape.map((d, i): Dim | undefined => {
      const at = axes.indexOf(i);
      if (at < 0) return typeof count === "number" ? d : context.symbol();
      const [start, end, step] = [from?.[at], to?.[at], steps?.[at]];
      if (typeof start !== "number" || step === undefined) return context.symbol();
      if (start === 0 && step === 1 && typeof end === "number" && end >= Number(2 ** 31 - 1)) return d;
      if (start === 0 && step === 1 && end === d) return d;
      if (typeof end !== "number") return context.symbol();
      return computed(`slice/${[start, end, step]}`, [d], context, (size) => sliceOf(start, end, step, size)?.count);
    });
    if (sliced.includes(undefined)) return [{ dtype: x.dtype }];
    const [start, end, step, size] = [from?.[0], to?.[0], steps?.[0], shape[0]];
    const isKnown = shape.length === 1 && typeof start === "number" && typeof end === "number" && step && typeof size === "number";
    const all = isKnown ? elementsOf(x) : undefined;
    const run = isKnown ? sliceOf(start, end, step, size) : undefined;
    const part = run && all && Array.from({ length: run.count }, (_, i) => all[run.first + i * run.step]);
    return [{ dtype: x.dtype, shape: sliced as Dim[], elements: axes.length === 1 ? part : undefined }];
  },
  fold(node, inputs, { outputs: [y] }) {
    const [x] = inputs;
    const [starts, ends, some, steps] = inputs.slice(1).map((tensor) => tensor && integersOf(constantValue(tensor)));
    const from = inputs[1] ? starts : numbers(node, "starts");
    const to = inputs[2] ? ends : numbers(node, "ends");
    const axes = x && axesOf((inputs[3] ? some : numbers(node, "axes")) ?? [...(from ?? []).keys()], x.shape.length);
    if (!x || !y || !from || !to || !axes || (inputs[4] && !steps)) return undefined;
    const moves = strides(x.shape);
    let start = 0;
    for (const [i, axis] of axes.entries()) {
      const run = sliceOf(from[i] as number, to[i] as number, steps?.[i] ?? 1, x.shape[axis] as number);
      if (!run) return undefined;
      start += run.first * (moves[axis] as number);
      moves[axis] = (moves[axis] as number) * run.step;
    }
    return [picked(x, y.shape, offsets(y.shape, moves, start))];
  },
};

/** The run of elements that `start`, `end` and `step` pick of `size`. */
export function sliceOf(
  start: number,
  end: number,
  step: number,
  size: number,
): { first: number; step: number; count: number } | undefined {
  if (step === 0) return undefined;
  const clamped = (x: number, low: number, high: number) => Math.min(Math.max(x < 0 ? x + size : x, low), high);
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const first = clamped(start, Math.max(low, 0), high);
  // onnxruntime takes the largest integers to mean the end that the step leads to.
  const isOpen = end === 2 ** 31 - 1 || end === Number.POSITIVE_INFINITY;
  const last = isOpen ? (step > 0 ? size : -1) : clamped(end, low, high);
  return { first, step, count: Math.max(0, Math.ceil((last - first) / step)) };
}

const boundaries = (attribute: unknown, input: Value | undefined): readonly (Dim | undefined)[] | undefined =>
  input ? elementsOf(input) : Array.isArray(attribute) ? attribute : undefined;
