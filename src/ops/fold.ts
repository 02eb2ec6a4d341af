import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { operator } from "./index.ts";
import type { Context, Inputs } from "./op.ts";
import { isStatic } from "./value.ts";

/** Elements of one tensor that folding reads or makes, at most: 16 MiB of float32. */
export const MAX_FOLDED_ELEMENTS = 1 << 22;

/**
 * The outputs of a node whose inputs are all known (`Value.constant`), as onnxruntime's CPU provider computes them. Undefined where an
 * input is not known, the operator does not fold, the node breaks its rules, or a tensor has more than `max_elements` elements.
 */
export function foldNode(node: Node, inputs: Inputs, context: Context & { max_elements?: number }): readonly Tensor[] | undefined {
  const { max_elements = MAX_FOLDED_ELEMENTS } = context;
  const op = operator(node);
  if (!op?.fold || inputs.some((value) => value && !value.constant)) return undefined;
  const tensors = inputs.map((value) => value?.constant);
  const fits = (shape: readonly number[]) => elements(shape) <= max_elements;
  if (!tensors.every((tensor) => !tensor || fits(tensor.shape))) return undefined;
  const outputs = op.infer(node, inputs, context);
  if (!outputs.every(({ dtype, shape }) => dtype && (!isStatic(shape) || fits(shape)))) return undefined;
  return op.fold(node, tensors, { opset: context.opset, outputs });
}
