import { operands, quantization, unary } from "./elementwise.ts";
import * as layout from "./layout.ts";
import { channelwise, globalPool, layer, over, pool, reduce, softmax } from "./normalization.ts";
import { conv, convTranspose, gemm, matmul, recurrent } from "./products.ts";
import { flatten, reshape } from "./reshape.ts";
import type { Rule } from "./rule.ts";

const UNARY =
  "Abs Acos Acosh Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity " +
  "IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh " +
  "ThresholdedRelu com.microsoft.Gelu com.microsoft.QuickGelu";
const OPERANDS =
  "Add And BitShift Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor " +
  "com.microsoft.BiasGelu";
const REDUCTIONS =
  "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare";

const each = (names: string, rule: Rule): Record<string, Rule> => Object.fromEntries(names.split(" ").map((name) => [name, rule]));

/** A rule an operator, by its name, with its domain where that is not ai.onnx: https://onnx.ai/onnx/operators/ */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    ...each(UNARY, unary),
    ...each(OPERANDS, operands),
    ...each(REDUCTIONS, reduce),
    ...each("QuantizeLinear DequantizeLinear", quantization),
    ...each("BatchNormalization InstanceNormalization", channelwise),
    ...each("LayerNormalization RMSNormalization SimplifiedLayerNormalization com.microsoft.SimplifiedLayerNormalization", layer),
    ...each("Softmax LogSoftmax Hardmax", softmax),
    ...each("LRN GroupNormalization", over(1)),
    ...each("LpNormalization", over(-1)),
    ...each("GlobalAveragePool GlobalMaxPool GlobalLpPool", globalPool),
    ...each("AveragePool MaxPool LpPool", pool),
    ...each("LSTM GRU RNN", recurrent),
    ...each("Squeeze Unsqueeze", layout.ones),
    ...each("Resize Upsample", layout.resize),
    Concat: layout.concat,
    ConstantOfShape: layout.constantOfShape,
    Conv: conv,
    ConvTranspose: convTranspose,
    DepthToSpace: layout.depthToSpace,
    Expand: layout.expand,
    Flatten: flatten,
    Gather: layout.gather,
    Gemm: gemm,
    MatMul: matmul,
    Pad: layout.pad,
    Reshape: reshape,
    Shape: layout.shape,
    Slice: layout.slice,
    SpaceToDepth: layout.spaceToDepth,
    Split: layout.split,
    Tile: layout.tile,
    Transpose: layout.transpose,
  }),
);

/** Whether a node computes each element from those in the same place. */
export const isElementwise = (rule: Rule | undefined): boolean => rule === unary || rule === operands;
