import { edited, makeNode, type Node, topological } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { Edits, type Model } from "../../optimize/model.ts";

const FLOAT = { to: dataType("float32") };
const HALF = { to: dataType("float16") };

/**
 * Lets what a graph computes in float16 be computed in float32, as onnxruntime's CPU provider does: kernels have no arithmetic of halves.
 * Inputs and outputs of the graph stay what they are.
 */
export function widen(model: Model): boolean {
  const { main } = model;
  const isHalf = (name: string) => name !== "" && model.inferred.get(name)?.dtype === "float16";
  const nodes = topological(main).filter(({ input, output }) => [...input, ...output].some(isHalf));
  if (nodes.length === 0 || main.nodes.some(({ graphs }) => graphs.length > 0)) return false;
  const edits = new Edits(model);
  const outputs = new Set(main.outputs);
  const wide = new Map<string, string>();
  for (const node of nodes) {
    const made: Node[] = [];
    const input = node.input.map((name) => {
      if (!isHalf(name)) return name;
      const found = wide.get(name) ?? model.fresh(`${name}_wide`);
      if (!wide.has(name)) made.push(makeNode("Cast", [name], [found], FLOAT));
      wide.set(name, found);
      return found;
    });
    // Without an input that is wider now, it gives halves as before, and who reads them widens them.
    const isWider = input.some((name, i) => name !== node.input[i]);
    const isCast = node.op_type === "Cast" && node.domain === "" && isHalf(node.output[0] as string);
    if (!isWider && !isCast) continue;
    const after: Node[] = [];
    const output = node.output.map((name) => {
      if (!isHalf(name)) return name;
      const own = model.fresh(`${name}_wide`);
      wide.set(name, own);
      if (outputs.has(name)) after.push(makeNode("Cast", [own], [name], HALF));
      return own;
    });
    edits.replace(node, [
      ...made,
      edited(node, { input, output, ...(isCast && { attributes: { ...node.attributes, ...FLOAT } }) }),
      ...after,
    ]);
  }
  return edits.apply();
}
