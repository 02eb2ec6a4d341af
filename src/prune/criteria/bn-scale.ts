import type { ChannelCriterion } from "./criterion.ts";
import { norm } from "./norm.ts";

/** The scale that BatchNormalization gives a channel: https://arxiv.org/abs/1708.06519 */
export const bn_scale: ChannelCriterion = {
  ...norm("f32_l1_channels", (sum) => sum),
  places: ({ units: [first] }, norms) => first?.parts.filter(({ tensor }) => norms.has(tensor)) ?? [],
};
