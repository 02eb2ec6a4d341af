import { describe, expect, test } from "vitest";
import { activation, integers, parameters } from "../../src/quantize/affine.ts";
import { minmax } from "../../src/quantize/observers/minmax.ts";
import { rng } from "../kit/random.ts";

describe("activation", () => {
  test.each([
    [
      { min: 0, max: 255 },
      { scale: 1, zero_point: 0 },
    ],
    [
      { min: -128, max: 127 },
      { scale: 1, zero_point: 128 },
    ],
    [
      { min: 51, max: 102 },
      { scale: Math.fround(102 / 255), zero_point: 0 },
    ],
    [
      { min: -102, max: -51 },
      { scale: Math.fround(102 / 255), zero_point: 255 },
    ],
    [
      { min: 0, max: 0 },
      { scale: 1, zero_point: 0 },
    ],
    [
      { min: 0, max: 2 ** -130 },
      { scale: 1, zero_point: 0 },
    ],
  ])("of %j is %j", (range, expected) => expect(activation(range)).toEqual(expected));

  test("keeps zero exact and what is in the range within half a step", () => {
    const next = rng(3);
    for (let i = 0; i < 1000; i++) {
      const [a, b] = [(next() - 0.5) * 10 ** (6 * next() - 3), (next() - 0.5) * 10 ** (6 * next() - 3)];
      const range = { min: Math.fround(Math.min(a, b)), max: Math.fround(Math.max(a, b)) };
      const { scale, zero_point } = activation(range);
      expect(Number.isInteger(zero_point) && zero_point >= 0 && zero_point <= 255).toBe(true);
      for (const x of [range.min, range.max, 0, (range.min + range.max) / 2]) {
        const q = Math.min(255, Math.max(0, Math.round(x / scale) + zero_point));
        // At an end, zero's rounding moves the range by half a step more.
        expect(Math.abs((q - zero_point) * scale - x)).toBeLessThanOrEqual(1.0001 * scale * (x === range.min || x === range.max ? 1 : 0.5));
      }
    }
  });
});

test("int8 is symmetric, and uses 63 steps each way where it has seven bits", () => {
  const range = { min: -1, max: 0.5 };
  expect(parameters(range, { dtype: "int8" })).toEqual({ scale: Math.fround(2 / 254), zero_point: 0 });
  expect(parameters(range, { dtype: "int8", bits: 7 })).toEqual({ scale: Math.fround(2 / 126), zero_point: 0 });
  expect(integers({ dtype: "int8", bits: 7 })).toEqual([-63, 63]);
});

describe("minmax", () => {
  test("is the least and the greatest of all samples", () => {
    const observer = minmax();
    for (const sample of [[1, -2], [], [3, 0]]) observer.observe(Float32Array.from(sample));
    expect(observer.range()).toEqual({ min: -2, max: 3 });
  });

  test("says nothing of nothing", () => {
    const observer = minmax();
    observer.observe(new Float32Array(0));
    expect(observer.range()).toBeUndefined();
  });
});
