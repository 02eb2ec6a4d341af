import { bn_scale } from "./bn-scale.ts";
import type { ChannelCriterion } from "./criterion.ts";
import { geometry_median } from "./geometry-median.ts";
import { l1_norm } from "./l1-norm.ts";
import { l2_norm } from "./l2-norm.ts";
import { random } from "./random.ts";
import { reconstruction, type SampledCriterion, wanda } from "./reconstruction.ts";

/** What judges channels by what layers read on samples. */
export const SAMPLED_CRITERIA: Readonly<Record<string, SampledCriterion>> = {
  reconstruction: { worth: reconstruction, isShare: true },
  wanda: { worth: wanda, isShare: false },
};

/** What judges channels: a new criterion is a file here and a name in this list. */
export const CHANNEL_CRITERIA: Readonly<Record<string, ChannelCriterion>> = { l1_norm, l2_norm, geometry_median, bn_scale, random };
