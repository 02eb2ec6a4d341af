import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Encoding } from "../../src/encoding.ts";
import { encodedBytes } from "../../src/engine/decide.ts";
import { Kernels } from "../../src/kernels/kernels.ts";
import { Slabs } from "../../src/kernels/slabs.ts";
import { compressModules } from "../../src/kernels/wasm.ts";
import { MAX_UNIT } from "../../src/quantize/encoder.ts";
import { encoder } from "../../src/quantize/encoders.ts";
import { elements, type FloatDType } from "../../src/tensor.ts";
import { randn } from "../kit/onnx.ts";
import { int4Block, int8PerChannel, int8PerTensor, sqnr } from "../kit/reference.ts";

let kernels: Kernels;
beforeAll(async () => {
  kernels = Kernels.instantiate(await compressModules());
});

interface Encoded {
  values: Uint8Array;
  scale: Float32Array;
  zero_point: Uint8Array;
  passes: number;
}

/** Runs an encoder over bytes cut as `cut` says (bytes a piece, in turn). */
function encode(
  bytes: Uint8Array,
  dtype: FloatDType,
  shape: readonly number[],
  encoding: Encoding,
  cut: readonly number[] = [1 << 16],
): Encoded {
  const mark = kernels.arena.mark();
  try {
    const made: Uint8Array[] = [];
    const { passes, takes, unit, lengths, rest } = encoder(kernels, dtype, shape, encoding);
    const slabs = new Slabs(kernels, dtype, takes, unit, elements(shape));
    for (const pass of passes) {
      for (let at = 0, i = 0; at < bytes.byteLength; i++) {
        const n = cut[i % cut.length] as number;
        for (const [x, count] of slabs.push(bytes.subarray(at, at + n))) made.push(pass.take(x, count).slice());
        at += n;
      }
      for (const [x, count] of slabs.flush()) made.push(pass.take(x, count).slice());
      for (const part of pass.end?.() ?? []) made.push(part.slice());
    }
    const values = new Uint8Array(Buffer.concat(made));
    expect(values.byteLength, "the plan's length of the values").toBe(lengths[0]);
    expect(
      rest().map((part) => part.byteLength),
      "the plan's lengths of the other parts",
    ).toEqual(lengths.slice(1));
    expect(lengths.reduce((a, b) => a + b)).toBe(encodedBytes(shape, encoding));
    const [scale, zero_point] = rest().map((part) => part.slice());
    return {
      values,
      scale: new Float32Array(scale?.buffer ?? new ArrayBuffer(0)),
      zero_point: zero_point ?? new Uint8Array(0),
      passes: passes.length,
    };
  } finally {
    kernels.arena.reset(mark);
  }
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const shapes = fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 2, maxLength: 4 });
const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });

/** Runs of axes that may have scales of their own. */
const spans = (rank: number): [number, number][] => [
  [0, 0],
  ...Array.from({ length: rank }, (_, axis): [number, number] => [axis, axis + 1]),
  [0, 2],
];

function encodings(shape: readonly number[]): Encoding[] {
  return [
    { kind: "half", dtype: "float16" },
    { kind: "half", dtype: "bfloat16" },
    { kind: "int8", axis: null },
    { kind: "int8", axis: null, watch: shape.length - 1 },
    ...[false, true].flatMap((transposed) =>
      spans(shape.length).map((channels, i): Encoding => ({ kind: "affine8", dtype: i % 2 ? "int8" : "uint8", channels, transposed })),
    ),
    ...shape.map((_, axis): Encoding => ({ kind: "int8", axis })),
    ...(shape.length === 2
      ? ([{ kind: "int4", k_axis: 0, scheme: "w4" }, { kind: "int4", k_axis: 1, scheme: "w4" }, { kind: "nf4" }] as const)
      : []),
  ];
}

describe("an encoder", () => {
  test("gives the same bytes wherever the source is cut", () => {
    fc.assert(
      fc.property(shapes, cuts, fc.integer(), (shape, cut, seed) => {
        const data = bytesOf(randn(elements(shape), seed));
        for (const encoding of encodings(shape)) {
          expect(encode(data, "float32", shape, encoding, cut)).toEqual(encode(data, "float32", shape, encoding, [data.byteLength]));
        }
      }),
      { numRuns: 60 },
    );
  });

  test("errs by at most half a scale where int8 is not clipped", () => {
    fc.assert(
      fc.property(shapes, fc.integer(), fc.double({ min: -30, max: 30, noNaN: true }), (shape, seed, magnitude) => {
        const data = randn(elements(shape), seed, 10 ** magnitude);
        for (let axis = 0; axis < shape.length; axis++) {
          const { values, scale } = encode(bytesOf(data), "float32", shape, { kind: "int8", axis });
          const inner = elements(shape.slice(axis + 1));
          data.forEach((x, i) => {
            const s = scale[Math.floor(i / inner) % (shape[axis] as number)] as number;
            expect(Math.abs(x - (((values[i] as number) << 24) >> 24) * s)).toBeLessThanOrEqual((s / 2) * (1 + 2 ** -13));
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ["rows longer than a unit", [2, MAX_UNIT + 5], 0],
    ["planes longer than a unit, runs within", [2, 3, MAX_UNIT / 2 + 3], 1],
    ["planes longer than a unit, channels last", [2, MAX_UNIT + 7], 1],
    ["one scale for all", [3, MAX_UNIT / 2], null],
  ] as const)("takes %s in two passes, as exactly as others", (_what, shape, axis) => {
    const data = randn(elements(shape), 7);
    const { values, scale, passes } = encode(bytesOf(data), "float32", shape, { kind: "int8", axis }, [100_003]);
    expect(passes).toBe(2);
    const reference = axis === null ? int8PerTensor(data) : int8PerChannel(data, shape, axis);
    expect(Array.from(scale)).toEqual(Array.from(reference.scales));
    const inner = axis === null ? elements(shape) : elements(shape.slice(axis + 1));
    const channels = axis === null ? 1 : (shape[axis] as number);
    const restored = Float32Array.from(
      data,
      (_, i) => (((values[i] as number) << 24) >> 24) * (scale[Math.floor(i / inner) % channels] as number),
    );
    expect(sqnr(data, restored)).toBeGreaterThan(reference.sqnr_db - 0.01);
  });

  test("packs the columns of a wide matrix in panels, in as many passes", () => {
    const [k, n] = [4096, 9000]; // 18 MB packed, more than a panel
    const data = randn(k * n, 3);
    const { values, scale, passes } = encode(bytesOf(data), "float32", [k, n], { kind: "int4", k_axis: 0, scheme: "w4" }, [1 << 20]);
    expect(passes).toBe(2);
    const transposed = new Float32Array(k * n);
    for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) transposed[j * k + i] = data[i * n + j] as number;
    const rows = encode(bytesOf(transposed), "float32", [n, k], { kind: "int4", k_axis: 1, scheme: "w4" }, [1 << 20]);
    expect(Buffer.compare(values, rows.values)).toBe(0);
    expect(Buffer.compare(bytesOf(scale), bytesOf(rows.scale))).toBe(0);
  });

  test.each([
    ["one scale", [70, 130], [0, 0], false],
    ["a scale a column", [70, 130], [1, 2], false],
    ["a scale a row, turned round", [130, 70], [0, 1], true],
    ["a scale a matrix, turned round", [3, 66, 129], [0, 1], true],
    ["a scale a row of each matrix, turned round", [3, 66, 129], [0, 2], true],
  ] as const)("gives 8 bits %s, each value within half of its own scale", (_what, shape, channels, transposed) => {
    const data = randn(elements(shape), 11);
    const inner = elements(shape.slice(channels[1]));
    const [rows, columns] = shape.slice(-2) as [number, number];
    for (const dtype of ["int8", "uint8"] as const) {
      const { values, scale, zero_point } = encode(
        bytesOf(data),
        "float32",
        shape,
        { kind: "affine8", dtype, channels, transposed },
        [999],
      );
      expect(scale.length).toBe(elements(shape.slice(...channels)));
      data.forEach((x, i) => {
        const [matrix, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
        const byte = values[transposed ? matrix * rows * columns + column * rows + row : i] as number;
        const channel = Math.floor(i / inner) % scale.length;
        const signed = (value: number) => (dtype === "int8" ? (value << 24) >> 24 : value);
        const restored = (signed(byte) - signed(zero_point[channel] as number)) * (scale[channel] as number);
        // uint8 rounds its zero point, too: an end of the range may be clipped by as much again.
        expect(Math.abs(x - restored)).toBeLessThanOrEqual((scale[channel] as number) * (dtype === "int8" ? 0.5001 : 1.0001));
      });
    }
  });

  test.each([
    [33, 20],
    [64, 17],
    [31, 5],
    [96, 48],
  ])("packs int4 of K = %i, N = %i as the reference", (k, n) => {
    const data = randn(k * n, 5);
    for (const [k_axis, shape, layout] of [
      [0, [k, n], "kn"],
      [1, [n, k], "nk"],
    ] as const) {
      const { values, scale } = encode(bytesOf(data), "float32", shape, { kind: "int4", k_axis, scheme: "w4" });
      const { codes, scales } = int4Block(data, shape, layout);
      expect(Array.from(scale)).toEqual(Array.from(scales));
      const blocks = Math.ceil(k / 32);
      for (let row = 0; row < n; row++) {
        for (let i = 0; i < k; i++) {
          const byte = values[(row * blocks + (i >> 5)) * 16 + ((i & 31) >> 1)] as number;
          const at = layout === "kn" ? i * n + row : row * k + i;
          expect((i & 1 ? byte >> 4 : byte & 15) - 8).toBe(codes[at]);
        }
      }
    }
  });

  test("reads float16, bfloat16 and float64 sources as their float32 values", () => {
    const shape = [40, 33];
    const single = randn(elements(shape), 9).map((x) => Math.fround(Math.round(x * 64) / 64)); // exact in every type
    const bits = new Uint32Array(single.buffer);
    const sources: [FloatDType, Uint8Array][] = [
      ["float64", bytesOf(Float64Array.from(single))],
      ["float16", bytesOf(new Float16Array(single))],
    ];
    for (const encoding of encodings(shape).filter((e) => e.kind !== "half")) {
      for (const [dtype, bytes] of sources)
        expect(encode(bytes, dtype, shape, encoding, [777])).toEqual(encode(bytesOf(single), "float32", shape, encoding));
    }
    const short = Uint16Array.from(bits, (b) => b >>> 16);
    const widened = new Float32Array(Uint32Array.from(short, (b) => b << 16).buffer);
    expect(encode(bytesOf(short), "bfloat16", shape, { kind: "int8", axis: 0 })).toEqual(
      encode(bytesOf(widened), "float32", shape, { kind: "int8", axis: 0 }),
    );
  });
});
