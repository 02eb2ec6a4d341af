import { makeNode, type Node } from "../../graph/graph.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** Gives MatMul and Gemm with a constant matrix to the kernel that reads it packed. */
export function products(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [a = "", b = "", c = ""] = node.input;
    const [y = ""] = node.output;
    const matrix = model.constants.get(b)?.info;
    const isFloat = model.inferred.get(a)?.dtype === "float32" && matrix?.dtype === "float32" && matrix.shape.length === 2;
    if (node.domain !== "" || !isFloat || !isPlain(node)) continue;
    const transB = typeof node.attributes.transB === "number" ? node.attributes.transB : 0;
    const n = matrix.shape[transB ? 0 : 1] as number;
    if (node.op_type === "MatMul") edits.replace(node, [makeNode("MatMul", [a, b], [y], {}, "edgeslim")]);
    else if (node.op_type === "Gemm" && (!c || isRow(model, c, n)))
      edits.replace(node, [makeNode("MatMul", c ? [a, b, c] : [a, b], [y], { transB }, "edgeslim")]);
  }
  return edits.apply();
}

const isPlain = ({ attributes: { alpha = 1, beta = 1, transA = 0 } }: Node): boolean => alpha === 1 && beta === 1 && transA === 0;

/** Whether a constant is one row of `n`, to be added to each. */
export function isRow(model: Model, name: string, n: number): boolean {
  const info = model.constants.get(name)?.info;
  return info?.dtype === "float32" && info.shape.at(-1) === n && info.shape.slice(0, -1).every((d) => d === 1);
}
