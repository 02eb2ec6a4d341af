import type { Context } from "./op.ts";
import type { Dim, Dims } from "./value.ts";

/** Names for dimensions that no file uses: `?1`, `?2`, …; the same one for the same key. */
export function symbols(): Context["symbol"] {
  const byKey = new Map<string, string>();
  let count = 0;
  return (key) => {
    const name = (key !== undefined && byKey.get(key)) || `?${++count}`;
    if (key !== undefined) byKey.set(key, name);
    return name;
  };
}

/** A shape of so many dimensions that are not known. */
export const unknownDims = (rank: number, context: Context): Dims => Array.from({ length: rank }, () => context.symbol());

/** `f` of dimensions that are numbers; else a name that the same computation always gets. Undefined where `f` says it cannot be. */
export function computed(
  what: string,
  dims: readonly Dim[],
  context: Context,
  f: (...sizes: number[]) => number | undefined,
): Dim | undefined {
  if (!dims.every((d) => typeof d === "number")) return context.symbol(`${what}(${dims.join()})`);
  const size = f(...dims);
  return size !== undefined && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

/** Product of dimensions. */
export function product(dims: readonly Dim[], context: Context): Dim {
  if (dims.includes(0)) return 0;
  const size = dims.reduce((n: number, d) => (typeof d === "number" ? n * d : n), 1);
  const names = dims.filter((d) => typeof d === "string").sort();
  const [name = ""] = names;
  if (names.length === 0) return Number.isSafeInteger(size) ? size : context.symbol();
  return names.length === 1 && size === 1 ? name : context.symbol(`product(${[size, ...names].join()})`);
}

/** `whole / part`, where the sizes tell it: common factors are left out. */
export function quotient(whole: readonly Dim[], part: readonly Dim[], context: Context): Dim | undefined {
  const rest = [...whole];
  const over: Dim[] = [];
  for (const d of part) {
    const at = typeof d === "string" ? rest.indexOf(d) : -1;
    if (at >= 0) rest.splice(at, 1);
    else over.push(d);
  }
  const size = (dims: readonly Dim[]) => dims.reduce((n: number, d) => (typeof d === "number" ? n * d : n), 1);
  const names = (dims: readonly Dim[]) => dims.filter((d) => typeof d === "string");
  const [numerator, denominator] = [size(rest), size(over)];
  if (denominator === 0) return undefined;
  if (names(over).length === 0 && numerator % denominator === 0) return product([numerator / denominator, ...names(rest)], context);
  if (names(rest).length === 0 && names(over).length === 0) return undefined;
  return context.symbol(`quotient(${[numerator, ...names(rest).sort()]}/${[denominator, ...names(over).sort()]})`);
}

/** Whether two dimensions may be the same, as far as they are known. */
export const mayEqual = (a: Dim | undefined, b: Dim | undefined): boolean => typeof a !== "number" || typeof b !== "number" || a === b;

/** What is known of a dimension that two values share: `a` where they agree or `b` is a name. Undefined where they cannot be the same. */
export function same(a: Dim, b: Dim): Dim | undefined {
  if (a === b || typeof b === "string") return a;
  return typeof a === "string" ? b : undefined;
}

/** Numpy's rule: https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md. Undefined where a shape is not known or they do not fit. */
export function broadcast(shapes: readonly (Dims | undefined)[], context: Context): Dims | undefined {
  let result: Dims = [];
  for (const shape of shapes) {
    if (!shape) return undefined;
    const rank = Math.max(result.length, shape.length);
    const dims: Dim[] = [];
    for (let i = 0; i < rank; i++) {
      const dim = widened(result[i - rank + result.length] ?? 1, shape[i - rank + shape.length] ?? 1, context);
      if (dim === undefined) return undefined;
      dims.push(dim);
    }
    result = dims;
  }
  return result;
}

function widened(a: Dim, b: Dim, context: Context): Dim | undefined {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === "number" && typeof b === "number") return undefined;
  // Beside a size other than 1, a name is that size or 1.
  if (typeof a === "number") return a;
  if (typeof b === "number") return b;
  return context.symbol(`broadcast(${[a, b].sort().join()})`);
}
