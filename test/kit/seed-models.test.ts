import { describe, expect, test } from "vitest";
import { multiplyAdds, parameters } from "./cost.ts";
import { minilm } from "./models/bert.ts";
import { lcnet } from "./models/lcnet.ts";
import { floats, type GeneratedModel } from "./models/model.ts";
import { ppyoloe } from "./models/ppyoloe.ts";
import { tinypose } from "./models/tinypose.ts";
import { type Outputs, openNode, runNode, sqnr } from "./ort.ts";

const count = ({ spec }: GeneratedModel, counts?: (name: string) => boolean) => parameters(spec.graph, counts);
/** What is trained: a normalization's scale and bias, but not what it has seen. */
const trained = (name: string) => !/\.(_mean|_variance)$/.test(name);
const convolutions = ({ spec }: GeneratedModel) =>
  new Set(spec.graph.nodes.filter(({ op_type }) => op_type === "Conv").map(({ inputs }) => inputs[1])).size;

/** |a / b − 1|. */
const apart = (a: number, b: number) => Math.abs(a / b - 1);

describe("PP-YOLOE+", () => {
  // Parameters of the deployed form and GFLOPs, two of which are a multiply-add, at 640 × 640.
  test.each([
    ["s", 7_918_077, 17.36],
    ["m", 23_413_517, 49.91],
    ["x", 98_395_101, 206.59],
  ] as const)("%s has %i parameters and costs %d GFLOPs", async (size, expected, gflops) => {
    const model = ppyoloe({ size })();
    expect(count(model)).toBe(expected);
    expect(apart((2 * (await multiplyAdds(model.spec))) / 1e9, gflops)).toBeLessThan(0.02);
  });

  test("l has 52,178,029 parameters in three parts and 128 convolutions, and costs 110.07 GFLOPs", async () => {
    const model = ppyoloe({ size: "l" })();
    const split = ["backbone", "neck", "yolo_head"].map((part) => count(model, (name) => name.startsWith(`${part}.`)));
    expect(split).toEqual([20_415_968, 26_869_440, 4_892_621]);
    expect(count(model)).toBe(52_178_029);
    expect(convolutions(model)).toBe(128);
    expect(model.spec.graph.outputs.map(({ dims }) => dims)).toEqual([
      [1, 80, 8400],
      [1, 8400, 4],
    ]);
    expect(apart((2 * (await multiplyAdds(model.spec))) / 1e9, 110.07)).toBeLessThan(0.02);
  });

  test("refuses images that a stride does not divide, and opsets where Softmax has no axis", () => {
    expect(() => ppyoloe({ image: 100 })).toThrow(/multiple of 32/);
    expect(() => ppyoloe()({ opset: 11 })).toThrow(/13 or more/);
  });
});

// What is published of these two counts normalizations before they are folded, in parameters and in multiply-adds.
test("PP-TinyPose has 1,318,625 parameters and costs 327 million multiply-adds", async () => {
  const [folded, not] = [tinypose()(), tinypose({ folded: false })()];
  expect(count(not, trained)).toBe(1_318_625);
  expect(folded.spec.graph.outputs[0]?.dims).toEqual([1, 17, 64, 48]);
  expect(apart(await multiplyAdds(folded.spec), 326.51e6)).toBeLessThan(0.08);
});

test("PP-LCNet with 26 attributes has 1,704,826 parameters and costs 161 million multiply-adds", async () => {
  expect(count(lcnet({ folded: false })(), trained)).toBe(1_704_826);
  expect(apart(await multiplyAdds(lcnet({ height: 224, width: 224 })().spec), 160.81e6)).toBeLessThan(0.08);
});

/** Small enough to run at once. */
const small = {
  ppyoloe: (folded: boolean) => ppyoloe({ size: "s", image: 128, folded })(),
  tinypose: (folded: boolean) => tinypose({ height: 128, width: 96, folded })(),
  lcnet: (folded: boolean) => lcnet({ height: 96, width: 64, folded })(),
  "half of ppyoloe": (folded: boolean) => ppyoloe({ size: "s", image: 64, width: 0.25, batch: 2, folded })(),
  "half of tinypose": (folded: boolean) => tinypose({ height: 64, width: 64, multiplier: 0.5, batch: "N", folded })(),
  "half of lcnet": (folded: boolean) => lcnet({ height: 64, width: 64, multiplier: 0.5, batch: "N", folded })(),
};

const spread = (data: Outputs[string]["data"]): number => {
  const values = Array.from(data, Number);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
};

describe.each(Object.entries(small))("%s", (_, make) => {
  test("gives outputs of the shapes it says that differ within and between images", async () => {
    const { bytes, inputs, spec } = make(true);
    await using runner = await openNode(bytes);
    // Noise like noise is averaged away: the other image is lighter and has more contrast.
    const noise = floats(inputs.image?.dims ?? [], 77);
    const second = await runner.run({ image: { ...noise, data: (noise.data as Float32Array).map((x) => 2 * x + 1) } });
    const first = await runner.run(inputs);
    for (const { name, dims = [] } of spec.graph.outputs) {
      const [one, other] = [first[name], second[name]] as [Outputs[string], Outputs[string]];
      expect(one.dims).toEqual(dims.map((dim) => (dim === "N" ? 1 : dim)));
      // Neither nothing nor all at an end: scores lie in (0, 1), distances in (0, 16), heatmaps about 0.
      const std = spread(one.data);
      expect(std).toBeGreaterThan(0.01);
      expect(std).toBeLessThan(4);
      expect(sqnr(one.data, other.data)).toBeLessThan(60);
    }
  });

  test("gives the same with BatchNormalization folded and not", async () => {
    const [folded, not] = [make(true), make(false)];
    expect(not.spec.graph.nodes.some(({ op_type }) => op_type === "BatchNormalization")).toBe(true);
    const [a, b] = [await runNode(folded.bytes, folded.inputs), await runNode(not.bytes, not.inputs)];
    for (const [name, { data }] of Object.entries(a)) expect(sqnr(data, b[name]?.data ?? new Float32Array(0))).toBeGreaterThan(80);
  });
});

test("a seed gives the same bytes, another other weights", () => {
  const [one, same, other] = [1, 1, 2].map((seed) => tinypose({ seed, height: 64, width: 64 })().bytes);
  expect(one).toEqual(same);
  expect(one).not.toEqual(other);
});

test("a BERT of MiniLM's size has 22.7 million parameters", async () => {
  const model = minilm()();
  expect(count(model, (name) => !name.includes("position_ids"))).toBe(22_713_216);
  const { last_hidden_state } = await runNode(model.bytes, model.inputs);
  expect(last_hidden_state?.dims).toEqual([1, 128, 384]);
  expect(spread(last_hidden_state?.data ?? new Float32Array(0))).toBeCloseTo(1, 0);
});
