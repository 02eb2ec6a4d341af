import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/tensor.ts";
import { inferModel } from "../kit/inferred.ts";
import { type Output, runNode } from "../kit/ort.ts";
import { FOLDS, type FoldCase, type Given } from "./fold-cases.ts";
import { oneNode } from "./one-node.ts";

/** The elements so that equal ones are equal: every NaN is the same, and 0 is not −0. */
function plain({ dtype, data }: Tensor): unknown[] {
  const isNaN16 = (bits: number) => dtype === "float16" && (bits & 0x7fff) > 0x7c00;
  return Array.from(data as ArrayLike<unknown>, (x) => (typeof x === "number" && isNaN16(x) ? Number.NaN : x));
}

/** Whether floats differ by no more than so many steps of their type. */
function isNear(a: unknown[], b: unknown[], ulps: number): boolean {
  return a.every((x, i) => {
    const y = b[i] as number;
    if (typeof x !== "number" || Object.is(x, y)) return Object.is(x, y);
    return Math.abs(x - y) <= ulps * Math.max(Math.abs(x), Math.abs(y), 2 ** -126) * 2 ** -23;
  });
}

async function check(each: FoldCase & { opset: number }, given: Given): Promise<void> {
  const bytes = oneNode(each, given);
  const { values } = await inferModel(bytes);
  let real: Record<string, Output>;
  try {
    real = await runNode(bytes, {}, { graphOptimizationLevel: "disabled" });
  } catch (error) {
    if (given.mayFail) return;
    throw error;
  }
  for (const [name, output] of Object.entries(real)) {
    const value = values.get(name);
    expect({ dtype: value?.dtype, shape: value?.shape }).toEqual({ dtype: output.type, shape: [...output.dims] });
    if (!value?.constant && given.mayDecline) continue;
    expect(value?.constant, "is folded").toBeDefined();
    const folded = plain(value?.constant as Tensor).map((x) => (each.zeros && x === 0 ? 0 : x));
    const expected = plain({ dtype: output.type as Tensor["dtype"], shape: output.dims, data: output.data });
    if (!each.ulps || !isNear(folded, expected, each.ulps)) expect(folded).toEqual(expected);
  }
}

const cases = FOLDS.flatMap((each) => each.opsets.flatMap((opset) => each.dtypes.map((dtype) => ({ ...each, opset, dtype }))));

describe("folding computes what onnxruntime does", () => {
  test.each(cases.map((each) => [`${each.op} of ${each.dtype} at opset ${each.opset}`, each] as const))("%s", async (_name, each) => {
    await fc.assert(
      fc.asyncProperty(each.given(each.dtype, each.opset), (given) => check(each, given)),
      { numRuns: 15, seed: 1 },
    );
  });
});
