import { type Graph, graphs, type Node } from "../graph.ts";

/** What a model says of a value: its element type (TensorProto.DataType) and its number of dimensions, as far as it does. */
export interface Declared {
  data_type?: number | undefined;
  rank?: number | undefined;
}

/** Values that the file itself types: inputs, outputs, value_info, initializers, what Constant nodes hold; by graph and name. */
export type Declarations = ReadonlyMap<Graph, ReadonlyMap<string, Declared>>;

/** TensorProto.DataType. */
export const DataType = { FLOAT: 1, FLOAT16: 10, DOUBLE: 11, BFLOAT16: 16 } as const;

/** Operators that name the type of what they make, and the attribute that does. https://onnx.ai/onnx/operators/ */
const TYPED: Readonly<Record<string, { attribute: string; otherwise?: number }>> = {
  Cast: { attribute: "to" },
  EyeLike: { attribute: "dtype" },
  RandomNormal: { attribute: "dtype", otherwise: DataType.FLOAT },
  RandomNormalLike: { attribute: "dtype" },
  RandomUniform: { attribute: "dtype", otherwise: DataType.FLOAT },
  RandomUniformLike: { attribute: "dtype" },
  Bernoulli: { attribute: "dtype" },
};

const isFloat = (type: number | undefined): boolean =>
  type === DataType.FLOAT || type === DataType.FLOAT16 || type === DataType.DOUBLE || type === DataType.BFLOAT16;

/**
 * Element types of the floats in a graph, for steps that must write a number in the type of another: an operator that does not say
 * otherwise gives what its first float input is. Where a type is no float, the answer means nothing.
 */
export class FloatTypes {
  readonly #declared: Declarations;
  readonly #known = new Map<Graph, Map<string, number>>();

  constructor(main: Graph, declared: Declarations) {
    this.#declared = declared;
    for (const graph of graphs(main)) this.#known.set(graph, new Map());
    this.#pass(main);
  }

  of(name: string, graph: Graph): number | undefined {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const type = this.#declared.get(scope)?.get(name)?.data_type ?? this.#known.get(scope)?.get(name);
      if (type !== undefined) return type;
    }
    return undefined;
  }

  /** In the order of the nodes, as ONNX sorts them: what stands in another order stays unknown. */
  #pass(graph: Graph): void {
    const known = this.#known.get(graph) as Map<string, number>;
    for (const node of graph.nodes) {
      for (const inner of node.graphs) this.#pass(inner);
      node.output.forEach((name, i) => {
        const type = this.#made(node, i, graph);
        if (name && type !== undefined) known.set(name, type);
      });
    }
  }

  #made(node: Node, output: number, graph: Graph): number | undefined {
    const typed = node.domain === "" && Object.hasOwn(TYPED, node.op_type) ? TYPED[node.op_type] : undefined;
    const said = typed && (node.attributes[typed.attribute] ?? typed.otherwise);
    if (typeof said === "number") return said;
    const [inner] = node.graphs;
    if (inner) {
      // A Loop's body gives its condition before what the node gives.
      const name = inner.outputs[output + (node.op_type === "Loop" ? 1 : 0)];
      return name === undefined ? undefined : this.of(name, inner);
    }
    if (node.domain === "ai.onnx.ml") return DataType.FLOAT;
    return node.input.map((name) => (name ? this.of(name, graph) : undefined)).find(isFloat);
  }
}
