/** Operators that give the same elements another shape, and those that tell a shape. */
import { broadcast, product, quotient, unknownDims } from "./dims.ts";
import { axesOf, axisOf, int, integers, numbers, type Op } from "./op.ts";
import { type Dim, type Dims, elementsOf, integersOf, MAX_KNOWN_ELEMENTS, type Value } from "./value.ts";

/** `start` and `end` cut the shape (opset 15). */
export const Shape: Op = {
  infer(node, [x], context) {
    const dims = x?.shape?.slice(int(node, "start", 0), int(node, "end", x.shape.length));
    return [{ dtype: "int64", shape: [dims?.length ?? context.symbol()], elements: dims }];
  },
};

export const Size: Op = {
  infer: (_node, [x], context) => [{ dtype: "int64", shape: [], elements: x?.shape && [product(x.shape, context)] }],
};

/** 0 takes the input's dimension (unless `allowzero`), one −1 what is left. */
export const Reshape: Op = {
  infer(node, [x, target], context) {
    const wanted = target ? elementsOf(target) : numbers(node, "shape");
    const rank = target?.shape?.[0];
    if (!wanted) return [{ dtype: x?.dtype, shape: typeof rank === "number" && rank <= 64 ? unknownDims(rank, context) : undefined }];
    const zero = int(node, "allowzero", 0) !== 0;
    const dims = wanted.map((d, i) => (d === 0 && !zero ? (x?.shape?.[i] ?? context.symbol()) : d === undefined ? context.symbol() : d));
    // An element that is not known may be the −1, and then another one tells nothing of what is left.
    const rest = dims.filter((d) => d !== -1);
    const left = x?.shape && !wanted.includes(undefined) ? quotient(x.shape, rest, context) : context.symbol();
    const shape = dims.map((d) => (d === -1 ? left : d));
    const flat = dims.length - rest.length > 1 || shape.includes(undefined) ? undefined : (shape as Dims);
    return [{ dtype: x?.dtype, shape: flat, elements: flat && flat.length <= 1 ? x?.elements : undefined }];
  },
};

export const Flatten: Op = {
  infer(node, [x], context) {
    const axis = int(node, "axis", 1);
    const { shape } = x ?? {};
    const at = shape && (axis === shape.length ? axis : axisOf(axis, shape.length));
    if (!shape || at === undefined) return [{ dtype: x?.dtype, shape: shape ? undefined : unknownDims(2, context) }];
    return [{ dtype: x?.dtype, shape: [product(shape.slice(0, at), context), product(shape.slice(at), context)] }];
  },
};

/** Without axes, every dimension of 1 goes: which those are must be known. */
export const Squeeze: Op = {
  infer(node, [x, list]) {
    const shape = x?.shape;
    const every = list || node.attributes.axes !== undefined ? undefined : shape;
    const given = every ? (every.some((d) => typeof d === "string") ? undefined : []) : integers(node, "axes", list, []);
    const axes = shape && (every && given ? [...shape.keys()].filter((i) => shape[i] === 1) : axesOf(given, shape.length));
    return [{ dtype: x?.dtype, shape: axes && shape?.filter((_, i) => !axes.includes(i)), elements: x?.elements }];
  },
};

export const Unsqueeze: Op = {
  infer(node, [x, list]) {
    const given = integers(node, "axes", list, []);
    const rank = (x?.shape?.length ?? 0) + (given?.length ?? 0);
    const axes = x?.shape && axesOf(given, rank);
    if (!x || !axes) return [{ dtype: x?.dtype }];
    const rest = [...(x.shape ?? [])];
    const shape = Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() as Dim)));
    return [{ dtype: x.dtype, shape, elements: rank === 1 ? x.elements : undefined }];
  },
};

export const Transpose: Op = {
  infer(node, [x]) {
    const shape = x?.shape;
    const perm = shape && axesOf(numbers(node, "perm") ?? [...shape.keys()].reverse(), shape.length);
    const fits = perm?.length === shape?.length;
    return [{ dtype: x?.dtype, shape: fits ? perm?.map((i) => shape?.[i] as Dim) : undefined, elements: x?.elements }];
  },
};

export const Expand: Op = {
  infer(_node, [x, target], context) {
    const dims = elementsOf(target)?.map((d) => d ?? context.symbol());
    return [{ dtype: x?.dtype, shape: broadcast([x?.shape, dims], context) }];
  },
};

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
};

/** Joins along `axis`; the other dimensions are the same in all inputs. */
export const Concat: Op = {
  infer(node, inputs, context) {
    const shapes = inputs.map((value) => value?.shape);
    const dtype = inputs.find((value) => value?.dtype)?.dtype;
    const rank = shapes.find((shape) => shape)?.length;
    const axis = rank === undefined ? undefined : axisOf(int(node, "axis", 1), rank);
    if (rank === undefined || axis === undefined || shapes.some((shape) => shape && shape.length !== rank)) return [{ dtype }];
    const shape = Array.from({ length: rank }, (_, i): Dim => {
      const dims = shapes.map((each) => each?.[i]);
      if (i === axis) return dims.includes(undefined) ? context.symbol() : sum(dims as Dim[], (key) => context.symbol(key));
      return dims.find((d) => typeof d === "number") ?? dims.find((d) => d !== undefined) ?? context.symbol();
    });
    const parts = inputs.map((value) => (value?.shape?.length === 1 ? (elementsOf(value) ?? placeholders(value)) : undefined));
    const elements = rank === 1 && !parts.includes(undefined) ? parts.flatMap((part) => part ?? []) : undefined;
    return [{ dtype, shape, elements: elements && elements.length <= MAX_KNOWN_ELEMENTS ? elements : undefined }];
  },
};

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
      if (chunk === undefined) return context.symbol(count === 1 ? undefined : `split(${whole},${count},${i === count - 1})`);
      return Math.max(0, Math.min(chunk, (whole as number) - i * chunk));
    });
    const elements = elementsOf(x);
    let from = 0;
    return sizes.map((size) => {
      const start = from;
      from = typeof size === "number" ? start + size : Number.NaN;
      const part = shape.length === 1 && Number.isFinite(from) ? elements?.slice(start, from) : undefined;
      return { dtype, shape: shape.map((d, i) => (i === axis ? size : d)), elements: part };
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
});

export const DepthToSpace = blocks(false);
export const SpaceToDepth = blocks(true);

/** Pads of the beginnings, then of the ends; an attribute up to opset 10. `axes` (opset 18) says of which axes. */
export const Pad: Op = {
  infer(node, [x, list, , some], context) {
    const shape = x?.shape;
    const pads = list ? elementsOf(list) : numbers(node, "pads");
    const chosen = some ? integersOf(some) : shape && [...shape.keys()];
    const axes = shape && axesOf(chosen, shape.length);
    if (!shape || !axes || (pads && pads.length !== 2 * axes.length))
      return [{ dtype: x?.dtype, shape: shape && !chosen ? unknownDims(shape.length, context) : undefined }];
    const padded = shape.map((d, i): Dim => {
      const at = axes.indexOf(i);
      if (at < 0) return d;
      const [before, after] = [pads?.[at], pads?.[at + axes.length]];
      if (before === 0 && after === 0) return d;
      if (typeof d === "number" && typeof before === "number" && typeof after === "number") return d + before + after;
      return context.symbol();
    });
    return [{ dtype: x.dtype, shape: padded }];
  },
};
