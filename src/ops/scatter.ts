/** Operators that put elements in by index. */
import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { bigIntsOf, larger, type Numbers, numbersOf, smaller, tensorOf } from "./elements.ts";
import { elementOffsets, sliceOffsets } from "./indices.ts";
import { int, type Op, text } from "./op.ts";

const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];

type Join = (old: number, update: number) => number;

/** What comes of an element and its update; bigints too. */
const REDUCTIONS: ReadonlyMap<string, Join> = new Map<string, Join>([
  ["none", (_old, update) => update],
  ["add", (old, update) => old + update],
  ["mul", (old, update) => old * update],
  ["max", larger],
  ["min", smaller],
]);

/** A copy with an update at each offset, in turn. */
function scattered(
  node: Node,
  x: Tensor,
  updates: Tensor,
  offsets: (i: number) => number,
  shape: readonly number[],
): readonly Tensor[] | undefined {
  const join = REDUCTIONS.get(text(node, "reduction", "none"));
  const from = bigIntsOf(updates) ?? numbersOf(updates);
  const data = (bigIntsOf(x) ?? numbersOf(x))?.slice();
  if (!join || !from || !data || x.dtype !== updates.dtype) return undefined;
  for (let i = 0; i < from.length; i++) {
    const at = offsets(i);
    data[at] = join((data as Numbers)[at] as number, (from as Numbers)[i] as number) as never;
  }
  return [tensorOf(x.dtype, shape, data)];
}

export const ScatterElements: Op = {
  infer,
  fold(node, [x, indices, updates], { outputs: [y] }) {
    const at = x && indices && elementOffsets(x.shape, indices, int(node, "axis", 0));
    if (!at || !updates || !y || updates.shape.join() !== indices.shape.join()) return undefined;
    return scattered(node, x, updates, (i) => at[i] as number, y.shape);
  },
};
export const Scatter = ScatterElements;

/** Each tuple of indices, the last axis, names a slice that takes its update. */
export const ScatterND: Op = {
  infer,
  fold(node, [x, indices, updates], { outputs: [y] }) {
    const starts = x && indices && sliceOffsets(x.shape, indices);
    if (!starts || !updates || !y) return undefined;
    const slice = x.shape.slice(indices.shape.at(-1));
    if (updates.shape.join() !== [...indices.shape.slice(0, -1), ...slice].join()) return undefined;
    const size = elements(slice);
    return scattered(node, x, updates, (i) => (starts[Math.floor(i / size)] as number) + (i % size), y.shape);
  },
};
