import type { Around } from "../tensor.ts";

/** A piece of a weight that a kernel takes in one call: f32[outer, channels, inner], its first channel being number `channel`. */
export interface Piece extends Around {
  /** Elements from the slab's start. */
  at: number;
  channel: number;
}

/**
 * Cuts slabs that follow one another into pieces: whole planes, whole channels of a plane, and runs within a channel where a slab ends in one.
 * So an encoder with a scale a channel takes slabs that end anywhere.
 */
export function pieces({ channels, inner }: Around): (n: number) => Generator<Piece> {
  const plane = channels * inner;
  let offset = 0; // within the plane
  return function* (n) {
    for (let at = 0; at < n; ) {
      const left = n - at;
      const channel = Math.floor(offset / inner);
      const within = offset % inner;
      let piece: Piece;
      if (offset === 0 && left >= plane) piece = { at, outer: Math.floor(left / plane), channels, inner, channel };
      else if (within === 0 && left >= inner) {
        piece = { at, outer: 1, channels: Math.min(channels - channel, Math.floor(left / inner)), inner, channel };
      } else piece = { at, outer: 1, channels: 1, inner: Math.min(left, inner - within), channel };
      const taken = piece.outer * piece.channels * piece.inner;
      at += taken;
      offset = (offset + taken) % plane;
      yield piece;
    }
  };
}
