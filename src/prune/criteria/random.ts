import { type ChannelCriterion, ofOutputs } from "./criterion.ts";

/** FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
const hash = (text: string): number =>
  [...text].reduce((h, char) => Math.imul(h ^ (char.codePointAt(0) as number), 0x01000193), 0x811c9dc5);

/** Chance, the same for the same weight: a control for the others. Mulberry32 draws it. */
export const random: ChannelCriterion = {
  places: ofOutputs,
  observe(_kernels, tensor, shape, axis) {
    let state = hash(tensor);
    const draw = (): number => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const scores = Float64Array.from({ length: shape[axis] ?? 0 }, draw);
    return { take() {}, scores: () => scores };
  },
};
