import { LimitError } from "../errors.ts";
import type { Source } from "../io/source.ts";
import type { Load } from "../runtime/load.ts";
import { type Port, readPorts } from "../runtime/ports.ts";
import type { Tensor } from "../tensor.ts";

/** Inputs of a model, or values that it has given, by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Inputs of the model, a set a sample: as those on which it will be used. */
export type CalibrationSamples = Iterable<Tensors> | AsyncIterable<Tensors>;

/** Samples to calibrate on, and what runs the model on them. */
export interface Calibration {
  /** The samples, or what opens them once it is known what the model takes. */
  samples: CalibrationSamples | ((inputs: readonly Port[]) => CalibrationSamples | Promise<CalibrationSamples>);
  /**
   * Runs the model on a sample and gives the named values, inputs and what is computed on the way among them; those it has not are left out.
   * Unless given, Edgeslim's own runtime runs it.
   */
  run?(sample: Tensors, names: readonly string[]): Promise<Tensors>;
  /** Memory that the model and its runs may take, in bytes; 2 GiB unless said. Beyond, a LimitError tells. */
  maxBytes?: number | undefined;
}

/** A model that shows what it computes. */
export interface ObservedModel {
  inputs: readonly Port[];
  /** Runs a sample and shows its values one after the other: views that last for the call. */
  run(sample: Tensors, show: (name: string, tensor: Tensor) => void): Promise<void>;
}

/** Opens a model to have the named values observed. The runtime shows each as it is computed, so that they need not be in memory together. */
export async function openObserved(
  source: Source,
  names: readonly string[],
  { run, maxBytes }: Calibration,
  load: Load,
  signal: AbortSignal | undefined,
): Promise<ObservedModel> {
  if (run)
    return {
      inputs: (await readPorts(source, undefined, signal)).inputs,
      async run(sample, show) {
        for (const [name, tensor] of Object.entries(await run(sample, names))) show(name, tensor);
      },
    };
  const model = await load(source, { observed: names, maxBytes, signal }).catch(withWayOut);
  return {
    inputs: model.inputs,
    async run(sample, show) {
      for (const [name, tensor] of Object.entries(sample)) show(name, tensor);
      await model.run(sample, { outputs: [], onValue: show, signal }).catch(withWayOut);
    },
  };
}

/** Says what to do where the model does not fit. */
function withWayOut(error: unknown): never {
  if (!(error instanceof LimitError)) throw error;
  const what = `Calibration runs the model, which needs more memory than there is (${error.message})`;
  throw new LimitError(error.limit, `${what}; give smaller samples, or calibrate on a machine with more: edgeslim compress --calibrate`);
}
