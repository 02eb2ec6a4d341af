import { edited, makeNode } from "../graph.ts";
import { type Step, without } from "./step.ts";

/** BatchNormalization at 9: statistics of each element are gone. https://onnx.ai/onnx/operators/onnx__BatchNormalization.html */
export const spatial: Step = (node, bench) => {
  if (bench.int(node, "spatial", 1) === 0) bench.refuse(node, "normalizes each element by itself (spatial is 0)");
  return node.attributes.spatial === undefined ? [node] : [edited(node, { attributes: without(node, "spatial") })];
};

/** BatchNormalization at 14: what it gives in training has changed. */
export const inference: Step = (node, bench) => {
  const [y = "", ...more] = node.output;
  if (more.some((name) => name !== "")) bench.refuse(node, "gives out the statistics of training");
  return more.length > 0 ? [edited(node, { output: [y] })] : [node];
};

/**
 * GroupNormalization at 21: scale and bias had one element a group, and have one a channel.
 * https://onnx.ai/onnx/operators/onnx__GroupNormalization.html
 */
export const perChannel: Step = (node, bench) => {
  const x = bench.input(node, 3);
  const [, scale = "", bias = ""] = node.input;
  const [y = ""] = node.output;
  const groups = bench.int(node, "num_groups", 0);
  if (!scale || !bias || groups < 1) bench.refuse(node, "has no scale, no bias or no groups");
  const part = (what: string) => bench.fresh(`${y}_${what}`);
  const [channels, each, shape] = [part("channels"), part("channels_per_group"), part("groups_shape")];
  const one = bench.vector("dims", [1]);
  const nodes = [
    makeNode("Shape", [x], [channels], { start: 1, end: 2 }),
    makeNode("Div", [channels, bench.vector("num_groups", [groups])], [each]),
    makeNode("Concat", [one, each], [shape], { axis: 0 }),
  ];
  const spread = (name: string, what: string): string => {
    const [column, repeated, flat] = [part(`${what}_column`), part(`${what}_repeated`), part(what)];
    nodes.push(
      makeNode("Unsqueeze", [name, one], [column]),
      makeNode("Expand", [column, shape], [repeated]),
      makeNode("Reshape", [repeated, bench.vector("dims", [-1])], [flat]),
    );
    return flat;
  };
  const input = [x, spread(scale, "scale"), spread(bias, "bias")];
  return [...nodes, edited(node, { input })];
};
