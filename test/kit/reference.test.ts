import { describe, expect, test } from "vitest";
import { randn } from "./onnx.ts";
import {
  affine8,
  fromBfloat16Bits,
  fromFloat16Bits,
  int4Block,
  int8PerChannel,
  int8PerTensor,
  NF4,
  nf4,
  roundHalfEven,
  sqnr,
  toBfloat16Bits,
  toFloat16Bits,
} from "./reference.ts";

describe("references", () => {
  const rounded: [number, number][] = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [0.49999999999999994, 0],
    [-2.3, -2],
    [2 ** 52 + 1, 2 ** 52 + 1],
  ];
  test.each(rounded)("roundHalfEven(%d) is %d", (x, y) => expect(roundHalfEven(x) + 0).toBe(y));

  test("float16 keeps each of its values and rounds their midpoints and neighbours as the engine does", () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const [low, high] = [fromFloat16Bits(bits), fromFloat16Bits(bits + 1)];
      expect(toFloat16Bits(low)).toBe(bits);
      const middle = high === Infinity ? 65520 : (low + high) / 2;
      for (const x of [middle, middle * (1 - 2 ** -52), middle * (1 + 2 ** -52)]) {
        expect(Object.is(fromFloat16Bits(toFloat16Bits(x)), Math.f16round(x)), String(x)).toBe(true);
        expect(toFloat16Bits(-x)).toBe(toFloat16Bits(x) | 0x8000);
      }
    }
  });

  test("bfloat16 rounds once, to even, through subnormals to infinity", () => {
    for (let bits = 0; bits < 0x7f80; bits += 7) expect(toBfloat16Bits(fromBfloat16Bits(bits))).toBe(bits);
    const cases: [number, number][] = [
      [1 + 2 ** -8, 0x3f80],
      [1 + 3 * 2 ** -8, 0x3f82],
      [1 + 2 ** -8 + 2 ** -40, 0x3f81],
      [2 ** -133, 1],
      [2 ** -134, 0],
      [2 ** -134 * (1 + 2 ** -52), 1],
      [1.5 * 2 ** -133, 2],
      [3.3895313892515355e38, 0x7f7f],
      [3.4028234663852886e38, 0x7f80],
      [Infinity, 0x7f80],
      [-Infinity, 0xff80],
      [NaN, 0x7fc0],
      [-0, 0x8000],
    ];
    for (const [x, bits] of cases) expect(toBfloat16Bits(x), String(x)).toBe(bits);
  });

  test.each([0, 1, 2, -1])("int8PerChannel on axis %i errs by half a scale at most", (axis) => {
    const data = randn(6 * 5 * 7, 3);
    const { dequantized, scales, sqnr_db } = int8PerChannel(data, [6, 5, 7], axis);
    expect(scales.length).toBe([6, 5, 7].at(axis));
    const largest = Math.max(...scales) / 2;
    expect(data.every((x, i) => Math.abs(x - (dequantized[i] as number)) <= largest * (1 + 1e-5))).toBe(true);
    expect(sqnr_db).toBeGreaterThan(int8PerTensor(data).sqnr_db);
  });

  test("int4Block gives the same blocks from [K,N] and from its transpose, with a short last block", () => {
    const [k, n] = [70, 33];
    const kn = randn(k * n, 4);
    const nk = Float32Array.from(kn, (_, i) => kn[(i % k) * n + Math.floor(i / k)] as number);
    const [a, b] = [int4Block(kn, [k, n], "kn"), int4Block(nk, [n, k], "nk")];
    expect(a.scales).toEqual(b.scales);
    expect(a.scales.length).toBe(33 * 3);
    expect(a.sqnr_db).toBeCloseTo(b.sqnr_db, 9);
    expect(a.sqnr_db).toBeGreaterThan(18);
    expect(Math.min(...a.codes)).toBe(-8);
  });

  test.each(["int8", "uint8"] as const)("affine8 to %s keeps zero, and errs by half a scale at most, whatever its channels", (dtype) => {
    const data = randn(6 * 5 * 7, 5).map((x, i) => (i % 9 === 0 ? 0 : x + 0.5));
    const steps = dtype === "int8" ? 254 : 255;
    for (const channels of [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 3],
    ] as const) {
      const { dequantized } = affine8(data, [6, 5, 7], channels, dtype);
      const half = (Math.max(...data.map(Math.abs)) * 2) / steps / 2;
      expect(data.every((x, i) => (x === 0 ? dequantized[i] === 0 : Math.abs(x - (dequantized[i] as number)) <= half * 1.001))).toBe(true);
    }
    const [whole, rows] = [affine8(data, [6, 5, 7], [0, 0], dtype), affine8(data, [6, 5, 7], [0, 2], dtype)];
    expect(rows.sqnr_db).toBeGreaterThan(whole.sqnr_db);
  });

  test("NF4 has the quantiles of the normal distribution that it is made of, and nf4 takes the nearest of them along columns", () => {
    // Φ(z) by the series of https://dlmf.nist.gov/7.6, and its inverse by bisection.
    const normal = (z: number) => {
      let [term, sum] = [z, z];
      for (let n = 1; n < 200; n++) sum += term *= (z * z) / (2 * n + 1);
      return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
    };
    const quantile = (p: number) => {
      let [low, high] = [-5, 5];
      for (let i = 0; i < 60; i++) normal((low + high) / 2) < p ? (low = (low + high) / 2) : (high = (low + high) / 2);
      return low;
    };
    const side = (n: number) =>
      Array.from({ length: n }, (_, i) => quantile(0.9677083 + ((0.5 - 0.9677083) * i) / n) / quantile(0.9677083));
    const values = [...side(7).map((x) => -x), 0, ...side(8).reverse()];
    for (const [i, value] of NF4.entries()) expect(value).toBeCloseTo(values[i] as number, 6);
    const [k, n] = [48, 5];
    const data = Float32Array.from({ length: k * n }, (_, i) => (NF4[(7 * (i % n) + Math.floor(i / n)) % 16] as number) * 3);
    expect(nf4(data, [k, n]).sqnr_db).toBeGreaterThan(130);
    expect(nf4(randn(k * n, 6), [k, n]).sqnr_db).toBeGreaterThan(18);
  });

  test("sqnr is in dB, and gives no good mark to what is not finite", () => {
    expect(sqnr([3, 4], [3, 4])).toBe(Infinity);
    expect(sqnr([1, 0], [1.1, 0])).toBeCloseTo(20, 9);
    expect(sqnr([1, 2], [1, NaN])).toBeNaN();
    expect(sqnr([1, 2], [1, Infinity])).toBe(-Infinity);
    expect(() => sqnr([1], [])).toThrow("Cannot compare 1 with 0 elements");
  });
});
