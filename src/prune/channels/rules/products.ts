/** Operators that sum over channels: convolutions, matrix products, recurrent layers. */
import type { Node } from "../../../graph/graph.ts";
import { int } from "../../../ops/op.ts";
import type { Axes, Labels } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";
import { because, type Rule, repeated, tiled } from "./rule.ts";

const KERNEL = "it is an axis of a kernel";
const INPUTS = "what it sums over stays";

/** How a convolution's groups lose channels. */
export type Grouping = "whole" | "within";

/**
 * Whether whole groups go, or the same channels of each. Depthwise convolutions lose groups; where groups are few and wide, each keeps so many.
 * `channels` are those that a group reads.
 */
export const groupingOf = (group: number, channels: number): Grouping => (channels <= group ? "whole" : "within");

/** x[N, C, …] with w[M, C / group, …] and b[M]. https://onnx.ai/onnx/operators/onnx__Conv.html */
export const conv: Rule = (node, c) => {
  const [x = "", w = "", b = ""] = node.input;
  const [axes, weight, sizes] = [c.axes(x), c.axes(w), c.sizes(w)];
  if (!axes || axes.length < 3 || !weight || !sizes || sizes.length !== axes.length) return undefined;
  const group = int(node, "group", 1);
  const [m = 0, own = 0] = sizes;
  const kernel = because(node, KERNEL);
  for (const labels of [...weight.slice(2), ...axes.slice(2), axes[0]]) c.fix(labels, kernel);
  let output = weight[0];
  if (group === 1) c.couple(axes[1], weight[1], because(node, INPUTS));
  else output = grouped(node, c, { x: axes[1], output, input: weight[1] }, group, m / group, own);
  output = biased(node, c, b, output);
  c.layers.push({ node, weight: w, output: weight[0], input: group === 1 ? weight[1] : undefined });
  return [[undefined, output, ...sizes.slice(2).map(() => undefined)]];
};

/** Couples the channels of a grouped convolution; gives those of its output, `m` of each group. */
function grouped(
  node: Node,
  c: Coupling,
  { x, output, input }: { x: Labels | undefined; output: Labels | undefined; input: Labels | undefined },
  group: number,
  m: number,
  channels: number,
): Labels | undefined {
  const why = because(node, "what its groups read stays");
  if (!x || !output || !Number.isInteger(m)) {
    for (const labels of [x, output, input]) c.fix(labels, why);
    return output;
  }
  if (groupingOf(group, channels) === "whole") {
    for (let i = 0; i < x.length; i++) c.atoms.unite(x[i - (i % channels)] as number, x[i] as number, why);
    for (let i = 0; i < output.length; i++) c.atoms.unite(x[Math.floor(i / m) * channels] as number, output[i] as number, why);
    c.fix(input, because(node, "whole groups go"));
  } else {
    if (input) c.couple(tiled(input, group), x, why);
    else c.fix(x, why);
    for (let i = m; i < output.length; i++) c.atoms.unite(output[i % m] as number, output[i] as number, why);
  }
  return output;
}

/** Couples a bias with the channels that it is added to. */
function biased(node: Node, c: Coupling, bias: string, channels: Labels | undefined): Labels | undefined {
  if (!bias) return channels;
  const axes = c.axes(bias);
  return c.couple(channels, axes?.[axes.length - 1], because(node, "its bias stays"));
}

/** x[N, C, …] with w[C, M / group, …] and b[M]. https://onnx.ai/onnx/operators/onnx__ConvTranspose.html */
export const convTranspose: Rule = (node, c) => {
  const [x = "", w = "", b = ""] = node.input;
  const [axes, weight, sizes] = [c.axes(x), c.axes(w), c.sizes(w)];
  if (!axes || axes.length < 3 || !weight || !sizes || sizes.length !== axes.length) return undefined;
  const group = int(node, "group", 1);
  const [channels = 0, m = 0] = sizes;
  for (const labels of [...weight.slice(2), ...axes.slice(2), axes[0]]) c.fix(labels, because(node, KERNEL));
  const input = c.couple(axes[1], weight[0], because(node, INPUTS));
  let output = weight[1];
  if (group > 1) output = transposedGroups(node, c, input, weight[1], group, channels / group, m);
  output = biased(node, c, b, output);
  c.layers.push({ node, weight: w, output: group === 1 ? weight[1] : weight[0], input: group === 1 ? weight[0] : undefined });
  return [[undefined, output, ...sizes.slice(2).map(() => undefined)]];
};

/** Couples the groups of a transposed convolution that reads so many `channels` and makes `m` of each; gives the channels of its output. */
function transposedGroups(
  node: Node,
  c: Coupling,
  input: Labels | undefined,
  own: Labels | undefined,
  group: number,
  channels: number,
  m: number,
): Labels | undefined {
  if (!input || !Number.isInteger(channels)) {
    c.fix(own, because(node, INPUTS));
    return undefined;
  }
  const why = because(node, "its groups");
  if (groupingOf(group, channels) === "within" && own) {
    for (let i = channels; i < input.length; i++) c.atoms.unite(input[i % channels] as number, input[i] as number, why);
    return tiled(own, group);
  }
  c.fix(own, because(node, "whole groups go"));
  for (let i = 0; i < input.length; i++) c.atoms.unite(input[i - (i % channels)] as number, input[i] as number, why);
  return repeated(
    input.filter((_, i) => i % channels === 0),
    m,
  );
}

/** a[…, M, K] with b[…, K, N]. https://onnx.ai/onnx/operators/onnx__MatMul.html */
export const matmul: Rule = (node, c) => {
  const [a = "", b = ""] = node.input;
  const [left, right] = [c.axes(a), c.axes(b)];
  const [m, n] = [c.shape(a)?.length, c.shape(b)?.length];
  if (!left?.length || !right?.length || !m || !n) return undefined;
  const [row, column] = [m > 1 ? [left[m - 2]] : [], n > 1 ? [right[n - 1]] : []];
  c.couple(left[m - 1], right[Math.max(n - 2, 0)], because(node, INPUTS));
  const batch = batchAxes(node, c, [a, b], [left.slice(0, -2), right.slice(0, -2)]);
  if (c.isConstant(b) || !c.isConstant(a)) c.layers.push({ node, weight: b, output: column[0], input: right[Math.max(n - 2, 0)] });
  else c.layers.push({ node, weight: a, output: row[0], input: left[m - 1] });
  return [[...batch, ...row, ...column]];
};

/** The leading axes of a product of stacks of matrices. */
function batchAxes(node: Node, c: Coupling, names: readonly string[], stacks: readonly [Axes, Axes]): Axes {
  const rank = Math.max(stacks[0].length, stacks[1].length);
  return Array.from({ length: rank }, (_, i) => {
    const spanning = stacks.flatMap((axes, side) => {
      const at = i - rank + axes.length;
      return at >= 0 && c.shape(names[side] as string)?.[at] !== 1 ? [axes[at]] : [];
    });
    return spanning.length === 2 ? c.couple(spanning[0], spanning[1], because(node, "what it is multiplied by stays")) : spanning[0];
  });
}

/** alpha · a[M, K] · b[K, N] + beta · c, each turned where it says so. https://onnx.ai/onnx/operators/onnx__Gemm.html */
export const gemm: Rule = (node, c) => {
  const [a = "", b = "", bias = ""] = node.input;
  const [left, right] = [c.axes(a), c.axes(b)];
  if (left?.length !== 2 || right?.length !== 2) return undefined;
  const [m, k] = int(node, "transA", 0) ? [left[1], left[0]] : left;
  const [k2, n] = int(node, "transB", 0) ? [right[1], right[0]] : right;
  c.couple(k, k2, because(node, INPUTS));
  c.layers.push({ node, weight: b, output: n, input: k2 });
  const added = bias ? c.axes(bias) : [];
  const shape = bias ? c.shape(bias) : [];
  if (!added || !shape) return undefined;
  const out = [m, n].map((labels, i) => {
    const at = i - 2 + added.length;
    return at < 0 || shape[at] === 1 ? labels : c.couple(labels, added[at], because(node, "its bias stays"));
  });
  return [out];
};

/** x[T, N, I] with w[D, gates · H, I]: what it reads may shrink, its state stays. https://onnx.ai/onnx/operators/onnx__LSTM.html */
export const recurrent: Rule = (node, c) => {
  const [x = "", w = "", ...rest] = node.input;
  const [axes, weight] = [c.axes(x), c.axes(w)];
  if (axes?.length !== 3 || weight?.length !== 3) return undefined;
  const state = because(node, "its state stays");
  c.couple(axes[2], weight[2], because(node, INPUTS));
  for (const labels of [axes[0], axes[1], weight[0], weight[1]]) c.fix(labels, state);
  for (const name of rest) if (name) c.fixAll(name, state);
  c.layers.push({ node, weight: w, output: undefined, input: weight[2] });
  return node.output.map((name) => c.shape(name)?.map(() => undefined));
};
