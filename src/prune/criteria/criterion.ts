import type { Kernels } from "../../kernels/kernels.ts";
import type { Group, Place } from "../channels/groups.ts";

/** Looks at one weight, slab after slab. */
export interface Observer {
  /** Takes `n` float32 at pointer `x`; where slabs end makes no difference. */
  take(x: number, n: number): void;
  /** What each index of the axis is worth, once all has been seen. */
  scores(): Float64Array;
}

/** How much the channels of a layer are worth, by its weights. */
export interface ChannelCriterion {
  /** The axes by which a group is judged; none where the criterion has nothing to say of it. */
  places(group: Group, norms: ReadonlySet<string>): readonly Place[];
  /** An observer of a tensor's indices along an axis. Its memory is the kernels' arena: the caller marks and resets it. */
  observe(kernels: Kernels, tensor: string, shape: readonly number[], axis: number): Observer;
}

/** The weights that make a group's channels. */
export const ofOutputs = ({ outputs }: Group): readonly Place[] => outputs;
