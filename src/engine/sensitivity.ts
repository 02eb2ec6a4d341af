/** How much the outputs change where one group of channels alone is pruned. */
import type { Document } from "../formats/onnx/document.ts";
import { bytesIn, memoryPayload } from "../payload.ts";
import type { Curve } from "../prune/channels/allocate.ts";
import type { Judged } from "../prune/channels/choose.ts";
import type { Part } from "../prune/channels/groups.ts";
import { BITS, elements } from "../tensor.ts";
import type { Calibration } from "./calibration.ts";
import type { OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import type { Definition } from "./onnx-weights.ts";
import { OutputError } from "./output-error.ts";
import { sampled } from "./sampled.ts";

/** Shares of a group's channels that are tried. */
const RATIOS: readonly number[] = [0.1, 0.2, 0.35, 0.5, 0.7];
/** Samples that each is tried on, at most. */
const MAX_SAMPLES = 8;

/**
 * Measures the output error of each group at a row of ratios, the least worth going first. A channel that is zero with all that belongs to it is as good as gone,
 * so the graph stays as it is. `definitions` are those of the main graph that stand in no node.
 */
export async function measureSensitivity(
  { load, calibration, signal }: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  judged: readonly Judged[],
): Promise<Curve[]> {
  const options = { maxBytes: calibration?.maxBytes, signal };
  const original = await load(floatSource(document, definitions), options);
  const { fitted } = await sampled(calibration as Calibration, original.inputs);
  const error = await OutputError.from(original, fitted.slice(0, MAX_SAMPLES), signal);
  const curves: Curve[] = [];
  for (const { group, scores } of judged) {
    const order = [...scores.keys()].sort((a, b) => (scores[a] as number) - (scores[b] as number) || b - a);
    const errors: number[] = [];
    for (const ratio of RATIOS) {
      signal?.throwIfAborted();
      const gone = order.slice(0, Math.round(order.length * ratio)).flatMap((i) => group.units[i]?.parts ?? []);
      const without = await zeroed(definitions, gone);
      errors.push(await error.of(await load(floatSource(document, without), options)));
    }
    curves.push({ group: group.name, ratios: RATIOS, errors });
  }
  return curves;
}

/** The definitions with some slices zero. */
async function zeroed(definitions: readonly Definition[], parts: readonly Part[]): Promise<Definition[]> {
  const byTensor = new Map<string, Part[]>();
  for (const part of parts) byTensor.set(part.tensor, [...(byTensor.get(part.tensor) ?? []), part]);
  return Promise.all(
    definitions.map(async (definition) => {
      const { info, payload } = definition;
      const own = byTensor.get(info.name);
      if (!own || !payload) return definition;
      const bytes = await bytesIn(payload);
      const size = BITS[info.dtype] / 8;
      for (const { axis, indices } of own) {
        const inner = elements(info.shape.slice(axis + 1)) * size;
        const outer = elements(info.shape.slice(0, axis));
        const length = info.shape[axis] as number;
        for (let o = 0; o < outer; o++)
          for (const index of indices) bytes.fill(0, (o * length + index) * inner, (o * length + index + 1) * inner);
      }
      return { ...definition, payload: memoryPayload(bytes), isPruned: true };
    }),
  );
}
