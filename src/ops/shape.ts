/** Operators that give the same elements another shape, and those that tell a shape. */
import { elements } from "../tensor.ts";
import { broadcast, mayEqual, product, quotient, unknownDims } from "./dims.ts";
import { int64s, picked } from "./elements.ts";
import { axesOf, axisOf, int, integers, isTensor, numbers, type Op } from "./op.ts";
import { broadcastStrides, offsets, strides } from "./strides.ts";
import { type Dim, type Dims, elementsOf, isStatic, MAX_RANK } from "./value.ts";

/** The elements as they are, in the shape that was inferred. */
const fold: Op["fold"] = (_node, [x], { outputs: [y] }) =>
  x && y && elements(y.shape) === x.data.length ? [{ dtype: x.dtype, shape: y.shape, data: x.data }] : undefined;

/** `start` and `end` cut the shape (opset 15). */
export const Shape: Op = {
  infer(node, [x], context) {
    const dims = x?.shape?.slice(int(node, "start", 0), int(node, "end", x.shape.length));
    return [{ dtype: "int64", shape: [dims?.length ?? context.symbol()], elements: dims }];
  },
  compute(node, [x]) {
    const dims = isTensor(x) ? x.shape.slice(int(node, "start", 0), int(node, "end", x.shape.length)) : undefined;
    return dims && [int64s([dims.length], dims)];
  },
};

export const Size: Op = {
  infer: (_node, [x], context) => [{ dtype: "int64", shape: [], elements: x?.shape && [product(x.shape, context)] }],
  compute: (_node, [x]) => (isTensor(x) ? [int64s([], [elements(x.shape)])] : undefined),
};

/** 0 takes the input's dimension (unless `allowzero`), one −1 what is left. A dimension that the shape names is taken not to be 0. */
export const Reshape: Op = {
  fold,
  infer(node, [x, target], context) {
    const wanted = target ? elementsOf(target) : numbers(node, "shape");
    const rank = target?.shape?.[0];
    if (!wanted) return [{ dtype: x?.dtype, shape: typeof rank === "number" && rank <= MAX_RANK ? unknownDims(rank, context) : undefined }];
    const zero = int(node, "allowzero", 0) !== 0;
    const dims = wanted.map((d, i) => (d === 0 && !zero ? (x?.shape?.[i] ?? context.symbol()) : d === undefined ? context.symbol() : d));
    // An element that is not known may be the −1, and then another one tells nothing of what is left.
    const rest = dims.filter((d) => d !== -1);
    const left = x?.shape && !wanted.includes(undefined) ? quotient(x.shape, rest, context) : context.symbol();
    const shape = dims.map((d) => (d === -1 ? left : d));
    const isWhole = !x?.shape || shape.includes(undefined) || mayEqual(product(shape as Dims, context), product(x.shape, context));
    const flat = dims.length - rest.length > 1 || shape.includes(undefined) || !isWhole ? undefined : (shape as Dims);
    return [{ dtype: x?.dtype, shape: flat, elements: flat && flat.length <= 1 ? x?.elements : undefined }];
  },
};

export const Flatten: Op = {
  fold,
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
  fold,
  infer(node, [x, list]) {
    const shape = x?.shape;
    const given = integers(node, "axes", list, []);
    const ones = isStatic(shape) ? [...shape.keys()].filter((i) => shape[i] === 1) : undefined;
    const chosen = given?.length === 0 ? ones : shape && axesOf(given, shape.length);
    const axes = chosen?.every((i) => mayEqual(shape?.[i], 1)) ? chosen : undefined;
    return [{ dtype: x?.dtype, shape: axes && shape?.filter((_, i) => !axes.includes(i)), elements: x?.elements }];
  },
};

export const Unsqueeze: Op = {
  fold,
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
  fold(node, [x], { outputs: [y] }) {
    const perm = x && axesOf(numbers(node, "perm") ?? [...x.shape.keys()].reverse(), x.shape.length);
    if (!perm || !y) return undefined;
    const steps = strides(x.shape);
    const turned = offsets(
      y.shape,
      perm.map((axis) => steps[axis] as number),
    );
    return [picked(x, y.shape, turned)];
  },
};

export const Expand: Op = {
  infer(_node, [x, target], context) {
    const dims = elementsOf(target)?.map((d) => d ?? context.symbol());
    return [{ dtype: x?.dtype, shape: broadcast([x?.shape, dims], context) }];
  },
  fold: (_node, [x], { outputs: [y] }) => x && y && [picked(x, y.shape, offsets(y.shape, broadcastStrides(x.shape, y.shape)))],
};
