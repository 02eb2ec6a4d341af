/** Whole models, a node at a time, give what onnxruntime gives. */
import { describe, expect, test } from "vitest";
import { isTensor } from "../../src/ops/op.ts";
import { interpret } from "../kit/interpreter.ts";
import { everyModel, type Feeds } from "../kit/models.ts";
import { runNode } from "../kit/ort.ts";
import { fromFloat16Bits } from "../kit/reference.ts";

const models = everyModel().map((model) => [`${model.name} at opset ${model.opset}`, model] as const);

const fed = (feeds: Feeds) =>
  new Map(Object.entries(feeds).map(([name, { type: dtype, dims: shape, data }]) => [name, { dtype, shape, data }]));

describe("models are computed as onnxruntime computes them", () => {
  test.each(models)("%s", async (_name, { name: model, bytes, inputs, more }) => {
    for (const feeds of [inputs, ...more]) {
      const computed = await interpret(bytes, fed(feeds));
      for (const [name, real] of Object.entries(await runNode(bytes, feeds, { graphOptimizationLevel: "disabled" }))) {
        const given = computed.get(name);
        expect(isTensor(given) && { dtype: given.dtype, shape: given.shape }).toEqual({ dtype: real.type, shape: [...real.dims] });
        if (!isTensor(given)) return;
        const isHalf = real.type === "float16";
        const [ours, theirs] = [given.data, real.data].map((data) =>
          Array.from(data as ArrayLike<number>, (x) => (isHalf ? fromFloat16Bits(x) : Number(x))),
        );
        const bound = (isHalf ? 1e-2 : model === "half" ? 1e-3 : 1e-4) * Math.max(...theirs!.filter(Number.isFinite).map(Math.abs));
        const wrong = theirs!.filter((x, i) => !Object.is(x, ours![i]) && !(Math.abs(x - (ours![i] as number)) <= bound));
        expect(wrong.length).toBe(0);
      }
    }
  });
});
