/** Where the elements lie that indices name. */
import { elements, type Tensor } from "../tensor.ts";
import { axisOf } from "./op.ts";
import { offsets, strides } from "./strides.ts";

/** Indices in [0, size); negative ones count from the end. Undefined where one is out of range. */
export function indicesOf({ dtype, data }: Tensor, size: number): Float64Array | undefined {
  if (dtype !== "int64" && dtype !== "int32") return undefined;
  const places = Float64Array.from(data as Int32Array, (i) => (Number(i) < 0 ? Number(i) + size : Number(i)));
  return places.every((i) => i >= 0 && i < size) ? places : undefined;
}

/** For each index along `axis`, where in `shape` the element at its own coordinates but for the axis lies. */
export function elementOffsets(shape: readonly number[], indices: Tensor, axis: number): Int32Array | undefined {
  const at = axisOf(axis, shape.length);
  const places = at === undefined ? undefined : indicesOf(indices, shape[at] as number);
  const fits = indices.shape.length === shape.length && indices.shape.every((d, i) => i === at || d <= (shape[i] as number));
  if (at === undefined || !places || !fits) return undefined;
  const steps = strides(shape);
  const along = steps[at] as number;
  steps[at] = 0;
  return offsets(indices.shape, steps).map((start, i) => start + (places[i] as number) * along);
}

/** For each tuple of indices, the last axis, where in `shape` the slice that it names starts. */
export function sliceOffsets(shape: readonly number[], indices: Tensor, batch_dims = 0): Int32Array | undefined {
  const depth = indices.shape.at(-1);
  const { data, dtype } = indices;
  const batch = shape.slice(0, batch_dims);
  if (depth === undefined || depth < 1 || batch_dims + depth > shape.length || batch_dims >= indices.shape.length) return undefined;
  if ((dtype !== "int64" && dtype !== "int32") || batch_dims < 0 || batch.some((d, i) => d !== indices.shape[i])) return undefined;
  const steps = strides(shape);
  const result = new Int32Array(data.length / depth);
  const whole = elements(shape.slice(batch_dims));
  const each = result.length / Math.max(1, elements(batch));
  for (let i = 0; i < result.length; i++) {
    let start = Math.floor(i / each) * (batch_dims > 0 ? whole : 0);
    for (let k = 0; k < depth; k++) {
      const size = shape[batch_dims + k] as number;
      const given = Number(data[i * depth + k]);
      const index = given < 0 ? given + size : given;
      if (!(index >= 0 && index < size)) return undefined;
      start += index * (steps[batch_dims + k] as number);
    }
    result[i] = start;
  }
  return result;
}
