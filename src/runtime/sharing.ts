/** Values that lie where others do. */
import type { Node } from "../graph/graph.ts";
import { numbers } from "../ops/op.ts";
import type { Buffer } from "./layout.ts";

/** Nodes that give the bytes of their first input another shape. */
const RESHAPES: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Whether a node gives the elements of its first input in the order that they have. */
export function isReshape(node: Node, shape: readonly number[]): boolean {
  const { domain, op_type } = node;
  if (domain !== "") return false;
  if (op_type !== "Transpose") return RESHAPES.has(op_type);
  const perm = numbers(node, "perm") ?? [...shape.keys()].reverse();
  const moved = perm.filter((axis) => shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > (moved[i - 1] as number));
}

/** Operators whose kernels may write over an operand of the result's size, as each says of itself. */
// biome-ignore format: a table
const IN_PLACE: ReadonlySet<string> = new Set([
  "Activate", "Affine", "Abs", "Neg", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Log", "Sin", "Cos", "Add", "Sub", "Mul", "Div",
  "Min", "Max", "Pow", "PRelu", "Softmax", "LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization",
]);

/** Lets the results of operators lie where an operand did that nobody reads later. */
export function shareInPlace(buffers: Map<string, Buffer>, nodes: readonly Node[]): void {
  const names = new Map<Buffer, string[]>();
  for (const [name, buffer] of buffers) names.set(buffer, [...(names.get(buffer) ?? []), name]);
  for (const [step, { op_type, input, output }] of nodes.entries()) {
    const y = buffers.get(output[0] as string);
    if (!y || y.first !== step || output.length !== 1 || !IN_PLACE.has(op_type)) continue;
    const x = input.map((name) => buffers.get(name)).find((buffer) => buffer && buffer.last === step && buffer.bytes === y.bytes);
    if (!x || x === y) continue;
    const moved = names.get(y) ?? [];
    for (const name of moved) buffers.set(name, x);
    names.get(x)?.push(...moved);
    x.last = y.last;
  }
}
