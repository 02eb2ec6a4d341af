/**
 * Normalization in com.microsoft:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Node } from "../graph/graph.ts";
import type { Tensor } from "../tensor.ts";
import { type Compute, ofTensors, roomFor, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { indicesOf } from "./indices.ts";
import { normalized } from "./normalized.ts";
import { int, type Op } from "./op.ts";
import { addTo } from "./product.ts";
import { lines } from "./strides.ts";
import type { Value } from "./value.ts";

/** Normalizes sums along the last axis, and gives what SkipLayerNormalization does. */
function layered(
  node: Node,
  dtype: Tensor["dtype"],
  shape: readonly number[],
  sums: Float64Array,
  scale: Tensor | undefined,
  shift: Tensor | undefined,
  isCentered: boolean,
) {
  const [scales, shifts] = [scale && numbersOf(scale), shift && numbersOf(shift)];
  const size = shape.at(-1) ?? 0;
  if (scales?.length !== size || (shift && shifts?.length !== size)) return undefined;
  const axes = [shape.length - 1];
  const y = normalized(
    sums,
    lines(shape, axes),
    int(node, "epsilon", 1e-12),
    isCentered,
    (value, _line, i) => value * (scales[i] as number) + (shifts?.[i] ?? 0),
  );
  const statistic = (list: Float64Array) => stored("float32", shape.with(-1, 1), list);
  const result = stored(dtype, shape, y.data);
  return result && [result, statistic(y.means), statistic(y.inverses), stored(dtype, shape, sums)];
}

/** x, what is added to it, scale, shift where there is a mean, and a bias. */
function skipping(isCentered: boolean): Compute {
  return ofTensors((node, [x, skip, scale, ...rest]) => {
    const [shift, bias] = isCentered ? rest : [undefined, rest[0]];
    const data = x && numbersOf(x);
    if (!x || !data || !skip || x.shape.length < 2) return undefined;
    const sums = Float64Array.from(data);
    for (const more of bias ? [skip, bias] : [skip]) {
      const own = numbersOf(more);
      if (!own || !addTo(sums, x.shape, { shape: more.shape, data: own })) return undefined;
    }
    return layered(node, x.dtype, x.shape, sums, scale, shift, isCentered);
  });
}

/** Output, mean, inverse deviation, and the sum before it was normalized. */
export const SkipLayerNormalization: Op = {
  infer(_node, [x], _context) {
    const y: Value = { dtype: x?.dtype, shape: x?.shape };
    const statistic: Value = { dtype: "float32", shape: x?.shape?.map((d, i, { length }) => (i === length - 1 ? 1 : d)) };
    return [y, statistic, statistic, y];
  },
  compute: skipping(true),
};
/** Without a mean and a shift. */
export const SkipSimplifiedLayerNormalization: Op = { infer: SkipLayerNormalization.infer, compute: skipping(false) };

/** ids[batch, length], segments, word embedding[words, hidden], … → [batch, length, hidden], mask index, sum. */
export const EmbedLayerNormalization: Op = {
  infer(_node, [ids, , word], context) {
    const hidden = word?.shape?.[1] ?? context.symbol();
    const y: Value = { dtype: word?.dtype, shape: ids?.shape && [...ids.shape, hidden] };
    return [y, { dtype: "int32", shape: [ids?.shape?.[0] ?? context.symbol()] }, y];
  },
  compute: ofTensors((node, [ids, segments, word, position, segment, scale, shift, mask, positions]) => {
    const [batch = 0, length = 0] = ids?.shape ?? [];
    const shape = [batch, length, word?.shape[1] ?? 0];
    const sums = roomFor(shape);
    const places: Tensor = positions ?? { dtype: "int32", shape: [length], data: Int32Array.from({ length }, (_, i) => i) };
    if (!ids || !word || !position || !sums || ids.shape.length !== 2 || (segments && !segment)) return undefined;
    for (const [table, rows] of [[word, ids], [position, places], ...(segments ? [[segment, segments]] : [])] as [Tensor, Tensor][]) {
      const [data, size, at] = [numbersOf(table), table.shape[1], indicesOf(rows, table.shape[0] ?? 0)];
      if (!data || !at || at.length === 0 || size === undefined || size !== shape[2]) return undefined;
      for (let i = 0; i < sums.length; i++)
        sums[i]! += data[(at[Math.floor(i / size) % at.length] as number) * size + (i % size)] as number;
    }
    const y = layered(node, word.dtype, shape, sums, scale, shift, true);
    const kept = Array.from((mask?.data ?? []) as ArrayLike<number | bigint>, Number);
    const counts = Int32Array.from({ length: batch }, (_, i) => kept.slice(i * length, (i + 1) * length).reduce((a, b) => a + b, 0));
    return y && [y[0], { dtype: "int32", shape: [batch], data: counts }, y[3]];
  }),
};
