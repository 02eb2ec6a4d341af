/** Operators that compute each element from those in the same place. */
import type { Node } from "../../../graph/graph.ts";
import type { Axes, Labels } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";
import { because, type Rule } from "./rule.ts";

/** The axes of what values are broadcast to: https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md. Undefined where a rank is not known. */
export function broadcast(node: Node, names: readonly string[], c: Coupling): Axes | undefined {
  const operands = names.filter(Boolean).map((name) => ({ axes: c.axes(name), shape: c.shape(name) }));
  if (!operands.every(({ axes, shape }) => axes && shape)) return undefined;
  const rank = Math.max(...operands.map(({ axes = [] }) => axes.length));
  return Array.from({ length: rank }, (_, i) => {
    let found: { labels: Labels | undefined } | undefined;
    for (const { axes = [], shape = [] } of operands) {
      const at = i - rank + axes.length;
      if (at < 0 || shape[at] === 1) continue; // the same for all
      const labels = axes[at];
      found = { labels: found ? c.couple(found.labels, labels, because(node, "what it is computed with stays")) : labels };
    }
    return found?.labels;
  });
}

/** All inputs are operands. */
export const operands: Rule = (node, c) => {
  const axes = broadcast(node, node.input, c);
  return axes && [axes];
};

/** The first input is the operand; others are scalars, or tell of a type. All outputs have its shape. */
export const unary: Rule = (node, c) => {
  const axes = c.axes(node.input[0] as string);
  return axes && node.output.map(() => axes);
};

/** x with a scale and a zero point for all, or for each index of `axis`. */
export const quantization: Rule = (node, c) => {
  const [x = "", ...parameters] = node.input;
  const [axes, shape] = [c.axes(x), c.shape(x)];
  if (!axes || !shape || node.attributes.block_size) return undefined;
  const axis = Number(node.attributes.axis ?? 1);
  const at = axis < 0 ? axis + axes.length : axis;
  let labels = axes[at];
  for (const name of parameters) {
    const own = name ? c.axes(name) : [];
    if (own?.length === 1 && c.shape(name)?.[0] !== 1) labels = c.couple(labels, own[0], because(node, "its scales stay"));
  }
  return [axes.map((each, i) => (i === at ? labels : each))];
};
