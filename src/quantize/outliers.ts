import { pieces } from "../kernels/channels.ts";

import type { Kernels } from "../kernels/kernels.ts";
import { around } from "../tensor.ts";
import type { Encoder, Pass } from "./encoder.ts";

/** A channel whose values reach fewer steps than this has less than 4 bits. */
const FEW_STEPS = 8;

/**
 * An encoder with one scale for all that also tells, by the channels along `axis`, for how many of them that scale is too coarse: where a
 * few channels are far larger than the others, they take the range (https://arxiv.org/abs/1906.04721, figure 2).
 */
export function watchChannels(kernels: Kernels, shape: readonly number[], axis: number, encoder: Encoder): Encoder {
  const { arena, fn } = kernels;
  const all = around(shape, axis);
  const max = arena.alloc(all.channels * 4);
  arena.u8(max, all.channels * 4).fill(0);
  const cut = pieces(all);
  const [first, ...rest] = encoder.passes;
  const watched: Pass = {
    ...first,
    take(x, n) {
      for (const { at, outer, channels, inner, channel } of cut(n))
        fn.f32_absmax_channels(outer, channels, inner, x + at * 4, max + channel * 4);
      return (first as Pass).take(x, n);
    },
  };
  const coarse = (): number => {
    const scale = encoder.rest()[0]?.slice().buffer;
    const [step = 0] = scale ? new Float32Array(scale) : [];
    return arena.f32(max, all.channels).filter((m) => m > 0 && m < FEW_STEPS * step).length / Math.max(all.channels, 1);
  };
  return { ...encoder, passes: [watched, ...rest], error: () => ({ ...encoder.error(), coarse: coarse() }) };
}
