import type { Feeds, InferenceModel, Results, RunOptions } from "./model.ts";

/** How long runs took, in milliseconds. */
export interface Latency {
  /** The first run with inputs of these shapes lays the model out for them. */
  first_ms: number;
  /** Of the runs after it; of the first where there are none. */
  median_ms: number;
  p90_ms: number;
  /** Runs that the median is of. */
  runs: number;
}

/** Runs a model once, and then `repeats` times. */
export async function timedRuns(
  model: Pick<InferenceModel, "run">,
  feeds: Feeds,
  repeats: number,
  options?: RunOptions,
): Promise<{ results: Results; latency: Latency }> {
  const timed = async (): Promise<[Results, number]> => {
    const start = performance.now();
    return [await model.run(feeds, options), performance.now() - start];
  };
  const [results, first] = await timed();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) times.push((await timed())[1]);
  return { results, latency: latencyOf(first, times) };
}

export function latencyOf(first: number, times: readonly number[]): Latency {
  const sorted = (times.length > 0 ? times : [first]).toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return { first_ms: first, median_ms: at(0.5), p90_ms: at(0.9), runs: sorted.length };
}
