/** Whole models at later opsets compute what they computed. */
import { describe, expect, test } from "vitest";
import { everyModel, type Feeds } from "../../kit/models.ts";
import { type Outputs, openNode } from "../../kit/ort.ts";
import { readRealModel, realModels } from "../../kit/realmodels.ts";
import { expectSame } from "./same.ts";
import { upgraded } from "./upgraded.ts";

const TARGETS = [11, 13, 17, 21];
/** Of the largest output: kernels of another opset may add in another order. */
const TOLERANCE = 1e-5;

const subjects = [
  ...Object.values(realModels).map((model) => ({ ...model, bytes: () => readRealModel(model), more: [] as Feeds[] })),
  ...everyModel().map((model) => ({ ...model, bytes: async () => model.bytes })),
].filter(({ opset }) => opset < 21);

async function outputs(model: Uint8Array, feeds: readonly Feeds[]): Promise<Outputs[]> {
  await using runner = await openNode(model);
  const all: Outputs[] = [];
  for (const each of feeds) all.push(await runner.run(each));
  return all;
}

describe.each(subjects)("$name @$opset", ({ bytes, opset, inputs, more }) => {
  test.each(TARGETS.filter((target) => target > opset))("at opset %i", async (to) => {
    const source = await bytes();
    const made = await upgraded(source, to);
    const feeds = [inputs, ...more];
    const [expected, actual] = [await outputs(source, feeds), await outputs(made.bytes, feeds)];
    for (const [i, each] of expected.entries()) expectSame(actual[i] as Outputs, each, TOLERANCE);
    expect(made.bytes.byteLength).toBeLessThan(source.byteLength + 200 * made.nodes.length + 1000);
  });
});
