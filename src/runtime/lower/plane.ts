import { isFull, windowOf } from "../../ops/window.ts";
import type { Call } from "./lower.ts";

export type Pair = [number, number];

/** A window that moves over rows and columns, in the words of the kernels. */
export interface Plane {
  /** Size of the image, and of what comes of it. */
  h: number;
  wd: number;
  oh: number;
  ow: number;
  /** Of the window: size, strides, dilations. */
  kh: number;
  kw: number;
  sh: number;
  sw: number;
  dh: number;
  dw: number;
  /** Padding above, to the left, below, to the right. */
  pt: number;
  pl: number;
  pb: number;
  pr: number;
  /** Whether it has something of the image at every place. */
  isFull: boolean;
}

/** The window of a node over images x and y with channels last; of an image with one spatial axis, that is the columns. */
export function planeOf({ node }: Call, x: readonly number[], y: readonly number[], kernel: readonly number[]): Plane | undefined {
  const window = windowOf(node, x.slice(1, -1), y.slice(1, -1), kernel);
  if (!window || window.dims.length === 0 || window.dims.length > 2) return undefined;
  const two = (list: readonly number[], first: number): Pair => (list.length === 2 ? (list as Pair) : [first, list[0] as number]);
  const [[h, wd], [oh, ow], [kh, kw]] = [two(window.dims, 1), two(window.places, 1), two(window.kernel, 1)];
  const [[sh, sw], [dh, dw]] = [two(window.strides, 1), two(window.dilations, 1)];
  const [[pt, pl], [pb, pr]] = [two(window.before, 0), two(window.after, 0)];
  return { h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, pb, pr, isFull: isFull(window) };
}
