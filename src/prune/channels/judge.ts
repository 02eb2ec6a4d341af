import type { Group, Place } from "./groups.ts";

/**
 * What a group's units are worth by the scores of the axes that it is judged by: the mean over them, each on a scale where the mean is 1; or their sum, where
 * scores are shares, which compare as they are.
 */
export function judge(group: Group, places: readonly Place[], scoresOf: (place: Place) => Float64Array, areShares = false): Float64Array {
  const worth = new Float64Array(group.units.length);
  for (const place of places) {
    const scores = scoresOf(place);
    const own = Float64Array.from(group.units, ({ parts }) => {
      const indices = parts.find(({ tensor, axis }) => tensor === place.tensor && axis === place.axis)?.indices ?? [];
      return indices.reduce((sum, index) => sum + (scores[index] as number), 0) / (areShares ? 1 : Math.max(indices.length, 1));
    });
    const mean = areShares ? 1 / places.length : own.reduce((sum, score) => sum + score, 0) / own.length || 1;
    own.forEach((score, i) => {
      worth[i] = (worth[i] as number) + score / mean / places.length;
    });
  }
  return worth;
}
