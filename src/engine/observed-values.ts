import type { InferenceModel } from "../runtime/model.ts";
import type { Tensor } from "../tensor.ts";
import type { Tensors } from "./calibration.ts";

/** Stops a run that has shown all that is wanted of it. */
const ENOUGH = new Error("All that was wanted has been seen.");

/** Copies of the values of those names that a model gives for a sample. */
export async function observedValues(
  model: InferenceModel,
  sample: Tensors,
  wanted: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Map<string, Tensor>> {
  const found = new Map<string, Tensor>();
  for (const [name, tensor] of Object.entries(sample)) if (wanted.has(name)) found.set(name, tensor);
  const onValue = (name: string, { dtype, shape, data }: Tensor): void => {
    if (!wanted.has(name) || found.has(name) || !(data instanceof Float32Array)) return;
    found.set(name, { dtype, shape, data: data.slice() });
    if (found.size === wanted.size) throw ENOUGH;
  };
  await model.run(sample, { outputs: [], onValue, signal }).catch((error: unknown) => {
    if (error !== ENOUGH) throw error;
  });
  return found;
}
