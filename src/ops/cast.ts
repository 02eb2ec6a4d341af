/** Operators that change the type. */
import { type DType, isFloat, type Tensor } from "../tensor.ts";
import { eachOf } from "./each.ts";
import { RANGES } from "./elements.ts";
import { dtypeAttribute, type Op } from "./op.ts";

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

/** What is known of the elements stays known between integers. */
export const Cast: Op = {
  infer(node, [x]) {
    const dtype = dtypeAttribute(node, "to", undefined);
    const isInteger = dtype === "int64" || dtype === "int32";
    return [{ dtype, shape: x?.shape, elements: isInteger ? x?.elements : undefined }];
  },
  fold(_node, [x], { outputs: [y] }) {
    const result = x && y && castTo(x, y.dtype);
    return result && [result];
  },
};

export const CastLike: Op = {
  infer: (_node, [x, like]) => [{ dtype: like?.dtype, shape: x?.shape }],
  fold(_node, [x], { outputs: [y] }) {
    const result = x && y && castTo(x, y.dtype);
    return result && [result];
  },
};
