import { expect } from "vitest";
import type { Feeds } from "../../kit/models.ts";
import { type Outputs, openNode } from "../../kit/ort.ts";
import { bytesOf } from "../../kit/wire.ts";

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
    if (actual[name] && Buffer.from(bytesOf(actual[name].data)).equals(bytesOf(data))) continue;
    const [got, wanted] = [actual[name]?.data ?? [], data].map((list) => Array.from(list as Float32Array, Number)) as [number[], number[]];
    if (tolerance === 0) {
      expect(got, name).toEqual(wanted);
      continue;
    }
    const largest = furthest(wanted.filter(Number.isFinite));
    const apart = got.map((value, i) => (Object.is(value, wanted[i]) ? 0 : value - (wanted[i] as number)));
    expect(furthest(apart) / (largest || 1), name).toBeLessThan(tolerance);
  }
}

const furthest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
