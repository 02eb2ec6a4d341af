import { type Graph, graphs, type Node } from "../graph/graph.ts";
import type { Inferred } from "./infer.ts";
import { int } from "./op.ts";
import type { Dims } from "./value.ts";

/**
 * Operations of a model's products for one run, a multiplication and an addition being two, as the field counts them: 110 · 10⁹ for PP-YOLOE+ l at
 * 640². A size that a run binds counts as 1; what is not a product (activations, pools) takes little beside them and is not counted.
 */
export function operations(main: Graph, inferred: Inferred): number {
  let sum = 0;
  for (const [, count] of products(main, inferred)) sum += 2 * count;
  return sum;
}

/** The nodes of a model that are products, with the multiplications of each. */
export function* products(main: Graph, inferred: Inferred): Generator<[node: Node, count: number]> {
  for (const graph of graphs(main)) {
    const shapeOf = (name: string | undefined): Dims | undefined => {
      for (let scope: Graph | undefined = name ? graph : undefined; scope; scope = scope.parent) {
        const value = inferred.get(scope)?.get(name as string);
        if (value) return value.shape;
      }
      return undefined;
    };
    for (const node of graph.nodes) {
      const count = PRODUCTS.get(node.op_type)?.(node, shapeOf);
      if (count) yield [node, count];
    }
  }
}

type Shapes = (name: string | undefined) => Dims | undefined;

const size = (shape: Dims | undefined): number => (shape ? shape.reduce((n: number, d) => (typeof d === "number" ? n * d : n), 1) : 0);
const last = (shape: Dims | undefined): number => size(shape?.slice(-1));

/** Each element of the output sums over a kernel and the channels of a group. `w` is the weight's place among the inputs. */
const conv =
  (w: number) =>
  ({ input, output }: Node, shape: Shapes): number =>
    size(shape(output[0])) * size(shape(input[w])?.slice(1));

/** Each element of the output sums over the columns of the left side. */
const matmul = ({ input, output }: Node, shape: Shapes): number => size(shape(output[0])) * last(shape(input[0]));

/** Each step multiplies the input and the state by all gates. */
const recurrent = ({ input }: Node, shape: Shapes): number =>
  size(shape(input[0])?.slice(0, 2)) * (size(shape(input[1])) + size(shape(input[2])));

const PRODUCTS: ReadonlyMap<string, (node: Node, shape: Shapes) => number> = new Map(
  Object.entries<(node: Node, shape: Shapes) => number>({
    Conv: conv(1),
    ConvInteger: conv(1),
    QLinearConv: conv(3),
    /** Each element of the input goes into a kernel and the channels of a group. */
    ConvTranspose: ({ input }, shape) => size(shape(input[0])) * size(shape(input[1])?.slice(1)),
    MatMul: matmul,
    MatMulInteger: matmul,
    QLinearMatMul: matmul,
    MatMulNBits: matmul,
    Gemm: (node, shape) =>
      size(shape(node.output[0])) * size(shape(node.input[0])?.slice(int(node, "transA", 0) ? 0 : 1, int(node, "transA", 0) ? 1 : 2)),
    LSTM: recurrent,
    GRU: recurrent,
    RNN: recurrent,
  }),
);
