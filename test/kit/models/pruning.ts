/** Models to take channels, heads and hidden units away from: one of each kind of structure that says which of them go together. */
import { bert } from "./bert.ts";
import { densenet, inception } from "./branched.ts";
import { conv, convRanks } from "./conv.ts";
import { gpt, llama } from "./decoders.ts";
import { detector } from "./detector.ts";
import { vit } from "./encoders.ts";
import { hostile } from "./hostile.ts";
import { gemm, mlp } from "./linear.ts";
import { keras, mobilenet, mobilenetV3, mobilenetV3Named } from "./mobile.ts";
import { entry, type Generate, type GeneratorEntry } from "./model.ts";
import { groupNorm, groupNormNamed, optimized, style } from "./normalized.ts";
import { convnext, preact, resnet, resnext } from "./residual.ts";
import { fpn, unets } from "./segment.ts";
import { shufflenets } from "./shuffle.ts";
import { swin } from "./swin.ts";
import { diffusion, unet } from "./unet.ts";
import { vggs } from "./vgg.ts";
import { vits } from "./vit.ts";

const at = (opsets: readonly number[], ...models: readonly Generate[]) => models.map((generate) => entry(generate, opsets));

/** Models whose structure lets channels go, if those go together that have to. */
export const PRUNABLE_MODELS: readonly GeneratorEntry[] = [
  ...at([9, 13, 17], ...vggs, resnet, resnext, preact, densenet, mobilenet, keras, conv, convRanks, gemm, mlp),
  ...at([11, 13, 21], inception, ...shufflenets, ...unets, fpn, unet, diffusion, mobilenetV3, detector, style, groupNorm),
  ...at([17, 21], mobilenetV3Named),
  // Softmax, ReduceMean and layer normalization have other forms at each.
  ...at([11, 17, 21], convnext, ...vits, vit, swin, bert, gpt, llama),
  ...at([13, 17], optimized),
  ...at([21], groupNormNamed),
];

/** Models with one thing each that forbids to take a channel away, or ties it to others that are hard to see. */
export const HOSTILE_MODELS: readonly GeneratorEntry[] = at([13, 21], ...hostile);

export const PRUNING_MODELS: readonly GeneratorEntry[] = [...PRUNABLE_MODELS, ...HOSTILE_MODELS];
