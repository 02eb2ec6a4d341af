/** Every row of the table, in onnxruntime: what a node computes at its opset it computes at every later one. */
import { describe, expect, test } from "vitest";
import { OPERATORS } from "../../../src/graph/upgrade/table.ts";
import { encodeModel } from "../../kit/onnx.ts";
import type { Case } from "./case.ts";
import { cases, UNRUN } from "./cases.ts";
import { expectSame, run } from "./same.ts";
import { upgraded } from "./upgraded.ts";

const TARGETS = [11, 13, 17, 18, 21];
/** Operators that onnxruntime computes by another kernel from some opset on, which adds in another order. */
const ROUNDED = new Map([["AveragePool", 1e-6]]);

/** Opsets at which the operator's definition changes. */
const changes = (op: string): number[] =>
  Object.keys(OPERATORS.get(op) ?? {})
    .map(Number)
    .filter(Number.isFinite);

/** The first opset of a case, and the last before each change. */
const starts = ({ op, opsets: [first, last] }: Case): number[] => [
  ...new Set([
    first,
    ...changes(op)
      .map((opset) => opset - 1)
      .filter((opset) => opset > first && opset <= last),
  ]),
];

describe.each(cases)("$op $note", (each) => {
  test.each(starts(each))("computes the same from opset %i on", async (from) => {
    const model = encodeModel({ graph: each.graph, opsets: { "": from }, ir_version: 8 });
    const expected = await run(model, each.feeds);
    for (const to of TARGETS.filter((target) => target > from)) {
      expectSame(await run((await upgraded(model, to)).bytes, each.feeds), expected, ROUNDED.get(each.op));
    }
  });
});

test("every row has a case that crosses it", () => {
  const crossed = new Set(UNRUN.keys());
  for (const each of cases) {
    for (const opset of changes(each.op)) if (starts(each).some((from) => from < opset)) crossed.add(`${each.op}@${opset}`);
  }
  const rows = [...OPERATORS.keys()].flatMap((op) => changes(op).map((opset) => `${op}@${opset}`));
  expect(rows.filter((row) => !crossed.has(row))).toEqual([]);
});
