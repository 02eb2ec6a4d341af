import type { Node } from "../../graph/graph.ts";
import type { Model } from "../../optimize/model.ts";
import { type Activation, KINDS } from "./activations.ts";
import { byteOf, type Quantized, quantizedBy } from "./quantization.ts";

/** What follows a node: an activation, and the quantization of the result. */
export interface End {
  /** The nodes that it replaces besides. */
  nodes: Node[];
  output: string;
  activation: Activation | undefined;
  q: Quantized | undefined;
}

/** An activation and a QuantizeLinear behind a node, as far as nobody else reads what is between. */
export async function endOf(model: Model, node: Node): Promise<End> {
  const [y = ""] = node.output;
  const bare: End = { nodes: [], output: y, activation: undefined, q: undefined };
  const direct = await quantizedBy(model, y);
  if (direct) return { nodes: [direct.node], output: direct.q.name, activation: undefined, q: direct.q };
  const [use] = model.isPrivate(y) ? model.uses(y) : [];
  const next = use?.node;
  if (next?.domain !== "edgeslim" || next.op_type !== "Activate") return bare;
  const activation = next.attributes as unknown as Activation;
  const [output = ""] = next.output;
  const after = await quantizedBy(model, output);
  if (after) return { nodes: [next, after.node], output: after.q.name, activation, q: after.q };
  return { nodes: [next], output, activation, q: undefined };
}

/** An activation that clips is a range of the bytes; another one is computed. */
export function limits(activation: Activation | undefined, q: Quantized | undefined): { bounds?: [number, number]; rest?: Activation } {
  if (!activation || activation.kind === KINDS.none) return {};
  const isClip = activation.kind === KINDS.Relu || activation.kind === KINDS.Clip;
  if (!q || !isClip) return { rest: activation };
  const [from, to] = activation.kind === KINDS.Relu ? [0, Infinity] : [activation.alpha, activation.beta];
  return { bounds: [byteOf(from, q), byteOf(to, q)] };
}
