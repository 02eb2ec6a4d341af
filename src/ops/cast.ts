/** Operators that change the type. */
import { BITS, type DType, isFloat, type Tensor } from "../tensor.ts";
import { ofTensors, one } from "./compute.ts";
import { eachOf } from "./each.ts";
import { bigIntsOf, type Numbers, numbersOf, RANGES } from "./elements.ts";
import { anyNumbers, isFloat8, storedAny } from "./narrow.ts";
import { dtypeAttribute, int, type Op } from "./op.ts";

/** A float64 that rounds to the same float32 as the integer: what lies below its precision is told by the last bit. */
function roundable(x: bigint): number {
  const size = x < 0n ? -x : x;
  const low = size & 2047n;
  const kept = size < 1n << 53n || low === 0n ? size : (size - low) | 2048n;
  return Number(x < 0n ? -kept : kept);
}

/** A tensor in another type; undefined where a float does not fit the integer type, or a type is not computed with. */
export function castTo(x: Tensor, dtype: DType): Tensor | undefined {
  if (x.dtype === dtype) return x;
  const range = RANGES[dtype];
  const isWide = dtype === "int64" || dtype === "uint64";
  const fromFloat = (y: number) => {
    const whole = Math.trunc(y);
    if (!range || !(whole >= range[0] && whole <= range[1])) return undefined;
    return isWide ? BigInt(whole) : whole;
  };
  const number =
    dtype === "bool"
      ? (y: number) => (y === 0 ? 0 : 1)
      : isFloat(dtype)
        ? (y: number) => (dtype === "float64" ? y : Math.fround(y))
        : isFloat(x.dtype)
          ? fromFloat
          : (y: number) => (isWide ? BigInt(y) : y);
  const bigint = (y: bigint): number | bigint => {
    if (dtype === "bool") return y === 0n ? 0 : 1;
    if (isWide) return y;
    if (dtype === "float64") return Number(y);
    return isFloat(dtype) ? Math.fround(roundable(y)) : Number(BigInt.asIntN(32, y));
  };
  return eachOf(x, dtype, { number: number as (y: number) => number | undefined, bigint });
}

/** What an x86 processor makes of a float that no integer of 64 bits, or of 32, is near: the least one. */
const to64 = (y: number): bigint => (y >= -(2 ** 63) && y < 2 ** 63 ? BigInt(Math.trunc(y)) : -(2n ** 63n));
const to32 = (y: number): number => (y > -(2 ** 31) - 1 && y < 2 ** 31 ? Math.trunc(y) : -(2 ** 31));
const WRAPPED: Partial<Record<DType, (y: number) => number | bigint>> = {
  int64: to64,
  uint64: (y) => (y >= 2 ** 63 ? to64(y - 2 ** 63) + 2n ** 63n : to64(y)),
  uint32: (y) => Number(BigInt.asUintN(32, to64(y))),
};

const isNarrow = (dtype: DType): boolean => isFloat8(dtype) || (BITS[dtype] < 8 && RANGES[dtype] !== undefined);

/** An array with an element a place, of a type that holds them all. */
const widened = (x: Tensor): Tensor => ({
  dtype: isFloat8(x.dtype) ? "float32" : "int8",
  shape: x.shape,
  data: anyNumbers(x) as Numbers,
});

/** A tensor in any other type: where its definition leaves open what becomes of a float, as onnxruntime on an x86 processor has it. */
export function converted(given: Tensor, dtype: DType, saturate = true): Tensor | undefined {
  const x = isNarrow(given.dtype) ? widened(given) : given;
  if (x.dtype === dtype) return x;
  if (dtype === "string") {
    const data = (bigIntsOf(x) ?? numbersOf(x)) as ArrayLike<number | bigint> | undefined;
    return data && { dtype, shape: x.shape, data: Array.from(data, (y) => (isFloat(x.dtype) ? textOf(y as number, x.dtype) : String(y))) };
  }
  if (Array.isArray(x.data)) return parsed(x, x.data as readonly string[], dtype);
  if (isNarrow(dtype)) {
    const wide = isFloat8(dtype) ? castTo(x, "float32") : isFloat(x.dtype) ? eachOf(x, "float32", { number: rounded }) : castTo(x, "int32");
    return wide && storedAny(dtype, x.shape, wide.data as Numbers, saturate);
  }
  const isCut = isFloat(x.dtype) && RANGES[dtype];
  return isCut ? eachOf(x, dtype, { number: (WRAPPED[dtype] ?? to32) as (y: number) => number }) : castTo(x, dtype);
}

/** Halves away from zero, as floats become integers of four bits. */
const rounded = (y: number): number => Math.sign(y) * Math.round(Math.abs(y));

function parsed(x: Tensor, texts: readonly string[], dtype: DType): Tensor | undefined {
  if (dtype === "int64" && texts.every((each) => /^\s*[+-]?\d+\s*$/.test(each)))
    return { dtype, shape: x.shape, data: BigInt64Array.from(texts, (each) => BigInt(each.replace("+", ""))) };
  const isNumber = texts.every((each) => /^\s*nan\s*$/i.test(each) || !Number.isNaN(numberOf(each)));
  return isNumber ? converted({ dtype: "float64", shape: x.shape, data: Float64Array.from(texts, numberOf) }, dtype) : undefined;
}

const numberOf = (text: string): number =>
  /^\s*[+-]?inf/i.test(text) ? (text.includes("-") ? -1 : 1) * Number.POSITIVE_INFINITY : text.trim() === "" ? Number.NaN : Number(text);

/** The fewest digits that tell a float from others of its type. */
function textOf(y: number, dtype: DType): string {
  if (!Number.isFinite(y)) return Number.isNaN(y) ? "NaN" : y < 0 ? "-INF" : "INF";
  const lengths = dtype === "float64" ? [] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const same = lengths.map((n) => Number(y.toPrecision(n))).find((shorter) => Math.fround(shorter) === y) ?? y;
  const text = same.toExponential();
  const exponent = Number(text.split("e")[1]);
  if (exponent < -4 || exponent >= 16) return text.replace(/([+-])(\d)$/, "$10$2");
  return Object.is(y, -0) ? "-0" : String(same);
}

const compute = ofTensors((node, [x], { outputs: [y] }) =>
  x && y?.dtype ? one(converted(x, y.dtype, int(node, "saturate", 1) !== 0)) : undefined,
);

/** What is known of the elements stays known between integers. */
export const Cast: Op = {
  infer(node, [x]) {
    const dtype = dtypeAttribute(node, "to", undefined);
    const isInteger = dtype === "int64" || dtype === "int32";
    return [{ dtype, shape: x?.shape, elements: isInteger ? x?.elements : undefined }];
  },
  compute,
  fold(_node, [x], { outputs: [y] }) {
    const result = x && y && castTo(x, y.dtype);
    return result && [result];
  },
};

export const CastLike: Op = {
  infer: (_node, [x, like]) => [{ dtype: like?.dtype, shape: x?.shape }],
  compute,
  fold(_node, [x], { outputs: [y] }) {
    const result = x && y && castTo(x, y.dtype);
    return result && [result];
  },
};
