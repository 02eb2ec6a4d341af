import type { Group, Unit } from "./groups.ts";

/** A group with what each of its units is worth, on the scale that all groups share: 1 is the mean. */
export interface Judged {
  group: Group;
  scores: Float64Array;
  /** The share of its units that is to go, where the group has one of its own. */
  ratio?: number | undefined;
}

export interface Choosing {
  /** `uniform`: the same share of each group; `global`: what is worth least, wherever it is. */
  scope: "uniform" | "global";
  /** Share of the channels that is to go. */
  sparsity: number;
  /** Channels that are left of a group are a multiple of this, as far as it has as many. */
  round_to: number;
}

/** What is to go of a group. */
export interface Choice {
  group: Group;
  gone: readonly Unit[];
  /** Whether more was to go than a layer can lose. */
  isFloor: boolean;
}

/** A layer keeps at least this share of its channels: below, nothing of what it computes is left. */
const MIN_LEFT = 0.1;

/** Chooses the units to remove: those of least worth, the later ones of equals. */
export function choose(judged: readonly Judged[], choosing: Choosing): Choice[] {
  const targets = choosing.scope === "global" ? globalTargets(judged, choosing.sparsity) : undefined;
  return judged.map((each) => {
    const { group, scores, ratio } = each;
    const count = group.units.length;
    const target = ratio !== undefined ? count * ratio : (targets?.get(each) ?? count * choosing.sparsity);
    const { left, isFloor } = leftOf(group, target, choosing.round_to);
    const order = [...scores.keys()].sort((a, b) => (scores[a] as number) - (scores[b] as number) || b - a);
    return { group, gone: order.slice(0, count - left).map((i) => group.units[i] as Unit), isFloor };
  });
}

/** How many units stay where `target` of them are to go: whole multiples of `round_to` channels, the nearest. */
function leftOf({ units: { length }, width }: Group, target: number, round_to: number): { left: number; isFloor: boolean } {
  const step = round_to / gcd(round_to, width);
  const least = Math.max(step, Math.ceil(length * MIN_LEFT));
  const wanted = length - target;
  const rounded = Math.round(wanted / step) * step;
  const floor = Math.min(Math.ceil(least / step) * step, length);
  return { left: Math.min(Math.max(rounded, floor), length), isFloor: wanted < least - step / 2 };
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** How many units of each group are among those of least worth in all, by the channels that they hold. */
function globalTargets(judged: readonly Judged[], sparsity: number): Map<Judged, number> {
  const all = judged.flatMap((each) => (each.ratio === undefined ? [...each.scores].map((score) => ({ each, score })) : []));
  const channels = all.reduce((n, { each }) => n + each.group.width, 0);
  const targets = new Map<Judged, number>(judged.map((each) => [each, 0]));
  let gone = 0;
  for (const { each } of all.sort((a, b) => a.score - b.score)) {
    if (gone + each.group.width / 2 > channels * sparsity) break;
    gone += each.group.width;
    targets.set(each, (targets.get(each) as number) + 1);
  }
  return targets;
}
