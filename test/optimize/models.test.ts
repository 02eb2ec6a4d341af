/** Whole models: what is optimized once is optimized. */
import { expect, test } from "vitest";
import { compress } from "../../src/index.ts";
import { generators } from "../kit/models.ts";
import { readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";

const optimize = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await new Response(compress(bytes, { optimize: true }).readable).arrayBuffer());

const generated = generators.flatMap(({ name, generate, opsets }) =>
  opsets.map((opset) => ({ name: `${name} @${opset}`, read: async (): Promise<Uint8Array> => generate({ opset }).bytes })),
);
const real = Object.values(realModels).map((model) => ({ name: model.name, read: (): Promise<Uint8Array> => readRealModel(model) }));

test.each([...generated, ...real])("$name, optimized twice, is what it is optimized once", async ({ read }) => {
  const once = await optimize(await read()).catch((error: Error) => error.message);
  if (typeof once === "string") expect(once).toMatch(/change nothing/);
  else await expect(optimize(once).then((twice) => readOnnx(twice).nodes.length)).rejects.toThrow(/change nothing/);
});
