/** Operators that move elements. https://onnx.ai/onnx/operators/ */
import { UnsupportedError } from "../../errors.ts";
import { describe } from "../../graph/graph.ts";
import { axisOf, int, numbers, text } from "../../ops/op.ts";
import { broadcastStrides, strides } from "../../ops/strides.ts";
import { integersOf } from "../../ops/value.ts";
import { BITS, elements } from "../../tensor.ts";
import type { Operand } from "../operand.ts";
import type { Call, Lower } from "./lower.ts";

/** Bytes of an element that kernels move; undefined for those they do not. */
const widthOf = ({ dtype }: Operand): number | undefined => (/^complex/.test(dtype) || BITS[dtype] < 8 ? undefined : BITS[dtype] / 8);

/** Elements of x in the order that sizes and strides say, from `start` on. */
function copied({ fn, table }: Call, x: Operand, y: Operand, steps: readonly number[], start = 0): (() => void) | undefined {
  const width = widthOf(x);
  const axes = [...y.shape.keys()].filter((axis) => y.shape[axis] !== 1);
  const [sizes, strided]: [number[], number[]] = [[], []];
  for (const axis of axes.toReversed()) {
    const [size, step] = [y.shape[axis] as number, steps[axis] as number];
    const [inner, innerStep] = [sizes[0] ?? 0, strided[0] ?? 0];
    if (sizes.length > 0 && step === inner * innerStep) sizes[0] = inner * size;
    else {
      sizes.unshift(size);
      strided.unshift(step);
    }
  }
  if (!width || sizes.length > 6) return undefined;
  if (sizes.length === 0) [sizes[0], strided[0]] = [1, 1];
  const at = table(Int32Array.of(...sizes, ...strided));
  const [rank, from] = [sizes.length, x.address + start * width];
  return () => fn.strided_copy(width, rank, at, from, y.address);
}

export const Transpose: Lower = (call) => {
  const [[x], [y]] = [call.inputs, call.outputs];
  if (!x || !y) return undefined;
  const own = strides(x.shape);
  const perm = numbers(call.node, "perm") ?? [...x.shape.keys()].reverse();
  return copied(
    call,
    x,
    y,
    perm.map((axis) => own[axis] as number),
  );
};

export const ChannelShuffle: Lower = (call) => {
  const [[x], [y]] = [call.inputs, call.outputs];
  if (!x || !y) return undefined;
  const [group, axis] = [int(call.node, "group", 1), int(call.node, "axis", 1)];
  const [outer, c, inner] = [elements(x.shape.slice(0, axis)), x.shape[axis] as number, elements(x.shape.slice(axis + 1))];
  const shuffled = { ...y, shape: [outer, c / group, group, inner] };
  return copied(call, x, shuffled, [c * inner, inner, (c / group) * inner, 1]);
};

export const Expand: Lower = (call) => {
  const [[x], [y]] = [call.inputs, call.outputs];
  return x && y && copied(call, x, y, broadcastStrides(x.shape, y.shape));
};

/** By constants, forwards or backwards. */
export const Slice: Lower = (call) => {
  const { node, inputs, outputs } = call;
  const [x, ...lists] = inputs;
  const [y] = outputs;
  if (!x || !y || lists.some((list) => list && !list.constant)) return undefined;
  const [starts, , axes, steps] = lists.map((list) => (list?.constant ? integersOf({ constant: list.constant }) : undefined));
  const from = starts ?? numbers(node, "starts");
  const named = axes ?? (lists.length > 0 ? undefined : numbers(node, "axes")) ?? from?.map((_, i) => i);
  if (!from || !named) return undefined;
  const own = strides(x.shape);
  let start = 0;
  const strided = [...own];
  for (const [i, given] of named.entries()) {
    const axis = axisOf(given, x.shape.length);
    const step = steps?.[i] ?? 1;
    if (axis === undefined) return undefined;
    const size = x.shape[axis] as number;
    const first = from[i] as number;
    const counted = first < 0 ? first + size : first;
    start += Math.min(Math.max(counted, 0), step < 0 ? size - 1 : size) * (own[axis] as number);
    strided[axis] = (own[axis] as number) * step;
  }
  return elements(y.shape) === 0 ? () => {} : copied(call, x, y, strided, start);
};

/** Rows of each tensor side by side: in the whole, from where to where. */
function sideBySide(
  call: Call,
  whole: Operand,
  parts: readonly (Operand | undefined)[],
  axis: number,
  isJoined: boolean,
): (() => void) | undefined {
  const width = widthOf(whole);
  if (!width) return undefined;
  const { fn } = call;
  const inner = elements(whole.shape.slice(axis + 1)) * width;
  const rows = elements(whole.shape.slice(0, axis));
  const line = inner * (whole.shape[axis] as number);
  const moves: (readonly [bytes: number, part: number, at: number])[] = [];
  let at = whole.address;
  for (const part of parts) {
    if (!part) return undefined;
    const bytes = inner * (part.shape[axis] as number);
    moves.push([bytes, part.address, at]);
    at += bytes;
  }
  return () => {
    for (const [bytes, part, place] of moves) {
      if (isJoined) fn.copy_2d(rows, bytes, part, bytes, place, line);
      else fn.copy_2d(rows, bytes, place, line, part, bytes);
    }
  };
}

export const Concat: Lower = (call) => {
  const [y] = call.outputs;
  const axis = y && axisOf(int(call.node, "axis", 1), y.shape.length);
  return y && axis !== undefined ? sideBySide(call, y, call.inputs, axis, true) : undefined;
};

export const Split: Lower = (call) => {
  const [x] = call.inputs;
  const axis = x && axisOf(int(call.node, "axis", 0), x.shape.length);
  return x && axis !== undefined ? sideBySide(call, x, call.outputs, axis, false) : undefined;
};

/** With a constant, floats or bytes: along one axis at a time the inside is copied into its place. */
export const Pad: Lower = (call) => {
  const { node, inputs, outputs, fn } = call;
  const [x, list, filler, some] = inputs;
  const [y] = outputs;
  if (!x || !y || some || (list && !list.constant) || (filler && !filler.constant) || text(node, "mode", "constant") !== "constant")
    return undefined;
  const pads = list?.constant ? integersOf({ constant: list.constant }) : numbers(node, "pads");
  const value = filler?.constant ? Number(filler.constant.data[0]) : int(node, "value", 0);
  const width = x.dtype === "float32" ? 4 : /^u?int8$/.test(x.dtype) ? 1 : undefined;
  if (!width || pads?.length !== 2 * x.shape.length || pads.some((pad) => pad < 0)) return undefined;
  const rank = x.shape.length;
  // Behind the last axis that is padded, rows stay whole; along the one before it they lie evenly.
  const last = Math.max(
    0,
    pads.slice(0, rank).findLastIndex((pad, axis) => pad !== 0 || pads[axis + rank] !== 0),
  );
  const even = Math.max(0, last - 1);
  const steps = strides(y.shape);
  const bytes = elements(x.shape.slice(last)) * width;
  const rows = elements(x.shape.slice(even, last));
  const line = (steps[even] as number) * width;
  const inside = pads.slice(even, last + 1).reduce((n, pad, i) => n + pad * (steps[even + i] as number), 0);
  const places = rowsOf(x.shape.slice(0, even), steps, pads).map((place) => y.address + (place + inside) * width);
  const count = elements(y.shape);
  return () => {
    if (width === 4) fn.f32_fill(count, y.address, value);
    else fn.u8_fill(count, y.address, value);
    for (let i = 0; i < places.length; i++) fn.copy_2d(rows, bytes, x.address + i * rows * bytes, bytes, places[i] as number, line);
  };
};

/** Where the rows of the inside start in the result, in elements. */
function rowsOf(shape: readonly number[], steps: readonly number[], pads: readonly number[]): number[] {
  let places = [0];
  for (const [axis, size] of shape.entries()) {
    const step = steps[axis] as number;
    places = places.flatMap((place) => Array.from({ length: size }, (_, i) => place + (i + (pads[axis] as number)) * step));
  }
  return places;
}

/** Rows by index. */
export const Gather: Lower = ({ node, inputs: [x, indices], outputs: [y], fn }) => {
  const axis = x && axisOf(int(node, "axis", 0), x.shape.length);
  const width = x && widthOf(x);
  if (!x || !indices || !y || !width || axis === undefined || !/^int(32|64)$/.test(indices.dtype)) return undefined;
  const [outer, limit] = [elements(x.shape.slice(0, axis)), x.shape[axis] as number];
  const bytes = elements(x.shape.slice(axis + 1)) * width;
  const count = elements(indices.shape);
  const wide = indices.dtype === "int64" ? 1 : 0;
  return () => {
    for (let i = 0; i < outer; i++) {
      const [from, to] = [x.address + i * limit * bytes, y.address + i * count * bytes];
      const wrong = fn.gather_rows(count, bytes, from, indices.address, wide, to, limit);
      if (wrong < 0) continue;
      const what = `index number ${wrong} lies outside of -${limit}..${limit - 1}`;
      throw new UnsupportedError(`${describe(node)} cannot gather: ${what}`, { node: node.name });
    }
  };
};
