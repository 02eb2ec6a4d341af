import type { Model } from "../../optimize/model.ts";

/** What a pattern found: values by the names it gives them, and constants that are one number. */
export interface Found {
  readonly values: Readonly<Record<string, string>>;
  readonly numbers: Readonly<Record<string, number>>;
}

/** Looks for a way in which a value was made; undefined where it was made otherwise. */
export type Pattern = (model: Model, name: string, found: Found) => Found | undefined;

/** Any value, the same one wherever the pattern says the same name. */
export const value =
  (key: string): Pattern =>
  (_model, name, found) => {
    const before = found.values[key];
    if (before !== undefined) return before === name ? found : undefined;
    return { ...found, values: { ...found.values, [key]: name } };
  };

/** A constant of one element: near `expected`, or any number, kept under `key`. */
export const number =
  (expected: number | string): Pattern =>
  (model, name, found) => {
    const tensor = model.inferred.get(name)?.constant;
    if (tensor?.data.length !== 1 || !/^float(32|64)$|^int/.test(tensor.dtype)) return undefined;
    const x = Number(tensor.data[0]);
    if (typeof expected === "string") return { ...found, numbers: { ...found.numbers, [expected]: x } };
    return Math.abs(x - expected) <= 1e-4 * Math.abs(expected) ? found : undefined;
  };

/** The first output of an operator of ONNX with these inputs; those of Add and Mul in either order. */
export const made =
  (op_type: string, ...inputs: Pattern[]): Pattern =>
  (model, name, found) => {
    const node = model.producer(name);
    if (node?.op_type !== op_type || node.domain !== "" || node.output[0] !== name) return undefined;
    const names = node.input.filter(Boolean);
    if (names.length !== inputs.length) return undefined;
    const match = (order: readonly string[]) =>
      inputs.reduce<Found | undefined>((so, pattern, i) => so && pattern(model, order[i] as string, so), found);
    return match(names) ?? (op_type === "Add" || op_type === "Mul" ? match(names.toReversed()) : undefined);
  };

/** The first of several patterns that holds. */
export const either =
  (...patterns: Pattern[]): Pattern =>
  (model, name, found) => {
    for (const pattern of patterns) {
      const so = pattern(model, name, found);
      if (so) return so;
    }
    return undefined;
  };

/** What a pattern finds of a value. */
export const find = (pattern: Pattern, model: Model, name: string): Found | undefined => pattern(model, name, { values: {}, numbers: {} });
