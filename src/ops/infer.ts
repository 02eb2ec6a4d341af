import { type Graph, type Node, topological } from "../graph/graph.ts";
import { symbols } from "./dims.ts";
import { foldOutputs } from "./fold.ts";
import { operator } from "./index.ts";
import type { Context, Known } from "./op.ts";
import { bounded, type Dims, MAX_KNOWN_ELEMENTS, type Value } from "./value.ts";

/** What is known of each value of a graph and of the graphs within it. */
export type Inferred = ReadonlyMap<Graph, ReadonlyMap<string, Value>>;

/**
 * Types, shapes and small constants of every value, by the rules of the operators: https://onnx.ai/onnx/operators/. What is not known is
 * left out, as it is for operators that are not known and for nodes that break their operator's rules; no model makes it throw.
 * `outer` tells what a subgraph, given as `main`, sees of the graphs around it.
 */
export function inferGraph(main: Graph, known: Known, outer: (name: string) => Value | undefined = () => undefined): Inferred {
  const all = new Map<Graph, Map<string, Value>>();
  const symbol = symbols();
  const declared = (graph: Graph, name: string): Value => {
    const value = known.value(graph, name);
    return value ? bounded({ ...value, shape: value.shape && renamed(value.shape, symbol) }) : {};
  };

  const find = (graph: Graph, name: string): Value => {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const value = all.get(scope)?.get(name);
      if (value) return value;
    }
    return outer(name) ?? {};
  };

  function infer(graph: Graph, inputs: readonly Value[]): readonly Value[] {
    const values = new Map<string, Value>();
    all.set(graph, values);
    for (const name of graph.initializers) values.set(name, declared(graph, name));
    graph.inputs.forEach((name, i) => {
      if (values.has(name)) return;
      const [given, told] = [inputs[i], declared(graph, name)];
      // A body is handed shapes that hold in every turn; what it declares may be that of the first.
      values.set(name, given ? merged(given, { ...told, shape: undefined }) : told);
    });
    for (const node of topological(graph)) {
      const outputs = inferNode(node, graph);
      node.output.forEach((name, i) => {
        if (name) values.set(name, merged(outputs[i] ?? {}, declared(graph, name)));
      });
    }
    return graph.outputs.map((name) => find(graph, name));
  }

  function inferNode(node: Node, graph: Graph): readonly Value[] {
    const op = operator(node);
    const context: Context = { opset: known.opsets.get(node.domain) ?? 1, symbol, tensor: known.tensor, graph: infer };
    if (!op) {
      for (const inner of node.graphs) infer(inner, []);
      return [];
    }
    const inputs = node.input.map((name) => (name ? find(graph, name) : undefined));
    const outputs = op.infer(node, inputs, context).map(bounded);
    for (const inner of node.graphs) if (!all.has(inner)) infer(inner, []);
    const constants = foldOutputs(op, node, inputs, outputs, context, MAX_KNOWN_ELEMENTS);
    return outputs.map((value, i) => (constants?.[i] ? { ...value, constant: constants[i] } : value));
  }

  infer(main, []);
  return all;
}

/** Keeps the names of a file's dimensions apart from ours, and short; a dimension without one gets one. */
const renamed = (shape: Dims, symbol: Context["symbol"]): Dims =>
  shape.map((d) => (typeof d === "number" || /^[\w .+*/-]{1,64}$/.test(d) ? d : symbol(d ? `'${d}'` : undefined)));

/** What was inferred, and what the file declares where nothing was. */
const merged = (value: Value, declared: Value): Value => ({
  ...value,
  dtype: value.dtype ?? declared.dtype,
  shape: value.shape ?? declared.shape,
  constant: value.constant ?? declared.constant,
  item: value.item ?? declared.item,
});
