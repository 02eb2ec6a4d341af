/** Whole models give what onnxruntime gives, in runs that follow each other and in memory that held other things before. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { InferenceModel } from "../../src/runtime/model.ts";
import type { Tensor } from "../../src/tensor.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import type { Feeds } from "../kit/models/model.ts";
import { ppyoloe } from "../kit/models/ppyoloe.ts";
import { tinypose } from "../kit/models/tinypose.ts";
import { generators } from "../kit/models.ts";
import { type Outputs, openNode } from "../kit/ort.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";

const fed = (feeds: Feeds): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data }]));

/** The greatest difference, as a share of the greatest value. */
function difference(ours: Record<string, Tensor>, theirs: Outputs): number {
  let worst = 0;
  for (const [name, { data, dims }] of Object.entries(theirs)) {
    const own = ours[name] as Tensor;
    expect(own.shape, name).toEqual([...dims]);
    let [most, apart] = [0, 0];
    for (let i = 0; i < data.length; i++) {
      const [a, b] = [Number(own.data[i]), Number(data[i])];
      most = Math.max(most, Math.abs(b));
      if (!Object.is(a, b)) apart = Math.max(apart, Math.abs(a - b));
    }
    worst = Math.max(worst, apart / (most || 1));
  }
  return worst;
}

async function compare(bytes: Uint8Array, feeds: readonly Feeds[], tolerance: number): Promise<InferenceModel> {
  const model = await load(bytes);
  await using theirs = await openNode(bytes);
  for (const each of [...feeds, ...feeds]) expect(difference(await model.run(fed(each)), await theirs.run(each))).toBeLessThan(tolerance);
  return model;
}

describe("real models", () => {
  test.each(Object.values(realModels).map((model) => [model.name, model] as const))("%s", async (_name, model) => {
    // The detector's map of noise is next to 0 everywhere, where a sigmoid tells least.
    await compare(await readRealModel(model), [model.inputs], model === realModels.detector ? 5e-4 : 1e-4);
  });

  test("inputs of other sizes follow each other", async () => {
    const model = realModels.recognizer;
    const at = (width: number): Feeds => {
      const data = Float32Array.from({ length: 3 * 48 * width }, (_, i) => Math.sin(i / 7));
      return { x: { type: "float32", dims: [1, 3, 48, width], data } };
    };
    await compare(await readRealModel(model), [at(320), at(64), at(96), at(320)], 1e-4);
  });
});

describe("the seed's models", () => {
  test.each([
    ["PP-YOLOE+ s", ppyoloe({ size: "s", image: 160 })],
    ["PP-YOLOE+ s, BatchNormalization apart", ppyoloe({ size: "s", image: 96, folded: false })],
    ["PP-TinyPose", tinypose({ height: 128, width: 96 })],
    ["PP-LCNet", lcnet({ height: 128, width: 96 })],
  ])("%s", async (_name, generate) => {
    const { bytes, inputs } = generate();
    await compare(bytes, [inputs], 1e-4);
  });
});

describe("generated models", () => {
  test.each(generators.flatMap(({ name, generate, opsets }) => opsets.map((opset) => [name, opset, generate] as const)))(
    "%s at opset %i",
    async (_name, opset, generate) => {
      const { bytes, inputs, more } = generate({ opset });
      const isHalf = Object.values(inputs).some(({ type }) => type === "float16") || /half|fp16|bf16/i.test(_name);
      await compare(bytes, [inputs, ...more], isHalf ? 2e-2 : 1e-4);
    },
  );
});
