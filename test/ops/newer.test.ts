/** Operators that the conformance cases do not have: those of com.microsoft, and of later opsets. */
import { describe, expect, test } from "vitest";
import { dataType } from "../../src/graph/types.ts";
import type { DType } from "../../src/tensor.ts";
import { exposed } from "../kit/exposed.ts";
import { inferModel } from "../kit/inferred.ts";
import { type AttributeSpec, encodeModel, node, type TensorSpec, tensor } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { count, tensorFrom } from "./arbitrary.ts";

type Input = readonly [dtype: DType, shape: readonly number[], fill?: number | readonly number[]] | undefined;

interface Case {
  op: string;
  inputs: readonly Input[];
  outputs?: number;
  attributes?: Record<string, AttributeSpec>;
  /** '' is ai.onnx; com.microsoft where it is not said. */
  domain?: string;
  opset?: number;
}

const f = (...shape: number[]): Input => ["float32", shape];
const u8 = (...shape: number[]): Input => ["uint8", shape, 3];
const i8 = (...shape: number[]): Input => ["int8", shape, 3];
const scale: Input = ["float32", [], 0.5];
const zero: Input = ["uint8", [], 1];
const ints = (shape: readonly number[], fill: number | readonly number[], dtype: DType = "int64"): Input => [dtype, shape, fill];

const later = (op: string, opset: number, inputs: readonly Input[], rest: Partial<Case> = {}): Case => ({
  op,
  opset,
  inputs,
  domain: "",
  ...rest,
});

const CASES: readonly Case[] = [
  { op: "Gelu", inputs: [f(2, 3)] },
  { op: "FastGelu", inputs: [f(2, 3), f(3)] },
  { op: "BiasGelu", inputs: [f(2, 3), f(3)] },
  { op: "QuickGelu", inputs: [f(2, 3)] },
  { op: "FusedMatMul", inputs: [f(2, 4, 3), f(2, 4, 5)], attributes: { transA: 1 } },
  { op: "FusedMatMul", inputs: [f(2, 3, 4), f(2, 5, 4)], attributes: { transB: 1, alpha: { float: 0.5 } } },
  { op: "FusedMatMul", inputs: [f(3, 2, 4), f(2, 4, 5)], attributes: { transBatchA: 1 } },
  { op: "FusedGemm", inputs: [f(2, 3), f(3, 4)], attributes: { activation: "Relu" } },
  { op: "FusedConv", inputs: [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3)], attributes: { activation: "Relu", pads: [1, 1, 1, 1] } },
  { op: "MatMulNBits", inputs: [f(2, 3, 32), u8(4, 1, 16), f(4)], attributes: { K: 32, N: 4, bits: 4, block_size: 32 } },
  { op: "MatMulBnb4", inputs: [f(2, 32), u8(64), f(8)], attributes: { K: 32, N: 4, block_size: 16, quant_type: 1 } },
  {
    op: "GatherBlockQuantized",
    inputs: [["uint8", [4, 16], 1], ints([2], 1), f(4, 1)],
    attributes: { bits: 8, block_size: 16, quantize_axis: 1 },
  },
  { op: "SkipLayerNormalization", inputs: [f(1, 2, 4), f(1, 2, 4), f(4), f(4), f(4)], outputs: 4 },
  { op: "SkipSimplifiedLayerNormalization", inputs: [f(1, 2, 4), f(1, 2, 4), f(4)], outputs: 4 },
  {
    op: "EmbedLayerNormalization",
    inputs: [ints([1, 3], 1, "int32"), ints([1, 3], 1, "int32"), f(5, 4), f(6, 4), f(2, 4), f(4), f(4)],
    outputs: 2,
  },
  { op: "Attention", inputs: [f(1, 3, 4), f(4, 12), f(12)], attributes: { num_heads: 2 } },
  { op: "Attention", inputs: [f(1, 3, 4), f(4, 12), f(12), undefined, f(2, 1, 2, 5, 2)], attributes: { num_heads: 2 }, outputs: 2 },
  { op: "MultiHeadAttention", inputs: [f(1, 3, 4), f(1, 5, 4), f(1, 5, 6)], attributes: { num_heads: 2 } },
  {
    op: "GroupQueryAttention",
    inputs: [f(1, 1, 32), f(1, 1, 16), f(1, 1, 16), f(1, 2, 4, 8), f(1, 2, 4, 8), ints([1], 4, "int32"), ints([1], 5, "int32")],
    attributes: { num_heads: 4, kv_num_heads: 2 },
    outputs: 3,
  },
  { op: "RotaryEmbedding", inputs: [f(1, 3, 16), ints([1, 3], [0, 1, 2]), f(4, 4), f(4, 4)], attributes: { num_heads: 2 } },
  { op: "CDist", inputs: [f(2, 3), f(4, 3)], attributes: { metric: "euclidean" } },
  { op: "Inverse", inputs: [f(2, 2)] },
  { op: "ExpandDims", inputs: [f(2, 3), ints([], 1, "int32")] },
  { op: "Unique", inputs: [f(6)], outputs: 3 },
  { op: "Trilu", inputs: [f(3, 3)] },
  { op: "Range", inputs: [f(), f(), f()].map((_, i): Input => ["float32", [], [0, 4, 1][i] as number]) },
  { op: "Pad", inputs: [f(2, 3), ints([4], [1, 0, 1, 0])] },
  { op: "GridSample", inputs: [f(1, 2, 3, 3), f(1, 4, 5, 2)] },
  { op: "MaxpoolWithMask", inputs: [f(1, 1, 4, 4), ints([1, 1, 4, 4], 1, "int32")], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { op: "MurmurHash3", inputs: [ints([3], 1, "int32")] },
  { op: "MoE", inputs: [f(4, 8), f(4, 2), f(2, 8, 16), undefined, f(2, 16, 8)], attributes: { k: 1, activation_type: "relu" } },
  { op: "CropAndResize", inputs: [f(1, 2, 4, 4), f(3, 4), ints([3], 0, "int32"), ints([2], [2, 3], "int32")] },
  { op: "NGramRepeatBlock", inputs: [ints([1, 4], 1), f(1, 6)], attributes: { ngram_size: 2 } },
  { op: "UnfoldTensor", inputs: [f(2, 6)], attributes: { dim: -1, size: 2, step: 1 } },
  {
    op: "WordConvEmbedding",
    inputs: [ints([2, 4], 1, "int32"), f(5, 1, 3, 2), f(5), f(6, 2)],
    attributes: { conv_window_size: 3, embedding_size: 5, char_embedding_size: 2 },
  },

  { op: "QuantizeLinear", inputs: [f(2, 3), scale, ["uint16", [], 1]] },
  { op: "DequantizeLinear", inputs: [u8(2, 3), scale, zero] },
  { op: "MatMulIntegerToFloat", inputs: [u8(2, 3), u8(3, 4), scale, scale] },
  { op: "DynamicQuantizeMatMul", inputs: [f(2, 3), u8(3, 4), scale] },
  {
    op: "DynamicQuantizeLSTM",
    inputs: [
      f(3, 1, 2),
      i8(1, 2, 16),
      i8(1, 4, 16),
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      ["float32", [1], 0.5],
      ["int8", [1], 0],
      ["float32", [1], 0.5],
      ["int8", [1], 0],
    ],
    attributes: { hidden_size: 4 },
    outputs: 3,
  },
  { op: "QLinearAdd", inputs: [u8(2, 3), scale, zero, u8(3), scale, zero, scale, zero] },
  { op: "QLinearMul", inputs: [u8(2, 3), scale, zero, u8(3), scale, zero, scale, zero] },
  { op: "QLinearLeakyRelu", inputs: [u8(2, 3), scale, zero, scale, zero] },
  { op: "QLinearSigmoid", inputs: [u8(2, 3), scale, zero, scale, zero] },
  { op: "QLinearSoftmax", inputs: [u8(2, 3), scale, zero, scale, zero], attributes: { opset: 13 } },
  { op: "QLinearAveragePool", inputs: [u8(1, 2, 4, 4), scale, zero, scale, zero], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { op: "QLinearAveragePool", inputs: [u8(1, 4, 4, 2), scale, zero, scale, zero], attributes: { kernel_shape: [2, 2], channels_last: 1 } },
  { op: "QLinearGlobalAveragePool", inputs: [u8(1, 2, 4, 4), scale, zero, scale, zero] },
  { op: "QLinearGlobalAveragePool", inputs: [u8(1, 4, 4, 2), scale, zero, scale, zero], attributes: { channels_last: 1 } },
  { op: "QLinearConcat", inputs: [scale, zero, u8(1, 2), scale, zero, u8(1, 3), scale, zero], attributes: { axis: 1 } },
  { op: "QLinearWhere", inputs: [["bool", [2, 1], 1], u8(3), scale, zero, u8(3), scale, zero, scale, zero] },
  { op: "QLinearConv", inputs: [u8(1, 5, 5, 2), scale, zero, u8(3, 2, 3, 3), scale, zero, scale, zero], attributes: { channels_last: 1 } },
  { op: "QGemm", inputs: [u8(2, 3), scale, zero, u8(3, 4), scale, zero, undefined, scale, zero] },
  { op: "QGemm", inputs: [u8(2, 3), scale, zero, u8(3, 4), scale, zero] },
  { op: "QAttention", inputs: [u8(1, 3, 4), u8(4, 12), f(12), scale, scale, undefined, zero, zero], attributes: { num_heads: 2 } },
  {
    op: "QEmbedLayerNormalization",
    inputs: [
      ints([1, 3], 1, "int32"),
      ints([1, 3], 1, "int32"),
      u8(5, 4),
      u8(6, 4),
      u8(2, 4),
      u8(4),
      u8(4),
      undefined,
      scale,
      scale,
      scale,
      scale,
      scale,
      zero,
      zero,
      zero,
      zero,
      zero,
    ],
    outputs: 2,
  },
  { op: "NhwcMaxPool", inputs: [u8(1, 4, 4, 2)], attributes: { kernel_shape: [2, 2] } },
  {
    op: "MatMulInteger16",
    inputs: [
      ["int16", [2, 3], 1],
      ["int16", [3, 4], 1],
    ],
  },

  later("SimplifiedLayerNormalization", 13, [f(2, 3), f(3)]),
  later("LayerNormalization", 13, [f(2, 3), f(3), f(3)], { outputs: 3 }),
  later("Gelu", 20, [f(2, 3)]),
  later("GroupNormalization", 18, [f(1, 4, 3), f(2), f(2)], { attributes: { num_groups: 2 } }),
  later("GroupNormalization", 21, [f(1, 4, 3), f(4), f(4)], { attributes: { num_groups: 2 } }),
  later("RMSNormalization", 23, [f(2, 3), f(3)]),
  later("Attention", 23, [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 6)]),
  later("Attention", 23, [f(1, 3, 8), f(1, 5, 4), f(1, 5, 6)], { attributes: { q_num_heads: 4, kv_num_heads: 2 } }),
  later("RotaryEmbedding", 23, [f(1, 2, 3, 4), f(1, 3, 2), f(1, 3, 2)]),
  later("Swish", 24, [f(2, 3)]),
  later("GridSample", 20, [f(1, 1, 2, 3, 4), f(1, 5, 6, 7, 3)]),
  later("AffineGrid", 20, [f(1, 2, 3), ints([4], [1, 1, 4, 5])]),
  later("AffineGrid", 20, [f(1, 3, 4), ints([5], [1, 1, 3, 4, 5])]),
  later("DFT", 20, [f(1, 8, 1), undefined, ints([], 1)], { attributes: { onesided: 1 } }),
  later("DFT", 20, [f(1, 8, 2), ints([], 6), ints([], -2)]),
  later("DFT", 17, [f(1, 8, 1)], { attributes: { axis: 1 } }),
  later("STFT", 17, [f(1, 16, 1), ints([], 4), f(8)]),
  later("Resize", 18, [f(1, 1, 4, 4), undefined, undefined, ints([2], [8, 6])], { attributes: { axes: [2, 3] } }),
  later("Resize", 10, [f(1, 1, 4, 4), ["float32", [4], [1, 1, 2, 1.5]]], { attributes: { mode: "nearest" } }),
  later("Upsample", 7, [f(1, 1, 4, 4)], { attributes: { scales: { floats: [1, 1, 2, 1.5] } } }),
  later("Upsample", 9, [f(1, 1, 4, 4), ["float32", [4], [1, 1, 2, 1.5]]]),
  later("Split", 18, [f(2, 7)], { attributes: { axis: 1, num_outputs: 3 }, outputs: 3 }),
  later("Pad", 18, [f(2, 3), ints([2], [1, 1]), undefined, ints([1], 1)]),
  later("ReduceMax", 18, [f(2, 3, 4), ints([1], 1)], { attributes: { keepdims: 0 } }),
  later("ReduceMean", 18, [f(2, 3, 4)], { attributes: { noop_with_empty_axes: 1 } }),
  later("CenterCropPad", 18, [f(4, 6), ints([2], [3, 8])]),
  later("Col2Im", 18, [f(1, 4, 9), ints([2], [4, 4]), ints([2], [2, 2])]),
  later("DeformConv", 19, [f(1, 2, 5, 5), f(3, 2, 3, 3), f(1, 18, 3, 3)]),
  later("LpPool", 18, [f(1, 1, 5, 5)], { attributes: { kernel_shape: [2, 2], ceil_mode: 1, strides: [2, 2] } }),
  later("MaxPool", 12, [f(1, 1, 5, 5)], {
    attributes: { kernel_shape: [2, 2], ceil_mode: 1, strides: [2, 2], auto_pad: "NOTSET" },
    outputs: 2,
  }),
  later("MaxPool", 12, [f(1, 1, 5, 6)], { attributes: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" } }),
  later("MaxPool", 12, [f(1, 1, 4, 4)], { attributes: { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1, pads: [1, 1, 1, 1] } }),
  later("AveragePool", 19, [f(1, 1, 7, 7)], { attributes: { kernel_shape: [3, 3], strides: [3, 3], ceil_mode: 1, dilations: [2, 2] } }),
  later("ConvTranspose", 11, [f(1, 2, 4, 4), f(2, 3, 3, 3)], {
    attributes: { strides: [2, 2], output_padding: [1, 1], pads: [1, 0, 1, 0] },
  }),
  later("ConvTranspose", 11, [f(1, 2, 4, 4), f(2, 3, 3, 3)], { attributes: { strides: [2, 2], auto_pad: "SAME_UPPER" } }),
  later("ConvTranspose", 11, [f(1, 2, 4, 4), f(2, 3, 3, 3)], { attributes: { strides: [2, 2], output_shape: [9, 10] } }),
  later("ConvTranspose", 11, [f(1, 4, 4), f(4, 3, 3)], { attributes: { group: 2, dilations: [2] } }),
  later("Conv", 11, [f(1, 2, 6, 6), f(3, 2, 3, 3)], { attributes: { strides: [2, 2], auto_pad: "SAME_LOWER" } }),
  later("RoiAlign", 16, [f(1, 2, 4, 4), f(3, 4), ints([3], 0)], { attributes: { output_height: 2, output_width: 3 } }),
  later("MaxRoiPool", 7, [f(1, 2, 4, 4), ["float32", [1, 5], [0, 0, 0, 2, 2]]], { attributes: { pooled_shape: [2, 3] } }),
  later("NonMaxSuppression", 11, [f(1, 6, 4), f(1, 2, 6), ints([1], 3)]),
  later("Multinomial", 7, [f(2, 3)], { attributes: { sample_size: 4, dtype: 7 } }),
  later("RandomNormal", 7, [], { attributes: { shape: [2, 3] } }),
  later("RandomUniformLike", 7, [["float64", [2, 3]]]),
  later("Bernoulli", 15, [["float32", [2, 3], 0.5]], { attributes: { dtype: 9 } }),
  later("EyeLike", 9, [ints([3, 4], 1)], { attributes: { dtype: 1 } }),
  later("QuantizeLinear", 21, [f(2, 3), scale], { attributes: { output_dtype: 3 } }),
  later("QuantizeLinear", 13, [f(2, 3), ["float32", [3], 1], ["int8", [3], 0]], { attributes: { axis: 1 } }),
  later("DequantizeLinear", 19, [u8(2, 3), ["float16", [], 1], zero]),
  later("DynamicQuantizeLinear", 11, [f(2, 3)], { outputs: 3 }),
  later("MatMulInteger", 10, [u8(2, 3), u8(3, 4)]),
  later("ConvInteger", 10, [u8(1, 1, 4, 4), u8(1, 1, 3, 3)]),
  later("QLinearConv", 10, [u8(1, 1, 4, 4), scale, zero, u8(1, 1, 3, 3), scale, zero, scale, zero]),
  later("QLinearMatMul", 10, [u8(2, 3), scale, zero, u8(3, 4), scale, zero, scale, zero]),
  later("LSTM", 14, [f(3, 1, 2), f(2, 16, 2), f(2, 16, 4)], { attributes: { hidden_size: 4, direction: "bidirectional" }, outputs: 3 }),
  later("GRU", 14, [f(3, 1, 2), f(1, 12, 2), f(1, 12, 4)], { attributes: { hidden_size: 4 }, outputs: 2 }),
  later("RNN", 14, [f(3, 1, 2), f(1, 4, 2), f(1, 4, 4)], { attributes: { hidden_size: 4 }, outputs: 2 }),
  later("Dropout", 7, [f(2, 3)], { outputs: 2 }),
  later("Dropout", 13, [f(2, 3)], { outputs: 2 }),
  later("BatchNormalization", 9, [f(1, 2, 3), f(2), f(2), f(2), f(2)]),
  later("Einsum", 12, [f(2, 3, 4), f(2, 4, 5)], { attributes: { equation: "bij, bjk -> bik" } }),
  later("Einsum", 12, [f(2, 3, 4), f(5, 4)], { attributes: { equation: "...j,kj" } }),
  later("Det", 11, [f(2, 3, 3)]),
  later("TopK", 7, [f(2, 5)], { attributes: { k: 3 }, outputs: 2 }),
  later("Unique", 11, [f(6)], { outputs: 4 }),
  later("ReverseSequence", 10, [f(3, 2), ints([2], 1)]),
  later("Compress", 11, [f(3, 2), ["bool", [3], [1, 0, 1]]], { attributes: { axis: 0 } }),
  later("MeanVarianceNormalization", 13, [f(1, 2, 3, 3)]),
  later("HannWindow", 17, [ints([], 8)]),
  later(
    "MelWeightMatrix",
    17,
    [ints([], 4), ints([], 16), ints([], 8000), f(), f()].map((x, i): Input => (i < 3 ? x : ["float32", [], [0, 4000][i - 3] as number])),
  ),
  later("BitShift", 11, [ints([3], 1, "uint32"), ints([], 1, "uint32")], { attributes: { direction: "LEFT" } }),
  later("BitwiseAnd", 18, [ints([3], 1), ints([], 1)]),
  later("IsInf", 20, [f(2, 3)]),
  later("SpaceToDepth", 13, [f(1, 2, 4, 4)], { attributes: { blocksize: 2 } }),
  later("DepthToSpace", 13, [f(1, 8, 2, 2)], { attributes: { blocksize: 2 } }),
];

/** Operators of which no more than the type is told. */
const SHAPELESS = new Set(["ExpandDims", "UnfoldTensor", "WordConvEmbedding"]);

/** Ones, or what the fill says: values that no operator refuses. */
function spec(name: string, [dtype, shape, fill = 1]: NonNullable<Input>): TensorSpec {
  const list = Array.from({ length: count(shape) }, (_, i) => (typeof fill === "number" ? fill : (fill[i] as number)));
  return tensor(name, dataType(dtype), shape, tensorFrom(dtype, shape, list).data);
}

const nameOf = ({ op, domain = "com.microsoft", opset = 17, inputs, attributes = {} }: Case): string => {
  const given = inputs.map((input) => (input ? `${input[0]}[${input[1]}]` : "–"));
  return `${domain ? `${domain}.` : ""}${op} at opset ${opset} of ${given.join(", ")} ${JSON.stringify(attributes)}`;
};

describe("types and shapes are inferred as onnxruntime gives them", () => {
  test.each(CASES.map((each) => [nameOf(each), each] as const))("%s", async (_name, each) => {
    const { op, inputs, outputs = 1, attributes = {}, domain = "com.microsoft", opset = 17 } = each;
    const made = Array.from({ length: outputs }, (_, i) => `y${i}`);
    const names = inputs.map((input, i) => (input ? `x${i}` : ""));
    const model = encodeModel({
      opsets: { "": opset, "com.microsoft": 1 },
      graph: {
        nodes: [node(op, names, made, attributes, domain ? { domain } : {})],
        initializers: inputs.flatMap((input, i) => (input ? [spec(`x${i}`, input)] : [])),
        inputs: [],
        outputs: [],
      },
    });
    const bytes = exposed(model, made);
    const { values } = await inferModel(bytes);
    for (const [name, { type, dims }] of Object.entries(await runNode(bytes, {}, { graphOptimizationLevel: "disabled" }))) {
      const { dtype, shape } = values.get(name) ?? {};
      expect(dtype).toBe(type);
      expect(shape !== undefined || SHAPELESS.has(op)).toBe(true);
      expect(shape?.map((d, i) => (typeof d === "string" ? dims[i] : d)) ?? dims).toEqual([...dims]);
    }
  });
});
