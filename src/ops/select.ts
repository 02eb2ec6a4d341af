/** Operators that pick elements out, or put elements in, by index. */
import { computed } from "./dims.ts";
import { axesOf, axisOf, int, integers, type Op } from "./op.ts";
import { type Dim, elementsOf, integersOf, type Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

export const ReverseSequence = likeFirst;
export const Scatter = likeFirst;
export const ScatterElements = likeFirst;
export const ScatterND = likeFirst;
export const TensorScatter = likeFirst;
export const Trilu = likeFirst;

/** [..., axis, ...] with the indices' dimensions in the axis' place. */
export const Gather: Op = {
  infer(node, [x, indices]) {
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    if (!x?.shape || axis === undefined || !indices?.shape) return [{ dtype: x?.dtype }];
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    const all = elementsOf(x);
    const picked = x.shape.length === 1 && shape.length <= 1 && all ? integersOf(indices) : undefined;
    return [{ dtype: x.dtype, shape, elements: picked?.map((i) => all?.at(i)) }];
  },
};

export const GatherElements: Op = { infer: (_node, [x, indices]) => [{ dtype: x?.dtype, shape: indices?.shape }] };

export const GatherND: Op = {
  infer(node, [x, indices]) {
    const last = indices?.shape?.at(-1);
    const batch = int(node, "batch_dims", 0);
    if (!x?.shape || !indices?.shape || typeof last !== "number" || batch + last > x.shape.length) return [{ dtype: x?.dtype }];
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + last)] }];
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
    const elements = run && all && Array.from({ length: run.count }, (_, i) => all[run.first + i * run.step]);
    return [{ dtype: x.dtype, shape: sliced as Dim[], elements: axes.length === 1 ? elements : undefined }];
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
  const last = clamped(end, low, high);
  return { first, step, count: Math.max(0, Math.ceil((last - first) / step)) };
}

const boundaries = (attribute: unknown, input: Value | undefined): readonly (Dim | undefined)[] | undefined =>
  input ? elementsOf(input) : Array.isArray(attribute) ? attribute : undefined;
