/** What operators share that compute tensors plainly. */

import type { Node } from "../graph/graph.ts";
import { type DType, elements, type Tensor } from "../tensor.ts";
import { arrayFor, isBig, type Numbers, RANGES, tensorOf } from "./elements.ts";
import { roundEven } from "./half.ts";
import { type ComputeContext, type FoldContext, isTensor, type Op } from "./op.ts";
import { bounded, constantValue, isStatic } from "./value.ts";

export type Compute = NonNullable<Op["compute"]>;

/** Elements of one tensor that is made, at most. */
const MAX_ELEMENTS = 1 << 26;

type Results = readonly (Tensor | undefined)[] | undefined;

/** A `compute` of tensors; sequences and what is optional are refused. */
export const ofTensors =
  (f: (node: Node, inputs: readonly (Tensor | undefined)[], context: ComputeContext) => Results): Compute =>
  (node, inputs, context) =>
    inputs.every((x) => !x || isTensor(x)) ? f(node, inputs as readonly (Tensor | undefined)[], context) : undefined;

/** Whether a tensor of the shape may be made. */
export const isRoom = (shape: readonly number[] | undefined): shape is readonly number[] =>
  shape?.every((d) => Number.isInteger(d) && d >= 0) === true && elements(shape) <= MAX_ELEMENTS;

/** As {@link ofTensors}, where the outputs' types and shapes are known and there is room for them. */
export const ofKnown = (
  f: (node: Node, inputs: readonly (Tensor | undefined)[], context: ComputeContext & Pick<FoldContext, "outputs">) => Results,
): Compute =>
  ofTensors((node, inputs, context) => {
    const isKnown = context.outputs.every(({ dtype, shape }) => dtype && isRoom(shape));
    return isKnown ? f(node, inputs, context as ComputeContext & Pick<FoldContext, "outputs">) : undefined;
  });

/** Doubles to put results in; undefined for a shape that is not known or absurd. */
export const roomFor = (shape: readonly number[] | undefined): Float64Array | undefined =>
  isRoom(shape) ? new Float64Array(elements(shape)) : undefined;

/** A tensor of results, rounded to the type; undefined for types that are not computed with. */
export function stored(dtype: DType | undefined, shape: readonly number[], data: ArrayLike<number>): Tensor | undefined {
  const to = dtype && (arrayFor(dtype, data.length) as Numbers | undefined);
  if (!to || dtype === "int64" || dtype === "uint64") return undefined;
  to.set(data);
  return tensorOf(dtype, shape, to);
}

/** A tensor of numbers one after the other; undefined for types that are not computed with and for shapes that are absurd. */
export function filled(dtype: DType | undefined, shape: readonly number[] | undefined, next: (i: number) => number): Tensor | undefined {
  const data = dtype && isRoom(shape) ? arrayFor(dtype, elements(shape)) : undefined;
  if (!dtype || !shape || !data) return undefined;
  for (let i = 0; i < data.length; i++) data[i] = (isBig(data) ? BigInt(Math.trunc(next(i))) : next(i)) as never;
  return tensorOf(dtype, shape, data);
}

/** One output, or none where it is not known. */
export const one = (y: Tensor | undefined): readonly Tensor[] | undefined => y && [y];

/** A float as an integer type holds it, shifted by its zero point: rounded to even, and cut to the type's range. */
export function quantized(x: number, zero: number, dtype: DType): number {
  const [low, high] = RANGES[dtype] ?? [0, 0];
  return Math.min(high, Math.max(low, roundEven(x) + zero));
}

/** What another operator gives for tensors, as a part of this one. */
export function applied(op: Op, node: Node, inputs: readonly (Tensor | undefined)[], context: ComputeContext): Tensor | undefined {
  const values = inputs.map((x) => x && constantValue(x));
  const told = op.infer(node, values, { ...context, symbol: () => "", graph: () => [] }).map(bounded);
  const outputs = told.map(({ dtype, shape }) => ({ dtype, shape: isStatic(shape) ? shape : undefined }));
  if (op.compute) {
    const y = op.compute(node, inputs, { ...context, outputs })?.[0];
    return isTensor(y) ? y : undefined;
  }
  const isKnown = outputs.every(({ dtype, shape }) => dtype && isRoom(shape));
  return isKnown ? op.fold?.(node, inputs, { ...context, outputs: outputs as FoldContext["outputs"] })?.[0] : undefined;
}
