/** A model that is simplified and fused gives what its nodes give one by one. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { fromFloat16 } from "../../src/ops/half.ts";
import type { Tensor } from "../../src/tensor.ts";
import { type Feeds, generators } from "../kit/models.ts";

const fed = (inputs: Feeds): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data }]));

/** Elements as shares of the greatest. */
function shares({ dtype, data }: Tensor): number[] {
  const list = Array.from(data as ArrayLike<number>, dtype === "float16" ? fromFloat16 : Number);
  const most = list.reduce((n, v) => Math.max(n, Math.abs(v)), 0) || 1;
  return list.map((v) => v / most);
}

describe.each(generators)("$name", ({ name: model, generate, opsets }) => {
  /** Of half precision, the last digit: what is fused is not rounded in between. */
  const tolerance = model.startsWith("half") ? 2e-3 : 2e-5;
  test.each(opsets.map((opset) => [opset]))("opset %i", async (opset) => {
    const { bytes, inputs, more } = generate({ opset });
    const [fused, plain] = [await load(bytes), await load(bytes, { optimize: false })];
    for (const feeds of [inputs, ...more]) {
      const [one, other] = [await fused.run(fed(feeds)), await plain.run(fed(feeds))];
      for (const [name, expected] of Object.entries(other)) {
        const given = one[name] as Tensor;
        expect([given.dtype, given.shape], name).toEqual([expected.dtype, expected.shape]);
        const [a, b] = [shares(given), shares(expected)];
        const apart = a.reduce((n, v, i) => (Object.is(v, b[i]) ? n : Math.max(n, Math.abs(v - (b[i] as number)))), 0);
        expect(apart, name).toBeLessThan(tolerance);
      }
    }
  });
});
