/**
 * Small generated models, each with weights of at least 1024 elements, one for each thing about a model that a compressor can get
 * wrong. `generators` lists them all with the opsets they exist at, so that a test can loop over every one.
 */
import * as control from "./models/control.ts";
import * as conv from "./models/conv.ts";
import * as linear from "./models/linear.ts";
import { type GeneratedModel, type Generate, OPSETS } from "./models/model.ts";
import * as text from "./models/text.ts";

export * from "./models/control.ts";
export * from "./models/conv.ts";
export * from "./models/linear.ts";
export * from "./models/model.ts";
export * from "./models/text.ts";

export interface GeneratorEntry {
  generate: Generate;
  opsets: readonly number[];
}

const since = (first: number) => OPSETS.filter((opset) => opset >= first);

export const generators: readonly GeneratorEntry[] = [
  { generate: linear.mlp, opsets: OPSETS },
  { generate: linear.gemm, opsets: OPSETS },
  { generate: linear.oddK, opsets: OPSETS },
  { generate: linear.oddValues, opsets: OPSETS },
  { generate: linear.oddNames, opsets: OPSETS },
  { generate: linear.outputWeight, opsets: OPSETS },
  { generate: linear.sharedWeight, opsets: OPSETS },
  { generate: linear.typedFields, opsets: OPSETS },
  { generate: linear.constants, opsets: OPSETS },
  { generate: linear.ir3, opsets: [7, 8] },
  { generate: linear.halfModel, opsets: OPSETS },
  { generate: linear.halfTyped, opsets: OPSETS },
  { generate: linear.bf16Weights, opsets: since(13) },
  { generate: linear.doubleModel, opsets: OPSETS },
  { generate: conv.conv, opsets: OPSETS },
  { generate: conv.convRanks, opsets: OPSETS },
  { generate: conv.emptyTensor, opsets: since(11) },
  { generate: text.tiedEmbedding, opsets: OPSETS },
  { generate: text.tiedGemm, opsets: OPSETS },
  { generate: text.encoder, opsets: OPSETS },
  { generate: text.lstm, opsets: OPSETS },
  { generate: control.ifModel, opsets: OPSETS },
  { generate: control.loopModel, opsets: OPSETS },
];

/** Every model at every opset it exists at. */
export function everyModel(): GeneratedModel[] {
  return generators.flatMap(({ generate, opsets }) => opsets.map((opset) => generate({ opset })));
}
