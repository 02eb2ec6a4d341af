/** Runs a model node by node with what the operators compute plainly: no kernels, no plan. */
import { type Graph, type Node, topological } from "../../src/graph/graph.ts";
import { operator } from "../../src/ops/index.ts";
import { type Context, type Datum, type FoldContext, isTensor, type Known } from "../../src/ops/op.ts";
import { bounded, constantValue, isStatic, type Value } from "../../src/ops/value.ts";
import { inferModel } from "./inferred.ts";
import { rng } from "./random.ts";

/** Turns of all loops together, at most. */
const MAX_GRAPHS = 10_000;

interface Scope {
  values: Map<string, Datum | undefined>;
  parent: Scope | undefined;
}

/** The outputs of a model for inputs by position, those that are no initializers. */
export async function interpret(model: Uint8Array, inputs: readonly (Datum | undefined)[]): Promise<readonly (Datum | undefined)[]> {
  const { document, known } = await inferModel(model);
  const { main } = document;
  const random = rng(1);
  let graphs = 0;

  function run(graph: Graph, given: readonly (Datum | undefined)[], parent?: Scope): readonly (Datum | undefined)[] {
    if (++graphs > MAX_GRAPHS) throw new Error(`More than ${MAX_GRAPHS} graphs were run.`);
    const scope: Scope = { values: new Map(), parent };
    for (const name of graph.initializers) scope.values.set(name, known.value(graph, name)?.constant);
    const free = graph === main ? graph.inputs.filter((name) => !graph.initializers.includes(name)) : graph.inputs;
    (given.length === free.length ? free : graph.inputs).forEach((name, i) => {
      scope.values.set(name, given[i]);
    });
    for (const node of topological(graph)) {
      const outputs = runNode(node, scope, known, random, run);
      node.output.forEach((name, i) => {
        if (name) scope.values.set(name, outputs[i]);
      });
    }
    return graph.outputs.map((name) => find(scope, name));
  }
  return run(main, inputs);
}

function find(scope: Scope | undefined, name: string): Datum | undefined {
  if (!scope) return undefined;
  return scope.values.has(name) ? scope.values.get(name) : find(scope.parent, name);
}

const asValue = (datum: Datum): Value => (isTensor(datum) ? constantValue(datum) : {});

function runNode(
  node: Node,
  scope: Scope,
  { opsets, tensor }: Known,
  random: () => number,
  run: (graph: Graph, inputs: readonly (Datum | undefined)[], scope: Scope) => readonly (Datum | undefined)[],
): readonly (Datum | undefined)[] {
  const op = operator(node);
  if (!op) throw new Error(`${node.op_type} is not known.`);
  const inputs = node.input.map((name) => (name ? find(scope, name) : undefined));
  let symbols = 0;
  const context: Context = { opset: opsets.get(node.domain) ?? 1, symbol: () => `?${++symbols}`, tensor, graph: () => [] };
  const inferred = op
    .infer(
      node,
      inputs.map((datum) => datum && asValue(datum)),
      context,
    )
    .map(bounded);
  const { opset } = context;
  const outputs = inferred.map(({ dtype, shape }) => ({ dtype, shape: isStatic(shape) ? shape : undefined }));
  const compute = () => op.compute?.(node, inputs, { opset, tensor, outputs, graph: (graph, given) => run(graph, given, scope), random });
  const fold = () => {
    const isKnown = outputs.every(({ dtype, shape }) => dtype && shape) && inputs.every((x) => !x || isTensor(x));
    const tensors = inputs.map((x) => (isTensor(x) ? x : undefined));
    return isKnown ? op.fold?.(node, tensors, { opset, tensor, outputs: outputs as FoldContext["outputs"] }) : undefined;
  };
  const result = node.op_type === "Constant" ? inferred.map(({ constant }) => constant) : op.compute ? compute() : fold();
  if (!result) throw new Error(`${node.op_type} has no result.`);
  return result;
}
