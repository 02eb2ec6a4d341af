/** Where elements lie in row-major order. */

/** How far apart neighbours along each axis lie. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis--] as number) result[axis] = step;
  return result;
}

/** Strides that read a tensor as if it were broadcast to a shape that it fits. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = strides(from);
  const missing = to.length - from.length;
  return to.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : (own[axis - missing] as number)));
}

/** For each element of `shape` in turn: `start`, and its coordinates times `steps`. */
export function offsets(shape: readonly number[], steps: readonly number[], start = 0): Int32Array {
  let result = Int32Array.of(start);
  shape.forEach((size, axis) => {
    const step = steps[axis] as number;
    const next = new Int32Array(result.length * size);
    for (let i = 0, at = 0; i < result.length; i++) for (let k = 0; k < size; k++) next[at++] = (result[i] as number) + k * step;
    result = next;
  });
  return result;
}

/** The elements as lines along some axes: where each starts, and where its elements lie from there. */
export function lines(shape: readonly number[], axes: readonly number[]): { starts: Int32Array; within: Int32Array } {
  const steps = strides(shape);
  const along = (some: readonly number[]) =>
    offsets(
      some.map((axis) => shape[axis] as number),
      some.map((axis) => steps[axis] as number),
    );
  return { starts: along([...shape.keys()].filter((axis) => !axes.includes(axis))), within: along(axes) };
}
