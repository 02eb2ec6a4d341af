import { norm } from "./norm.ts";

/** The length of a filter. */
export const l2_norm = norm("f32_l2_channels", Math.sqrt);
