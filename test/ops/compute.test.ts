/** Operators computed plainly give what the conformance cases of ONNX say. */
import { describe, expect, test } from "vitest";
import { CONFORMANCE, CONFORMANCE_PACKAGE, type ConformanceCase, conformanceCases } from "../kit/conformance.ts";
import { difference, LEFT_OUT, TRAINING } from "../kit/difference.ts";
import { inferModel } from "../kit/inferred.ts";
import { interpret } from "../kit/interpreter.ts";
import { needs } from "../kit/require.ts";

/** A case's outcome: undefined where all is right. */
async function outcome({ name: title, model, inputs, outputs }: ConformanceCase): Promise<string | undefined> {
  const { main } = (await inferModel(model)).document;
  const fed = main.inputs.filter((name) => !main.initializers.includes(name));
  const computed = await interpret(model, new Map(fed.map((name, i) => [name, inputs[i]])));
  for (const [i, name] of main.outputs.entries()) {
    const what = difference(computed.get(name), outputs[i], title);
    if (what) return `${name}: ${what}`;
  }
  return undefined;
}

describe.skipIf(!needs(CONFORMANCE, CONFORMANCE_PACKAGE))("the conformance cases of ONNX", () => {
  test("are computed as they say", async () => {
    const wrong: string[] = [];
    const missing: string[] = [];
    let right = 0;
    for (const each of conformanceCases()) {
      if (each.outputs.length === 0 || LEFT_OUT.test(each.name) || TRAINING.test(each.name)) continue;
      try {
        const what = await outcome(each);
        if (what) wrong.push(`${each.name}: ${what}`);
        else right++;
      } catch (error) {
        (/is not computed/.test(String(error)) ? missing : wrong).push(`${each.name}: ${error}`);
      }
    }
    if (process.env.MISSING) console.log(right, missing.join("\n"));
    expect(wrong).toEqual([]);
    expect(missing).toEqual([]);
    expect(right).toBeGreaterThan(1000);
  });
});
