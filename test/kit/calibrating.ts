/** Calibration with onnxruntime-node in the place of the runtime. */
import type { Calibration, Tensors } from "../../src/index.ts";
import { exposed } from "./exposed.ts";
import type { Feeds, TensorValue } from "./models/model.ts";
import { type Outputs, openNode, type Runner } from "./ort.ts";

export const tensorsOf = (feeds: Feeds | Outputs): Tensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims, data }]) => [name, { dtype: type as TensorValue["type"], shape: dims, data }]),
  );

const feedsOf = (tensors: Tensors): Feeds =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      { type: dtype as TensorValue["type"], dims: shape, data: data as TensorValue["data"] },
    ]),
  );

/** Runs `model` on samples, with every value that is asked for as an output. */
export function calibrating(model: Uint8Array, samples: readonly Feeds[]): Calibration {
  let runner: Promise<Runner> | undefined;
  return {
    samples: samples.map(tensorsOf),
    async run(sample, names) {
      runner ??= openNode(
        exposed(
          model,
          names.filter((name) => !(name in sample)),
        ),
      );
      return { ...sample, ...tensorsOf(await (await runner).run(feedsOf(sample))) };
    },
  };
}
