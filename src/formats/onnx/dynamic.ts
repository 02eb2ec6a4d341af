import { taking } from "../../graph/dynamic.ts";
import { edited, type Graph, type Node, type Values } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { lstm } from "./dynamic-lstm.ts";
import { conv, floatGemm, gemm, product } from "./dynamic-products.ts";
import { type Quantized, type QuantizedWeight, Scope } from "./dynamic-scope.ts";

/** What the rewriting of a node may need. */
export interface DynamicEdit {
  main: Graph;
  patch: Patch;
  fresh: (name: string) => string;
}

/**
 * Rewrites a model for dynamic quantization, node for node as onnxruntime's tools do, so that what runs their models runs these:
 * DynamicQuantizeLinear once for each activation, MatMulInteger, ConvInteger and DynamicQuantizeLSTM, Gather and Transpose on integers, and
 * DequantizeLinear where a float operator reads what a node makes in integers only. `weights` are those that were quantized, by the graph they
 * stand in; their float names are left to the caller, to drop or to restore.
 */
export function quantizeDynamically(
  values: Values,
  weights: ReadonlyMap<Graph, ReadonlyMap<string, QuantizedWeight>>,
  edit: DynamicEdit,
): void {
  const scopes: Scope[] = [];
  const walk = (graph: Graph, around: Scope | undefined): void => {
    const scope = new Scope(graph, around, weights, edit.fresh);
    scopes.push(scope);
    for (const node of graph.nodes) {
      scope.enter(node);
      for (const inner of node.graphs) walk(inner, scope);
      if (rewrite(node, scope, values, edit)) continue;
      for (const name of node.input) scope.float(name);
      scope.put(node);
    }
    for (const name of graph.outputs) scope.float(name);
  };
  walk(edit.main, undefined);
  for (const scope of scopes) scope.apply(edit.patch);
}

/** Puts integer nodes in a node's place; false where it stays. */
function rewrite(node: Node, scope: Scope, values: Values, edit: DynamicEdit): boolean {
  const { domain, op_type, input } = node;
  if (domain !== "") return false;
  const [first = "", second = ""] = input;
  if (op_type === "Gather" || op_type === "Transpose") {
    const source = op_type === "Gather" ? scope.weight(first) : scope.quantized(first);
    if (!source || source.per_channel) return false;
    onIntegers(node, source, scope, edit);
    return true;
  }
  const how = taking(node, 1);
  const weight = scope.weight(second);
  if (how === undefined) return false;
  if (op_type === "LSTM") return lstm(node, scope);
  const isVariable = !values.isConstant(second, scope.graph);
  if (op_type === "Gemm" && weight) gemm(node, weight, how === "turned", scope, edit);
  else if (op_type === "Gemm" && isVariable) floatGemm(node, how === "turned", scope, edit);
  else if (op_type === "MatMul" && weight) product("MatMulInteger", node, node.output[0] as string, weight, scope, edit);
  else if (op_type === "Conv" && (weight || isVariable)) conv(node, weight, scope, edit);
  else return false;
  return true;
}

/** Gather and Transpose work on integers as on floats. */
function onIntegers(node: Node, source: Quantized, scope: Scope, { fresh }: DynamicEdit): void {
  const [, ...rest] = node.input;
  const [to = ""] = node.output;
  const values = fresh(`${to}_quantized`);
  scope.integers(to, { ...source, values }, node);
  scope.put(edited(node, { input: [source.values, ...rest], output: [values] }));
}
