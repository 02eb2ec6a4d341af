import type { Kernels } from "../../kernels/kernels.ts";
import { around, elements } from "../../tensor.ts";
import { type ChannelCriterion, ofOutputs } from "./criterion.ts";

/**
 * How far a filter is from all others of its layer: the nearest to their geometric median is the one that they replace best
 * (https://arxiv.org/abs/1811.00250). Holds the weight, and takes time quadratic in its channels.
 */
export const geometry_median: ChannelCriterion = {
  places: ofOutputs,
  observe({ memory }: Kernels, _tensor, shape, axis) {
    const { outer, channels, inner } = around(shape, axis);
    const weight = new Float32Array(elements(shape));
    let fill = 0;
    return {
      take(x, n) {
        weight.set(new Float32Array(memory.buffer, x, n), fill);
        fill += n;
      },
      scores() {
        const filters = filtersOf(weight, outer, channels, inner);
        const length = outer * inner;
        const scores = new Float64Array(channels);
        for (let a = 0; a < channels; a++) {
          for (let b = a + 1; b < channels; b++) {
            let sum = 0;
            for (let i = 0, p = a * length, q = b * length; i < length; i++, p++, q++)
              sum += ((filters[p] as number) - (filters[q] as number)) ** 2;
            const distance = Math.sqrt(sum);
            scores[a] = (scores[a] as number) + distance;
            scores[b] = (scores[b] as number) + distance;
          }
        }
        return scores;
      },
    };
  },
};

/** Each channel's elements one after the other. */
function filtersOf(weight: Float32Array, outer: number, channels: number, inner: number): Float32Array {
  if (outer === 1) return weight;
  const filters = new Float32Array(weight.length);
  for (let o = 0; o < outer; o++)
    for (let c = 0; c < channels; c++)
      filters.set(weight.subarray((o * channels + c) * inner, (o * channels + c + 1) * inner), (c * outer + o) * inner);
  return filters;
}
