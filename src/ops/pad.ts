import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { ofKnown } from "./compute.ts";
import { unknownDims } from "./dims.ts";
import { emptyLike, int64s, type Numbers, picked } from "./elements.ts";
import { axesOf, int, numbers, type Op, text } from "./op.ts";
import { offsets, strides } from "./strides.ts";
import { constantValue, type Dim, elementsOf, integersOf } from "./value.ts";

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
  /** With one constant; negative pads cut. */
  fold(node, [x, list, value, some], { outputs: [y] }) {
    if (!x || !y || text(node, "mode", "constant") !== "constant" || Array.isArray(x.data)) return undefined;
    const pads = list ? integersOf(constantValue(list)) : numbers(node, "pads");
    const axes = axesOf(some ? integersOf(constantValue(some)) : [...x.shape.keys()], x.shape.length);
    if (!pads || !axes || (value && (value.data.length !== 1 || value.dtype !== x.dtype))) return undefined;
    const before = x.shape.map((_, i) => (axes.includes(i) ? (pads[axes.indexOf(i)] as number) : 0));
    // What is left of the input: from where, and how much.
    const from = before.map((pad) => Math.max(0, -pad));
    const to = before.map((pad) => Math.max(0, pad));
    const kept = x.shape.map((d, i) => Math.max(0, Math.min(d - (from[i] as number), (y.shape[i] as number) - (to[i] as number))));
    const along = (steps: readonly number[], start: readonly number[]) =>
      offsets(
        kept,
        steps,
        steps.reduce((n, step, i) => n + step * (start[i] as number), 0),
      );
    const [source, target] = [along(strides(x.shape), from), along(strides(y.shape), to)];
    const data = emptyLike(x.data as Numbers, elements(y.shape));
    const fill = value ? value.data[0] : padValue(node, x);
    if (fill === undefined) return undefined;
    data.fill(fill as number);
    for (let i = 0; i < source.length; i++) data[target[i] as number] = x.data[source[i] as number] as number;
    return [{ dtype: y.dtype, shape: y.shape, data }];
  },
  compute: ofKnown((node, inputs, context) => {
    const [x, list, , some] = inputs;
    const place = PLACES[text(node, "mode", "constant")];
    if (!place) return Pad.fold?.(node, inputs, context);
    const pads = list ? integersOf(constantValue(list)) : numbers(node, "pads");
    const axes = x && axesOf(some ? integersOf(constantValue(some)) : [...x.shape.keys()], x.shape.length);
    const [y] = context.outputs;
    if (!x || !y || !pads || !axes || (elements(x.shape) === 0 && elements(y.shape) > 0)) return undefined;
    let from = Int32Array.of(0);
    x.shape.forEach((size, axis) => {
      const at = axes.indexOf(axis);
      const [before = 0, after = 0] = at < 0 ? [] : [pads[at], pads[at + axes.length]];
      // What negative pads leave is what is repeated.
      const [first, kept] = [Math.max(0, -before), size + Math.min(0, before) + Math.min(0, after)];
      const next = new Int32Array(from.length * (y.shape[axis] as number));
      const width = next.length / from.length;
      for (let i = 0; i < next.length; i++)
        next[i] = (from[Math.floor(i / width)] as number) * size + first + place((i % width) - Math.max(0, before), kept);
      from = next;
    });
    return [picked(x, y.shape, from)];
  }),
};

const modulo = (i: number, n: number): number => ((i % n) + n) % n;

/** Where the element lies that stands at `i`, which may be outside, of `size`. */
const PLACES: Readonly<Record<string, (i: number, size: number) => number>> = {
  edge: (i, size) => Math.min(Math.max(i, 0), size - 1),
  reflect: (i, size) => (size < 2 ? 0 : size - 1 - Math.abs(modulo(i, 2 * size - 2) - size + 1)),
  wrap: modulo,
};

/** Each axis is cut or padded with zeros on both sides alike. */
export const CenterCropPad: Op = {
  infer(node, [x, size], context) {
    const shape = x?.shape;
    const axes = shape && axesOf(numbers(node, "axes") ?? [...shape.keys()], shape.length);
    const dims = elementsOf(size);
    const dim = (d: Dim, i: number) => (axes?.includes(i) ? (dims?.[axes.indexOf(i)] ?? context.symbol()) : d);
    return [{ dtype: x?.dtype, shape: axes && shape?.map(dim) }];
  },
  compute: ofKnown((node, [x], context) => {
    const dims = context.outputs[0]?.shape ?? [];
    const before = x?.shape.map((d, i) => Math.trunc(((dims[i] as number) - d) / 2)) ?? [];
    const after = x?.shape.map((d, i) => (dims[i] as number) - d - (before[i] as number)) ?? [];
    return Pad.fold?.(node, [x, int64s([2 * dims.length], [...before, ...after])], context);
  }),
};

/** The constant of an attribute, or zero. */
function padValue(node: Node, { dtype, data }: Tensor): number | bigint | undefined {
  const value = int(node, "value", 0);
  if (value !== 0 && dtype !== "float32") return undefined;
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? 0n : value;
}
