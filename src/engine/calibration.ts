import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { abortableSource } from "../io/abort.ts";
import type { Source } from "../io/source.ts";
import type { Load } from "../runtime/load.ts";
import type { InferenceModel } from "../runtime/model.ts";
import { prepare } from "../runtime/prepare.ts";
import type { Calibration } from "./calibrate.ts";

export interface CalibrationOptions {
  load: Load;
  /** The files beside the model, where its external data is. */
  siblings?: FindSibling | undefined;
  /** Memory that the model and its runs may take, in bytes. */
  maxBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Calibrates a model on samples by running it. It is loaded when the first sample comes, and gives every value that is asked for. */
export function calibrationOn(source: Source, samples: Calibration["samples"], options: CalibrationOptions): Calibration {
  const { load, siblings, maxBytes, signal } = options;
  let opened: { key: string; loading: Promise<[InferenceModel, string[]]> } | undefined;
  const open = async (names: readonly string[]): Promise<[InferenceModel, string[]]> => {
    const { document } = await prepare(abortableSource(source, signal), new Siblings(siblings, signal), { optimize: false });
    const given = new Set(document.main.nodes.flatMap(({ output }) => output));
    const outputs = names.filter((name) => given.has(name)); // an optimizer may have made others
    return [await load(source, { findSibling: siblings, outputs, optimize: false, maxBytes, signal }), outputs];
  };
  return {
    samples,
    async run(sample, names) {
      const key = names.join("\0");
      if (opened?.key !== key) opened = { key, loading: open(names) };
      const [model, outputs] = await opened.loading;
      return { ...sample, ...(await model.run(sample, { outputs, signal })) };
    },
  };
}
