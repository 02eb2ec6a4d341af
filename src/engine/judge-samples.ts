/** What channels are worth by what the layers that read them see on samples. */
import type { Document } from "../formats/onnx/document.ts";
import { bytesIn } from "../payload.ts";
import type { Judged } from "../prune/channels/choose.ts";
import type { Coupling } from "../prune/channels/coupling.ts";
import type { Group, Place } from "../prune/channels/groups.ts";
import { judge } from "../prune/channels/judge.ts";
import type { SampledCriterion } from "../prune/criteria/reconstruction.ts";
import { Sums } from "../prune/recover/sums.ts";
import { type Tap, tapOf } from "../prune/recover/taps.ts";
import { arrayOf } from "../tensor.ts";
import type { Calibration } from "./calibration.ts";
import { observedValues } from "./observed-values.ts";
import type { OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import type { Definition } from "./onnx-weights.ts";
import { wantedPlaces } from "./recover.ts";
import { sampled } from "./sampled.ts";

/** Sums that are held at once; of more layers the samples run again. */
const MAX_SUMS_BYTES = 512 << 20;

/** The layers that read a group's channels, as far as their form is known. */
export const readersOf = (coupling: Coupling, own: ReadonlyMap<string, Definition>): ReadonlyMap<string, Tap> => {
  const shapeOf = (name: string) => (own.get(name)?.info.dtype === "float32" ? own.get(name)?.info.shape : undefined);
  const taps = coupling.layers.flatMap(({ node, weight }): [string, Tap][] => {
    const tap = tapOf(node, shapeOf);
    return tap && tap.groups === 1 ? [[weight, tap]] : [];
  });
  return new Map(taps);
};

/** Judges groups by the layers that read them: the model runs on samples, several layers at a time. */
export async function judgeBySamples(
  { load, spare, calibration, signal }: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  own: ReadonlyMap<string, Definition>,
  groups: readonly Group[],
  readers: ReadonlyMap<string, Tap>,
  { worth, isShare }: SampledCriterion,
): Promise<Judged[]> {
  const places = new Map(groups.map((group) => [group, group.inputs.filter(({ tensor }) => readers.has(tensor))]));
  const wanted = [...new Set([...places.values()].flat().map(({ tensor }) => tensor))].map((name) => readers.get(name) as Tap);
  const kernels = await spare();
  const scores = new Map<string, Float64Array>();
  for (const taps of batches(wanted)) {
    const names = new Set(taps.flatMap(({ x, y }) => [x, y]));
    const model = await load(floatSource(document, definitions), { observed: [...names], maxBytes: calibration?.maxBytes, signal });
    const { fitted } = await sampled(calibration as Calibration, model.inputs);
    const sums = new Map(taps.map((tap) => [tap, new Sums(kernels, tap, false)]));
    for (const sample of fitted) {
      const values = await observedValues(model, sample, names, signal);
      for (const [tap, each] of sums) {
        const [x, y] = [values.get(tap.x), values.get(tap.y)];
        if (x && y) each.add(x, y, wantedPlaces(tap, fitted.length));
      }
    }
    for (const [tap, each] of sums) {
      signal?.throwIfAborted();
      const payload = own.get(tap.weight)?.payload;
      const weight = arrayOf("float32", payload ? await bytesIn(payload) : new Uint8Array(0)) as Float32Array;
      scores.set(tap.weight, worth(kernels, tap, each, weight));
    }
  }
  const scoresOf = ({ tensor }: Place): Float64Array => scores.get(tensor) as Float64Array;
  return groups.map((group) => ({ group, scores: judge(group, places.get(group) ?? [], scoresOf, isShare) }));
}

/** Layers whose sums are held together. */
function* batches(taps: readonly Tap[]): Generator<Tap[]> {
  let batch: Tap[] = [];
  let bytes = 0;
  for (const tap of taps) {
    const own = (tap.k + 1) ** 2 * 8;
    if (batch.length > 0 && bytes + own > MAX_SUMS_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(tap);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}
