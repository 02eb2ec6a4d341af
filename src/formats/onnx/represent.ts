import { BLOCK_SIZE, type Encoding, matrix, NF4_BLOCK_SIZE } from "../../encoding.ts";
import { describe, makeNode, type Node } from "../../graph/graph.ts";
import type { Path } from "../../graph/role.ts";
import { elements, type FloatDType, type TensorInfo } from "../../tensor.ts";
import { dataType } from "./proto.ts";

/** The tensors that stand for an encoded weight, in the order its encoder makes them. Their bytes do not depend on the opset. */
export function partsOf(weight: TensorInfo, encoding: Encoding, fresh: (name: string) => string): TensorInfo[] {
  const { name, shape } = weight;
  switch (encoding.kind) {
    case "half":
      return [{ name: fresh(`${name}_${encoding.dtype}`), dtype: encoding.dtype, shape }];
    case "int8":
      return [
        { name: fresh(`${name}_quantized`), dtype: "int8", shape },
        { name: fresh(`${name}_scale`), dtype: "float32", shape: encoding.axis === null ? [] : [shape[encoding.axis] as number] },
      ];
    case "int4": {
      const { n, blocks } = matrix(shape, encoding.k_axis);
      return [
        { name: fresh(`${name}_Q4`), dtype: "uint8", shape: [n, blocks, BLOCK_SIZE / 2] },
        { name: fresh(`${name}_scales`), dtype: encoding.scheme === "q4f16" ? "float16" : "float32", shape: [n, blocks] },
      ];
    }
    case "nf4":
      return [
        { name: fresh(`${name}_Bnb4`), dtype: "uint8", shape: [Math.ceil(elements(shape) / 2)] },
        { name: fresh(`${name}_absmax`), dtype: "float32", shape: [Math.ceil(elements(shape) / NF4_BLOCK_SIZE)] },
      ];
    case "affine8":
      return [
        { name: fresh(`${name}_quantized`), dtype: encoding.dtype, shape: encoding.transposed ? [...shape].reverse() : shape },
        { name: fresh(`${name}_scale`), dtype: "float32", shape: [] },
        { name: fresh(`${name}_zero_point`), dtype: encoding.dtype, shape: [] },
      ];
  }
}

/** An opset, and what asks for it at least. */
export interface Need {
  opset: number;
  by: string;
}

/** What the nodes around a weight so encoded need. */
export function opsetNeeded(encoding: Encoding): Need {
  if (encoding.kind === "affine8") return { opset: 11, by: "DynamicQuantizeLinear" };
  if (encoding.kind === "half" && encoding.dtype === "bfloat16") return { opset: NEWEST_NEED, by: "a Cast from bfloat16" };
  return { opset: 7, by: "a compressed weight" };
}

/** The newest opset that any encoding needs. */
export const NEWEST_NEED = 13;

/** Nodes that give the weight's name back to its consumers, from the parts, at the given opset. */
export function restore(
  weight: TensorInfo,
  encoding: Encoding,
  parts: readonly TensorInfo[],
  opset: number,
  fresh: (name: string) => string,
): Node[] {
  const [values = "", scale = ""] = parts.map((part) => part.name);
  const cast = (from: string, to: FloatDType, name: string) => makeNode("Cast", [from], [name], { to: dataType(to) });
  if (encoding.kind === "int4" || encoding.kind === "nf4" || encoding.kind === "affine8")
    throw new TypeError("These weights have no float form here: their consumers change.");
  if (encoding.kind === "half") return [cast(values, weight.dtype as FloatDType, weight.name)];

  const { axis } = encoding;
  const single = weight.dtype === "float32";
  const float = single ? weight.name : fresh(`${weight.name}_float`);
  const nodes: Node[] = [];
  if (opset >= 13) {
    nodes.push(makeNode("DequantizeLinear", [values, scale], [float], axis === null ? {} : { axis }));
  } else {
    // Below 13 DequantizeLinear takes no axis. The scale gets its trailing ones by Unsqueeze, so that its bytes are the same at every opset.
    const widened = fresh(`${weight.name}_cast`);
    nodes.push(cast(values, "float32", widened));
    const trailing = axis === null ? 0 : weight.shape.length - 1 - axis;
    const shaped = trailing > 0 ? fresh(`${scale}_unsqueezed`) : scale;
    if (trailing > 0) nodes.push(makeNode("Unsqueeze", [scale], [shaped], { axes: Array.from({ length: trailing }, (_, i) => i + 1) }));
    nodes.push(makeNode("Mul", [widened, shaped], [float]));
  }
  if (!single) nodes.push(cast(float, weight.dtype as FloatDType, weight.name));
  return nodes;
}

export const MICROSOFT = "com.microsoft";

/** MatMulBnb4's quant_type. */
const NF4 = 1;

/** The encodings of weights that a product of their own reads: MatMulNBits, MatMulBnb4. */
export type Packed = Encoding & { kind: "int4" | "nf4" };
export const isPacked = (encoding: Encoding): encoding is Packed => encoding.kind === "int4" || encoding.kind === "nf4";

/** The node (and the Add of a Gemm's C) that takes the place of a matrix product with a packed weight. */
export function blockwiseProduct(
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
