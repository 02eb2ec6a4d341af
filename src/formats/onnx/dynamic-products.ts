import { edited, makeNode, type Node } from "../../graph/graph.ts";
import type { DynamicEdit } from "./dynamic.ts";
import type { Quantized, QuantizedWeight, Scope } from "./dynamic-scope.ts";
import { dataType } from "./proto.ts";

const FLOAT = dataType("float32");

/** An integer product (MatMulInteger, ConvInteger) in the place of `node`, scaled back to floats at `y`. */
export function product(
  kind: "MatMulInteger" | "ConvInteger",
  node: Node,
  y: string,
  weight: Quantized,
  scope: Scope,
  { fresh }: DynamicEdit,
): void {
  const a = scope.activation(node.input[0] as string);
  const integer = fresh(`${y}_output_quantized`);
  const cast = fresh(`${integer}_cast_output`);
  const input = [a.values, weight.values, a.zero_point, weight.zero_point];
  const name = node.name && `${node.name}_quant`;
  // Of the products, only a convolution has attributes that its integer form has too.
  if (kind === "ConvInteger") scope.put(edited(node, { op_type: kind, name, input, output: [integer] }));
  else scope.put({ ...makeNode(kind, input, [integer]), name });
  scope.put(makeNode("Cast", [integer], [cast], { to: FLOAT }));
  // Nodes without names share the product of a pair of scales.
  const pair = JSON.stringify([a.scale, weight.scale]);
  let scales = name ? undefined : scope.scales.get(pair);
  if (!scales) {
    scales = fresh(name ? `${name}_scales_mul` : `${a.scale}_${weight.scale}_mul`);
    scope.put(makeNode("Mul", [a.scale, weight.scale], [scales]));
    if (!name) scope.scales.set(pair, scales);
  }
  scope.put(makeNode("Mul", [cast, scales], [y]));
}

/** Gemm becomes an integer product and Add; a weight that is stored the other way round is turned first. */
export function gemm(node: Node, weight: QuantizedWeight, turned: boolean, scope: Scope, edit: DynamicEdit): void {
  const side = turned === weight.transposed ? weight : { ...weight, values: edit.fresh(`${weight.values}_transposed`) };
  if (side !== weight) scope.put(makeNode("Transpose", [weight.values], [side.values], { perm: [1, 0] }));
  withBias(node, scope, edit, (y) => {
    product("MatMulInteger", { ...node, name: node.name && `${node.name}_MatMul` }, y, side, scope, edit);
  });
}

/** A Gemm of two activations becomes MatMul and Add. */
export function floatGemm(node: Node, turned: boolean, scope: Scope, edit: DynamicEdit): void {
  const [a = "", b = ""] = node.input;
  for (const name of [a, b]) scope.float(name);
  const right = turned ? edit.fresh(`${b}_Transposed`) : b;
  if (turned) scope.put(makeNode("Transpose", [b], [right]));
  withBias(node, scope, edit, (y) => scope.put(makeNode("MatMul", [a, right], [y])));
}

function withBias({ input, output }: Node, scope: Scope, { fresh }: DynamicEdit, multiply: (y: string) => void): void {
  const [, , c = ""] = input;
  const [y = ""] = output;
  const made = c ? fresh(`${y}_MatMul`) : y;
  multiply(made);
  if (!c) return;
  scope.float(c);
  scope.put(makeNode("Add", [made, c], [y]));
}

/** ConvInteger, and the bias added along axis 1 of its output: [C] becomes [1, C, 1, …]. Without `weight` the kernel is an activation. */
export function conv(node: Node, weight: QuantizedWeight | undefined, scope: Scope, edit: DynamicEdit): void {
  const [x = "", w = "", bias = ""] = node.input;
  const [y = ""] = node.output;
  const scaled = bias ? edit.fresh(`${y}quant_scaled_output`) : y;
  scope.activation(x);
  product("ConvInteger", node, scaled, weight ?? scope.activation(w), scope, edit);
  if (!bias) return;
  scope.float(bias);
  const kernel = node.attributes.kernel_shape;
  const rank = weight?.rank ?? (Array.isArray(kernel) ? kernel.length + 2 : 4);
  const shape = edit.fresh(`${y}_bias_reshape_shape`);
  const reshaped = edit.fresh(`${y}_bias_reshape_output`);
  edit.patch.addVector(edit.main, shape, [1, -1, ...Array<number>(rank - 2).fill(1)]);
  scope.put(makeNode("Reshape", [bias, shape], [reshaped]), makeNode("Add", [scaled, reshaped], [y]));
}
