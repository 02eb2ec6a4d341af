/**
 * Operators of com.microsoft that are others with something done before or after:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Node } from "../graph/graph.ts";
import { isFloat, type Tensor } from "../tensor.ts";
import { ACTIVATIONS, gelu, geluTanh } from "./activation.ts";
import { applied, type Compute, ofTensors, one, stored } from "./compute.ts";
import { Conv } from "./conv.ts";
import { eachOf, eachPair } from "./each.ts";
import { numbersOf } from "./elements.ts";
import { Gemm, matmulShape } from "./linear.ts";
import { int, numbers, type Op, text } from "./op.ts";
import { multiplied, permuted, turned, type View, view } from "./product.ts";
import type { Dim, Dims } from "./value.ts";

const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];

const added = (x: Tensor, bias: Tensor | undefined): Tensor | undefined =>
  bias ? eachPair(x, bias, x.dtype, x.shape, { number: (a, b) => a + b, accepts: isFloat }) : x;

/** A function of numbers, with a bias before it where there is one. */
const afterBias = (of: (node: Node) => (x: number) => number): Op => ({
  infer,
  compute: ofTensors((node, [x, bias]) => {
    const isWide = x && bias?.shape.every((d, i) => d === 1 || d === x.shape.at(i - bias.shape.length));
    const sum = x && (!bias || isWide) ? added(x, bias) : undefined;
    return sum && one(eachOf(sum, sum.dtype, { number: of(node), accepts: isFloat }));
  }),
});

export const BiasGelu = afterBias(() => gelu);
export const FastGelu = afterBias(() => geluTanh);
export const Gelu = afterBias(() => gelu);
export const QuickGelu = afterBias((node) => ACTIVATIONS.Swish.of(int(node, "alpha", 1.702)));

/** The activation that a node names; undefined where it is not known. */
function activation(node: Node, parameters: readonly (number | undefined)[]): ((x: number) => number) | undefined {
  const name = text(node, "activation", "");
  if (name === "") return (x) => x;
  const known = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name as keyof typeof ACTIVATIONS] : undefined;
  return known?.of(parameters[0] ?? known.alpha, parameters[1] ?? known.beta);
}

const activated = (x: Tensor | undefined, f: ((x: number) => number) | undefined): Tensor | undefined =>
  x && f && eachOf(x, x.dtype, { number: f, accepts: isFloat });

/** A fourth input is added before the activation. */
export const FusedConv: Op = {
  ...Conv,
  compute: ofTensors((node, [x, w, b, z], context) => {
    const y = applied(Conv, node, [x, w, b], context);
    if (!y || (z && z.shape.join() !== y.shape.join())) return undefined;
    return one(activated(added(y, z), activation(node, numbers(node, "activation_params") ?? [])));
  }),
};

export const FusedGemm: Op = {
  ...Gemm,
  compute: ofTensors((node, inputs, context) => {
    const parameters = ["alpha", "beta"].map((name) => node.attributes[`activation_${name}`] as number | undefined);
    return one(activated(applied(Gemm, node, inputs, context), activation(node, parameters)));
  }),
};

/** `transBatchA` says that A's rows are its first axis, before those of the batch. */
function arranged(node: Node, matrix: View, which: string): View {
  const rank = matrix.shape.length;
  const isMoved = rank > 2 && int(node, `transBatch${which}`, 0) !== 0;
  const moved = isMoved
    ? permuted(
        matrix,
        [...matrix.shape.keys()].map((axis) => (axis === rank - 1 ? axis : (axis + 1) % (rank - 1))),
      )
    : matrix;
  return int(node, `trans${which}`, 0) !== 0 ? turned(moved) : moved;
}

const multiply: Compute = ofTensors((node, [a, b]) => {
  const [p, q] = [a && numbersOf(a), b && numbersOf(b)];
  const product = a && b && p && q && multiplied(arranged(node, view(a.shape, p), "A"), arranged(node, view(b.shape, q), "B"));
  const alpha = int(node, "alpha", 1);
  return (
    product &&
    one(
      stored(
        a.dtype,
        product.shape,
        (product.data as Float64Array).map((sum) => alpha * sum),
      ),
    )
  );
});

export const FusedMatMul: Op = {
  infer(node, [a, b], context) {
    const shaped = (shape: Dims | undefined, which: string): Dims | undefined => {
      if (!shape || shape.length < 2) return shape;
      const [batch, rows, columns] = int(node, `transBatch${which}`, 0)
        ? [shape.slice(1, -1), shape[0], shape.at(-1)]
        : [shape.slice(0, -2), shape.at(-2), shape.at(-1)];
      return [...batch, ...((int(node, `trans${which}`, 0) ? [columns, rows] : [rows, columns]) as Dim[])];
    };
    return [{ dtype: a?.dtype, shape: matmulShape(shaped(a?.shape, "A"), shaped(b?.shape, "B"), context) }];
  },
  compute: multiply,
};
export const FusedMatMulActivation: Op = { infer: FusedMatMul.infer };
export const TransposeMatMul = FusedMatMul;
