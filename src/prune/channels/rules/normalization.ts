/** Normalizations, and what else looks at all of an axis at once. */
import type { Node } from "../../../graph/graph.ts";
import { axisOf, int, integers } from "../../../ops/op.ts";
import type { Axes } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";
import { because, type Rule } from "./rule.ts";

/** x[N, C, …] with parameters [C]: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html and InstanceNormalization, whose statistics are of a channel. */
export const channelwise: Rule = (node, c) => {
  const [x = "", ...parameters] = node.input;
  const axes = c.axes(x);
  if (!axes || axes.length < 2) return undefined;
  let labels = axes[1];
  if (node.op_type === "BatchNormalization" && parameters[0]) c.norms.add(parameters[0]);
  for (const name of parameters) if (name) labels = c.couple(labels, c.axes(name)?.[0], because(node, "its parameters stay"));
  if (node.op_type === "InstanceNormalization") for (const each of axes.slice(2)) c.fix(each, because(node, "it normalizes over them"));
  return [axes.map((each, i) => (i === 1 ? labels : each)), ...node.output.slice(1).map((name) => c.shape(name)?.map(() => undefined))];
};

/** Makes the axes from one on stay. */
const fixedFrom = (from: number, axes: Axes, node: Node, c: Coupling): void => {
  for (const labels of axes.slice(from)) c.fix(labels, because(node, "it normalizes over them, and would do so with others"));
};

/** Normalizes over all axes from `axis` on: https://onnx.ai/onnx/operators/onnx__LayerNormalization.html */
export const layer: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  const from = axes && axisOf(int(node, "axis", -1), axes.length);
  if (!axes || from === undefined) return undefined;
  fixedFrom(from, axes, node, c);
  for (const name of node.input.slice(1)) if (name) c.fixAll(name, because(node, "it normalizes over them"));
  return node.output.map(() => axes);
};

/** Over one axis; up to opset 12 over all from it on. */
export const softmax: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  const old = c.opset < 13;
  const from = axes && axisOf(int(node, "axis", old ? 1 : -1), axes.length);
  if (!axes || from === undefined) return undefined;
  fixedFrom(from, old ? axes : axes.slice(0, from + 1), node, c);
  return [axes];
};

/** Over an axis that is given, by default the last (LpNormalization), or the channels (LRN, GroupNormalization and the like). */
export const over =
  (otherwise: number): Rule =>
  (node, c) => {
    const axes = c.axes(node.input[0] as string);
    const at = axes && axisOf(int(node, "axis", otherwise), axes.length);
    if (!axes || at === undefined) return undefined;
    for (const name of node.input.slice(1)) if (name) c.fixAll(name, because(node, "it normalizes over them"));
    c.fix(axes[at], because(node, "it looks at all of them at once"));
    return [axes];
  };

/** Sums do not change where what goes is zero. */
const SUMS: ReadonlySet<string> = new Set(["ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"]);

/** https://onnx.ai/onnx/operators/onnx__ReduceMean.html and the others: an attribute says the axes, or an input does. */
export const reduce: Rule = (node, c) => {
  const [x = "", list] = node.input;
  const axes = c.axes(x);
  if (!axes) return undefined;
  const isArg = node.op_type.startsWith("Arg");
  const given = isArg ? [int(node, "axis", 0)] : list ? c.integers(list) : integers(node, "axes", undefined, []);
  if (!given) return undefined;
  const all = given.length === 0 && int(node, "noop_with_empty_axes", 0) === 0;
  const reduced = new Set(all ? axes.keys() : given.map((axis) => (axis < 0 ? axis + axes.length : axis)));
  if (!SUMS.has(node.op_type)) for (const at of reduced) c.fix(axes[at], because(node, "it looks at all of them at once"));
  const keeps = int(node, "keepdims", 1) !== 0;
  return [axes.flatMap((labels, i) => (reduced.has(i) ? (keeps ? [undefined] : []) : [labels]))];
};

/** One number for a channel: [N, C, 1, …]. */
export const globalPool: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  if (!axes) return undefined;
  for (const labels of axes.slice(2)) c.fix(labels, because(node, "it looks at all of them at once"));
  return [axes.map((labels, i) => (i < 2 ? labels : undefined))];
};

/** A window over the axes behind the channels. */
export const pool: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  if (!axes) return undefined;
  for (const labels of axes.slice(2)) c.fix(labels, because(node, "a window moves over them"));
  return node.output.map(() => axes.map((labels, i) => (i < 2 ? labels : undefined)));
};
