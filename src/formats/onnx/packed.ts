import { BLOCK_SIZE, matrix, NF4_BLOCK_SIZE } from "../../encoding.ts";
import { describe, makeNode, type Node } from "../../graph/graph.ts";
import type { Path } from "../../graph/role.ts";
import type { TensorInfo } from "../../tensor.ts";
import { dataType } from "./proto.ts";
import { MICROSOFT, type Packed } from "./represent.ts";

/** MatMulBnb4's quant_type. */
const NF4 = 1;

/** The node (and the Add of a Gemm's C) that takes the place of a matrix product with a packed weight. Of a batched weight it has the rank of A. */
export function packedProduct(
  { use, cast }: Path,
  weight: TensorInfo,
  encoding: Packed,
  parts: readonly TensorInfo[],
  fresh: (name: string) => string,
): Node[] {
  const { node } = use;
  const [a = "", , c = ""] = node.input;
  const [y = ""] = node.output;
  const [values = "", scales = ""] = parts.map((part) => part.name);
  if (node.op_type !== "MatMul" && node.op_type !== "Gemm") throw new TypeError(`${describe(node)} cannot read packed weights.`);
  const { n, k } = matrix(weight.shape, encoding.kind === "nf4" ? 0 : encoding.k_axis);
  const bias = node.op_type === "Gemm" ? c : "";
  const product = bias ? fresh(`${y}_product`) : y;
  const [kind, attributes, name] =
    encoding.kind === "nf4"
      ? ["MatMulBnb4", { K: k, N: n, block_size: NF4_BLOCK_SIZE, quant_type: NF4 }, node.name && `${node.name}_Bnb4`]
      : ["MatMulNBits", { K: k, N: n, bits: 4, block_size: BLOCK_SIZE }, node.name];
  // The operator takes its scales in the type it computes in.
  const half = (cast ?? dataType(weight.dtype)) === dataType("float16") && parts[1]?.dtype !== "float16";
  const typed = half ? fresh(`${scales}_float16`) : scales;
  const nodes = half ? [makeNode("Cast", [scales], [typed], { to: dataType("float16") })] : [];
  nodes.push({ ...makeNode(kind, [a, values, typed], [product], attributes, MICROSOFT), name: name || `${y}/${kind}` });
  return bias ? [...nodes, makeNode("Add", [product, bias], [y])] : nodes;
}
