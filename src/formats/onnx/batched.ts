import { type Graph, makeNode, type Node } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { int64Tensor, type TensorInfo } from "../../tensor.ts";
import type { Need } from "./represent.ts";

/** What the nodes of `withLeadingOnes` need. */
export const LEADING_ONES: Need = { opset: 12, by: "Max of int64" };

/**
 * Gives a product the rank that MatMul gives it. MatMulNBits reads a [1, …, K, N] weight as a matrix, so that its output has the rank of A;
 * MatMul's has that of the weight where A has fewer axes: ones, the axes of A but the last, N.
 * The nodes are those that onnxruntime's quantizer writes.
 */
export function withLeadingOnes(
  product: Node,
  weight: TensorInfo,
  { main, patch, fresh }: { main: Graph; patch: Patch; fresh: (name: string) => string },
): Node[] {
  const [a = ""] = product.input;
  const [y = ""] = product.output;
  const constant = (name: string, shape: readonly number[], value: number): string => {
    const tensor = int64Tensor(fresh(`${y}_${name}`), shape, [value]);
    patch.addTensor(main, tensor);
    return tensor.name;
  };
  const nodes: Node[] = [];
  const compute = (op_type: string, input: string[], name: string, attributes = {}): string => {
    const output = fresh(`${y}_${name}`);
    nodes.push(makeNode(op_type, input, [output], attributes));
    return output;
  };
  const [zero, one, two, rank_b] = [
    constant("zero", [], 0),
    constant("one", [], 1),
    constant("two", [], 2),
    constant("rank_b", [], weight.shape.length),
  ];
  const [zeros, ones, n] = [
    constant("zero_vec", [1], 0),
    constant("one_vec", [1], 1),
    constant("n_vec", [1], weight.shape.at(-1) as number),
  ];

  const shape = compute("Shape", [a], "a_shape");
  const rank = compute("Gather", [compute("Shape", [shape], "a_shape_of_shape"), zero], "a_rank");
  const missing = compute("Max", [compute("Sub", [rank_b, compute("Max", [rank, two], "a_rank_eff")], "extra_raw"), zero], "extra_count");
  const leading = compute("Reshape", [missing, ones], "extra_count_vec");
  const filled: Node = {
    ...makeNode("ConstantOfShape", [leading], [fresh(`${y}_extra_ones`)]),
    tensors: { value: int64Tensor("", [1], [1]) },
  };
  nodes.push(filled);
  const last = compute("Reshape", [compute("Sub", [rank, one], "a_rank_m1"), ones], "a_rank_m1_vec");
  const prefix = compute("Slice", [shape, zeros, last, zeros], "a_prefix_shape");
  const target = compute("Concat", [filled.output[0] as string, prefix, n], "target_shape", { axis: 0 });
  const plain = fresh(`${y}_pre_reshape`);
  return [{ ...product, output: [plain] }, ...nodes, makeNode("Reshape", [plain, target], [y])];
}
