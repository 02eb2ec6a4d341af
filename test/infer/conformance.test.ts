/** Models that run give what the conformance cases of ONNX say, simplified and fused or as they are. */
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Datum } from "../../src/ops/op.ts";
import { CONFORMANCE, CONFORMANCE_PACKAGE, type ConformanceCase, conformanceCases } from "../kit/conformance.ts";
import { difference, LEFT_OUT, TRAINING } from "../kit/difference.ts";
import { needs } from "../kit/require.ts";

/** A case's outcome: undefined where all is right. */
async function outcome({ name: title, model, inputs, outputs }: ConformanceCase, optimize: boolean): Promise<string | undefined> {
  const loaded = await load(model, { optimize });
  const feeds = loaded.inputs.map(({ name }, i) => [name, inputs[i]] as const).filter(([, datum]) => datum);
  const results = (await loaded.run(Object.fromEntries(feeds) as Record<string, Datum>)) as Record<string, Datum>;
  for (const [i, { name }] of loaded.outputs.entries()) {
    const what = difference(results[name], outputs[i], title);
    if (what) return `${name}: ${what}`;
  }
  return undefined;
}

describe.skipIf(!needs(CONFORMANCE, CONFORMANCE_PACKAGE))("the conformance cases of ONNX", () => {
  test.each([
    ["as they are", false],
    ["simplified and fused", true],
  ])(
    "run %s",
    async (_how, optimize) => {
      const wrong: string[] = [];
      let right = 0;
      for (const each of conformanceCases()) {
        if (each.outputs.length === 0 || LEFT_OUT.test(each.name) || TRAINING.test(each.name)) continue;
        try {
          const what = await outcome(each, optimize);
          if (what) wrong.push(`${each.name}: ${what}`);
          else right++;
        } catch (error) {
          wrong.push(`${each.name}: ${error}`);
        }
      }
      if (process.env.MISSING) console.log(right, wrong.length, wrong.join("\n"));
      expect(right).toBeGreaterThanOrEqual(400);
    },
    120_000,
  );
});
