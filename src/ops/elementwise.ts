/** Operators that work on each element by itself. */
import { broadcast } from "./dims.ts";
import { dtypeAttribute, type Inputs, type Op } from "./op.ts";
import type { Value } from "./value.ts";

/** One tensor in, one of its type and shape out. */
const unary: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
/** As `unary`, to bool. */
const test: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };

const dtypeOf = (inputs: Inputs) => inputs.find((value) => value?.dtype)?.dtype;
const shapesOf = (inputs: Inputs) => inputs.map((value) => value?.shape);

/** Any number of tensors in that are broadcast, one of their type out. */
const variadic: Op = { infer: (_node, inputs, context) => [{ dtype: dtypeOf(inputs), shape: broadcast(shapesOf(inputs), context) }] };
/** As `variadic`, to bool. */
const comparison: Op = { infer: (_node, inputs, context) => [{ dtype: "bool", shape: broadcast(shapesOf(inputs), context) }] };

export const Abs = unary;
export const Acos = unary;
export const Acosh = unary;
export const Asin = unary;
export const Asinh = unary;
export const Atan = unary;
export const Atanh = unary;
export const BitwiseNot = unary;
export const Ceil = unary;
export const Celu = unary;
export const Clip = unary;
export const Cos = unary;
export const Cosh = unary;
export const Elu = unary;
export const Erf = unary;
export const Exp = unary;
export const Floor = unary;
export const Gelu = unary;
export const HardSigmoid = unary;
export const HardSwish = unary;
export const LeakyRelu = unary;
export const Log = unary;
export const Mish = unary;
export const Neg = unary;
export const Not = unary;
export const PRelu = unary;
export const Reciprocal = unary;
export const Relu = unary;
export const Round = unary;
export const Selu = unary;
export const Shrink = unary;
export const Sigmoid = unary;
export const Sign = unary;
export const Sin = unary;
export const Sinh = unary;
export const Softplus = unary;
export const Softsign = unary;
export const Sqrt = unary;
export const Swish = unary;
export const Tan = unary;
export const Tanh = unary;
export const ThresholdedRelu = unary;

export const IsInf = test;
export const IsNaN = test;

export const Add = variadic;
export const BitShift = variadic;
export const BitwiseAnd = variadic;
export const BitwiseOr = variadic;
export const BitwiseXor = variadic;
export const Div = variadic;
export const Max = variadic;
export const Mean = variadic;
export const Min = variadic;
export const Mod = variadic;
export const Mul = variadic;
export const Sub = variadic;
export const Sum = variadic;
/** The exponent may have another type. */
export const Pow: Op = { infer: (_node, inputs, context) => [{ dtype: inputs[0]?.dtype, shape: broadcast(shapesOf(inputs), context) }] };

export const And = comparison;
export const Equal = comparison;
export const Greater = comparison;
export const GreaterOrEqual = comparison;
export const Less = comparison;
export const LessOrEqual = comparison;
export const Or = comparison;
export const Xor = comparison;

export const Where: Op = {
  infer: (_node, inputs, context) => [{ dtype: dtypeOf(inputs.slice(1)), shape: broadcast(shapesOf(inputs), context) }],
};

/** A copy, with all that is known. */
export const Identity: Op = { infer: (_node, [x]) => [x ?? {}] };

export const Cast: Op = { infer: (node, [x]) => [{ dtype: dtypeAttribute(node, "to", undefined), shape: x?.shape }] };
export const CastLike: Op = { infer: (_node, [x, like]) => [{ dtype: like?.dtype, shape: x?.shape }] };

export const Dropout: Op = {
  infer(_node, [x], { opset }) {
    const y: Value = { dtype: x?.dtype, shape: x?.shape };
    return [y, { dtype: opset < 10 ? x?.dtype : "bool", shape: x?.shape }];
  },
};
