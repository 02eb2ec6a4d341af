/** Generated models that are simplified and fused give what onnxruntime gives, and what each node gives by itself. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { fromFloat16 } from "../../src/ops/half.ts";
import type { Tensor } from "../../src/tensor.ts";
import { type Feeds, generators } from "../kit/models.ts";
import { type Outputs, openNode } from "../kit/ort.ts";

const numbers = (type: string, data: ArrayLike<number | bigint>): Float64Array =>
  Float64Array.from(data as ArrayLike<number>, type === "float16" ? fromFloat16 : Number);

/** The greatest difference, relative to the greatest number. */
function error(given: Tensor | undefined, type: string, dims: readonly number[], data: ArrayLike<number | bigint>): number {
  if (given?.dtype !== type || given.shape.join() !== dims.join()) return Infinity;
  const [a, b] = [numbers(type, given.data as Float32Array), numbers(type, data)];
  const most = b.reduce((n, v) => Math.max(n, Math.abs(v)), 1e-6);
  return (
    b.reduce((n, v, i) => (v === a[i] || (Number.isNaN(v) && Number.isNaN(a[i])) ? n : Math.max(n, Math.abs(v - (a[i] as number)))), 0) /
    most
  );
}

const fed = (inputs: Feeds): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data } as Tensor]));

describe.each(generators)("$name", ({ name: model, generate, opsets }) => {
  /** With half precision, the last digit. */
  const tolerance = model.startsWith("half") ? 2e-3 : 1e-4;
  test.each(opsets.map((opset) => [opset]))("opset %i", async (opset) => {
    const { bytes, inputs, more } = generate({ opset });
    const [fused, plain] = [await load(bytes), await load(bytes, { optimize: false })];
    await using judge = await openNode(bytes);
    for (const feeds of [inputs, ...more]) {
      const [one, other] = [await fused.run(fed(feeds)), await plain.run(fed(feeds))];
      const expected: Outputs = await judge.run(feeds);
      for (const [name, { type, dims, data }] of Object.entries(expected)) {
        expect(error(one[name], type, dims, data), name).toBeLessThanOrEqual(tolerance);
        const { dtype, shape, data: elements } = other[name] as Tensor;
        expect(error(one[name], dtype, shape, elements as Float32Array), `${name}, node by node`).toBeLessThanOrEqual(tolerance);
      }
    }
  });
});
