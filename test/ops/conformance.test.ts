import { describe, expect, test } from "vitest";
import { operator } from "../../src/ops/index.ts";
import { isTensor } from "../../src/ops/op.ts";
import { constantValue, isStatic, type Value } from "../../src/ops/value.ts";
import type { Tensor } from "../../src/tensor.ts";
import { CONFORMANCE, CONFORMANCE_PACKAGE, type ConformanceCase, conformanceCases } from "../kit/conformance.ts";
import { inferModel } from "../kit/inferred.ts";
import { needs } from "../kit/require.ts";

/** Cases whose files say uint16 for what the model declares as bfloat16. */
const BFLOAT16_AS_UINT16 = /BFLOAT16/;

/** What an inferred value says that the real one does not bear out. */
function wrong(value: Value, real: Tensor): string | undefined {
  if (value.dtype !== undefined && value.dtype !== real.dtype) return `${value.dtype} is ${real.dtype}`;
  const fits = value.shape?.length === real.shape.length && value.shape.every((d, i) => typeof d === "string" || d === real.shape[i]);
  return !value.shape || fits ? undefined : `[${value.shape}] is [${real.shape}]`;
}

/** What was folded and is not so: floats may differ in their last digits. */
function different({ constant }: Value, real: Tensor): string | undefined {
  const isNear = (a: unknown, b: unknown) =>
    Object.is(a, b) || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= 1e-6 + 1e-5 * Math.abs(b));
  const fits = constant && Array.from(constant.data as ArrayLike<unknown>).every((x, i) => isNear(x, real.data[i]));
  return !constant || fits ? undefined : `[${constant.data.slice(0, 8)}] is [${real.data.slice(0, 8)}]`;
}

/** Infers a case's model, knowing its inputs as it declares them or with all their elements. */
async function inferCase({ model, inputs }: ConformanceCase, whole: boolean) {
  const declared = await inferModel(model);
  if (!whole) return declared;
  const { main } = declared.document;
  const fed = main.inputs.filter((name) => !main.initializers.includes(name));
  const constants = fed.flatMap((name, i): [string, Value][] => {
    const input = inputs[i];
    return isTensor(input) ? [[name, constantValue(input)]] : [];
  });
  return inferModel(model, new Map(constants));
}

describe.skipIf(!needs(CONFORMANCE, CONFORMANCE_PACKAGE))("the conformance cases of ONNX", () => {
  // The least that were known when this was written.
  test.each([
    ["as declared", false, { dtype: 1208, rank: 1185, shape: 1033, folded: 13 }],
    ["with all elements", true, { dtype: 1208, rank: 1202, shape: 1150, folded: 529 }],
  ])("have the types and shapes that are inferred from inputs %s", async (_how, whole, least) => {
    const counts = { cases: 0, outputs: 0, dtype: 0, rank: 0, shape: 0, folded: 0 };
    const failures: string[] = [];
    const unknown = new Set<string>();
    for (const each of conformanceCases()) {
      const { document, values } = await inferCase(each, whole);
      counts.cases++;
      document.main.outputs.forEach((name, i) => {
        const real = each.outputs[i];
        const value = values.get(name) ?? {};
        if (!isTensor(real) || BFLOAT16_AS_UINT16.test(each.name)) return;
        counts.outputs++;
        if (value.dtype) counts.dtype++;
        else for (const node of document.main.nodes) if (!operator(node)) unknown.add(node.op_type);
        if (value.shape) counts.rank++;
        if (isStatic(value.shape)) counts.shape++;
        const what = wrong(value, real) ?? different(value, real);
        if (what) failures.push(`${each.name}: ${what}`);
        if (value.constant) counts.folded++;
      });
    }
    expect(failures).toEqual([]);
    // Training stands in a domain of its own.
    expect([...unknown].sort()).toEqual(["Adagrad", "Adam", "Gradient", "Momentum"]);
    expect(counts.dtype).toBeGreaterThanOrEqual(least.dtype);
    expect(counts.rank).toBeGreaterThanOrEqual(least.rank);
    expect(counts.shape).toBeGreaterThanOrEqual(least.shape);
    expect(counts.folded).toBeGreaterThanOrEqual(least.folded);
  });
});
