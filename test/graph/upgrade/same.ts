import { expect } from "vitest";
import type { Feeds } from "../../kit/models.ts";
import { type Outputs, openNode } from "../../kit/ort.ts";

/** What onnxruntime computes, node for node: fusions would hide what a node means. */
export async function run(model: Uint8Array, feeds: Feeds): Promise<Outputs> {
  await using runner = await openNode(model, { graphOptimizationLevel: "disabled" });
  return await runner.run(feeds);
}

/** Expects equal outputs: bit for bit, or to `tolerance` of the largest element. */
export function expectSame(actual: Outputs, expected: Outputs, tolerance = 0): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { type, dims, data }] of Object.entries(expected)) {
    expect(actual[name]).toMatchObject({ type, dims });
    const [got, wanted] = [actual[name]?.data ?? [], data].map((list) => Array.from(list as Float32Array, Number)) as [number[], number[]];
    if (tolerance === 0) {
      expect(got, name).toEqual(wanted);
      continue;
    }
    const largest = Math.max(...wanted.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE);
    const apart = got.map((value, i) => (Object.is(value, wanted[i]) ? 0 : Math.abs(value - (wanted[i] as number)) / largest));
    expect(Math.max(...apart), name).toBeLessThan(tolerance);
  }
}
