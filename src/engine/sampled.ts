import { UnsupportedError } from "../errors.ts";
import type { Port } from "../runtime/ports.ts";
import type { Calibration, CalibrationSamples, Tensors } from "./calibration.ts";

/** Samples that are held at once, at most. */
const MAX_SAMPLES = 512;
/** One in so many is held out, where there are as many. */
const HELD_OUT = 4;

/** Samples to fit on, and others to judge by; of few samples the same. */
export async function sampled(
  calibration: Calibration,
  inputs: readonly Port[],
): Promise<{ fitted: readonly Tensors[]; held: readonly Tensors[] }> {
  const { samples: given } = calibration;
  const all: Tensors[] = [];
  for await (const sample of typeof given === "function" ? await given(inputs) : given) {
    if (all.length === MAX_SAMPLES) break;
    all.push(sample);
  }
  if (all.length === 0) throw new UnsupportedError("There are no samples to recover on; give at least one set of the model's inputs");
  if (all.length < HELD_OUT) return { fitted: all, held: all };
  return { fitted: all.filter((_, i) => i % HELD_OUT !== HELD_OUT - 1), held: all.filter((_, i) => i % HELD_OUT === HELD_OUT - 1) };
}

/** A calibration whose samples can be gone through again: those that come once are held. */
export function replayed(calibration: Calibration): Calibration {
  const { samples } = calibration;
  if (typeof samples === "function" || Array.isArray(samples)) return calibration;
  let held: Promise<readonly Tensors[]> | undefined;
  return { ...calibration, samples: async () => (held ??= all(samples)) };
}

async function all(samples: CalibrationSamples): Promise<readonly Tensors[]> {
  const held: Tensors[] = [];
  for await (const sample of samples) held.push(sample);
  return held;
}
