/** Matrix products. */
import type { Node } from "../graph/graph.ts";
import { type DType, elements, type Tensor } from "../tensor.ts";
import { type Compute, ofTensors, one, stored } from "./compute.ts";
import { broadcast, mayEqual } from "./dims.ts";
import { summed } from "./einsum.ts";
import { bigIntsOf, isBig, numbersOf } from "./elements.ts";
import { type ComputeContext, type Context, int, type Op, text } from "./op.ts";
import { addTo, multiplied, turned, view } from "./product.ts";
import { centered, requantized } from "./quantized.ts";
import type { Dim, Dims } from "./value.ts";

/** Dims of numpy.matmul; of two axes each the last are multiplied, and those before them are broadcast. */
export function matmulShape(a: Dims | undefined, b: Dims | undefined, context: Context): Dims | undefined {
  if (!a?.length || !b?.length) return undefined;
  const batch = broadcast([a.slice(0, -2), b.slice(0, -2)], context);
  if (!batch || !mayEqual(a.at(-1), b.at(b.length > 1 ? -2 : -1))) return undefined;
  return [...batch, ...(a.length > 1 ? [a.at(-2) as Dim] : []), ...(b.length > 1 ? [b.at(-1) as Dim] : [])];
}

const swapped = (shape: Dims | undefined, turn: number): Dims | undefined =>
  shape && turn && shape.length > 1 ? [...shape.slice(0, -2), shape.at(-1) as Dim, shape.at(-2) as Dim] : shape;

/** A product of two inputs whose type is the first's, or one that is given. */
const matmul = (dtype?: DType): Op => ({
  infer: (_node, [a, b], context) => [{ dtype: dtype ?? a?.dtype, shape: matmulShape(a?.shape, b?.shape, context) }],
});

/** Multiplications that folding does, at most: a tenth of a second. */
const MAX_FOLDED_PRODUCTS = 1 << 25;

/** Floats are summed as doubles and rounded once. */
const multiply: Compute = ofTensors((_node, [a, b]) => {
  const [p, q] = [a, b].map((x) => x && (bigIntsOf(x) ?? numbersOf(x)));
  if (!a || !b || !p || !q || a.dtype !== b.dtype) return undefined;
  const product = multiplied(view(a.shape, p), view(b.shape, q));
  if (!product) return undefined;
  return isBig(product.data) ? [{ dtype: a.dtype, ...product } as Tensor] : one(stored(a.dtype, product.shape, product.data));
});

export const MatMul: Op = {
  ...matmul(),
  fold(node, [a, b], context) {
    const [y] = context.outputs;
    if (!y || elements(y.shape) * (a?.shape.at(-1) ?? 0) > MAX_FOLDED_PRODUCTS) return undefined;
    return multiply(node, [a, b], context as unknown as ComputeContext) as readonly Tensor[] | undefined;
  },
  compute: multiply,
};

/** Integers less their zero points: one, or one for each row of the first and each column of the second. */
const centeredProduct = (a: Tensor | undefined, a_zero: Tensor | undefined, b: Tensor | undefined, b_zero: Tensor | undefined) => {
  const p = a && centered(a, a_zero, a.shape.length - 2);
  const q = b && centered(b, b_zero, b.shape.length - 1);
  const product = p && q && multiplied(view(a.shape, p), view(b.shape, q));
  return product as { shape: readonly number[]; data: Float64Array } | undefined;
};

export const MatMulInteger: Op = {
  ...matmul("int32"),
  compute: ofTensors((_node, [a, b, a_zero, b_zero]) => {
    const product = centeredProduct(a, a_zero, b, b_zero);
    return product && one(stored("int32", product.shape, product.data));
  }),
};

/** Inputs a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point. */
export const QLinearMatMul: Op = {
  infer: (_node, inputs, context) => [
    { dtype: inputs[7]?.dtype ?? inputs[0]?.dtype, shape: matmulShape(inputs[0]?.shape, inputs[3]?.shape, context) },
  ],
  compute: ofTensors((_node, [a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero]) => {
    const product = centeredProduct(a, a_zero, b, b_zero);
    return product && one(requantized(product.data, product.shape, product.shape.length - 1, [a_scale, b_scale, y_scale], y_zero));
  }),
};

/** https://onnx.ai/onnx/operators/onnx__Gemm.html */
export const Gemm: Op = {
  infer(node, [a, b], context) {
    const isMatrix = a?.shape?.length === 2 && b?.shape?.length === 2;
    if (!isMatrix) return [{ dtype: a?.dtype }];
    const shape = matmulShape(swapped(a.shape, int(node, "transA", 0)), swapped(b.shape, int(node, "transB", 0)), context);
    return [{ dtype: a.dtype, shape }];
  },
  compute: ofTensors((node, [a, b, c]) => {
    const sums = a && b && a.dtype === b.dtype ? gemm(node, a, b, c) : undefined;
    return sums && one(stored(a?.dtype, sums.shape, sums.data));
  }),
};

/** alpha · A · B + beta · C. */
export function gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | undefined, [p, q, r] = [a, b, c].map((x) => x && numbersOf(x))) {
  if (a.shape.length !== 2 || b.shape.length !== 2 || !p || !q || (c && !r)) return undefined;
  const [left, right] = [view(a.shape, p), view(b.shape, q)];
  const product = multiplied(int(node, "transA", 0) ? turned(left) : left, int(node, "transB", 0) ? turned(right) : right);
  if (!product) return undefined;
  const alpha = int(node, "alpha", 1);
  const data = (product.data as Float64Array).map((sum) => alpha * sum);
  return !c || !r || addTo(data, product.shape, { shape: c.shape, data: r }, int(node, "beta", 1))
    ? { shape: product.shape, data }
    : undefined;
}

/** https://onnx.ai/onnx/operators/onnx__Einsum.html */
export const Einsum: Op = {
  infer(node, inputs, context) {
    const shapes = inputs.map((value) => value?.shape);
    return [{ dtype: inputs[0]?.dtype, shape: einsumShape(text(node, "equation", ""), shapes, context) }];
  },
  compute: ofTensors((node, inputs, { outputs: [y] }) => {
    const [left = "", right] = text(node, "equation", "").replaceAll(" ", "").split("->");
    const terms = left.split(",");
    if (terms.length !== inputs.length || inputs.some((x) => !x || x.dtype !== inputs[0]?.dtype)) return undefined;
    const sums = summed(terms, right ?? implicit(terms), inputs as readonly Tensor[], y?.shape);
    return sums && one(stored(y?.dtype, y?.shape as number[], sums));
  }),
};

function einsumShape(equation: string, shapes: readonly (Dims | undefined)[], context: Context): Dims | undefined {
  const [left = "", right] = equation.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  if (terms.length !== shapes.length) return undefined;
  const sizes = new Map<string, Dim>();
  const rests: Dims[] = [];
  for (const [i, term] of terms.entries()) {
    const shape = shapes[i];
    if (!shape) return undefined;
    const [before = "", after] = term.split("...");
    const rank = before.length + (after?.length ?? 0);
    if (after === undefined ? shape.length !== rank : shape.length < rank) return undefined;
    const rest = shape.length - rank;
    if (after !== undefined) rests.push(shape.slice(before.length, before.length + rest));
    const labels = [...before, ...(after ?? "")];
    const dims = [...shape.slice(0, before.length), ...shape.slice(before.length + rest)];
    for (const [j, label] of labels.entries()) {
      const merged = broadcast([[sizes.get(label) ?? 1], [dims[j] as Dim]], context);
      if (!merged) return undefined;
      sizes.set(label, merged[0] as Dim);
    }
  }
  const rest = broadcast(rests, context);
  const result = (right ?? implicit(terms)).split(/(\.\.\.)/).flatMap((part) => (part === "..." ? [part] : [...part]));
  const dims = result.flatMap((label) => (label === "..." ? (rest ?? [undefined]) : [sizes.get(label)]) as readonly (Dim | undefined)[]);
  return dims.includes(undefined) ? undefined : (dims as Dims);
}

/** Without an arrow: the ellipsis, then the labels that stand once, in alphabetical order. */
function implicit(terms: readonly string[]): string {
  const labels = [...terms.join("").replaceAll(".", "")];
  const once = labels.filter((label) => labels.indexOf(label) === labels.lastIndexOf(label)).sort();
  return `${terms.some((term) => term.includes("...")) ? "..." : ""}${once.join("")}`;
}

/** Determinants of the last two axes. */
export const Det: Op = {
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape?.slice(0, -2) }],
  compute: ofTensors((_node, [x]) => {
    const data = x && numbersOf(x);
    const [n = 0, columns] = x?.shape.slice(-2) ?? [];
    if (!data || n !== columns) return undefined;
    const shape = x.shape.slice(0, -2);
    return one(
      stored(
        x.dtype,
        shape,
        Float64Array.from({ length: elements(shape) }, (_, i) =>
          determinant(Float64Array.from(data.subarray(i * n * n, (i + 1) * n * n)), n),
        ),
      ),
    );
  }),
};

/** By elimination with the largest pivots. */
function determinant(m: Float64Array, n: number): number {
  const at = (row: number, column: number) => m[row * n + column] as number;
  let product = 1;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let row = k + 1; row < n; row++) if (Math.abs(at(row, k)) > Math.abs(at(pivot, k))) pivot = row;
    const [chosen, moved] = [m.slice(pivot * n, (pivot + 1) * n), m.slice(k * n, (k + 1) * n)];
    m.set(moved, pivot * n);
    m.set(chosen, k * n);
    product *= at(k, k) * (pivot === k ? 1 : -1);
    if (at(k, k) === 0) return 0;
    for (let row = k + 1; row < n; row++) {
      const factor = at(row, k) / at(k, k);
      for (let column = k; column < n; column++) m[row * n + column]! -= factor * at(k, column);
    }
  }
  return product;
}
