import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Datum, isTensor } from "../../src/ops/op.ts";
import { exposed } from "../kit/exposed.ts";
import { interpret } from "../kit/interpreter.ts";
import { DataType, encodeModel, f32, node } from "../kit/onnx.ts";
import { type Output, runNode } from "../kit/ort.ts";
import type { FoldCase, Given } from "./fold-cases.ts";
import { COMPUTES } from "./generated-cases.ts";
import { oneNode } from "./one-node.ts";

/** Floats may differ by so many steps of float32; what is smaller than 1 by as much as 1 may. */
const isNear = (a: unknown, b: unknown, ulps: number): boolean =>
  Object.is(a, b) ||
  a === b ||
  (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= ulps * Math.max(1, Math.abs(b)) * 2 ** -23);

function expectSame(given: Datum | undefined, real: Output, ulps: number): void {
  if (!isTensor(given)) throw new Error("No tensor is computed.");
  expect({ dtype: given.dtype, shape: given.shape }).toEqual({ dtype: real.type, shape: [...real.dims] });
  const [a, b] = [Array.from(given.data as ArrayLike<unknown>), Array.from(real.data as ArrayLike<unknown>)];
  if (!a.every((x, i) => isNear(x, b[i], ulps))) expect(a).toEqual(b);
}

async function check(each: FoldCase & { opset: number }, given: Given): Promise<void> {
  const bytes = oneNode(each, given);
  const real = await runNode(bytes, {}, { graphOptimizationLevel: "disabled" });
  const computed = await interpret(bytes, new Map());
  for (const [name, output] of Object.entries(real)) expectSame(computed.get(name), output, each.ulps ?? 0);
}

const cases = COMPUTES.flatMap((each) => each.opsets.flatMap((opset) => each.dtypes.map((dtype) => ({ ...each, opset, dtype }))));

describe("operators compute what onnxruntime does", () => {
  test.each(cases.map((each) => [`${each.op} of ${each.dtype} at opset ${each.opset}`, each] as const))("%s", async (_name, each) => {
    await fc.assert(
      fc.asyncProperty(each.given(each.dtype, each.opset), (given) => check(each, given)),
      { numRuns: 12, seed: 1 },
    );
  });
});

describe("floats of eight bits and integers of four", () => {
  const x = [
    0,
    -0,
    0.1,
    1 / 3,
    -1.75,
    2.5,
    3.5,
    17,
    240,
    448,
    464,
    465,
    1e-3,
    2 ** -9,
    2 ** -10,
    57344,
    1e6,
    -Infinity,
    Number.NaN,
    2 ** -17,
  ];
  const model = (type: number, saturate: number, list: readonly number[]) =>
    exposed(
      encodeModel({
        opsets: { "": 21 },
        graph: {
          nodes: [node("Cast", ["x"], ["narrow"], { to: type, saturate }), node("Cast", ["narrow"], ["y"], { to: DataType.FLOAT })],
          inputs: [],
          initializers: [f32("x", [list.length], list)],
          outputs: [],
        },
      }),
      ["y"],
    );
  test.each([17, 18, 19, 20].flatMap((type) => [0, 1].map((saturate) => [type, saturate] as const)))(
    "are what onnxruntime casts to type %i, saturate %i",
    async (type, saturate) => {
      const bytes = model(type, saturate, x);
      const { y } = await runNode(bytes, {}, { graphOptimizationLevel: "disabled" });
      expectSame((await interpret(bytes, new Map())).get("y"), y as Output, 0);
    },
  );
  test.each([DataType.INT4, DataType.UINT4])("are what onnxruntime casts to type %i", async (type) => {
    const bytes = model(type, 1, type === DataType.INT4 ? [-9, -8, -2.5, -1, 0, 2.5, 3.7, 7, 17] : [0, 1, 7, 8.2, 15, 16]);
    const { y } = await runNode(bytes, {}, { graphOptimizationLevel: "disabled" });
    expectSame((await interpret(bytes, new Map())).get("y"), y as Output, 0);
  });
});
