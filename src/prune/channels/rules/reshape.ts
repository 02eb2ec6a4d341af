/** Reshape and Flatten: axes are merged and split. */
import type { Node } from "../../../graph/graph.ts";
import type { Dims } from "../../../ops/value.ts";
import { elements } from "../../../tensor.ts";
import type { Axes, Labels } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";
import { fate, LOST, STACKED } from "../fate.ts";
import { type Segment, segments } from "../segments.ts";
import { sayings } from "../targets.ts";
import { because, type Rule, repeated } from "./rule.ts";

/** Elements of the axes that are merged or split together, at most. */
const MAX_ELEMENTS = 1 << 19;

/** https://onnx.ai/onnx/operators/onnx__Reshape.html */
export const reshape: Rule = (node, c) => {
  const output = regrouped(node, c);
  if (!output) return undefined;
  // A size that is computed would be computed as before.
  const says = node.input[1] ? sayings(c, node.input[1]) : [];
  const target = node.input[1] ? c.elements(node.input[1]) : undefined;
  output.forEach((labels, axis) => {
    const follows = target?.[axis] === -1 || target?.[axis] === 0;
    if (labels && node.input[1] && !says?.[axis] && !follows)
      c.fix(labels, because(node, "their number is computed; add 'optimize', which computes it once"));
  });
  return [output];
};

/** https://onnx.ai/onnx/operators/onnx__Flatten.html */
export const flatten: Rule = (node, c) => {
  const output = regrouped(node, c);
  return output && [output];
};

/** The labels of a value whose axes are those of another, regrouped. */
function regrouped(node: Node, c: Coupling): Axes | undefined {
  const [x = ""] = node.input;
  const [y = ""] = node.output;
  const [axes, from, to] = [c.axes(x), c.shape(x), c.shape(y)];
  if (!axes || !from || !to) return undefined;
  const output = new Array<Labels | undefined>(to.length).fill(undefined);
  const [seen, made] = [new Set<number>(), new Set<number>()];
  for (const segment of segments(from, to)) {
    for (const axis of segment.from) seen.add(axis);
    for (const axis of segment.to) made.add(axis);
    const labels = segment.from.map((axis) => axes[axis]);
    if (segment.from.length === 1 && segment.to.length === 1) output[segment.to[0] as number] = labels[0];
    else if (labels.some(Boolean)) {
      const [sizes, wanted] = [segment.from.map((axis) => from[axis]), segment.to.map((axis) => to[axis])] as [number[], number[]];
      const carried = carry(node, c, labels, sizes, wanted, segment.to);
      if (carried) output[carried.axis] = carried.labels;
    }
  }
  const [rest, others] = [from.keys(), to.keys()].map((keys) => [...keys]) as [number[], number[]];
  const open = { from: rest.filter((axis) => !seen.has(axis)), to: others.filter((axis) => !made.has(axis)) };
  const lead = leading(node, c, open, axes, from, to);
  if (lead) output[open.to[0] as number] = lead;
  axes.forEach((labels, axis) => {
    if (!seen.has(axis) && !(lead && axis === open.from[0]))
      c.fix(labels, because(node, "sizes that are not known are regrouped with them"));
  });
  return output;
}

/** The labels of the first of axes that are regrouped with others of which the sizes are not known: groups of channels, or channels of groups. */
function leading(node: Node, c: Coupling, { from, to }: Segment, axes: Axes, sizes: Dims, wanted: Dims): Labels | undefined {
  const [first = 0, second = 0] = [from[0], to[0]];
  const [labels, size, count] = [axes[first], sizes[first], wanted[second]];
  const isAlone = from.slice(1).every((axis) => !axes[axis]);
  if (!labels || !isAlone || typeof size !== "number" || typeof count !== "number" || count < 2) return undefined;
  if (count % size === 0) return c.tells(count) ? repeated(labels, count / size) : undefined;
  if (size % count !== 0) return undefined;
  const own = labels.filter((_, i) => i % (size / count) === 0);
  c.couple(repeated(own, size / count), labels, because(node, "its groups"));
  return own;
}

/** Carries the labels of one of the merged axes over to one of those that come of them. */
function carry(
  node: Node,
  c: Coupling,
  labels: readonly (Labels | undefined)[],
  from: readonly number[],
  to: readonly number[],
  axes: readonly number[],
): { axis: number; labels: Labels } | undefined {
  const fix = (why: string): undefined => {
    for (const each of labels) c.fix(each, because(node, why));
    return undefined;
  };
  const total = elements(from);
  const at = labels.findIndex(Boolean);
  if (labels.filter(Boolean).length > 1) return fix("channels of two axes are merged");
  if (total > MAX_ELEMENTS) return fix("so many elements are regrouped that they are not followed");
  const own = labels[at] as Labels;
  const inner = elements(from.slice(at + 1));
  const labelOf = (element: number): number => own[Math.floor(element / inner) % own.length] as number;
  const split = to.map((size, i): Split => ({ axis: axes[i] as number, size, inner: elements(to.slice(i + 1)) }));
  if (to.some((size) => !c.tells(size))) return fix("so many come of it that they are not followed");
  const chosen = choose(node, c, split, total, labelOf);
  if (!chosen) return fix("what comes of it cannot shrink");
  const carried = new Int32Array(chosen.size).fill(-1);
  const why = because(node, "axes of which only one can shrink");
  for (let element = 0; element < total; element++) {
    const index = Math.floor(element / chosen.inner) % chosen.size;
    if (carried[index] === -1) carried[index] = labelOf(element);
    else c.atoms.unite(carried[index] as number, labelOf(element), why);
  }
  return { axis: chosen.axis, labels: carried };
}

/** An axis of those that come of a Reshape: its size, and how many elements lie between its indices. */
interface Split {
  axis: number;
  size: number;
  inner: number;
}

/** The axis that is to shrink: the one whose indices have a label each already; else heads, else the longest. */
function choose(node: Node, c: Coupling, split: readonly Split[], total: number, labelOf: (element: number) => number): Split | undefined {
  const wide = split.filter(({ size }) => size > 1);
  const apart = wide.find(({ size, inner }) => {
    const found = new Int32Array(size).fill(-1);
    for (let element = 0; element < total; element++) {
      const index = Math.floor(element / inner) % size;
      const label = c.atoms.find(labelOf(element));
      if (found[index] === -1) found[index] = label;
      else if (found[index] !== label) return false;
    }
    return true;
  });
  if (apart) return apart;
  const fates = wide.map((each) => ({ each, fate: fate(c, node.output[0] as string, each.axis) }));
  const stacked = fates.filter((entry) => entry.fate === STACKED).map(({ each }) => each);
  const kept = fates.filter((entry) => entry.fate !== LOST).map(({ each }) => each);
  const [longest] = (stacked.length > 0 ? stacked : kept).toSorted((a, b) => b.size - a.size);
  return longest;
}
