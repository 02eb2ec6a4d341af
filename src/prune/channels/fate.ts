/** What becomes of an axis behind a Reshape that splits channels in several: which of them is to shrink. */
import type { Node } from "../../graph/graph.ts";
import { int, numbers } from "../../ops/op.ts";
import type { Coupling } from "./coupling.ts";

/** An axis that cannot shrink; one that can; and one along which whole matrices are multiplied, as the heads of an attention are. */
export const [LOST, KEPT, STACKED] = [0, 1, 2] as const;
export type Fate = typeof LOST | typeof KEPT | typeof STACKED;

/** Nodes that are looked at behind a value, one after the other, at most. */
const MAX_DEPTH = 24;

/** Nodes that are looked at in all for one axis, at most. */
const MAX_NODES = 1024;

/** The fate of an axis of a value, by the nodes that read it until it is merged with others. */
export function fate(c: Coupling, name: string, axis: number, depth = 0, left = { nodes: MAX_NODES }): Fate {
  if (depth > MAX_DEPTH || c.isOutput(name)) return LOST;
  let best: Fate = KEPT;
  for (const node of c.readers(name)) {
    for (const [index, input] of node.input.entries()) {
      if (input !== name) continue;
      if (left.nodes-- <= 0) return LOST;
      const found = through(c, node, index, axis, depth + 1, left);
      if (found === LOST) return LOST;
      best = found > best ? found : best;
    }
  }
  return best;
}

function through(c: Coupling, node: Node, index: number, axis: number, depth: number, left: { nodes: number }): Fate {
  const rank = c.shape(node.input[index] as string)?.length;
  if (rank === undefined || node.graphs.length > 0) return LOST;
  const onwards = (at: number): Fate => {
    const fates = node.output.filter(Boolean).map((name) => fate(c, name, at, depth, left));
    return fates.includes(LOST) ? LOST : fates.includes(STACKED) ? STACKED : KEPT;
  };
  const own = (name: string, otherwise: number): number => {
    const given = int(node, name, otherwise);
    return given < 0 ? given + rank : given;
  };
  switch (node.op_type) {
    case "Transpose":
      return onwards((numbers(node, "perm") ?? [...Array(rank).keys()].reverse()).indexOf(axis));
    case "MatMul":
      return product(index, axis, rank, () => onwards((c.shape(node.output[0] as string)?.length ?? rank) - rank + axis));
    case "Reshape":
    case "Flatten":
    case "Shape": // has a rule of its own for what is computed with a size
      return KEPT;
    case "Softmax":
    case "LogSoftmax":
      return own("axis", -1) === axis ? LOST : onwards(axis);
    case "Split":
    case "Slice":
    case "Concat":
      return own("axis", 0) === axis && node.op_type !== "Slice" ? LOST : onwards(axis);
    case "Gather": {
      const at = own("axis", 0);
      const indices = c.shape(node.input[1] as string)?.length;
      if (index !== 0 || at === axis || indices === undefined) return LOST;
      return onwards(axis < at ? axis : axis - 1 + indices);
    }
    case "Squeeze":
    case "Unsqueeze":
      return moved(c, node, axis, onwards);
    case "InstanceNormalization":
    case "BatchNormalization":
      return index === 0 && axis === 1 ? onwards(axis) : LOST;
    case "Conv":
      return index === 0 && axis === 1 ? KEPT : LOST;
    default:
      return c.isElementwise(node) ? onwards((c.shape(node.output[0] as string)?.length ?? rank) - rank + axis) : LOST;
  }
}

/** An axis of a[…, M, K] or b[…, K, N]. */
function product(index: number, axis: number, rank: number, onwards: () => Fate): Fate {
  if (axis < rank - 2) return STACKED;
  const sums = index === 0 ? rank - 1 : rank - 2;
  return axis === sums ? LOST : onwards();
}

/** An axis where others of one element come or go. */
function moved(c: Coupling, node: Node, axis: number, onwards: (at: number) => Fate): Fate {
  const [from, to] = [c.shape(node.input[0] as string), c.shape(node.output[0] as string)];
  if (!from || !to) return LOST;
  const before = from.slice(0, axis).filter((d) => d !== 1).length;
  let seen = 0;
  const at = to.findIndex((d) => d !== 1 && seen++ === before);
  return at < 0 ? LOST : onwards(at);
}
