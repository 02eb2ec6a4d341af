import { norm } from "./norm.ts";

/** The sum of a filter's magnitudes: https://arxiv.org/abs/1608.08710 */
export const l1_norm = norm("f32_l1_channels", (sum) => sum);
