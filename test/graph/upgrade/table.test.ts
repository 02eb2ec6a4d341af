import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OPERATORS } from "../../../src/graph/upgrade/table.ts";
import { FIRST_OPSET, LAST_OPSET } from "../../../src/graph/upgrade/upgrade.ts";

/** As `fixtures/operators.py` has them of the onnx package. */
const published = JSON.parse(readFileSync(new URL("../../fixtures/operators.json", import.meta.url), "utf8")) as Record<
  string,
  { versions: number[]; deprecated?: number[] }
>;
/** Operators that are in the table though ONNX has them not, or later. */
const ADDED = ["LayerNormalization", "SimplifiedLayerNormalization", "ThresholdedRelu"];

describe.each(Object.entries(published).filter(([name]) => !ADDED.includes(name)))("%s", (name, { versions, deprecated = [] }) => {
  const row = OPERATORS.get(name);
  const first = versions[0] as number;

  test("has a step for each change of its definition", () => {
    const steps = Object.keys(row ?? {})
      .map(Number)
      .filter(Number.isFinite);
    expect(steps).toEqual(versions.filter((opset) => opset > Math.max(first, FIRST_OPSET)));
  });

  test("is known from the opset that brings it to the one that forbids it", () => {
    expect(row?.since).toBe(first > FIRST_OPSET ? first : undefined);
    expect(row?.gone).toBe(deprecated.find((opset) => opset === versions.at(-1)));
  });
});

test("no other operator is known", () => {
  expect([...OPERATORS.keys()].filter((name) => !(name in published))).toEqual(["SimplifiedLayerNormalization"]);
  expect(Math.max(...Object.values(published).flatMap(({ versions }) => versions))).toBe(LAST_OPSET);
});
