/** The whole models of the benchmarks, in the sizes that people run. */
import { minilm } from "../test/kit/models/bert.ts";
import { type LlamaSize, llamaStep } from "../test/kit/models/decoders.ts";
import { lcnet } from "../test/kit/models/lcnet.ts";
import { type Feeds, floats, type Generate, tokens } from "../test/kit/models/model.ts";
import { ppyoloe } from "../test/kit/models/ppyoloe.ts";
import { tinypose } from "../test/kit/models/tinypose.ts";
import { type RealModel, readRealModel, realModels } from "../test/kit/realmodels.ts";
import type { Case } from "./contest.ts";

export interface Subject {
  name: string;
  /** What most of its time goes into. */
  kind: "3×3 convolutions" | "other convolutions" | "transformer";
  make(): Promise<Case>;
}

const generated = (generate: Generate) => async (): Promise<Case> => {
  const { bytes, inputs } = generate();
  return { bytes, feeds: inputs };
};
const real =
  (model: RealModel, feeds: Feeds = model.inputs) =>
  async (): Promise<Case> => ({ bytes: await readRealModel(model), feeds });

export const recognizer: Subject = {
  name: "PP-OCRv4 recognizer 48×320",
  kind: "other convolutions",
  make: real(realModels.recognizer),
};
export const detector: Subject = {
  name: "PP-OCRv4 detector 640²",
  kind: "other convolutions",
  make: real(realModels.detector, { x: floats([1, 3, 640, 640], 1) }),
};
export const yoloL: Subject = { name: "PP-YOLOE+ l 640²", kind: "3×3 convolutions", make: generated(ppyoloe({ size: "l" })) };

export const subjects: readonly Subject[] = [
  detector,
  recognizer,
  { name: "BlazeFace back 256²", kind: "other convolutions", make: real(realModels.faceBack) },
  { name: "PP-LCNet ×1.0 attributes 256×192", kind: "other convolutions", make: generated(lcnet({ height: 256, width: 192 })) },
  { name: "PP-TinyPose 256×192", kind: "other convolutions", make: generated(tinypose()) },
  { name: "PP-YOLOE+ s 640²", kind: "3×3 convolutions", make: generated(ppyoloe({ size: "s" })) },
  yoloL,
  { name: "MiniLM, 128 tokens", kind: "transformer", make: generated(minilm()) },
];

const LLAMA: LlamaSize = { vocabulary: 8192, hidden: 1024, layers: 2, heads: 16, shared: 4, inner: 2816 };

/** Runs with one row: a token, or a word's embedding. */
export const decoders: readonly Subject[] = [
  { name: "Llama of width 1024, two layers, one token", kind: "transformer", make: generated(llamaStep(LLAMA)) },
];

/** Other inputs of the same shapes: floats are drawn anew, words too, and masks stay as they are. */
export const others = (feeds: Feeds, seed: number): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, feed], i) => {
      if (feed.type === "float32") return [name, floats(feed.dims, seed + i)];
      return [name, name === "input_ids" ? tokens(feed.dims, 1000, seed + i) : feed];
    }),
  );
