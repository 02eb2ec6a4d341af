import { describe, expect, test } from "vitest";
import {
  characterErrorRate,
  ctcGreedy,
  detectorInput,
  editDistance,
  pageOf,
  readClasses,
  recognize,
  relativeError,
  renderLine,
  textLines,
} from "../../demo/ocr.ts";
import { openNode, runNode } from "./ort.ts";
import { readRealModel, realModels } from "./realmodels.ts";

describe("reading text", () => {
  const pairs: [string, string, number][] = [
    ["", "", 0],
    ["kitten", "sitting", 3],
    ["", "abc", 3],
    ["abc", "", 3],
    ["flaw", "lawn", 2],
  ];
  test.each(pairs)("editDistance(%j, %j) is %i", (a, b, edits) => expect(editDistance(a, b)).toBe(edits));

  test("ctcGreedy joins repetitions and leaves blanks out", () => {
    const steps = [1, 1, 0, 1, 2, 2, 0];
    const data = steps.flatMap((best) => [0, 1, 2].map((i) => (i === best ? 1 : 0)));
    expect(ctcGreedy({ dims: [1, 7, 3], data }, ["", "a", "b"])).toBe("aab");
  });

  test("the unchanged models read at least 18 of 20 lines, and find them on a page", async () => {
    const written = textLines(20);
    const lines = await Promise.all(written.map(renderLine));
    await using recognizer = await openNode(await readRealModel(realModels.recognizer));
    const { rate, exact } = characterErrorRate(written, await recognize(({ x }) => recognizer.run({ x }), lines, await readClasses()));
    expect(exact).toBeGreaterThanOrEqual(18);
    expect(rate).toBeLessThan(0.01);
    const outputs = await runNode(await readRealModel(realModels.detector), { x: detectorInput(pageOf(lines)) });
    const map = outputs["sigmoid_0.tmp_0"]?.data as Float32Array;
    const found = map.filter((x) => x > 0.3).length / 640 ** 2;
    expect(found).toBeGreaterThan(0.03);
    expect(relativeError(map, map)).toBe(0);
  }, 60_000);
});
