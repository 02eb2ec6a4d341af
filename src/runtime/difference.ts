import { UnsupportedError } from "../errors.ts";
import { anyNumbers } from "../ops/narrow.ts";
import type { Tensor } from "../tensor.ts";

/** How far a tensor is from the one that it should be, over all samples. */
export interface Difference {
  /** Mean squared error over the mean square of what should be; absent where that is 0, or where one of the two alone is no finite number. */
  relative_mse?: number;
  /** Signal to noise in decibels: -10 log10 of it; absent where there is no noise, too. */
  sqnr_db?: number;
  /** The largest distance of two finite elements. */
  max_abs: number;
  /** Share of elements that are not the same. */
  different: number;
}

/** Gathers the difference of tensors, pair by pair. NaN is the same as NaN. */
export class Differing {
  #error = 0;
  #signal = 0;
  #largest = 0;
  #different = 0;
  #count = 0;

  /** @throws {UnsupportedError} where the shapes are not the same. */
  add(name: string, wanted: Tensor, given: Tensor): void {
    if (wanted.shape.join() !== given.shape.join())
      throw new UnsupportedError(
        `'${name}' has the shape [${wanted.shape}] in one model and [${given.shape}] in the other: they cannot be compared`,
      );
    const [x, y] = [listOf(wanted), listOf(given)];
    for (let i = 0; i < x.length; i++) {
      const a = x[i] as number | bigint | string;
      const b = y[i] as number | bigint | string;
      this.#count++;
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) {
        const value = Number(a);
        if (Number.isFinite(value)) this.#signal += value * value;
        continue;
      }
      this.#different++;
      const [p, q] = [Number(a), Number(b)];
      this.#signal += p * p;
      this.#error += (p - q) ** 2;
      if (Number.isFinite(p - q)) this.#largest = Math.max(this.#largest, Math.abs(p - q));
    }
  }

  get difference(): Difference {
    const relative = this.#error === 0 ? 0 : this.#error / this.#signal;
    return {
      ...(Number.isFinite(relative) && { relative_mse: relative }),
      ...(Number.isFinite(relative) && relative > 0 && { sqnr_db: -10 * Math.log10(relative) }),
      max_abs: this.#largest,
      different: this.#count > 0 ? this.#different / this.#count : 0,
    };
  }
}

const listOf = (tensor: Tensor): ArrayLike<number | bigint | string> => anyNumbers(tensor) ?? tensor.data;
