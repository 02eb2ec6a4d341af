import { UnsupportedError } from "../errors.ts";
import { isTensor } from "../ops/op.ts";
import { Differing } from "../runtime/difference.ts";
import type { InferenceModel, Results } from "../runtime/model.ts";
import type { Tensors } from "./calibration.ts";

/** How far other models' outputs are from one's, over samples: the mean over the outputs of the mean squared error over their mean square. */
export class OutputError {
  readonly #samples: readonly Tensors[];
  readonly #wanted: readonly Results[];
  readonly #signal: AbortSignal | undefined;

  private constructor(samples: readonly Tensors[], wanted: readonly Results[], signal: AbortSignal | undefined) {
    this.#samples = samples;
    this.#wanted = wanted;
    this.#signal = signal;
  }

  /** Runs the model that is right. */
  static async from(model: InferenceModel, samples: readonly Tensors[], signal?: AbortSignal): Promise<OutputError> {
    const wanted: Results[] = [];
    for (const sample of samples) wanted.push(await model.run(sample, { signal }));
    return new OutputError(samples, wanted, signal);
  }

  async of(model: InferenceModel): Promise<number> {
    const all = new Map<string, Differing>();
    for (const [i, sample] of this.#samples.entries()) {
      const given = await model.run(sample, { signal: this.#signal });
      for (const [name, a] of Object.entries(this.#wanted[i] as Results)) {
        const b = given[name];
        if (!isTensor(a) || !isTensor(b)) continue;
        const differing = all.get(name) ?? new Differing();
        all.set(name, differing);
        differing.add(name, a, b);
      }
    }
    if (all.size === 0) throw new UnsupportedError("The model gives no tensors, whose error could be measured");
    const errors = [...all.values()].map(({ difference }) => difference.relative_mse ?? Number.POSITIVE_INFINITY);
    return errors.reduce((sum, error) => sum + error, 0) / errors.length;
  }
}
