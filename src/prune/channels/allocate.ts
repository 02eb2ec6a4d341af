/** Ratios for each group that reach a target with the least error, by what was measured of each alone. */
import type { Coupling } from "./coupling.ts";
import type { Group } from "./groups.ts";

/** The output error at a row of ratios, of a model in which one group alone has lost so many of its channels. */
export interface Curve {
  group: string;
  ratios: readonly number[];
  /** Mean squared error over the mean square of the outputs. */
  errors: readonly number[];
}

/** What is left of a model where groups have lost these shares of their channels: a part of 1. */
export type Measure = (ratios: ReadonlyMap<Group, number>) => number;

/**
 * Measures what is left of the constants' elements. `weigh` says what each element of a constant counts: 1 for parameters, or how often a run
 * multiplies by it.
 */
export function measureOf(
  c: Coupling,
  groups: readonly Group[],
  shapes: ReadonlyMap<string, readonly number[]>,
  weigh: (name: string) => number,
): Measure {
  const owner = new Map<number, Group>();
  for (const group of groups) for (const { atom } of group.units) owner.set(c.atoms.find(atom), group);
  const constants = [...shapes].map(([name, shape]) => {
    const axes = shape.map((size, axis) => {
      const counts = new Map<Group, number>();
      for (const label of c.axes(name)?.[axis] ?? []) {
        const group = owner.get(c.atoms.find(label));
        if (group) counts.set(group, (counts.get(group) ?? 0) + 1);
      }
      return { size, counts: [...counts] };
    });
    return { axes, weight: weigh(name) };
  });
  const sum = (ratios: ReadonlyMap<Group, number>): number =>
    constants.reduce((total, { axes, weight }) => {
      const left = axes.reduce(
        (n, { size, counts }) => n * (size - counts.reduce((gone, [group, count]) => gone + count * (ratios.get(group) ?? 0), 0)),
        1,
      );
      return total + left * weight;
    }, 0);
  const all = sum(new Map());
  return (ratios) => (all > 0 ? sum(ratios) / all : 1);
}

/** Halvings of the price that an error is worth. */
const STEPS = 60;

/**
 * The ratios at which `measure` is at most `target`, or as near as the curves go. Every group takes the ratio that is best at one price of an error: what is left
 * of it, measured as if it were alone, plus the price times its error (Everett's generalized Lagrange multipliers: https://doi.org/10.1287/opre.11.3.399).
 */
export function allocate(
  groups: readonly Group[],
  curves: ReadonlyMap<Group, Curve>,
  measure: Measure,
  target: number,
): Map<Group, number> {
  const gains = new Map(groups.map((group) => [group, (ratio: number) => 1 - measure(new Map([[group, ratio]]))]));
  const at = (price: number): Map<Group, number> =>
    new Map(
      groups.map((group) => {
        const { ratios = [], errors = [] } = curves.get(group) ?? {};
        let best = { ratio: 0, cost: 0 };
        ratios.forEach((ratio, i) => {
          const cost = price * (errors[i] as number) - (gains.get(group)?.(ratio) ?? 0);
          if (cost < best.cost) best = { ratio, cost };
        });
        return [group, best.ratio];
      }),
    );
  let [cheap, dear] = [-40, 40]; // powers of two
  if (measure(at(2 ** cheap)) > target) return at(2 ** cheap);
  for (let step = 0; step < STEPS; step++) {
    const middle = (cheap + dear) / 2;
    if (measure(at(2 ** middle)) <= target) cheap = middle;
    else dear = middle;
  }
  return at(2 ** cheap);
}
