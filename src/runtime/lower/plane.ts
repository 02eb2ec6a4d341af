import { windowOf } from "../../ops/window.ts";
import type { Call } from "./lower.ts";

export type Pair = [number, number];

/** A window that moves over rows and columns. */
export interface Plane {
  dims: Pair;
  places: Pair;
  kernel: Pair;
  strides: Pair;
  dilations: Pair;
  /** Padding above and left, below and right. */
  before: Pair;
  after: Pair;
}

/** The window of a node over images x and y with channels last; of an image with one spatial axis, that is the columns. */
export function planeOf({ node }: Call, x: readonly number[], y: readonly number[], kernel: readonly number[]): Plane | undefined {
  const window = windowOf(node, x.slice(1, -1), y.slice(1, -1), kernel);
  if (!window || window.dims.length === 0 || window.dims.length > 2) return undefined;
  const two = (list: readonly number[], first: number): Pair => (list.length === 2 ? (list as Pair) : [first, list[0] as number]);
  return {
    dims: two(window.dims, 1),
    places: two(window.places, 1),
    kernel: two(window.kernel, 1),
    strides: two(window.strides, 1),
    dilations: two(window.dilations, 1),
    before: two(window.before, 0),
    after: two(window.after, 0),
  };
}
