/** Operators that join, cut and repeat. */
import { elements, type Tensor } from "../tensor.ts";
import { isRoom, ofTensors } from "./compute.ts";
import { mayEqual, product, quotient } from "./dims.ts";
import { emptyLike, isPlain, type Numbers, picked } from "./elements.ts";
import { axisOf, int, integers, type Op, text } from "./op.ts";
import { offsets, strides } from "./strides.ts";
import { type Dim, type Dims, elementsOf, MAX_KNOWN_ELEMENTS, type Value } from "./value.ts";

/** Repeats are an input from opset 6 on. */
export const Tile: Op = {
  infer(_node, [x, repeats], context) {
    const shape = x?.shape;
    const times = elementsOf(repeats);
    if (!shape || (times && times.length !== shape.length)) return [{ dtype: x?.dtype }];
    return [
      { dtype: x.dtype, shape: shape.map((d, i) => (times?.[i] === undefined ? context.symbol() : product([d, times[i]], context))) },
    ];
  },
  /** Each axis is counted by repeat, which moves nowhere, and then by element. */
  fold(_node, [x], { outputs: [y] }) {
    if (!x || !y) return undefined;
    const steps = strides(x.shape);
    const counts = x.shape.flatMap((d, i) => [d === 0 ? 0 : (y.shape[i] as number) / d, d]);
    return [
      picked(
        x,
        y.shape,
        offsets(
          counts,
          steps.flatMap((step) => [0, step]),
        ),
      ),
    ];
  },
};

/** Joins along `axis`; the other dimensions are the same in all inputs. */
export const Concat: Op = {
  infer(node, inputs, context) {
    const shapes = inputs.map((value) => value?.shape);
    const dtype = inputs.find((value) => value?.dtype)?.dtype;
    const rank = shapes.find((shape) => shape)?.length;
    const axis = rank === undefined ? undefined : axisOf(int(node, "axis", 1), rank);
    if (rank === undefined || axis === undefined || shapes.some((shape) => shape && shape.length !== rank)) return [{ dtype }];
    const isLike = (shape: Dims | undefined) =>
      shape === undefined || shape.every((d, i) => i === axis || shapes.every((each) => mayEqual(d, each?.[i])));
    if (!shapes.every(isLike)) return [{ dtype }];
    const shape = Array.from({ length: rank }, (_, i): Dim => {
      const dims = shapes.map((each) => each?.[i]);
      if (i === axis) return dims.includes(undefined) ? context.symbol() : sum(dims as Dim[], (key) => context.symbol(key));
      return dims.find((d) => typeof d === "number") ?? dims.find((d) => d !== undefined) ?? context.symbol();
    });
    const parts = inputs.map((value) => (value?.shape?.length === 1 ? (elementsOf(value) ?? placeholders(value)) : undefined));
    const elements = rank === 1 && !parts.includes(undefined) ? parts.flatMap((part) => part ?? []) : undefined;
    return [{ dtype, shape, elements: elements && elements.length <= MAX_KNOWN_ELEMENTS ? elements : undefined }];
  },
  fold(node, inputs, { outputs: [y] }) {
    const axis = y && axisOf(int(node, "axis", 1), y.shape.length);
    if (!y || axis === undefined || inputs.some((x) => x?.dtype !== y.dtype)) return undefined;
    const result = joined(inputs as readonly Tensor[], axis);
    return result?.shape.join() === y.shape.join() ? [result] : undefined;
  },
};

/** Tensors of one type one after the other along an axis; undefined where they do not fit, or there are none. */
export function joined(parts: readonly Tensor[], axis: number): Tensor | undefined {
  const [first] = parts;
  if (!first) return undefined;
  const shape = first.shape.with(
    axis,
    parts.reduce((n, each) => n + (each.shape[axis] ?? Number.NaN), 0),
  );
  const isLike = (each: Tensor) =>
    each.dtype === first.dtype && each.shape.length === shape.length && each.shape.every((d, i) => i === axis || d === shape[i]);
  if (!parts.every(isLike)) return undefined;
  const inner = elements(shape.slice(axis + 1));
  const row = inner * (shape[axis] as number);
  const isText = Array.isArray(first.data);
  const data: unknown[] | Numbers = isText ? new Array<unknown>(elements(shape)) : emptyLike(first.data as Numbers, elements(shape));
  let start = 0;
  for (const { shape: own, data: from } of parts) {
    const width = inner * (own[axis] as number);
    for (let i = 0; i < from.length; i++) data[start + Math.floor(i / width) * row + (i % width)] = from[i] as never;
    start += width;
  }
  return { dtype: first.dtype, shape, data: data as Tensor["data"] };
}

/** Tensors of one type and shape along a new axis. */
export const stacked = (parts: readonly Tensor[], axis: number): Tensor | undefined =>
  joined(
    parts.map((each) => ({ ...each, shape: each.shape.toSpliced(axis, 0, 1) })),
    axis,
  );

/** A run of `length` along an axis. */
export function runOf(x: Tensor, axis: number, start: number, length: number): Tensor {
  const steps = strides(x.shape);
  const shape = x.shape.with(axis, length);
  return picked(x, shape, offsets(shape, steps, start * (steps[axis] as number)));
}

/** One slice of an axis, without it. */
export const sliceAt = (x: Tensor, axis: number, at: number): Tensor => ({
  ...runOf(x, axis, at, 1),
  shape: x.shape.toSpliced(axis, 1),
});

/** Elements of a vector of which only the number is known. */
function placeholders({ shape }: Value): readonly undefined[] | undefined {
  const [length] = shape ?? [];
  return typeof length === "number" && length <= MAX_KNOWN_ELEMENTS ? Array.from({ length }, () => undefined) : undefined;
}

function sum(dims: readonly Dim[], symbol: (key: string) => Dim): Dim {
  const size = dims.reduce((n: number, d) => (typeof d === "number" ? n + d : n), 0);
  const names = dims.filter((d) => typeof d === "string").sort();
  if (names.length === 0) return size;
  return names.length === 1 && size === 0 ? (names[0] as string) : symbol(`sum(${[size, ...names]})`);
}

/** Outputs that may share evenly: the sizes of more could be an attribute that was too long to be read. */
const MAX_EVEN = 100;

/** Sizes are an attribute up to opset 12, then an input; without them `num_outputs` (opset 18), or the node's outputs, share evenly. */
export const Split: Op = {
  infer(node, [x, list], context) {
    const count = node.output.length;
    const { dtype, shape } = x ?? {};
    const axis = shape && axisOf(int(node, "axis", 0), shape.length);
    if (!shape || axis === undefined) return Array.from({ length: count }, () => ({ dtype }));
    const given = integers(node, "split", list, []);
    const whole = shape[axis] as Dim;
    const chunk = typeof whole === "number" ? Math.ceil(whole / count) : undefined;
    const sizes = Array.from({ length: count }, (_, i): Dim => {
      if (!given) return context.symbol();
      if (given.length > 0) return given[i] ?? context.symbol();
      if (count > MAX_EVEN) return context.symbol();
      if (chunk === undefined) return context.symbol(count === 1 ? undefined : `split(${whole},${count},${i === count - 1})`);
      return Math.max(0, Math.min(chunk, (whole as number) - i * chunk));
    });
    const isWhole = sizes.every((size) => typeof size === "number" && size >= 0);
    if (
      isWhole &&
      !mayEqual(
        sum(sizes, (key) => context.symbol(key)),
        whole,
      )
    )
      return sizes.map(() => ({ dtype }));
    const elements = elementsOf(x);
    let from = 0;
    return sizes.map((size) => {
      const start = from;
      from = typeof size === "number" ? start + size : Number.NaN;
      const part = shape.length === 1 && Number.isFinite(from) ? elements?.slice(start, from) : undefined;
      return { dtype, shape: shape.map((d, i) => (i === axis ? size : d)), elements: part };
    });
  },
  fold(node, [x], { outputs }) {
    const axis = x && axisOf(int(node, "axis", 0), x.shape.length);
    if (axis === undefined || outputs.reduce((n, { shape }) => n + (shape[axis] as number), 0) !== x?.shape[axis]) return undefined;
    let start = 0;
    return outputs.map(({ shape }) => {
      const part = runOf(x, axis, start, shape[axis] as number);
      start += shape[axis] as number;
      return part;
    });
  },
};

/** [N, C, H, W] ↔ [N, C · blocksize², H / blocksize, W / blocksize]. */
const blocks = (deeper: boolean): Op => ({
  infer(node, [x], context) {
    const size = int(node, "blocksize", 0);
    const [n, c, h, w] = x?.shape ?? [];
    if (x?.shape?.length !== 4 || !Number.isInteger(size) || size < 1) return [{ dtype: x?.dtype }];
    const more = (d: Dim | undefined, by: number) => product([d as Dim, by], context);
    const less = (d: Dim | undefined, by: number) => quotient([d as Dim], [by], context);
    const shape = deeper
      ? [n, more(c, size * size), less(h, size), less(w, size)]
      : [n, less(c, size * size), more(h, size), more(w, size)];
    return [{ dtype: x.dtype, shape: shape.includes(undefined) ? undefined : (shape as Dim[]) }];
  },
  /** Channels and places within a block change places: the block's rows and columns stand before the channels, or behind them in CRD mode. */
  compute: ofTensors((node, [x], { outputs: [y] }) => {
    const size = int(node, "blocksize", 0);
    const [deep, flat] = deeper ? [y?.shape, x?.shape] : [x?.shape, y?.shape];
    const [n = 0, channels = 0, h = 0, w = 0] = deep ?? [];
    if (!x || !deep || !flat || !isRoom(y?.shape) || elements(deep) !== elements(flat) || !isPlain(x.dtype)) return undefined;
    const c = channels / size ** 2;
    const isColumnFirst = !deeper && text(node, "mode", "DCR") === "CRD";
    // Axes of the deep tensor: n, block row, block column, c, h, w; of the flat one: n, c, h, block row, w, block column.
    const dims = isColumnFirst ? [n, c, size, size, h, w] : [n, size, size, c, h, w];
    const order = isColumnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
    const steps = strides(dims);
    const from = offsets(
      order.map((axis) => dims[axis] as number),
      order.map((axis) => steps[axis] as number),
    );
    if (!deeper) return [picked(x, flat, from)];
    const back = new Int32Array(from.length);
    for (let i = 0; i < from.length; i++) back[from[i] as number] = i;
    return [picked(x, deep, back)];
  }),
});

export const DepthToSpace = blocks(false);
export const SpaceToDepth = blocks(true);
