import { edited, makeNode } from "../graph.ts";
import type { Step } from "./step.ts";

/**
 * Softmax, LogSoftmax and Hardmax at 13: until then they worked on all axes from `axis` on as if they were one, from 13 on `axis` alone.
 * The two agree on the last axis. https://onnx.ai/onnx/operators/onnx__Softmax.html
 */
export const coerced: Step = (node, bench) => {
  const x = bench.input(node);
  const [y = ""] = node.output;
  const axis = bench.axis(node, 1);
  const rank = bench.rank(x) ?? bench.rank(y);
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) {
    return node.attributes.axis === undefined ? [edited(node, { attributes: { ...node.attributes, axis } })] : [node];
  }
  const part = (what: string) => bench.fresh(`${y}_${what}`);
  const [shape, flat, result] = [part("shape"), part("flattened"), part("coerced")];
  return [
    makeNode("Shape", [x], [shape]),
    makeNode("Flatten", [x], [flat], { axis }),
    edited(node, { input: [flat], output: [result], attributes: { ...node.attributes, axis: -1 } }),
    makeNode("Reshape", [result, shape], [y]),
  ];
};
