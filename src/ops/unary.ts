/** Operators on each element of one tensor. */
import type { Node } from "../graph/graph.ts";
import { type DType, isFloat } from "../tensor.ts";
import { ACTIVATIONS, erf, geluTanh, sigmoid } from "./activation.ts";
import { ofKnown, ofTensors, one } from "./compute.ts";
import { mayEqual } from "./dims.ts";
import { type Each, eachOf, eachPair, foldEach } from "./each.ts";
import { larger } from "./elements.ts";
import { roundEven } from "./half.ts";
import { int, type Op, text } from "./op.ts";
import type { Dim } from "./value.ts";

/** One tensor in, one of its type and shape out. */
const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];
const folding = (each: Each<"one">): Op => ({ infer, fold: foldEach(each) });
const ofFloats = (number: (x: number) => number): Op => folding({ number, accepts: isFloat });
/** A function of numbers that a node's attributes tell of. */
const computing = (of: (node: Node) => (x: number) => number, accepts = isFloat as (dtype: DType) => boolean): Op => ({
  infer,
  compute: ofTensors((node, [x]) => x && one(eachOf(x, x.dtype, { number: of(node), accepts }))),
});
const ofNumbers = (f: (x: number) => number): Op => computing(() => f);
const activation = (name: keyof typeof ACTIVATIONS): Op =>
  computing((node) => {
    const { alpha, beta, of } = ACTIVATIONS[name];
    return name === "Gelu" && text(node, "approximate", "none") === "tanh"
      ? geluTanh
      : of(int(node, "alpha", alpha), int(node, name === "Selu" ? "gamma" : "beta", beta));
  });
const isNumber = (dtype: DType) => dtype !== "bool";
/** As `unary`, to bool. */
const test: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };

export const Acos = ofNumbers(Math.acos);
export const Acosh = ofNumbers(Math.acosh);
export const Asin = ofNumbers(Math.asin);
export const Asinh = ofNumbers(Math.asinh);
export const Atan = ofNumbers(Math.atan);
export const Atanh = ofNumbers(Math.atanh);
export const Celu = activation("Celu");
export const Cos = ofNumbers(Math.cos);
export const Cosh = ofNumbers(Math.cosh);
export const Elu = activation("Elu");
export const Erf = ofNumbers(erf);
export const Gelu = activation("Gelu");
export const HardSigmoid = activation("HardSigmoid");
export const HardSwish = activation("HardSwish");
export const LeakyRelu = activation("LeakyRelu");
export const Mish = activation("Mish");
/** The slope is broadcast to x. */
export const PRelu: Op = {
  infer(_node, [x, slope], { opset }) {
    const fits = (d: Dim, i: number) => d === 1 || mayEqual(d, x?.shape?.at(i - (slope?.shape?.length ?? 0)));
    const isWell = opset < 7 || !x?.shape || !slope?.shape || (slope.shape.length <= x.shape.length && slope.shape.every(fits));
    return [{ dtype: x?.dtype, shape: isWell ? x?.shape : undefined }];
  },
  compute: ofTensors((_node, [x, given], { opset }) => {
    // Up to opset 6 a slope stands for each channel.
    const isOld = opset < 7 && x && given?.shape.length === 1 && x.shape.length > 1;
    const slope = isOld ? { ...given, shape: [given.data.length, ...x.shape.slice(2).map(() => 1)] } : given;
    if (!x || !slope?.shape.every((d, i) => d === 1 || d === x.shape.at(i - slope.shape.length))) return undefined;
    return one(eachPair(x, slope, x.dtype, x.shape, { number: (value, by) => (value < 0 ? value * by : value) }));
  }),
};
export const Selu = activation("Selu");
export const Shrink = computing((node) => {
  const [lambd, bias] = [int(node, "lambd", 0.5), int(node, "bias", 0)];
  return (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0);
}, isNumber);
export const Sigmoid = ofNumbers(sigmoid);
export const Sin = ofNumbers(Math.sin);
export const Sinh = ofNumbers(Math.sinh);
export const Softplus = activation("Softplus");
export const Softsign = activation("Softsign");
export const Swish = activation("Swish");
export const Tan = ofNumbers(Math.tan);
export const Tanh = ofNumbers(Math.tanh);
export const ThresholdedRelu = activation("ThresholdedRelu");

export const BitwiseNot: Op = {
  infer,
  compute: ofKnown(foldEach({ number: (x) => ~x, bigint: (x) => ~x, accepts: (dtype) => !isFloat(dtype) && dtype !== "bool" })),
};

export const IsInf: Op = {
  ...test,
  compute: ofTensors((node, [x]) => {
    const [negative, positive] = ["detect_negative", "detect_positive"].map((name) => int(node, name, 1) !== 0);
    const number = (y: number) => Number(y === Number.POSITIVE_INFINITY ? positive : y === Number.NEGATIVE_INFINITY && negative);
    return x && one(eachOf(x, "bool", { number, accepts: isFloat }));
  }),
};
export const IsNaN: Op = { ...test, compute: ofKnown(foldEach({ number: (x) => Number(Number.isNaN(x)), accepts: isFloat })) };

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
