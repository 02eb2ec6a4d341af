import type { Node } from "./graph.ts";

/**
 * Operators that a model computed in float16 leaves in float32: their kernels ask for it, or a half has too few digits for what they count
 * or measure. https://onnx.ai/onnx/operators/
 */
const SINGLE: ReadonlySet<string> = new Set([
  ...[
    "ArrayFeatureExtractor",
    "BatchNormalization", // its variances
    "Binarizer",
    "CastMap",
    "ConstantOfShape",
    "Constant",
    "CumSum",
    "DeformConv",
    "DFT",
    "EyeLike",
    "GridSample",
  ],
  ...[
    "HannWindow",
    "HammingWindow",
    "BlackmanWindow",
    "MelWeightMatrix",
    "Multinomial",
    "Bernoulli",
    "NonMaxSuppression",
    "OneHot",
    "Range",
  ],
  ...["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "RoiAlign", "MaxRoiPool", "STFT", "TopK", "Upsample"],
  ...["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger"],
  ...["StringNormalizer", "TfIdfVectorizer", "Unique", "Optional", "OptionalGetElement", "OptionalHasElement", "Einsum"],
  ...["SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap"],
  ...["ConcatFromSequence", "SplitToSequence", "Det", "Shrink", "LpPool", "GlobalLpPool", "LpNormalization", "Hardmax"],
]);

/** Operators of com.microsoft that compute in float16. */
const HALF_MICROSOFT: ReadonlySet<string> = new Set([
  ...[
    "MatMulNBits",
    "MatMulBnb4",
    "FusedMatMul",
    "Gelu",
    "FastGelu",
    "BiasGelu",
    "QuickGelu",
    "LayerNormalization",
    "SkipLayerNormalization",
  ],
  ...["SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "Attention", "MultiHeadAttention", "GroupQueryAttention"],
  ...["RotaryEmbedding"],
]);

/** Inputs that stay float32 while the operator computes in float16. */
const SINGLE_INPUTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["Resize", [1, 2]],
  ["Dropout", [1]],
]);

/** Operators whose large arguments lose their meaning in float16; they stay float32 where their inputs are computed from integers. */
export const ANGLES: ReadonlySet<string> = new Set(["Sin", "Cos", "Floor", "Ceil", "Round", "Mod"]);

/** Whether a node stays in float32 when the rest of the model computes in float16. */
export function isSingle({ op_type, domain, graphs }: Node): boolean {
  if (graphs.length > 0) return true;
  return domain === "" ? SINGLE.has(op_type) : domain !== "com.microsoft" || !HALF_MICROSOFT.has(op_type);
}

/** Whether a node that computes in float16 reads an input in float32. */
export const isSingleInput = (node: Node, index: number): boolean => SINGLE_INPUTS.get(node.op_type)?.includes(index) ?? false;
