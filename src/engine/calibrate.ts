import { UnsupportedError } from "../errors.ts";
import type { Range } from "../quantize/observers/observer.ts";
import { OBSERVERS } from "../quantize/observers/observers.ts";
import type { Tensor } from "../tensor.ts";

/** Inputs of a model, or values that it has given, by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Samples to calibrate on, and what runs the model on them. */
export interface Calibration {
  /** Inputs of the model, a set a sample: as those on which it will be used. */
  samples: Iterable<Tensors> | AsyncIterable<Tensors>;
  /** Runs the model on a sample and gives the named values, inputs and what is computed on the way among them; those it has not are left out. */
  run(sample: Tensors, names: readonly string[]): Promise<Tensors>;
}

/**
 * Runs a model on samples and observes the named values. Those that no sample had elements of are left out. Refuses what is not finite:
 * no range holds it.
 */
export async function calibrate(
  { samples, run }: Calibration,
  names: readonly string[],
  observer: string,
  signal?: AbortSignal,
): Promise<{ ranges: Map<string, Range>; samples: number }> {
  const observe = OBSERVERS[observer];
  if (!observe) throw new UnsupportedError(`The observer ${observer} is not in this version; it has ${Object.keys(OBSERVERS).join(", ")}`);
  const observers = new Map(names.map((name) => [name, observe()]));
  let count = 0;
  for await (const sample of samples) {
    signal?.throwIfAborted();
    count++;
    const values = await run(sample, names);
    for (const [name, each] of observers) {
      const data = values[name]?.data;
      if (!(data instanceof Float32Array)) continue;
      if (!allFinite(data))
        throw new UnsupportedError(
          `Cannot calibrate: '${name}' has elements that are NaN or infinite on sample ${count}; leave it out of the samples`,
          {
            tensor: name,
          },
        );
      each.observe(data);
    }
  }
  if (count === 0) throw new UnsupportedError("Cannot calibrate: there are no samples; give at least one set of the model's inputs");
  const ranges = new Map<string, Range>();
  for (const [name, each] of observers) {
    const range = each.range();
    if (range) ranges.set(name, range);
  }
  return { ranges, samples: count };
}

/** NaN and infinity times zero are NaN, which adding does not lose. */
const allFinite = (data: Float32Array): boolean => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] as number) * 0;
  return sum === 0;
};
