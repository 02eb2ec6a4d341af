/** Matrix products of arrays, however they lie. */
import { elements } from "../tensor.ts";
import { isRoom } from "./compute.ts";
import { type BigInts, isBig, type Numbers } from "./elements.ts";
import { broadcastStrides, offsets, strides } from "./strides.ts";

/** A matrix, or a batch of them, as it lies in an array: `steps` apart along each axis. */
export interface View {
  data: Numbers | BigInts;
  shape: readonly number[];
  steps: readonly number[];
}

export const view = (shape: readonly number[], data: Numbers | BigInts): View => ({ data, shape, steps: strides(shape) });

/** With its axes in another order. */
export const permuted = ({ data, shape, steps }: View, axes: readonly number[]): View => ({
  data,
  shape: axes.map((axis) => shape[axis] as number),
  steps: axes.map((axis) => steps[axis] as number),
});

/** With its rows as columns. */
export const turned = (matrix: View): View => {
  const rank = matrix.shape.length;
  return permuted(
    matrix,
    [...matrix.shape.keys()].map((axis) => (rank < 2 || axis < rank - 2 ? axis : 2 * rank - 3 - axis)),
  );
};

/** Shape of two that are broadcast; undefined where they do not fit. */
export function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  const missing = long.length - short.length;
  const shape = long.map((d, i) => (d === 1 && i >= missing ? (short[i - missing] as number) : d));
  return short.every((d, i) => d === 1 || d === shape[i + missing]) ? shape : undefined;
}

/** Products of the last two axes, those before them broadcast, as numpy.matmul; numbers are summed as doubles. */
export function multiplied(a: View, b: View): { shape: readonly number[]; data: Float64Array | BigInts } | undefined {
  if (a.shape.length === 0 || b.shape.length === 0) return undefined;
  // A vector is a row on the left, a column on the right.
  const left = a.shape.length > 1 ? a : { ...a, shape: [1, ...a.shape], steps: [0, ...a.steps] };
  const right = b.shape.length > 1 ? b : { ...b, shape: [...b.shape, 1], steps: [...b.steps, 0] };
  const [[rows = 0, k], [depth = 0, columns = 0]] = [left.shape.slice(-2), right.shape.slice(-2)] as [number[], number[]];
  const batch = broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
  if (!batch || k !== depth || !isRoom([...batch, rows, columns])) return undefined;
  const starts = ({ shape, steps }: View) => {
    const lead = broadcastStrides(shape.slice(0, -2), batch);
    const missing = batch.length - shape.length + 2;
    return offsets(
      batch,
      lead.map((step, i) => (step === 0 ? 0 : (steps[i - missing] as number))),
    );
  };
  const [as, bs] = [starts(left), starts(right)];
  const size = as.length * rows * columns;
  const data = isBig(a.data) ? new (a.data.constructor as BigInt64ArrayConstructor)(size) : new Float64Array(size);
  const [x, y, sums] = [a.data, b.data, data] as [Numbers, Numbers, Float64Array];
  const [[down = 0, across = 0], [next = 0, aside = 0]] = [left.steps.slice(-2), right.steps.slice(-2)] as [number[], number[]];
  for (let i = 0, to = 0; i < as.length; i++) {
    for (let row = 0; row < rows; row++, to += columns) {
      for (let j = 0; j < k; j++) {
        const factor = x[(as[i] as number) + row * down + j * across] as number;
        for (let column = 0, at = (bs[i] as number) + j * next; column < columns; column++, at += aside)
          sums[to + column]! += factor * (y[at] as number);
      }
    }
  }
  return { shape: [...batch, ...(a.shape.length > 1 ? [rows] : []), ...(b.shape.length > 1 ? [columns] : [])], data };
}

/** Adds `factor` times a tensor that is broadcast to the shape; false where it does not fit. */
export function addTo(
  sums: Float64Array,
  shape: readonly number[],
  c: { shape: readonly number[]; data: ArrayLike<number> },
  factor = 1,
): boolean {
  if (broadcastShape(c.shape, shape)?.join() !== shape.join()) return false;
  const from = offsets(shape, broadcastStrides(c.shape, shape));
  for (let i = 0; i < sums.length; i++) sums[i]! += factor * (c.data[from[i] as number] as number);
  return elements(shape) === sums.length;
}
