import { elements, type Tensor } from "../tensor.ts";
import { roomFor } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { offsets, strides } from "./strides.ts";

/** Products that are summed, at most. */
const MAX_PRODUCTS = 1 << 30;

/** The labels of a term's axes; those of the ellipsis are numbered from the last. */
function labelsOf(term: string, rank: number): string[] {
  const [before = "", after] = term.split("...");
  const rest = after === undefined ? 0 : rank - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(0, rest) }, (_, i) => `.${rest - i}`), ...(after ?? "")];
}

/** Sums of products by the terms of an equation, for an output of the shape that `result` stands for. */
export function summed(
  terms: readonly string[],
  result: string,
  inputs: readonly Tensor[],
  shape: readonly number[] | undefined,
): Float64Array | undefined {
  const y = roomFor(shape);
  const data = inputs.map(numbersOf);
  if (!y || !shape || data.includes(undefined)) return undefined;
  const labels = terms.map((term, i) => labelsOf(term, inputs[i]?.shape.length ?? 0));
  const sizes = new Map<string, number>();
  for (const [i, list] of labels.entries()) {
    if (list.length !== inputs[i]?.shape.length) return undefined;
    for (const [axis, label] of list.entries()) {
      const [size, known] = [inputs[i].shape[axis] as number, sizes.get(label) ?? 1];
      if (known !== 1 && size !== 1 && known !== size) return undefined;
      sizes.set(label, size === 1 ? known : size);
    }
  }
  const kept = labelsOf(result, shape.length);
  const rest = [...sizes.keys()].filter((label) => !kept.includes(label));
  const dims = (list: readonly string[]) => list.map((label) => sizes.get(label) ?? Number.NaN);
  if (dims(kept).join() !== shape.join() || elements(shape) * elements(dims(rest)) > MAX_PRODUCTS) return undefined;
  // A label that stands twice is a diagonal: its steps add up.
  const places = (list: readonly string[]) =>
    inputs.map((x, i) => {
      const own = strides(x.shape);
      return offsets(
        dims(list),
        list.map((label) => own.reduce((n, step, axis) => (labels[i]?.[axis] === label && x.shape[axis] !== 1 ? n + step : n), 0)),
      );
    });
  const [starts, within] = [places(kept), places(rest)];
  const count = elements(dims(rest));
  for (let i = 0; i < y.length; i++) {
    for (let j = 0; j < count; j++) {
      let product = 1;
      for (let k = 0; k < data.length; k++) product *= data[k]?.[(starts[k]?.[i] as number) + (within[k]?.[j] as number)] as number;
      y[i]! += product;
    }
  }
  return y;
}
