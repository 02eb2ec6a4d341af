/** Operators that move, join and cut axes. */
import type { Node } from "../../../graph/graph.ts";
import { axisOf, int, integers, numbers, text } from "../../../ops/op.ts";
import { type Axes, FIXED, type Labels } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";
import { sayings } from "../targets.ts";
import { because, type Rule, repeated, tiled } from "./rule.ts";

export const transpose: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  const perm = numbers(node, "perm") ?? axes?.map((_, i) => axes.length - 1 - i);
  return axes && perm && [perm.map((from) => axes[from])];
};

/** Squeeze and Unsqueeze: axes of one element come and go, so the others keep their order. */
export const ones: Rule = (node, c) => {
  const [x = ""] = node.input;
  const [axes, from, to] = [c.axes(x), c.shape(x), c.shape(node.output[0] as string)];
  if (!axes || !from || !to) return undefined;
  const inserted = to.length > from.length;
  const [short, long] = inserted ? [from, to] : [to, from];
  const list = integers(node, "axes", node.input[1] ? { elements: c.elements(node.input[1] as string) } : undefined, []);
  const places = list?.length ? new Set(list.map((axis) => (axis < 0 ? axis + long.length : axis))) : undefined;
  const isOne = (axis: number): boolean => places?.has(axis) ?? (!inserted && long[axis] === 1);
  const others = long.flatMap((_, axis) => (isOne(axis) ? [] : [axis]));
  if (others.length !== short.length) return undefined;
  return [inserted ? to.map((_, axis) => axes[others.indexOf(axis)]) : others.map((axis) => axes[axis])];
};

/** Labels of an axis, those of one that stays included. */
const labelsOf = (axes: Axes, axis: number, size: number): Labels => axes[axis] ?? new Int32Array(size).fill(FIXED);

/** An axis all of whose indices stay has no labels. */
const orNone = (labels: Labels): Labels | undefined => (labels.some((atom) => atom !== FIXED) ? labels : undefined);

export const concat: Rule = (node, c) => {
  const inputs = node.input.map((name) => ({ axes: c.axes(name), shape: c.shape(name) }));
  const [first] = inputs;
  const axis = first?.axes && axisOf(int(node, "axis", 0), first.axes.length);
  if (axis === undefined || !inputs.every(({ axes, shape }) => axes && shape)) return undefined;
  const all = inputs as { axes: Axes; shape: readonly (number | string)[] }[];
  return [
    all[0]?.axes.map((_, i) => {
      if (i !== axis) return all.map(({ axes }) => axes[i]).reduce((a, b) => c.couple(a, b, because(node, "what it is joined with stays")));
      const length = all.reduce((n, { shape }) => n + (typeof shape[i] === "number" ? shape[i] : Number.POSITIVE_INFINITY), 0);
      if (!c.tells(length)) {
        for (const { axes } of all) c.fix(axes[i], because(node, "it is joined with what has no known size, or too many"));
        return undefined;
      }
      return orNone(Int32Array.from(all.flatMap(({ axes, shape }) => [...labelsOf(axes, i, shape[i] as number)])));
    }),
  ];
};

/** Sizes of the parts as the outputs have them. */
export const split: Rule = (node, c) => {
  const [x = "", sizes] = node.input;
  const axes = c.axes(x);
  const axis = axes && axisOf(int(node, "axis", 0), axes.length);
  if (axis === undefined) return undefined;
  const parts = node.output.map((name) => c.shape(name)?.[axis]);
  const labels = axes?.[axis];
  const isKnown = parts.every((size) => typeof size === "number") && (!sizes || c.isConstant(sizes));
  if (!isKnown) c.fix(labels, because(node, "the sizes of its parts are computed"));
  let start = 0;
  return parts.map((size) => {
    const own = isKnown && labels ? orNone(labels.subarray(start, start + Number(size))) : undefined;
    start += Number(size);
    return axes?.map((each, i) => (i === axis ? own : each));
  });
};

/** Where a Slice cuts an axis; undefined where it does not, or that is not known. */
export interface Cut {
  axis: number;
  start: number;
  end: number;
}

/** The cuts of a Slice of known places in steps of 1; undefined where one is not known. https://onnx.ai/onnx/operators/onnx__Slice.html */
export function cutsOf(node: Node, c: Coupling): readonly Cut[] | undefined {
  const shape = c.shape(node.input[0] as string);
  const list = (name: string, index: number): readonly number[] | undefined =>
    node.input[index] ? c.integers(node.input[index]) : (numbers(node, name) ?? undefined);
  const [starts, ends] = [list("starts", 1), list("ends", 2)];
  const [axes, steps] = [node.input[3] ? list("axes", 3) : (list("axes", 3) ?? starts?.map((_, i) => i)), list("steps", 4)];
  if (!shape || !starts || !ends || !axes || (node.input[4] && !steps)) return undefined;
  const cuts: Cut[] = [];
  for (const [i, given] of axes.entries()) {
    const axis = axisOf(given, shape.length);
    const size = axis === undefined ? undefined : shape[axis];
    if (axis === undefined || typeof size !== "number" || (steps?.[i] ?? 1) !== 1) return undefined;
    const at = (place: number): number => Math.min(Math.max(place < 0 ? place + size : place, 0), size);
    cuts.push({ axis, start: at(starts[i] as number), end: at(ends[i] as number) });
  }
  return cuts;
}

export const slice: Rule = (node, c) => {
  const [x = ""] = node.input;
  const [axes, cuts] = [c.axes(x), cutsOf(node, c)];
  if (!axes) return undefined;
  const touched = node.input[3] ? c.integers(node.input[3]) : numbers(node, "axes");
  if (!cuts) {
    // Axes that it does not cut go on.
    const cut = touched?.map((axis) => axisOf(axis, axes.length));
    axes.forEach((labels, i) => {
      if (!cut || cut.includes(i)) c.fix(labels, because(node, "where it cuts is computed, or it takes steps"));
    });
    return [axes.map((labels, i) => (!cut || cut.includes(i) ? undefined : labels))];
  }
  return [
    axes.map((labels, i) => {
      const own = cuts.find(({ axis }) => axis === i);
      if (!own || !labels) return labels;
      return own.start < own.end ? orNone(labels.subarray(own.start, own.end)) : undefined;
    }),
  ];
};

/** Channels that are picked by constant indices; rows of a table by computed ones. https://onnx.ai/onnx/operators/onnx__Gather.html */
export const gather: Rule = (node, c) => {
  const [data = "", indices = ""] = node.input;
  const [axes, shape, picks] = [c.axes(data), c.shape(data), c.shape(indices)];
  const axis = axes && axisOf(int(node, "axis", 0), axes.length);
  if (!axes || !shape || !picks || axis === undefined) return undefined;
  const labels = axes[axis];
  const list = c.isConstant(indices) && picks.length === 1 ? c.integers(indices) : undefined;
  let picked: (Labels | undefined)[] = picks.map(() => undefined);
  if (labels && list) picked = [orNone(Int32Array.from(list, (index) => labels[index < 0 ? index + labels.length : index] ?? FIXED))];
  else c.fix(labels, because(node, c.isConstant(data) ? "rows of a table" : "it picks of them"));
  if (c.isConstant(data) && axis === 0 && axes.length === 2) c.layers.push({ node, weight: data, output: axes[1], input: undefined });
  return [[...axes.slice(0, axis), ...picked, ...axes.slice(axis + 1)]];
};

/** As many equal elements as are asked for: https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html */
export const constantOfShape: Rule = (node, c) => {
  const [target = ""] = node.input;
  const [sizes, says] = [c.sizes(node.output[0] as string), sayings(c, target)];
  return [sizes?.map((size, i) => (says?.[i] ? c.fresh(size) : undefined))];
};

/** x broadcast to a shape: https://onnx.ai/onnx/operators/onnx__Expand.html */
export const expand: Rule = (node, c) => {
  const [x = "", target = ""] = node.input;
  const [axes, from, to] = [c.axes(x), c.shape(x), c.shape(node.output[0] as string)];
  const says = sayings(c, target);
  if (!axes || !from || !to) return undefined;
  const skipped = to.length - from.length;
  const wanted = c.elements(target) ?? [];
  return [
    to.map((size, i) => {
      const labels = axes[i - skipped];
      const entry = i - (to.length - wanted.length);
      if (!labels || wanted[entry] === 1 || entry < 0) return labels;
      if (size === from[i - skipped] && says?.[entry]) return labels;
      c.fix(labels, because(node, "their number is computed"));
      return undefined;
    }),
  ];
};

/** https://onnx.ai/onnx/operators/onnx__Tile.html */
export const tile: Rule = (node, c) => {
  const [x = "", repeats = ""] = node.input;
  const [axes, times] = [c.axes(x), c.integers(repeats)];
  if (!axes || !times || times.length !== axes.length) return undefined;
  return [
    axes.map((labels, i) => {
      const count = times[i] as number;
      if (!labels || (count >= 0 && c.tells(labels.length * count))) return labels && tiled(labels, count);
      c.fix(labels, because(node, "too many come of them"));
      return undefined;
    }),
  ];
};

/** What is put around goes with what it is computed with. https://onnx.ai/onnx/operators/onnx__Pad.html */
export const pad: Rule = (node, c) => {
  const [x = "", list, , which] = node.input;
  const axes = c.axes(x);
  const pads = list ? c.integers(list) : numbers(node, "pads");
  if (!axes || !pads || which) return undefined;
  const isConstant = text(node, "mode", "constant") === "constant" && (!list || c.isConstant(list));
  return [
    axes.map((labels, i) => {
      const [before, after] = [pads[i] ?? 0, pads[i + axes.length] ?? 0];
      if (!labels || (before === 0 && after === 0)) return labels;
      if (isConstant && before >= 0 && after >= 0 && c.tells(labels.length + before + after))
        return Int32Array.from([...c.atoms.fresh(before), ...labels, ...c.atoms.fresh(after)]);
      c.fix(labels, because(node, "it makes others of them"));
      return undefined;
    }),
  ];
};

/** Axes that keep their size go on: https://onnx.ai/onnx/operators/onnx__Resize.html */
export const resize: Rule = (node, c) => {
  const [x = ""] = node.input;
  const [axes, from, to] = [c.axes(x), c.shape(x), c.shape(node.output[0] as string)];
  if (!axes || !from || !to || node.attributes.axes) return undefined;
  const sizes = node.op_type === "Resize" ? node.input[3] : undefined;
  const says = sizes ? sayings(c, sizes) : undefined;
  return [
    axes.map((labels, i) => {
      if (labels && from[i] === to[i] && (!sizes || says?.[i])) return labels;
      c.fix(labels, because(node, "they are resized, or their number is computed"));
      return undefined;
    }),
  ];
};

/** Blocks of pixels from channels: https://onnx.ai/onnx/operators/onnx__DepthToSpace.html */
export const depthToSpace: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  const labels = axes?.[1];
  if (axes?.length !== 4) return undefined;
  const times = int(node, "blocksize", 1) ** 2;
  const count = (labels?.length ?? 0) / times;
  const rows = text(node, "mode", "DCR") === "DCR";
  const own = labels?.slice(0, count).map((_, i) => labels[rows ? i : i * times] as number);
  const why = because(node, "their pixels");
  if (own) c.couple(rows ? tiled(own, times) : repeated(own, times), labels, why);
  for (const each of [axes[0], axes[2], axes[3]]) c.fix(each, why);
  return [[undefined, own, undefined, undefined]];
};

/** https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html */
export const spaceToDepth: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  if (axes?.length !== 4) return undefined;
  for (const each of [axes[0], axes[2], axes[3]]) c.fix(each, because(node, "their pixels"));
  const times = int(node, "blocksize", 1) ** 2;
  if (axes[1] && !c.tells(axes[1].length * times)) return undefined;
  return [[undefined, axes[1] && tiled(axes[1], times), undefined, undefined]];
};

/** A number of channels that something computes with must stay; others may be asked for. https://onnx.ai/onnx/operators/onnx__Shape.html */
export const shape: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  if (!axes) return undefined;
  const [y = ""] = node.output;
  const start = int(node, "start", 0);
  const picked = c.readers(y).map((reader) => {
    const isPick = reader.op_type === "Gather" && reader.input[0] === y && c.isConstant(reader.input[1] as string);
    return isPick ? c.integers(reader.input[1]) : reader.op_type === "Slice" ? slicedElements(reader, c) : undefined;
  });
  axes.forEach((labels, i) => {
    const at = i - (start < 0 ? start + axes.length : start);
    const isAsked = c.isOutput(y) || picked.some((list) => !list || list.some((index) => (index < 0 ? index + axes.length : index) === at));
    if (isAsked) c.fix(labels, because(node, "it is computed with their number; add 'optimize', which computes it once"));
  });
  return [[undefined]];
};

function slicedElements(node: Node, c: Coupling): readonly number[] | undefined {
  const [cut] = cutsOf(node, c) ?? [];
  return cut && Array.from({ length: cut.end - cut.start }, (_, i) => cut.start + i);
}
