import { elements } from "../../tensor.ts";
import type { Axes, Mask } from "./mask.ts";

/** N of every M stay along what a weight reads: https://arxiv.org/abs/2104.08378 */
export interface PatternShape {
  keep: number;
  of: number;
}

/** `2:4` and the like; undefined for a word that is none. */
export function patternOf(word: string): PatternShape | undefined {
  const [, keep, of] = /^(\d+):(\d+)$/.exec(word) ?? [];
  return keep === undefined || of === undefined ? undefined : { keep: Number(keep), of: Number(of) };
}

/** The mask of a weight: of every M that lie along its input axis the N largest stay, of equal ones the first. Undefined where M does not divide the axis. */
export function patternMask(shape: readonly number[], { input }: Axes, { keep, of }: PatternShape): Mask | undefined {
  const size = shape[input] as number;
  if (size % of !== 0) return undefined;
  const inner = elements(shape.slice(input + 1));
  const unit = of * inner;
  return {
    unit,
    dropped: (elements(shape) / of) * (of - keep),
    begin({ arena, fn, memory }) {
      let [work, room] = [0, 0];
      return {
        // Groups lie one after the other, since M divides the axis: outer axes and groups are one. The kernel does not work in place.
        apply(x, n) {
          if (n > room) [work, room] = [arena.alloc(n * 4), n];
          fn.f32_nm(1, n / unit, of, keep, inner, x, x, work);
          new Float32Array(memory.buffer, x, n).set(new Float32Array(memory.buffer, work, n));
        },
      };
    },
  };
}
