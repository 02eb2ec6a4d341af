import { UnsupportedError } from "../../errors.ts";
import { describe, edited, type Node } from "../../graph/graph.ts";
import type { QuantizedWeight, Scope } from "./dynamic-scope.ts";
import { MICROSOFT } from "./represent.ts";

/** Inputs of LSTM: X, W, R, B, sequence_lens, initial_h, initial_c, P. */
const INPUTS = 8;

/**
 * Puts DynamicQuantizeLSTM in the place of an LSTM; false where its weights stay in float.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM
 */
export function lstm(node: Node, scope: Scope): boolean {
  const [x = "", w = "", r = "", ...rest] = node.input;
  const [W, R] = [w, r].map((name) => asRecurrent(scope.weight(name)));
  if (!W && !R) return false;
  if (!W || !R) {
    const [integer, float] = W ? [w, r] : [r, w];
    throw new UnsupportedError(`${describe(node)} cannot read '${integer}' in 8 bits and '${float}' in float; exclude both`, {
      node: node.name,
      tensor: float,
    });
  }
  for (const name of [x, ...rest]) scope.float(name);
  const floats = Array.from({ length: INPUTS - 3 }, (_, i) => rest[i] ?? "");
  const { layout: _layout, ...attributes } = node.attributes;
  scope.put(
    edited(node, {
      op_type: "DynamicQuantizeLSTM",
      domain: MICROSOFT,
      name: node.name && `${node.name}_quant`,
      input: [x, W.values, R.values, ...floats, W.scale, W.zero_point, R.scale, R.zero_point],
      attributes,
    }),
  );
  return true;
}

/** A weight in the layout that the operator reads: [directions, input, 4 × hidden]. */
const asRecurrent = (weight: QuantizedWeight | undefined): QuantizedWeight | undefined =>
  weight?.rank === 3 && weight.transposed ? weight : undefined;
