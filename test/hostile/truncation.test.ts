import { describe, expect, test } from "vitest";
import { attempt, DOORS, type Door } from "./attempt.ts";
import { corpus } from "./corpus.ts";

/** Prefixes of a model are refused, but for the few that are a model themselves: those before an optional last field. */
async function truncate(bytes: Uint8Array, door: Door, recipe: Parameters<typeof attempt>[2]): Promise<number[]> {
  const whole: number[] = [];
  for (let length = 0; length < bytes.length; length++) {
    const { output } = await attempt(door, bytes.subarray(0, length), recipe);
    if (output) whole.push(length);
  }
  return whole;
}

describe.each(DOORS)("cut off at every byte, through %s", (door) => {
  test.each(corpus)("$name", async ({ bytes, recipe, format }) => {
    const whole = await truncate(bytes, door, recipe);
    if (format === "safetensors") expect(whole).toEqual([]);
    // Between the graph's pieces and after it: never inside it.
    else for (const length of whole) expect(bytes.length - length, `${length} of ${bytes.length}`).toBeLessThan(400);
    expect((await attempt(door, bytes, recipe)).output, "the whole model").toBeDefined();
  });
});
