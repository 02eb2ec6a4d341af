import type { Kernels } from "../../kernels/kernels.ts";
import type { Mask } from "./mask.ts";

/** Digits of a key from the top: the bits of each, and how many lie below it. */
const DIGITS: readonly { bits: number; shift: number }[] = [
  { bits: 11, shift: 20 },
  { bits: 10, shift: 10 },
  { bits: 10, shift: 0 },
];

/** Passes over all weights that an exact threshold takes. */
export const PASSES: number = DIGITS.length;

/** Counts of the digits of one weight's keys, pass by pass. */
interface Counts {
  digits: Float64Array[];
  total: number;
}

/**
 * The exact threshold under which a share of all elements lies, of however many weights, by radix selection over the bits of |x|: three passes that
 * count digits, whatever there is to count. Of equal elements the first go, in the order of the weights.
 */
export class Selection {
  readonly #weights = new Map<string, Counts>();
  readonly #drop: (total: number) => number;
  #pass = 0;
  #prefix = 0;
  #below = 0;

  /** `drop` says how many of so many elements go. */
  constructor(drop: (total: number) => number) {
    this.#drop = drop;
  }

  /** Looks at a weight in the pass that is on: slab after slab through what this returns. */
  observe(kernels: Kernels, name: string): (x: number, n: number) => void {
    const { bits, shift } = DIGITS[this.#pass] as (typeof DIGITS)[number];
    const { arena, fn, memory } = kernels;
    const table = arena.alloc(4 << bits);
    const weight = this.#weights.get(name) ?? { digits: [], total: 0 };
    this.#weights.set(name, weight);
    const sums = new Float64Array(1 << bits);
    weight.digits[this.#pass] = sums;
    const above = this.#pass === 0 ? 31 : shift + bits;
    return (x, n) => {
      arena.u8(table, 4 << bits).fill(0);
      fn.f32_key_counts(n, x, this.#prefix, above, shift, bits, table);
      const counts = new Uint32Array(memory.buffer, table, 1 << bits);
      for (let i = 0; i < counts.length; i++) sums[i] = (sums[i] as number) + (counts[i] as number);
      if (this.#pass === 0) weight.total += n;
    };
  }

  /** Ends a pass over all weights. */
  next(): void {
    const { bits } = DIGITS[this.#pass] as (typeof DIGITS)[number];
    const wanted = this.#drop([...this.#weights.values()].reduce((n, { total }) => n + total, 0));
    const sums = new Float64Array(1 << bits);
    for (const { digits } of this.#weights.values())
      for (const [i, count] of digits[this.#pass]?.entries() ?? []) sums[i] = (sums[i] as number) + count;
    let digit = 0;
    for (; digit < sums.length - 1 && this.#below + (sums[digit] as number) <= wanted; digit++) this.#below += sums[digit] as number;
    this.#prefix = this.#prefix * 2 ** bits + digit;
    this.#pass++;
  }

  /** The masks of all weights, once every pass is over. */
  masks(): Map<string, Mask> {
    const key = this.#prefix;
    const wanted = this.#drop([...this.#weights.values()].reduce((n, { total }) => n + total, 0));
    let ties = wanted - this.#below;
    const masks = new Map<string, Mask>();
    for (const [name, { digits }] of this.#weights) {
      const own = Math.min(ties, equals(digits, key));
      ties -= own;
      masks.set(name, thresholdMask(key, own, below(digits, key) + own));
    }
    return masks;
  }
}

/** Elements of a weight whose keys begin with a digit below that of `key`, of each pass. */
const below = (digits: readonly Float64Array[], key: number): number =>
  digits.reduce((sum, counts, pass) => sum + counts.subarray(0, digitOf(key, pass)).reduce((n, count) => n + count, 0), 0);

const equals = (digits: readonly Float64Array[], key: number): number => digits.at(-1)?.[digitOf(key, DIGITS.length - 1)] ?? 0;

const digitOf = (key: number, pass: number): number => {
  const { bits, shift } = DIGITS[pass] as (typeof DIGITS)[number];
  return Math.floor(key / 2 ** shift) % 2 ** bits;
};

/** What lies below a key goes, and the first `ties` of what has it. */
const thresholdMask = (key: number, ties: number, dropped: number): Mask => ({
  unit: 1,
  dropped,
  begin({ fn }) {
    let left = ties;
    return {
      apply(x, n) {
        left = fn.f32_mask(n, x, x, key, left);
      },
    };
  },
});
