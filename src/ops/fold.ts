import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { symbols } from "./dims.ts";
import { isPlain } from "./elements.ts";
import { operator } from "./index.ts";
import type { Context, FoldContext, Inputs, Known, Op } from "./op.ts";
import { bounded, isStatic, MAX_KNOWN_ELEMENTS, type Value } from "./value.ts";

/** Elements of one tensor that folding reads or makes, at most: 16 MiB of float32. */
export const MAX_FOLDED_ELEMENTS = 1 << 22;

/**
 * The outputs of a node that can be computed from what is known of its inputs, as onnxruntime's CPU provider computes them. Undefined
 * where they cannot, the operator does not fold, the node breaks its rules, or a tensor has more than `max_elements` elements.
 */
export function foldNode(
  node: Node,
  inputs: Inputs,
  { opsets, tensor }: Pick<Known, "opsets" | "tensor">,
  max_elements = MAX_FOLDED_ELEMENTS,
): readonly Tensor[] | undefined {
  const op = operator(node);
  if (!op || node.graphs.length > 0) return undefined;
  const context: Context = { opset: opsets.get(node.domain) ?? 1, symbol: symbols(), tensor, graph: () => [] };
  return foldOutputs(op, node, inputs, op.infer(node, inputs, context).map(bounded), context, max_elements);
}

/** As {@link foldNode}, where the outputs have been inferred already. */
export function foldOutputs(
  op: Op,
  node: Node,
  inputs: Inputs,
  inferred: readonly Value[],
  { opset, tensor }: Context,
  max_elements: number,
): readonly Tensor[] | undefined {
  const outputs: FoldContext["outputs"][number][] = [];
  for (const { dtype, shape } of inferred) {
    if (!dtype || !isStatic(shape) || !fits(shape, max_elements)) return undefined;
    outputs.push({ dtype, shape });
  }
  const told = inferred.map(constantOf);
  if (outputs.length > 0 && !told.includes(undefined)) return told as readonly Tensor[];
  if (!op.fold || inputs.some((value) => value && !value.constant)) return undefined;
  const tensors = inputs.map((value) => value?.constant);
  if (!tensors.every((x) => !x || (isPlain(x.dtype) && x.data.length === elements(x.shape) && fits(x.shape, max_elements))))
    return undefined;
  return op.fold(node, tensors, { opset, tensor, outputs });
}

const fits = (shape: readonly number[], max_elements: number): boolean => elements(shape) <= max_elements;

/** The tensor of a value that is known whole: a constant, or what inference told, a shape, say. */
export function constantOf({ dtype, shape, constant, elements: list }: Value): Tensor | undefined {
  if (constant || !list?.every(Number.isSafeInteger) || !isStatic(shape) || elements(shape) !== list.length) return constant;
  if (list.length > MAX_KNOWN_ELEMENTS) return undefined;
  if (dtype === "int64") return { dtype, shape, data: BigInt64Array.from(list as number[], BigInt) };
  if (dtype === "int32") return { dtype, shape, data: Int32Array.from(list as number[]) };
  return dtype === "bool" ? { dtype, shape, data: Uint8Array.from(list as number[]) } : undefined;
}
