/** What dynamic quantization makes of a graph's weights, as onnxruntime's tools decide it. */
import type { DynamicRole, Taking } from "../encoding.ts";
import type { Graph, Node, Use, Values } from "./graph.ts";

const MATMUL: readonly Taking[] = ["left", "right"];
const TURNED: readonly Taking[] = ["left", "turned"];
const CONV: readonly Taking[] = ["left", "kernel"];

/** How a node reads its input number `index` under dynamic quantization; undefined where it reads floats. */
export function taking({ domain, op_type, attributes }: Node, index: number): Taking | undefined {
  if (domain !== "") return undefined;
  const is = (name: string, value: number): boolean => (attributes[name] ?? value) === value;
  switch (op_type) {
    case "Gather":
      return index === 0 ? "lookup" : undefined;
    case "MatMul":
      return MATMUL[index];
    case "Conv":
      return CONV[index];
    case "Gemm":
      return is("alpha", 1) && is("beta", 1) && is("transA", 0) ? (is("transB", 0) ? MATMUL : TURNED)[index] : undefined;
    case "LSTM":
      return (index === 1 || index === 2) && is("layout", 0) ? "recurrent" : undefined;
    default:
      return undefined;
  }
}

/** The input that must be a weight too, for a node to take a weight as its left side or as an LSTM's: the right side, the other of W and R. */
function partner({ node, index }: Use): string | undefined {
  const how = taking(node, index);
  if (how === "recurrent") return node.input[3 - index];
  return how === "left" && node.op_type !== "Conv" ? node.input[1] : undefined;
}

/** Whether what decides about a weight is known: of a product of two weights, or of an LSTM, that both are weights. */
export const isDecided = (values: Values, name: string, home: Graph): boolean =>
  values.uses(name, home).every((use) => {
    const other = partner(use);
    return other === undefined || values.isConstant(other, use.graph) !== undefined;
  });

/** How a use takes a weight. */
function taken(values: Values, use: Use): Taking | undefined {
  const other = partner(use);
  return other === undefined || values.isConstant(other, use.graph) ? taking(use.node, use.index) : undefined;
}

/** Whether nothing but LSTMs reads a weight: such a one has a layout of its own. */
const isRecurrent = (values: Values, name: string, home: Graph): boolean =>
  !values.isOutput(name, home) && values.uses(name, home).every((use) => taken(values, use) === "recurrent");

/** Whether so are all weights that share an LSTM with it. */
function partnersAreRecurrent(values: Values, uses: readonly Use[]): boolean {
  const partners = new Map<Graph, Set<string>>();
  for (const use of uses) {
    const name = partner(use) as string;
    const home = values.home(name, use.graph);
    partners.set(home, (partners.get(home) ?? new Set()).add(name));
  }
  return [...partners].every(([home, names]) => [...names].every((name) => isRecurrent(values, name, home)));
}

/** Whether dynamic quantization takes a weight of rank `rank`, and how. */
export function dynamicRole(values: Values, name: string, home: Graph, rank: number): DynamicRole | undefined {
  const uses = values.uses(name, home);
  if (uses.length > 0 && isRecurrent(values, name, home)) {
    return rank === 3 && partnersAreRecurrent(values, uses) ? { first: "recurrent", transposed: true } : undefined;
  }
  const takings = uses.map((use) => taken(values, use)).filter((how) => how !== undefined && how !== "recurrent");
  const [first] = takings;
  if (!first) return undefined;
  const isProduct = rank === 2 && takings.every((how) => how === first);
  return {
    first,
    transposed: !values.isOutput(name, home) && uses.every((use) => taken(values, use) === "turned"),
    ...(isProduct && first === "right" ? { channel_axis: 1 } : {}),
    ...(isProduct && first === "turned" ? { channel_axis: 0 } : {}),
  };
}
