/**
 * Small generated models, each with weights of at least 1024 elements, one for each thing about a model that a compressor can get
 * wrong. `generators` lists them all with the opsets they exist at, so that a test can loop over every one.
 */
import { bert } from "./models/bert.ts";
import * as control from "./models/control.ts";
import * as conv from "./models/conv.ts";
import * as decoders from "./models/decoders.ts";
import * as encoders from "./models/encoders.ts";
import * as linear from "./models/linear.ts";
import * as mobile from "./models/mobile.ts";
import { entry, type GeneratedModel, type GeneratorEntry, OPSETS, since } from "./models/model.ts";
import * as sentences from "./models/sentences.ts";
import * as text from "./models/text.ts";
import * as unet from "./models/unet.ts";
import * as whisper from "./models/whisper.ts";
import * as yolo from "./models/yolo.ts";

export * from "./models/control.ts";
export * from "./models/conv.ts";
export * from "./models/linear.ts";
export * from "./models/model.ts";
export * from "./models/text.ts";

export const generators: readonly GeneratorEntry[] = [
  entry(linear.mlp, OPSETS),
  entry(linear.gemm, OPSETS),
  entry(linear.oddK, OPSETS),
  entry(linear.oddValues, OPSETS),
  entry(linear.oddNames, OPSETS),
  entry(linear.outputWeight, OPSETS),
  entry(linear.sharedWeight, OPSETS),
  entry(linear.unusedWeight, OPSETS),
  entry(linear.typedFields, OPSETS),
  entry(linear.constants, OPSETS),
  entry(linear.ir3, [7, 8]),
  entry(linear.halfModel, OPSETS),
  entry(linear.halfTyped, OPSETS),
  entry(linear.bf16Weights, since(13)),
  entry(linear.doubleModel, OPSETS),
  entry(conv.conv, OPSETS),
  entry(conv.convRanks, OPSETS),
  entry(conv.emptyTensor, since(11)),
  entry(text.tiedEmbedding, OPSETS),
  entry(text.tiedGemm, OPSETS),
  entry(text.encoder, OPSETS),
  entry(text.lstm, OPSETS),
  entry(control.ifModel, OPSETS),
  entry(control.loopModel, OPSETS),
  entry(bert, OPSETS),
  entry(encoders.vit, OPSETS),
  entry(sentences.t5, OPSETS),
  entry(sentences.sentence, OPSETS),
  entry(decoders.gpt, OPSETS),
  entry(decoders.llama, OPSETS),
  entry(whisper.whisperEncoder, OPSETS),
  entry(whisper.whisperDecoder, OPSETS),
  entry(mobile.mobilenet, OPSETS),
  entry(mobile.keras, OPSETS),
  entry(mobile.mobilenetV3, OPSETS),
  entry(unet.unet, OPSETS),
  entry(unet.diffusion, OPSETS),
  entry(yolo.yolo, OPSETS),
];

/** Every model at every opset it exists at. */
export function everyModel(): GeneratedModel[] {
  return generators.flatMap(({ generate, opsets }) => opsets.map((opset) => generate({ opset })));
}
