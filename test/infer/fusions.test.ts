/** What exporters spell out becomes one operator, and a kernel runs it. That it gives the same is plain.test.ts's. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { bert } from "../kit/models/bert.ts";
import { llama } from "../kit/models/decoders.ts";
import { vit } from "../kit/models/encoders.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import type { Generate } from "../kit/models/model.ts";
import { ppyoloe } from "../kit/models/ppyoloe.ts";
import { tinypose } from "../kit/models/tinypose.ts";
import { diffusion } from "../kit/models/unet.ts";
import { whisperDecoder } from "../kit/models/whisper.ts";

const models: readonly [string, Generate, number, string, number][] = [
  ["bert", bert, 13, "LayerNormalization", 6],
  ["bert", bert, 13, "edgeslim.Attention", 2],
  ["vit", vit, 11, "LayerNormalization", 5],
  ["vit", vit, 17, "edgeslim.Attention", 2],
  ["llama", llama, 17, "SimplifiedLayerNormalization", 5],
  ["llama", llama, 17, "edgeslim.Attention", 2],
  ["whisper's decoder", whisperDecoder, 17, "edgeslim.Attention", 4],
  ["diffusion", diffusion, 17, "edgeslim.GroupNormalization", 5],
  // Images are turned where they come in and where somebody needs their order, not at every operator.
  ["lcnet", lcnet({ height: 64, width: 64 }), 17, "Transpose", 1],
  ["tinypose", tinypose({ height: 64, width: 64 }), 17, "Transpose", 2],
  ["ppyoloe", ppyoloe({ size: "s", image: 64 }), 17, "Transpose", 10],
];

test.each(models)("%s, row %#", async (_name, generate, opset, op_type, count) => {
  const { bytes, inputs } = generate({ opset });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data } as Tensor]),
  );
  const steps: boolean[] = [];
  await (await load(bytes)).run(feeds, { onStep: (step) => step.op_type === op_type && steps.push(step.isKernel) });
  expect(steps).toEqual(new Array(count).fill(true));
});
