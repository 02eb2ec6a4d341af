import { describe, expect, test } from "vitest";
import { operator } from "../../src/ops/index.ts";
import { constantValue, isStatic, type Value } from "../../src/ops/value.ts";
import type { Tensor } from "../../src/tensor.ts";
import { CONFORMANCE, CONFORMANCE_PACKAGE, type ConformanceCase, conformanceCases } from "../kit/conformance.ts";
import { inferModel } from "../kit/inferred.ts";
import { needs } from "../kit/require.ts";

/** Cases whose files say uint16 for the bfloat16 that the model declares. */
const BFLOAT16_AS_UINT16 = /_FLOAT_to_BFLOAT16/;

/** What an inferred value says that the real one does not bear out. */
function wrong(value: Value, real: Tensor): string | undefined {
  if (value.dtype !== undefined && value.dtype !== real.dtype) return `${value.dtype} is ${real.dtype}`;
  const fits = value.shape?.length === real.shape.length && value.shape.every((d, i) => typeof d === "string" || d === real.shape[i]);
  return !value.shape || fits ? undefined : `[${value.shape}] is [${real.shape}]`;
}

/** Infers a case's model, knowing its inputs as it declares them or with all their elements. */
async function inferCase({ model, inputs }: ConformanceCase, whole: boolean) {
  const declared = await inferModel(model);
  if (!whole) return declared;
  const { main } = declared.document;
  const fed = main.inputs.filter((name) => !main.initializers.includes(name));
  return inferModel(model, new Map(fed.flatMap((name, i): [string, Value][] => (inputs[i] ? [[name, constantValue(inputs[i])]] : []))));
}

describe.skipIf(!needs(CONFORMANCE, CONFORMANCE_PACKAGE))("the conformance cases of ONNX", () => {
  // The least that were known when this was written.
  test.each([
    ["as declared", false, { dtype: 1211, rank: 1151, shape: 997 }],
    ["with all elements", true, { dtype: 1211, rank: 1168, shape: 1099 }],
  ])("have the types and shapes that are inferred from inputs %s", async (_how, whole, least) => {
    const counts = { cases: 0, outputs: 0, dtype: 0, rank: 0, shape: 0 };
    const failures: string[] = [];
    const unknown = new Set<string>();
    for (const each of conformanceCases()) {
      const { document, values } = await inferCase(each, whole);
      counts.cases++;
      document.main.outputs.forEach((name, i) => {
        const real = each.outputs[i];
        const value = values.get(name) ?? {};
        if (!real || BFLOAT16_AS_UINT16.test(each.name)) return;
        counts.outputs++;
        if (value.dtype) counts.dtype++;
        else for (const node of document.main.nodes) if (!operator(node)) unknown.add(node.op_type);
        if (value.shape) counts.rank++;
        if (isStatic(value.shape)) counts.shape++;
        const what = wrong(value, real);
        if (what) failures.push(`${each.name}: ${what}`);
      });
    }
    expect(failures).toEqual([]);
    // Training stands in a domain of its own.
    expect([...unknown].sort()).toEqual(["Adagrad", "Adam", "Gradient", "Momentum"]);
    expect(counts.dtype).toBeGreaterThanOrEqual(least.dtype);
    expect(counts.rank).toBeGreaterThanOrEqual(least.rank);
    expect(counts.shape).toBeGreaterThanOrEqual(least.shape);
  });
});
