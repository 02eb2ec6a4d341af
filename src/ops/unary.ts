/** Operators on each element of one tensor. */
import { isFloat } from "../tensor.ts";
import { type Each, eachOf, foldEach, onTensors } from "./each.ts";
import { larger } from "./elements.ts";
import { roundEven } from "./half.ts";
import { int, type Op } from "./op.ts";

/** One tensor in, one of its type and shape out. */
const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];
const unary: Op = { infer };
const folding = (each: Each<"one">): Op => ({ infer, fold: foldEach(each) });
const ofFloats = (number: (x: number) => number): Op => folding({ number, accepts: isFloat });
/** Of floats, as near as JavaScript's functions are. */
const computing = (number: (x: number) => number): Op => ({ infer, compute: onTensors(foldEach({ number, accepts: isFloat })) });
/** As `unary`, to bool. */
const test: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };

export const Acos = computing(Math.acos);
export const Acosh = computing(Math.acosh);
export const Asin = computing(Math.asin);
export const Asinh = computing(Math.asinh);
export const Atan = computing(Math.atan);
export const Atanh = computing(Math.atanh);
export const Celu = unary;
export const Cos = computing(Math.cos);
export const Cosh = computing(Math.cosh);
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
export const Sin = computing(Math.sin);
export const Sinh = computing(Math.sinh);
export const Softplus = unary;
export const Softsign = unary;
export const Swish = unary;
export const Tan = computing(Math.tan);
export const Tanh = unary;
export const ThresholdedRelu = unary;

export const BitwiseNot: Op = {
  infer,
  compute: onTensors(foldEach({ number: (x) => ~x, bigint: (x) => ~x, accepts: (dtype) => !isFloat(dtype) && dtype !== "bool" })),
};

export const IsInf: Op = {
  ...test,
  compute: onTensors((node, [x]) => {
    const [negative, positive] = ["detect_negative", "detect_positive"].map((name) => int(node, name, 1) !== 0);
    const number = (y: number) => Number(y === Number.POSITIVE_INFINITY ? positive : y === Number.NEGATIVE_INFINITY && negative);
    const result = x && eachOf(x, "bool", { number, accepts: isFloat });
    return result && [result];
  }),
};
export const IsNaN: Op = { ...test, compute: onTensors(foldEach({ number: (x) => Number(Number.isNaN(x)), accepts: isFloat })) };

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
