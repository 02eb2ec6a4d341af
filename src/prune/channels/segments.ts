import type { Dims } from "../../ops/value.ts";

/** Axes of a shape that a Reshape makes of axes of another: both hold the same elements in the same order. */
export interface Segment {
  from: readonly number[];
  to: readonly number[];
}

/** The smallest segments of a Reshape, in order; axes that cannot be told apart, since sizes are not known, are left out. */
export function segments(from: Dims, to: Dims): Segment[] {
  const front = matched(from, to);
  const [i, j] = [count(front, "from"), count(front, "to")];
  if (i === from.length && j === to.length) return front;
  const [restFrom, restTo] = [from.slice(i).toReversed(), to.slice(j).toReversed()];
  const back = matched(restFrom, restTo).map((segment) => ({
    from: segment.from.map((axis) => from.length - 1 - axis).toReversed(),
    to: segment.to.map((axis) => to.length - 1 - axis).toReversed(),
  }));
  return [...front, ...back.toReversed()];
}

const count = (segments: readonly Segment[], side: keyof Segment): number => segments.reduce((n, each) => n + each[side].length, 0);

/** Segments from the front, as far as sizes tell. */
function matched(from: Dims, to: Dims): Segment[] {
  const found: Segment[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [a, b] = [from[i], to[j]];
    if (a === b) found.push({ from: [i++], to: [j++] });
    else if (a === 1) found.push({ from: [i++], to: [] });
    else if (b === 1) found.push({ from: [], to: [j++] });
    else {
      const ends = ending(from, to, i, j);
      if (!ends) return found;
      found.push({ from: range(i, ends[0]), to: range(j, ends[1]) });
      [i, j] = ends;
    }
  }
  return found;
}

/** Where a segment ends that starts at `i` and `j`: both sides have as many elements. */
function ending(from: Dims, to: Dims, i: number, j: number): [number, number] | undefined {
  let [a, b] = [from[i++], to[j++]];
  while (a !== b) {
    if (typeof a !== "number" || typeof b !== "number" || a === 0 || b === 0) return undefined;
    const next: Dims[number] | undefined = a < b ? from[i++] : to[j++];
    if (typeof next !== "number") return undefined;
    if (a < b) a *= next;
    else b *= next;
  }
  return [i, j];
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
