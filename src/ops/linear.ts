/** Matrix products. */
import { type DType, elements } from "../tensor.ts";
import { broadcast } from "./dims.ts";
import { arrayFor, bigIntsOf, type Numbers, numbersOf, tensorOf } from "./elements.ts";
import { type Context, int, type Op, text } from "./op.ts";
import { broadcastStrides, offsets } from "./strides.ts";
import type { Dim, Dims } from "./value.ts";

/** Dims of numpy.matmul; of two axes each the last are multiplied, and those before them are broadcast. */
export function matmulShape(a: Dims | undefined, b: Dims | undefined, context: Context): Dims | undefined {
  if (!a?.length || !b?.length) return undefined;
  const batch = broadcast([a.slice(0, -2), b.slice(0, -2)], context);
  if (!batch || !fits(a.at(-1), b.at(b.length > 1 ? -2 : -1))) return undefined;
  return [...batch, ...(a.length > 1 ? [a.at(-2) as Dim] : []), ...(b.length > 1 ? [b.at(-1) as Dim] : [])];
}

const fits = (a: Dim | undefined, b: Dim | undefined): boolean => typeof a === "string" || typeof b === "string" || a === b;

const swapped = (shape: Dims | undefined, turn: number): Dims | undefined =>
  shape && turn && shape.length > 1 ? [...shape.slice(0, -2), shape.at(-1) as Dim, shape.at(-2) as Dim] : shape;

/** A product of two inputs whose type is the first's, or one that is given. */
const matmul = (dtype?: DType): Op => ({
  infer: (_node, [a, b], context) => [{ dtype: dtype ?? a?.dtype, shape: matmulShape(a?.shape, b?.shape, context) }],
});

/** Multiplications that folding does, at most: a tenth of a second. */
const MAX_FOLDED_PRODUCTS = 1 << 25;

/** Floats are summed as doubles and rounded once. */
export const MatMul: Op = {
  ...matmul(),
  fold(_node, [a, b], { outputs: [y] }) {
    if (!a?.shape.length || !b?.shape.length || !y || a.dtype !== b.dtype) return undefined;
    // A vector is a row on the left, a column on the right.
    const [left, right] = [a.shape.length > 1 ? a.shape : [1, ...a.shape], b.shape.length > 1 ? b.shape : [...b.shape, 1]];
    const [rows = 0, k = 0] = left.slice(-2);
    const columns = right.at(-1) as number;
    if (k !== right.at(-2) || elements(y.shape) * k > MAX_FOLDED_PRODUCTS) return undefined;
    const batch = y.shape.slice(0, y.shape.length - Number(a.shape.length > 1) - Number(b.shape.length > 1));
    const starts = (shape: readonly number[]) =>
      offsets(batch, broadcastStrides(shape.slice(0, -2), batch)).map((at) => at * elements(shape.slice(-2)));
    const [p, q] = [a, b].map((x) => bigIntsOf(x) ?? numbersOf(x)) as [Numbers | undefined, Numbers | undefined];
    const [as, bs, data] = [starts(left), starts(right), arrayFor(y.dtype, elements(y.shape)) as Numbers | undefined];
    if (!p || !q || !data) return undefined;
    const zero = (bigIntsOf(a) ? 0n : 0) as number;
    for (let i = 0, at = 0; i < as.length; i++) {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let sum = zero;
          for (let j = 0; j < k; j++)
            sum += (p[(as[i] as number) + row * k + j] as number) * (q[(bs[i] as number) + j * columns + column] as number);
          data[at++] = sum;
        }
      }
    }
    return [tensorOf(y.dtype, y.shape, data)];
  },
};
export const MatMulInteger = matmul("int32");

/** Inputs a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point. */
export const QLinearMatMul: Op = {
  infer: (_node, inputs, context) => [
    { dtype: inputs[7]?.dtype ?? inputs[0]?.dtype, shape: matmulShape(inputs[0]?.shape, inputs[3]?.shape, context) },
  ],
};

/** https://onnx.ai/onnx/operators/onnx__Gemm.html */
export const Gemm: Op = {
  infer(node, [a, b], context) {
    const isMatrix = a?.shape?.length === 2 && b?.shape?.length === 2;
    if (!isMatrix) return [{ dtype: a?.dtype }];
    const shape = matmulShape(swapped(a.shape, int(node, "transA", 0)), swapped(b.shape, int(node, "transB", 0)), context);
    return [{ dtype: a.dtype, shape }];
  },
};

/** https://onnx.ai/onnx/operators/onnx__Einsum.html */
export const Einsum: Op = {
  infer(node, inputs, context) {
    const shapes = inputs.map((value) => value?.shape);
    return [{ dtype: inputs[0]?.dtype, shape: einsumShape(text(node, "equation", ""), shapes, context) }];
  },
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
export const Det: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape?.slice(0, -2) }] };
