/** Random tensors for one-node models. */
import fc from "fast-check";
import { toFloat16 } from "../../src/ops/half.ts";
import type { DType, Tensor } from "../../src/tensor.ts";

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** A shape with room for some elements. */
export const shapes = (from = 0, to = 4, least = 0): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: least, max: 4 }), { minLength: from, maxLength: to });

const bigs = (min: bigint, max: bigint) =>
  fc.oneof(fc.bigInt({ min: min < 0n ? -9n : 0n, max: 9n }), fc.bigInt({ min, max }), fc.constantFrom(min, max));
const ints = (min: number, max: number) =>
  fc.oneof(fc.integer({ min: min < 0 ? -9 : 0, max: 9 }), fc.integer({ min, max }), fc.constantFrom(min, max));
const floats = (float: fc.Arbitrary<number>) =>
  fc.oneof(
    fc.integer({ min: -9, max: 9 }),
    float,
    fc.constantFrom(0, -0, 0.5, 1.5, 2.5, -0.5, -1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  );

const ELEMENTS: Partial<Record<DType, fc.Arbitrary<number | bigint>>> = {
  float32: floats(fc.float({ noNaN: true })),
  float64: floats(fc.double({ noNaN: true })),
  float16: floats(fc.float({ noNaN: true, min: -70000, max: 70000 })),
  int8: ints(-128, 127),
  uint8: ints(0, 255),
  int16: ints(-32768, 32767),
  uint16: ints(0, 65535),
  int32: ints(-(2 ** 31), 2 ** 31 - 1),
  uint32: ints(0, 2 ** 32 - 1),
  int64: bigs(-(2n ** 63n), 2n ** 63n - 1n),
  uint64: bigs(0n, 2n ** 64n - 1n),
  bool: fc.integer({ min: 0, max: 1 }),
};

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export function tensorFrom(dtype: DType, shape: readonly number[], list: readonly (number | bigint)[]): Tensor {
  if (dtype === "float16") return { dtype, shape, data: Uint16Array.from(list.map(Number), (x) => toFloat16(Math.fround(x))) };
  const array = ARRAYS[dtype as keyof typeof ARRAYS] as unknown as { from(list: Iterable<unknown>): Float32Array };
  return { dtype, shape, data: array.from(dtype === "int64" || dtype === "uint64" ? list.map((x) => BigInt(x)) : list.map(Number)) };
}

/** A tensor of the shape, of any elements or those of `element`. */
export const tensors = (dtype: DType, shape: readonly number[], element?: fc.Arbitrary<number | bigint>): fc.Arbitrary<Tensor> =>
  fc
    .array(element ?? (ELEMENTS[dtype] as fc.Arbitrary<number | bigint>), { minLength: count(shape), maxLength: count(shape) })
    .map((list) => tensorFrom(dtype, shape, list));

/** Small whole numbers, whose sums and products are exact. */
export const small = (min = -9, max = 9): fc.Arbitrary<number> => fc.integer({ min, max });

export const i64 = (list: readonly number[], shape: readonly number[] = [list.length]): Tensor => tensorFrom("int64", shape, list);

/** Two shapes that can be broadcast. */
const pairs = (least: number): fc.Arbitrary<[number[], number[]]> =>
  shapes(0, 4, least).chain((shape) => {
    const ones = fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length });
    const part = fc
      .tuple(ones, fc.integer({ min: 0, max: shape.length }))
      .map(([one, from]) => shape.map((d, i) => (one[i] ? 1 : d)).slice(from));
    return fc.tuple(part, part);
  });

export const broadcastable = pairs(0);
export const nonempty = pairs(1);
