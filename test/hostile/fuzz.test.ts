import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./judge.ts";
import { cases, mutate } from "./mutate.ts";

/** `node scripts/fuzz.ts` goes on where this stops. */
const RUNS = 3000;

test(`${RUNS} mutated models are taken or refused`, async () => {
  const before = process.memoryUsage();
  const ends = { taken: 0, refused: 0 };
  const property = fc.asyncProperty(cases, async (found) => {
    const { output } = await judge(mutate(found));
    if (output) ends.taken++;
    else ends.refused++;
  });
  await fc.assert(property, { seed: 20, numRuns: RUNS, timeout: 10_000, endOnFailure: false });
  expect(ends.taken, "mutations that leave a model").toBeGreaterThan(RUNS / 10);
  expect(ends.refused, "mutations that break one").toBeGreaterThan(RUNS / 10);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers, "buffers kept").toBeLessThan(256 << 20);
}, 120_000);
