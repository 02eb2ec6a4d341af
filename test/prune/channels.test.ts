/** Channels that are zero, with all that belongs to them, can go: no output changes. The judge is onnxruntime. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Unit } from "../../src/prune/channels/groups.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import type { Feeds } from "../kit/models/model.ts";
import { ppyoloe } from "../kit/models/ppyoloe.ts";
import { PRUNING_MODELS } from "../kit/models/pruning.ts";
import { tinypose } from "../kit/models/tinypose.ts";
import { generators } from "../kit/models.ts";
import { rng } from "../kit/onnx.ts";
import { type Outputs, runNode } from "../kit/ort.ts";
import { realModels } from "../kit/realmodels.ts";
import { removed } from "./removed.ts";

/** Every unit but the first of each group goes by chance. */
const byChance = (seed: number, share: number): Parameters<typeof removed>[1] => {
  const next = rng(seed);
  return (groups) => groups.flatMap(({ units }): Unit[] => units.filter((_, i) => i > 0 && next() < share));
};

async function check(bytes: Uint8Array, feeds: Feeds, seed: number): Promise<{ free: number; gone: number }> {
  const { groups, gone, pruned, zeroed } = await removed(bytes, byChance(seed, 0.15 + 0.25 * (seed % 3)));
  const [wanted, given] = [await runNode(zeroed, feeds), await runNode(pruned, feeds)];
  const plain = await runNode(zeroed, feeds, { graphOptimizationLevel: "disabled" }); // as right as the other: what differs is rounding
  for (const [name, { dims, data }] of Object.entries(wanted)) {
    expect(given[name]?.dims, name).toEqual(dims);
    const values = Array.from(data, Number);
    const most = values.reduce((max, x) => Math.max(max, Math.abs(x)), 1);
    const difference = (other: Outputs): number =>
      values.reduce((max, x, i) => Math.max(max, Math.abs(x - Number(other[name]?.data[i]))), 0) / most;
    expect(difference(given), name).toBeLessThan(Math.max(1e-5, 4 * difference(plain)));
  }
  return { free: groups.filter(({ reason }) => !reason).length, gone: gone.length };
}

const models = [...generators, ...PRUNING_MODELS.filter(({ name }) => !generators.some((other) => other.name === name))];

describe.each(models.map(({ name, generate, opsets }) => [name, generate, opsets] as const))("%s", (_, generate, opsets) => {
  test.each(opsets)("at opset %i", async (opset) => {
    const { bytes, inputs } = generate({ opset });
    for (const seed of [1, 2]) await check(bytes, inputs, seed);
  });
});

test.each(Object.values(realModels).map((model) => [model.name, model] as const))("%s", async (_, { path, inputs }) => {
  await check(new Uint8Array(await readFile(path)), inputs, 3);
});

test.each([
  ["PP-YOLOE+ s", ppyoloe({ size: "s", image: 64 })],
  ["PP-TinyPose", tinypose()],
  ["PP-TinyPose, normalizations not folded", tinypose({ folded: false })],
  ["PP-LCNet", lcnet()],
])("%s", async (_, generate) => {
  const { bytes, inputs } = generate();
  const { free } = await check(bytes, inputs, 4);
  expect(free).toBeGreaterThan(15);
});
