/** Runs a model plainly, a node at a time: the oracle of the operators' `compute`, and through them of kernels. */
import { fromBinary } from "@bufbuild/protobuf";
import { type GraphProto, ModelProtoSchema } from "onnx-buf";
import { type Graph, type Node, topological } from "../../src/graph/graph.ts";
import type { Context, Datum } from "../../src/ops/op.ts";
import { constantValue } from "../../src/ops/value.ts";
import { evaluate, evaluateControl } from "../../src/runtime/evaluate.ts";
import type { Tensor } from "../../src/tensor.ts";
import { tensorOf } from "./conformance.ts";
import { inferModel } from "./inferred.ts";

/** Subgraphs that one run may start. */
const MAX_STARTED = 10_000;

/** Initializers of a graph by name, and tensors of its Constants by node; and those of the graphs within it. */
function* constantsOf(graph: Graph, proto: GraphProto): Generator<[Graph | Node, ReadonlyMap<string, Tensor | undefined>]> {
  yield [graph, new Map(proto.initializer.map((tensor) => [tensor.name, tensorOf(tensor)]))];
  const made = new Map(proto.node.map((node) => [node.output.join(), node.attribute]));
  for (const node of graph.nodes) {
    const attributes = made.get(node.output.join()) ?? [];
    yield [node, new Map(attributes.flatMap(({ name, t }) => (t ? [[name, tensorOf(t)] as const] : [])))];
    for (const inner of node.graphs) {
      const own = attributes.find(({ name }) => name === inner.attribute)?.g;
      if (own) yield* constantsOf(inner, own);
    }
  }
}

/** The outputs of the main graph, by name. Throws where a node is not computed. */
export async function interpret(
  model: Uint8Array,
  feeds: ReadonlyMap<string, Datum | undefined>,
  random: () => number = Math.random,
): Promise<Map<string, Datum | undefined>> {
  const { document, known } = await inferModel(model);
  const proto = fromBinary(ModelProtoSchema, model).graph;
  const constants = new Map(proto ? constantsOf(document.main, proto) : []);
  const scopes = new Map<Graph, Map<string, Datum | undefined>>();
  let started = 0;

  const find = (graph: Graph, name: string): Datum | undefined => {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const values = scopes.get(scope);
      if (values?.has(name)) return values.get(name);
    }
    return undefined;
  };

  const tensor: Context["tensor"] = (node, attribute) => {
    const told = known.tensor(node, attribute);
    const whole = constants.get(node)?.get(attribute);
    return told && !told.constant && whole ? constantValue(whole) : told;
  };

  async function run(graph: Graph, inputs: readonly (Datum | undefined)[]): Promise<readonly (Datum | undefined)[]> {
    if (++started > MAX_STARTED) throw new Error("Too many subgraphs are run.");
    const values = new Map<string, Datum | undefined>();
    scopes.set(graph, values);
    for (const name of graph.initializers) values.set(name, constants.get(graph)?.get(name));
    graph.inputs.forEach((name, i) => {
      if (inputs[i] || !values.has(name)) values.set(name, inputs[i]);
    });
    for (const node of topological(graph)) {
      const given = node.input.map((name) => (name ? find(graph, name) : undefined));
      const isControl = node.graphs.length > 0;
      const outputs = isControl
        ? await evaluateControl(
            node,
            given,
            node.output.map((name) => known.value(graph, name) ?? {}),
            document.opsets.get(node.domain) ?? 1,
            run,
          )
        : evaluate(node, given, { known: { opsets: document.opsets, tensor }, random });
      node.output.forEach((name, i) => {
        if (name) values.set(name, outputs[i]);
      });
    }
    return graph.outputs.map((name) => find(graph, name));
  }

  const outputs = await run(
    document.main,
    document.main.inputs.map((name) => feeds.get(name)),
  );
  return new Map(document.main.outputs.map((name, i) => [name, outputs[i]]));
}
