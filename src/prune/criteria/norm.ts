import { pieces } from "../../kernels/channels.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { around } from "../../tensor.ts";
import { type ChannelCriterion, ofOutputs } from "./criterion.ts";

/** A norm of each channel's filter, from sums that a kernel adds up in float64. */
export const norm = (kernel: "f32_l1_channels" | "f32_l2_channels", of: (sum: number) => number): ChannelCriterion => ({
  places: ofOutputs,
  observe(kernels: Kernels, _tensor, shape, axis) {
    const { arena, fn } = kernels;
    const all = around(shape, axis);
    const sums = arena.alloc(all.channels * 8);
    arena.u8(sums, all.channels * 8).fill(0);
    const cut = pieces(all);
    return {
      take(x, n) {
        for (const { at, outer, channels, inner, channel } of cut(n)) fn[kernel](outer, channels, inner, x + at * 4, sums + channel * 8);
      },
      scores: () => new Float64Array(arena.u8(sums, all.channels * 8).slice().buffer).map(of),
    };
  },
});
