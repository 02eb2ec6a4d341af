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

/** Below this a channel is constant, and its deviation says nothing. */
const LEAST_DEVIATION = 1e-6;

/**
 * The statistics with which BatchNormalization gives what it reads now the mean and deviation that its output had. Where those it has are those
 * of the samples, these are the new ones' (https://arxiv.org/abs/2007.02491, section 3.2); where it was trained on other data, what that did stays.
 */
export function renormalized(
  { mean, variance }: { mean: Float32Array; variance: Float32Array },
  was: Moments,
  is: Moments,
  epsilon: number,
): { mean: Float32Array; variance: Float32Array } {
  const [before, after] = [was, is].map((moments) => ({ mean: moments.mean, deviation: moments.variance.map(Math.sqrt) })) as [
    Spread,
    Spread,
  ];
  const deviations = variance.map((v, c) => {
    const [wide, now] = [before.deviation[c] as number, after.deviation[c] as number];
    return Math.sqrt(v + epsilon) * (wide > LEAST_DEVIATION && now > LEAST_DEVIATION ? now / wide : 1);
  });
  return {
    mean: mean.map((m, c) => {
      const shift = ((before.mean[c] as number) - m) / Math.sqrt((variance[c] as number) + epsilon);
      return (after.mean[c] as number) - (deviations[c] as number) * shift;
    }),
    variance: deviations.map((deviation) => Math.max(0, deviation * deviation - epsilon)),
  };
}

interface Spread {
  mean: Float64Array;
  deviation: Float64Array;
}
