import type { Kernels } from "../kernels/kernels.ts";

/** One walk over a weight's elements. Slabs come in order, each whole units long but the last. */
export interface Pass {
  /** Takes `n` elements at pointer `x`; returns the values made from them: a view into WASM memory, valid until the next call. */
  take(x: number, n: number): Uint8Array;
  /** What the pass makes once it has seen everything. */
  end?(): Iterable<Uint8Array>;
}

/**
 * Turns one weight into its parts: the values, then (for the integer kinds) scales and zero points.
 * Where slabs end makes no difference to the bytes.
 */
export interface Encoder {
  /** Whether passes take float32, or elements as the source has them. */
  readonly takes: "float32" | "source";
  /** Elements that must arrive together. */
  readonly unit: number;
  /** Walks over the elements; more than one needs the weight in memory or in a source that is read again. */
  readonly passes: readonly Pass[];
  /** Bytes of each part, known before the first is made: the values, then scales and zero points. */
  readonly lengths: readonly [values: number, ...rest: number[]];
  /** The parts after the values, once the last pass has ended. */
  rest(): readonly Uint8Array[];
  /** Σx², Σ(x−x̂)² and the number of NaN and ±Infinity so far. */
  readonly error: () => EncodingError;
}

export interface EncodingError {
  signal: number;
  noise: number;
  nonfinite: number;
  /** Share of the channels for which one scale for all is too coarse, where it was looked for. */
  coarse?: number;
}

/** A largest unit (a row, a panel), in elements: 4 MiB of float32. Longer rows are walked twice in pieces instead. */
export const MAX_UNIT = 1 << 20;

export const NOTHING = new Uint8Array(0);

/** Reads the accumulator that the `…_error` kernels write: float64[3]. */
export const readError = (kernels: Kernels, acc: number): (() => EncodingError) => {
  return () => {
    const [signal = 0, noise = 0, nonfinite = 0] = new Float64Array(kernels.memory.buffer, acc, 3);
    return { signal, noise, nonfinite };
  };
};
