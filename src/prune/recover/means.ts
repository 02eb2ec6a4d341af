import type { Tensor } from "../../tensor.ts";

/** Mean and variance of each channel of [N, C, …], or of the last axis, over all samples. */
export class Moments {
  readonly #sum: Float64Array;
  readonly #square: Float64Array;
  readonly #isLast: boolean;
  #count = 0;

  constructor(channels: number, isLast: boolean) {
    this.#sum = new Float64Array(channels);
    this.#square = new Float64Array(channels);
    this.#isLast = isLast;
  }

  /** Takes a tensor; less another of its shape, where one is given. */
  add({ shape, data }: Tensor, less?: Tensor): void {
    const channels = this.#sum.length;
    const inner = this.#isLast ? 1 : shape.slice(2).reduce((n, d) => n * d, 1);
    const [values, other] = [data as Float32Array, less?.data as Float32Array | undefined];
    for (let i = 0; i < values.length; i++) {
      const c = Math.floor(i / inner) % channels;
      const x = (values[i] as number) - (other ? (other[i] as number) : 0);
      this.#sum[c] = (this.#sum[c] as number) + x;
      this.#square[c] = (this.#square[c] as number) + x * x;
    }
    this.#count += values.length / channels;
  }

  get mean(): Float64Array {
    return this.#sum.map((sum) => sum / this.#count);
  }

  get variance(): Float64Array {
    return this.#square.map((square, c) => Math.max(0, square / this.#count - ((this.#sum[c] as number) / this.#count) ** 2));
  }
}
