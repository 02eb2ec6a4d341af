import { LimitError, UnsupportedError } from "../errors.ts";
import type { Observer, Range } from "../quantize/observers/observer.ts";
import { OBSERVERS } from "../quantize/observers/observers.ts";
import type { CalibrationSamples, ObservedModel } from "./calibration.ts";

/**
 * Runs a model on samples and observes the named values. Those that no sample had elements of are left out. Refuses what is not finite:
 * no range holds it.
 */
export async function calibrate(
  samples: CalibrationSamples,
  model: ObservedModel,
  names: readonly string[],
  makeObserver: () => Observer,
  signal?: AbortSignal,
): Promise<{ ranges: Map<string, Range>; samples: number }> {
  const observers = new Map(names.map((name) => [name, makeObserver()]));
  let count = 0;
  for await (const sample of samples) {
    signal?.throwIfAborted();
    count++;
    await model
      .run(sample, (name, { data }) => {
        const observer = observers.get(name);
        if (!observer || !(data instanceof Float32Array)) return;
        if (!allFinite(data))
          throw new UnsupportedError(`'${name}' has elements that are NaN or infinite; leave it out of the samples`, { tensor: name });
        observer.observe(data);
      })
      .catch((error: unknown) => {
        if (error instanceof UnsupportedError || error instanceof LimitError)
          error.message = `On calibration sample ${count}: ${error.message}`;
        throw error;
      });
  }
  if (count === 0) throw new UnsupportedError("Cannot calibrate: there are no samples; give at least one set of the model's inputs");
  const ranges = new Map<string, Range>();
  for (const [name, each] of observers) {
    const range = each.range();
    if (range) ranges.set(name, range);
  }
  return { ranges, samples: count };
}

/** What makes observers of a kind. @throws {UnsupportedError} where there is none of that name. */
export function observerOf(name: string): () => Observer {
  const found = OBSERVERS[name];
  if (!found) throw new UnsupportedError(`The observer ${name} is not in this version; it has ${Object.keys(OBSERVERS).join(", ")}`);
  return found;
}

/** NaN and infinity times zero are NaN, which adding does not lose. */
const allFinite = (data: Float32Array): boolean => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] as number) * 0;
  return sum === 0;
};
