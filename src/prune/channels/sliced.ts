import type { Payload } from "../../payload.ts";

/** Bytes of a tensor as they lie: lines of so many bytes, and the runs of each that are left. */
interface Lines {
  bytes: number;
  runs: readonly (readonly [from: number, to: number])[];
  isLeft(line: number): boolean;
}

/** What is left of a tensor's elements, of `size` bytes each, in their order; `left` says it axis by axis, undefined for all. */
export function slicedPayload(
  payload: Payload,
  shape: readonly number[],
  size: number,
  left: readonly (readonly number[] | undefined)[],
): Payload {
  const lines = linesOf(shape, size, left);
  return {
    length: shape.reduce((n, d, axis) => n * (left[axis]?.length ?? d), size),
    again: payload.again,
    async *chunks() {
      let [line, at, run] = [0, 0, 0];
      let room = new Uint8Array(0);
      for await (const chunk of payload.chunks()) {
        if (room.byteLength < chunk.byteLength) room = new Uint8Array(chunk.byteLength);
        let fill = 0;
        for (let from = 0; from < chunk.byteLength; ) {
          const rest = chunk.byteLength - from;
          const [start, end] = (lines.isLeft(line) ? lines.runs[run] : undefined) ?? [lines.bytes, lines.bytes];
          if (at < start) {
            const skipped = Math.min(start - at, rest);
            from += skipped;
            at += skipped;
          } else {
            const taken = Math.min(end - at, rest);
            room.set(chunk.subarray(from, from + taken), fill);
            fill += taken;
            from += taken;
            at += taken;
            if (at === end) run++;
          }
          if (at === lines.bytes) [line, at, run] = [line + 1, 0, 0];
        }
        if (fill > 0) yield room.subarray(0, fill);
      }
    },
  };
}

/** A line is what the last axis of which something goes spans. */
function linesOf(shape: readonly number[], size: number, left: readonly (readonly number[] | undefined)[]): Lines {
  const last = left.findLastIndex(Boolean);
  const inner = shape.slice(last + 1).reduce((n, d) => n * d, size);
  const runs: [number, number][] = [];
  for (const index of left[last] ?? []) {
    const run = runs.at(-1);
    if (run && run[1] === index * inner) run[1] += inner;
    else runs.push([index * inner, (index + 1) * inner]);
  }
  const outer = shape.slice(0, last).map((d, axis) => {
    const own = left[axis];
    return { size: d, has: own && new Set(own) };
  });
  const isLeft = (line: number): boolean => {
    let rest = line;
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const { size: d, has } = outer[axis] as (typeof outer)[number];
      if (has && !has.has(rest % d)) return false;
      rest = Math.floor(rest / d);
    }
    return true;
  };
  return { bytes: (shape[last] ?? 1) * inner, runs, isLeft };
}
