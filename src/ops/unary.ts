/** Operators on each element of one tensor. */
import { isFloat } from "../tensor.ts";
import { type Each, foldEach } from "./each.ts";
import { larger } from "./elements.ts";
import { roundEven } from "./half.ts";
import type { Op } from "./op.ts";

/** One tensor in, one of its type and shape out. */
const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];
const unary: Op = { infer };
const folding = (each: Each<"one">): Op => ({ infer, fold: foldEach(each) });
const ofFloats = (number: (x: number) => number): Op => folding({ number, accepts: isFloat });
/** As `unary`, to bool. */
const test: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };

export const Acos = unary;
export const Acosh = unary;
export const Asin = unary;
export const Asinh = unary;
export const Atan = unary;
export const Atanh = unary;
export const BitwiseNot = unary;
export const Celu = unary;
export const Cos = unary;
export const Cosh = unary;
export const Elu = unary;
export const Erf = unary;
export const Gelu = unary;
export const HardSigmoid = unary;
export const HardSwish = unary;
export const LeakyRelu = unary;
export const Mish = unary;
export const PRelu = unary;
export const Selu = unary;
export const Shrink = unary;
export const Sigmoid = unary;
export const Sin = unary;
export const Sinh = unary;
export const Softplus = unary;
export const Softsign = unary;
export const Swish = unary;
export const Tan = unary;
export const Tanh = unary;
export const ThresholdedRelu = unary;

export const IsInf = test;
export const IsNaN = test;

export const Abs = folding({ number: Math.abs, bigint: (x) => (x < 0n ? -x : x) });
export const Ceil = ofFloats(Math.ceil);
export const Exp = ofFloats(Math.exp);
export const Floor = ofFloats(Math.floor);
export const Log = ofFloats(Math.log);
export const Neg = folding({ number: (x) => -x, bigint: (x) => -x });
export const Not = folding({ number: (x) => (x ? 0 : 1), accepts: (dtype) => dtype === "bool" });
export const Reciprocal = ofFloats((x) => 1 / x);
export const Relu = folding({ number: (x) => larger(x, 0), bigint: (x) => larger(x, 0n) });
export const Round = ofFloats(roundEven);
export const Sign = folding({
  number: (x) => (x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : x),
  bigint: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
});
export const Sqrt = ofFloats(Math.sqrt);
