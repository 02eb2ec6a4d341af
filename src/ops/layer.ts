import { int, type Op, text } from "./op.ts";
import type { Dim } from "./value.ts";

/**
 * A recurrent layer over x[length, batch, input], or with `layout` 1 the batch first. Its outputs are Y and the last of each of its states;
 * `hiddenAxis` of the recurrence weights is as long as a state.
 * https://onnx.ai/onnx/operators/onnx__LSTM.html
 */
export const recurrent = (states: number, hiddenAxis = 2): Op => ({
  infer(node, [x, , r], context) {
    const directions = text(node, "direction", "forward") === "bidirectional" ? 2 : 1;
    const last = r?.shape?.length === 3 ? r.shape[hiddenAxis] : undefined;
    const hidden: Dim = node.attributes.hidden_size === undefined ? (last ?? context.symbol()) : int(node, "hidden_size", 0);
    const isBatchFirst = int(node, "layout", 0) === 1;
    const [first, second] = x?.shape?.length === 3 ? x.shape : [];
    const length = (isBatchFirst ? second : first) ?? context.symbol();
    const batch = (isBatchFirst ? first : second) ?? context.symbol();
    const y = isBatchFirst ? [batch, length, directions, hidden] : [length, directions, batch, hidden];
    const state = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
    return [y, ...Array.from({ length: states }, () => state)].map((shape) => ({ dtype: x?.dtype, shape }));
  },
});
