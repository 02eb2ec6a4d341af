/** Nodes that are compared with onnxruntime. */
import type { DType } from "../../src/tensor.ts";
import type { AttributeSpec } from "../kit/onnx.ts";

export interface Input {
  dtype: DType;
  shape: readonly number[];
  /** The elements, repeated; a function of their index; or any. */
  fill: readonly number[] | ((i: number) => number) | "any";
}

export interface Computed {
  op: string;
  domain?: string;
  opset: number;
  inputs: readonly (Input | undefined)[];
  attributes?: Record<string, AttributeSpec>;
  outputs?: number;
  /** Of floats, relative to the largest. */
  tolerance?: number;
  /** By which integers may differ: onnxruntime rounds differently. */
  steps?: number;
  /** The output is of a type that no runtime in Node gives: it is looked at in float. */
  isPacked?: boolean;
}

const of = (dtype: DType, shape: readonly number[], fill: Input["fill"] = "any"): Input => ({ dtype, shape, fill });
const f = (...shape: number[]): Input => of("float32", shape);
const h = (...shape: number[]): Input => of("float16", shape);
const u8 = (...shape: number[]): Input => of("uint8", shape);
/** Seven bits: onnxruntime cuts sums of two products of uint8 and int8 to sixteen bits on some machines. */
const i7 = (...shape: number[]): Input => of("int8", shape, (i) => ((i * 37) % 127) - 63);
const i8 = (...shape: number[]): Input => of("int8", shape);
const ints = (shape: readonly number[], fill: readonly number[], dtype: DType = "int64"): Input => of(dtype, shape, fill);
const scale = (...fill: number[]): Input => of("float32", fill.length === 1 ? [] : [fill.length], fill);
const scaled = (by: number, ...shape: number[]): Input => of("float32", shape, (i) => by * (1 + ((i * 7) % 5) / 8));
const positive = (...shape: number[]): Input => of("float32", shape, (i) => 0.25 + ((i * 7) % 5) / 8);

const onnx = (
  op: string,
  opset: number,
  inputs: Computed["inputs"],
  attributes: Computed["attributes"] = {},
  rest: Partial<Computed> = {},
): Computed => ({
  op,
  opset,
  inputs,
  attributes,
  ...rest,
});
const microsoft = (
  op: string,
  inputs: Computed["inputs"],
  attributes: Computed["attributes"] = {},
  rest: Partial<Computed> = {},
): Computed => ({
  ...onnx(op, 17, inputs, attributes, rest),
  domain: "com.microsoft",
});

const WINDOWED: readonly Computed[] = [
  onnx("Conv", 11, [f(2, 4, 7, 9), f(6, 2, 3, 2), f(6)], { group: 2, strides: [2, 1], dilations: [1, 2], pads: [1, 0, 2, 1] }),
  onnx("Conv", 11, [f(1, 2, 8, 8), f(3, 2, 3, 3)], { auto_pad: "SAME_LOWER", strides: [2, 2] }),
  onnx("ConvTranspose", 11, [f(1, 4, 3, 5), f(4, 3, 3, 2), f(6)], {
    group: 2,
    strides: [2, 3],
    pads: [1, 0, 0, 1],
    output_padding: [1, 0],
  }),
  onnx("ConvTranspose", 11, [f(1, 2, 3, 3), f(2, 3, 3, 3)], { strides: [3, 2], output_shape: [10, 8] }),
  onnx("ConvTranspose", 11, [f(1, 2, 3, 3), f(2, 3, 3, 3)], { strides: [2, 2], auto_pad: "SAME_UPPER" }),
  onnx(
    "QLinearConv",
    10,
    [
      u8(1, 2, 5, 5),
      scale(0.02),
      ints([], [100], "uint8"),
      i7(3, 2, 3, 3),
      scale(0.01, 0.02, 0.03),
      ints([3], [0], "int8"),
      scale(0.05),
      ints([], [128], "uint8"),
      ints([3], [100, -200, 300], "int32"),
    ],
    { pads: [1, 1, 1, 1] },
  ),
  onnx("ConvInteger", 10, [u8(1, 2, 5, 5), u8(3, 2, 3, 3), ints([], [100], "uint8"), ints([], [77], "uint8")], { pads: [1, 1, 1, 1] }),
  onnx("MaxPool", 12, [i8(1, 2, 7, 7)], { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }),
  onnx(
    "MaxPool",
    12,
    [f(2, 2, 7, 6)],
    { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], storage_order: 1, dilations: [1, 2] },
    { outputs: 2 },
  ),
  onnx("AveragePool", 10, [f(1, 2, 7, 8)], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }),
  onnx("AveragePool", 19, [f(1, 2, 7, 8)], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 0, 0],
    ceil_mode: 1,
    count_include_pad: 1,
  }),
  onnx("AveragePool", 19, [f(1, 2, 8, 8)], { kernel_shape: [3, 3], dilations: [2, 1], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  onnx("AveragePool", 11, [f(1, 2, 7, 8)], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 0, 0],
    ceil_mode: 1,
    count_include_pad: 1,
  }),
  onnx("LpPool", 18, [f(1, 2, 7, 8)], { kernel_shape: [3, 3], strides: [2, 2], p: 3, dilations: [2, 1] }),
  onnx("GlobalLpPool", 2, [f(2, 3, 4, 5)], { p: 1 }),
];

const PRODUCTS: readonly Computed[] = [
  onnx("Gemm", 13, [f(4, 3), f(5, 4), f(3, 1)], { transA: 1, transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }),
  onnx("MatMul", 13, [f(3, 1, 2, 4), f(2, 4, 3)]),
  onnx("MatMul", 13, [f(4), f(2, 4, 3)]),
  onnx("MatMulInteger", 10, [u8(2, 3, 4), i7(4, 5), ints([], [130], "uint8"), ints([5], [1, -2, 3, 0, 9], "int8")]),
  onnx("QLinearMatMul", 10, [
    u8(3, 4),
    scale(0.02),
    ints([], [100], "uint8"),
    i7(4, 5),
    scale(0.01, 0.02, 0.03, 0.04, 0.01),
    ints([5], [0, 1, 2, 3, 4], "int8"),
    scale(0.04),
    ints([], [128], "uint8"),
  ]),
  onnx("Einsum", 12, [f(2, 3, 4), f(3, 4, 5)], { equation: "bij, ijk -> bk" }),
  onnx("Einsum", 12, [f(2, 3, 4, 4)], { equation: "...ii->...i" }),
  onnx("Einsum", 12, [f(2, 1, 3, 4), f(2, 5, 4, 3)], { equation: "...ij,...jk" }),
  onnx("Det", 11, [f(2, 4, 4)]),
];

const NORMALIZED: readonly Computed[] = [
  onnx("Softmax", 11, [f(2, 3, 4)], { axis: 1 }),
  onnx("LogSoftmax", 13, [f(2, 3, 4)], { axis: 0 }),
  onnx("Hardmax", 11, [f(2, 3, 4)]),
  onnx("LpNormalization", 1, [f(2, 3, 4)], { axis: 1, p: 1 }),
  onnx("BatchNormalization", 15, [f(2, 3, 4, 5), f(3), f(3), f(3), positive(3)], { epsilon: { float: 0.01 } }),
  onnx("InstanceNormalization", 6, [f(2, 3, 4, 5), f(3), f(3)]),
  onnx("LayerNormalization", 17, [f(2, 3, 4), f(3, 4), f(3, 4)], { axis: 1 }, { outputs: 3 }),
  onnx("LayerNormalization", 17, [h(2, 3, 4), h(4), h(4)]),
  onnx("GroupNormalization", 21, [f(2, 6, 3, 2), f(6), f(6)], { num_groups: 3 }),
  onnx("SimplifiedLayerNormalization", 17, [f(2, 3, 4), f(4)], { axis: -1, epsilon: { float: 1e-3 } }),
  onnx("LRN", 13, [f(2, 6, 3, 2)], { size: 3, alpha: { float: 0.5 }, beta: { float: 0.6 }, bias: { float: 1.5 } }),
  onnx("MeanVarianceNormalization", 13, [f(2, 3, 4, 5)], { axes: [1, 3] }),
];

const QUANTIZED: readonly Computed[] = [
  onnx("QuantizeLinear", 13, [f(2, 3, 4), scale(0.02, 0.03, 0.01), ints([3], [0, 5, -3], "int8")], { axis: 1 }),
  onnx("QuantizeLinear", 10, [of("float32", [7], [Infinity, -Infinity, 0.5, 1.5, -2.5, 1e9, -0]), scale(1), ints([], [3], "uint8")]),
  onnx("QuantizeLinear", 21, [f(4, 6), positive(2, 6), of("int4", [2, 6], [1, -1, 0])], { axis: 0, block_size: 2 }, { isPacked: true }),
  onnx("QuantizeLinear", 21, [f(3, 5), scale(0.1), of("uint4", [], [8])], {}, { isPacked: true }),
  onnx("QuantizeLinear", 21, [f(3, 5), scale(0.001), of("int16", [], [8])]),
  onnx("DequantizeLinear", 21, [of("int4", [4, 6]), positive(2, 6), of("int4", [2, 6], [1, -1, 0])], { axis: 0, block_size: 2 }),
  onnx("DequantizeLinear", 21, [of("uint4", [3, 5]), scale(0.25, 0.5, 1), of("uint4", [3], [8, 7, 1])], { axis: 0 }),
  onnx("DequantizeLinear", 13, [of("int32", [2, 3]), scale(0.02)]),
  onnx("DynamicQuantizeLinear", 11, [f(3, 4)], {}, { outputs: 3 }),
];

const FLOAT8: readonly Computed[] = (["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"] as const).flatMap((dtype) => [
  ...[0, 1].map((saturate) =>
    onnx(
      "QuantizeLinear",
      19,
      [
        of(
          "float32",
          [22],
          [
            0,
            -0,
            1,
            -1.0625,
            1.1875,
            0.001,
            0.0019,
            0.003,
            440,
            464,
            465,
            -500,
            57344,
            61000,
            Number.POSITIVE_INFINITY,
            1e9,
            -1e9,
            Number.NaN,
            17,
            19,
            3e-5,
            7e-6,
          ],
        ),
        scale(1),
        of(dtype, [], [0]),
      ],
      { saturate },
      { isPacked: true },
    ),
  ),
  onnx("DequantizeLinear", 19, [of(dtype, [256], (i) => i), scale(0.5)]),
]);

const lstm = { hidden_size: 4 };
const RECURRENT: readonly Computed[] = [
  onnx(
    "LSTM",
    14,
    [f(5, 2, 3), f(2, 16, 3), f(2, 16, 4), f(2, 32), ints([2], [5, 3], "int32"), f(2, 2, 4), f(2, 2, 4), f(2, 12)],
    { ...lstm, direction: "bidirectional", clip: { float: 0.8 } },
    { outputs: 3 },
  ),
  onnx(
    "LSTM",
    7,
    [f(5, 2, 3), f(1, 16, 3), f(1, 16, 4), f(1, 32)],
    {
      ...lstm,
      direction: "reverse",
      input_forget: 1,
      activations: { strings: ["HardSigmoid", "Softsign", "ScaledTanh"] },
      activation_alpha: { floats: [0.3, 0.7] },
      activation_beta: { floats: [0.4, 1.1] },
    },
    { outputs: 3 },
  ),
  onnx(
    "GRU",
    14,
    [f(5, 2, 3), f(2, 12, 3), f(2, 12, 4), f(2, 24), ints([2], [2, 5], "int32"), f(2, 2, 4)],
    { ...lstm, direction: "bidirectional" },
    { outputs: 2 },
  ),
  onnx("GRU", 7, [f(5, 2, 3), f(1, 12, 3), f(1, 12, 4), f(1, 24)], { ...lstm, linear_before_reset: 1 }, { outputs: 2 }),
  onnx(
    "RNN",
    14,
    [f(5, 2, 3), f(2, 4, 3), f(2, 4, 4), f(2, 8), undefined, f(2, 2, 4)],
    { ...lstm, direction: "bidirectional", activations: { strings: ["LeakyRelu", "Relu"] }, activation_alpha: { floats: [0.2] } },
    { outputs: 2 },
  ),
];

const MICROSOFT_LINEAR: readonly Computed[] = [
  microsoft("ExpandDims", [f(2, 3), ints([1], [-1], "int32")]),
  microsoft("ExpandDims", [f(2, 3), ints([], [1], "int32")]),
  microsoft("CDist", [f(3, 4), f(2, 4)], { metric: "euclidean" }),
  microsoft("CDist", [f(3, 4), f(2, 4)], { metric: "sqeuclidean" }),
  microsoft("Inverse", [f(2, 3, 3)]),
  microsoft("Inverse", [of("float32", [3, 3], [0, 2, 1, 1, 0, 3, 4, 1, 0])]),
  { ...microsoft("Unique", [of("float32", [7], [2, 1, 1, 3, 4, 3, 2])]), outputs: 3 },
  microsoft("NGramRepeatBlock", [ints([2, 6], [1, 2, 3, 1, 2, 4, 5, 5, 0, 2, 5, 5]), f(2, 6)], { ngram_size: 3 }),
  ...[undefined, "zero"].flatMap((zero) => [
    ...(["int4", "uint4"] as const).map((dtype) =>
      microsoft(
        "GatherBlockQuantized",
        [of(dtype, [3, 32]), ints([3], [2, 0, -1]), scaled(1, 3, 2), zero ? of(dtype, [3, 2]) : undefined],
        {
          block_size: 16,
        },
      ),
    ),
    microsoft("GatherBlockQuantized", [u8(4, 24), ints([2, 1], [3, 1]), scaled(1, 4, 3), zero ? u8(4, 2) : undefined], {
      block_size: 16,
      bits: 4,
    }),
    microsoft("GatherBlockQuantized", [u8(4, 40), ints([2], [3, 1]), scaled(1, 4, 3), zero ? u8(4, 3) : undefined], {
      block_size: 16,
      bits: 8,
    }),
  ]),
  microsoft("MatMulNBits", [f(2, 3, 40), u8(5, 3, 8), f(15), u8(10)], { K: 40, N: 5, bits: 4, block_size: 16 }),
  microsoft("MatMulNBits", [f(2, 64), u8(5, 2, 16), positive(10), undefined, undefined, f(5)], { K: 64, N: 5, bits: 4, block_size: 32 }),
  microsoft("MatMulNBits", [f(2, 64), u8(5, 2, 16), positive(10), positive(10)], { K: 64, N: 5, bits: 4, block_size: 32 }),
  microsoft("MatMulNBits", [f(2, 64), u8(5, 2, 32), positive(10), u8(10)], { K: 64, N: 5, bits: 8, block_size: 32 }),
  microsoft("MatMulBnb4", [f(2, 3, 40), u8(100), positive(13)], { K: 40, N: 5, block_size: 16, quant_type: 1 }),
  microsoft("MatMulBnb4", [f(2, 40), u8(100), positive(13)], { K: 40, N: 5, block_size: 16, quant_type: 0 }),
  microsoft("DynamicQuantizeMatMul", [f(3, 8), i7(8, 5), positive(5), ints([5], [3], "int8"), f(5)]),
  microsoft("MatMulIntegerToFloat", [u8(3, 8), i7(8, 5), scale(0.02), positive(5), ints([], [100], "uint8"), undefined, f(5)]),
  microsoft(
    "QGemm",
    [
      u8(3, 8),
      scale(0.02),
      ints([], [100], "uint8"),
      i7(5, 8),
      scale(0.01),
      ints([], [0], "int8"),
      ints([5], [100, -50], "int32"),
      scale(0.1),
      ints([], [128], "uint8"),
    ],
    { transB: 1, alpha: { float: 1.5 } },
  ),
  microsoft("QGemm", [
    u8(3, 8),
    scale(0.02),
    ints([], [100], "uint8"),
    i7(8, 5),
    positive(5),
    ints([5], [0], "int8"),
    ints([5], [100, -50], "int32"),
  ]),
  microsoft(
    "DynamicQuantizeLSTM",
    [
      f(5, 2, 3),
      i7(2, 3, 16),
      i7(2, 4, 16),
      f(2, 32),
      ints([2], [5, 3], "int32"),
      f(2, 2, 4),
      f(2, 2, 4),
      undefined,
      scaled(0.01, 2),
      of("int8", [2], [0]),
      scaled(0.01, 2),
      of("int8", [2], [0]),
    ],
    { ...lstm, direction: "bidirectional" },
    { outputs: 3, tolerance: 5e-3 },
  ),
  microsoft(
    "DynamicQuantizeLSTM",
    [
      f(5, 1, 3),
      i7(1, 3, 16),
      i7(1, 4, 16),
      f(1, 32),
      undefined,
      undefined,
      undefined,
      f(1, 12),
      scaled(0.01, 1, 16),
      of("int8", [1, 16], [0]),
      scaled(0.01, 1, 16),
      of("int8", [1, 16], [0]),
    ],
    lstm,
    { outputs: 3, tolerance: 5e-3 },
  ),
];

const none: Input = of("float32", [0], []);
const resize = (
  opset: number,
  shape: readonly number[],
  scales: readonly number[],
  attributes: Computed["attributes"],
  rest: Partial<Computed> = {},
): Computed => onnx("Resize", opset, [of("float32", shape), none, of("float32", [scales.length], scales)], attributes, rest);
const IMAGES: readonly Computed[] = [
  onnx("Resize", 10, [f(1, 2, 4, 5), of("float32", [4], [1, 1, 0.6, 1.7])], {}),
  onnx("Resize", 10, [f(1, 2, 4, 5), of("float32", [4], [1, 1, 2, 1.5])], { mode: "linear" }),
  onnx("Upsample", 9, [f(1, 2, 4, 5), of("float32", [4], [1, 1, 2, 3])], { mode: "linear" }),
  ...["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"].flatMap(
    (coordinate_transformation_mode) => [
      resize(19, [1, 2, 5, 4], [1, 1, 1.6, 0.5], { mode: "linear", coordinate_transformation_mode }),
      resize(19, [1, 2, 5, 4], [1, 1, 1.6, 0.5], { mode: "cubic", coordinate_transformation_mode, cubic_coeff_a: { float: -0.5 } }),
      ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map((nearest_mode) =>
        resize(19, [1, 2, 5, 4], [1, 1, 1.6, 0.5], { mode: "nearest", coordinate_transformation_mode, nearest_mode }),
      ),
    ],
  ),
  resize(19, [1, 1, 9, 8], [1, 1, 0.4, 0.5], { mode: "linear", antialias: 1 }),
  resize(19, [1, 1, 9, 8], [1, 1, 0.4, 0.5], { mode: "cubic", antialias: 1 }),
  resize(19, [1, 1, 9, 8], [1, 1, 0.4, 0.5], { mode: "cubic", antialias: 1, exclude_outside: 1 }),
  onnx("Resize", 18, [f(1, 2, 5, 4), undefined, undefined, ints([2], [7, 9])], { mode: "linear", axes: [3, 2] }),
  onnx("Resize", 18, [f(1, 2, 5, 4), undefined, undefined, ints([2], [7, 9])], {
    mode: "linear",
    axes: [2, 3],
    keep_aspect_ratio_policy: "not_larger",
  }),
  onnx("Resize", 18, [f(1, 2, 5, 4), undefined, undefined, ints([2], [7, 9])], {
    mode: "nearest",
    axes: [2, 3],
    keep_aspect_ratio_policy: "not_smaller",
  }),
  onnx("Resize", 13, [f(1, 1, 5, 4), of("float32", [8], [0, 0, 0.4, -0.2, 1, 1, 0.6, 1.2]), none, ints([4], [1, 1, 3, 6])], {
    mode: "linear",
    coordinate_transformation_mode: "tf_crop_and_resize",
    extrapolation_value: { float: 7 },
  }),
  onnx("Resize", 13, [u8(1, 1, 5, 4), none, of("float32", [4], [1, 1, 2, 2])], { mode: "linear" }, { steps: 1 }),
  ...["linear", "nearest", "cubic"].flatMap((mode) =>
    ["zeros", "border", "reflection"].flatMap((padding_mode) =>
      [0, 1].map((align_corners) =>
        onnx("GridSample", 20, [f(2, 2, 4, 5), of("float32", [2, 3, 4, 2], (i) => (((i * 37) % 29) - 14) / 9)], {
          mode,
          padding_mode,
          align_corners,
        }),
      ),
    ),
  ),
  onnx("GridSample", 20, [f(1, 2, 3, 4, 5), of("float32", [1, 2, 3, 4, 3], (i) => (((i * 37) % 29) - 14) / 11)], {
    mode: "linear",
    padding_mode: "border",
  }),
  onnx("AffineGrid", 20, [f(2, 2, 3), ints([4], [2, 3, 4, 5])], {}),
  onnx("AffineGrid", 20, [f(2, 3, 4), ints([5], [2, 3, 4, 5, 2])], { align_corners: 1 }),
  ...["avg", "max"].map((mode) =>
    onnx("RoiAlign", 16, [f(2, 2, 8, 9), of("float32", [3, 4], [1, 1, 7, 6, 0, 2, 20, 9, -4, -3, 5, 4]), ints([3], [0, 1, 1])], {
      mode,
      output_height: 3,
      output_width: 2,
      sampling_ratio: 2,
      spatial_scale: { float: 0.7 },
    }),
  ),
  onnx("RoiAlign", 10, [f(2, 2, 8, 9), of("float32", [2, 4], [1, 1, 7, 6, 0, 2, 20, 9]), ints([2], [0, 1])], {
    output_height: 3,
    output_width: 2,
  }),
  onnx("MaxRoiPool", 1, [f(2, 2, 8, 9), of("float32", [2, 5], [0, 1, 1, 7, 6, 1, 0, 2, 20, 9])], {
    pooled_shape: [3, 2],
    spatial_scale: { float: 0.7 },
  }),
  onnx(
    "NonMaxSuppression",
    11,
    [of("float32", [1, 20, 4], (i) => ((i * 31) % 17) / 10), f(1, 2, 20), ints([], [6]), scale(0.3), scale(-0.5)],
    {},
  ),
  onnx("DepthToSpace", 13, [f(2, 18, 2, 3)], { blocksize: 3, mode: "CRD" }),
  onnx("SpaceToDepth", 13, [f(2, 2, 4, 6)], { blocksize: 2 }),
];

const q = (fill: number, dtype: DType = "uint8"): Input => of(dtype, [], [fill]);
const MICROSOFT: readonly Computed[] = [
  microsoft("GatherBlockQuantized", [u8(4, 16), ints([2, 3], [1, 3, 0]), positive(4, 2)], { bits: 4, block_size: 16, quantize_axis: 1 }),
  microsoft("GatherBlockQuantized", [u8(4, 32), ints([2], [1, 3]), positive(4, 2), u8(4, 2)], {
    bits: 8,
    block_size: 16,
    quantize_axis: 1,
  }),
  microsoft(
    "QLinearWhere",
    [of("bool", [3, 1]), u8(3, 4), scale(0.02), q(100), u8(4), scale(0.03), q(50), scale(0.05), q(128)],
    {},
    { steps: 1 },
  ),
  microsoft("Gelu", [f(3, 4)]),
  microsoft("FastGelu", [f(3, 4), f(4)], {}, { tolerance: 1e-4 }),
  microsoft("BiasGelu", [f(3, 4), f(4)]),
  microsoft("QuickGelu", [f(3, 4)], { alpha: { float: 1.5 } }),
  microsoft("FusedConv", [f(1, 4, 5, 5), f(3, 4, 3, 3), f(3), f(1, 3, 5, 5)], {
    activation: "LeakyRelu",
    activation_params: { floats: [0.3] },
    pads: [1, 1, 1, 1],
  }),
  microsoft("FusedConv", [f(1, 2, 5, 5), f(3, 2, 3, 3)], { activation: "HardSigmoid", activation_params: { floats: [0.3, 0.4] } }),
  microsoft("FusedGemm", [f(2, 3), f(3, 4), f(4)], { activation: "LeakyRelu", activation_alpha: { float: 0.2 }, alpha: { float: 0.5 } }),
  microsoft("FusedMatMul", [f(2, 4, 3), f(2, 5, 4)], { transA: 1, transB: 1, alpha: { float: 0.5 } }),
  microsoft("FusedMatMul", [f(3, 2, 4), f(2, 4, 5)], { transBatchA: 1 }),
  microsoft("QLinearAdd", [u8(2, 3, 4), scale(0.02), q(100), u8(3, 1), scale(0.03), q(50), scale(0.05), q(128)], {}, { steps: 1 }),
  microsoft(
    "QLinearMul",
    [i8(2, 3, 4), scale(0.02), q(10, "int8"), i8(3, 1), scale(0.03), q(-5, "int8"), scale(0.05), q(2, "int8")],
    {},
    { steps: 1 },
  ),
  microsoft("QLinearLeakyRelu", [u8(3, 4), scale(0.02), q(100), scale(0.02), q(30)], { alpha: { float: 0.3 } }, { steps: 1 }),
  microsoft("QLinearSigmoid", [u8(3, 4), scale(0.05), q(100), scale(1 / 256), q(0)], {}, { steps: 1 }),
  microsoft("QLinearSoftmax", [u8(3, 4), scale(0.05), q(100), scale(1 / 256), q(0)], { axis: -1, opset: 13 }, { steps: 1 }),
  microsoft("QLinearConcat", [scale(0.05), q(128), u8(2, 3), scale(0.02), q(100), u8(2, 2), scale(0.03), q(90)], { axis: 1 }),
  microsoft("QLinearGlobalAveragePool", [u8(2, 3, 4, 5), scale(0.05), q(100), scale(0.02), q(90)], {}, { steps: 1 }),
  microsoft("QLinearGlobalAveragePool", [u8(2, 4, 5, 3), scale(0.05), q(100), scale(0.02), q(90)], { channels_last: 1 }, { steps: 1 }),
  microsoft(
    "QLinearAveragePool",
    [u8(1, 3, 6, 5), scale(0.05), q(100), scale(0.02), q(90)],
    { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 0] },
    { steps: 1 },
  ),
  microsoft("NhwcMaxPool", [u8(1, 6, 5, 3)], { kernel_shape: [3, 2], strides: [2, 1] }),
  microsoft("QuantizeLinear", [f(2, 3), scale(0.02), ints([], [300], "uint16")]),
  microsoft("DequantizeLinear", [of("int16", [2, 3]), scale(0.02), ints([], [3], "int16")]),
];

const half = (rows: number, columns: number): Input => of("float32", [rows, columns], (i) => Math.cos(i));
const ATTENTION: readonly Computed[] = [
  microsoft("SkipLayerNormalization", [f(2, 3, 4), f(2, 3, 4), f(4), f(4), f(4)], { epsilon: { float: 1e-3 } }),
  microsoft("SkipSimplifiedLayerNormalization", [f(2, 3, 4), f(2, 3, 4), f(4)], { epsilon: { float: 1e-3 } }),
  microsoft(
    "EmbedLayerNormalization",
    [
      ints([2, 3], [1, 4, 2], "int32"),
      ints([2, 3], [0, 1], "int32"),
      f(5, 4),
      f(6, 4),
      f(2, 4),
      f(4),
      f(4),
      ints([2, 3], [1, 1, 0], "int32"),
    ],
    {},
    { outputs: 2 },
  ),
  microsoft("Attention", [f(2, 3, 4), f(4, 12), f(12), ints([2, 3], [1, 1, 0, 1, 1, 1], "int32")], { num_heads: 2 }),
  microsoft("Attention", [f(2, 3, 4), f(4, 12), f(12), ints([2], [2, 3], "int32")], { num_heads: 2 }),
  microsoft("Attention", [f(2, 3, 4), f(4, 12), f(12)], { num_heads: 2, unidirectional: 1 }),
  microsoft("MultiHeadAttention", [f(2, 3, 4), f(2, 5, 4), f(2, 5, 6), f(14), undefined, f(2, 2, 3, 5)], { num_heads: 2 }),
  microsoft(
    "MultiHeadAttention",
    [f(1, 3, 4), f(1, 3, 4), f(1, 3, 4), undefined, undefined, undefined, f(1, 2, 2, 2), f(1, 2, 2, 2)],
    { num_heads: 2, scale: { float: 0.3 } },
    { outputs: 3 },
  ),
  microsoft(
    "GroupQueryAttention",
    [f(1, 1, 32), f(1, 1, 16), f(1, 1, 16), f(1, 2, 4, 8), f(1, 2, 4, 8), ints([1], [4], "int32"), ints([1], [5], "int32")],
    { num_heads: 4, kv_num_heads: 2 },
    { outputs: 3 },
  ),
  microsoft(
    "GroupQueryAttention",
    [f(2, 3, 128), undefined, undefined, undefined, undefined, ints([2], [2], "int32"), ints([1], [3], "int32"), half(8, 8), half(8, 8)],
    { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
    { outputs: 3 },
  ),
  microsoft("RotaryEmbedding", [f(1, 3, 16), ints([1, 3], [0, 2, 1]), half(4, 4), half(4, 4)], { num_heads: 2 }),
  microsoft("RotaryEmbedding", [f(2, 2, 3, 8), ints([1], [1]), half(4, 4), half(4, 4)], { interleaved: 1 }),
  onnx("Attention", 23, [f(2, 4, 3, 8), f(2, 2, 5, 8), f(2, 2, 5, 6), f(3, 5)], {}),
  onnx("Attention", 23, [f(2, 3, 16), f(2, 3, 8), f(2, 3, 8)], { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, scale: { float: 0.2 } }),
  onnx("RotaryEmbedding", 23, [f(2, 2, 3, 8), half(4, 4), half(4, 4), ints([2, 3], [0, 2, 1, 3, 1, 0])]),
  onnx("RMSNormalization", 23, [f(2, 3, 4), f(4)], { axis: -1, epsilon: { float: 1e-3 } }),
];

const d = (...shape: number[]): Input => of("float64", shape);
const ACTIVATED: readonly Computed[] = [
  ...["Elu", "Selu", "Softplus", "Softsign", "HardSigmoid", "ThresholdedRelu", "LeakyRelu", "Sigmoid", "Tanh", "Erf", "Celu"].map((op) =>
    onnx(op, 17, [f(3, 7)]),
  ),
  ...["Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh"].map((op) => onnx(op, 22, [f(3, 7)], {}, { tolerance: 1e-4 })),
  ...["Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"].map((op) => onnx(op, 17, [h(3, 7)])),
  onnx("Gelu", 20, [f(3, 7)]),
  onnx("Gelu", 20, [f(3, 7)], { approximate: "tanh" }),
  onnx("Mish", 18, [f(3, 7)]),
  onnx("HardSwish", 14, [f(3, 7)]),
  onnx("PRelu", 16, [f(2, 3, 4), f(3, 1)]),
  onnx("Shrink", 9, [of("int32", [9], (i) => i - 4)], { lambd: { float: 2 }, bias: { float: 1 } }),
  onnx("Clip", 13, [h(3, 7), of("float16", [], [-0.5]), of("float16", [], [0.5])]),
  onnx("Dropout", 13, [f(3, 4), scale(0.5)], {}, { outputs: 2 }),
];

const WIDTHS: readonly Computed[] = [
  onnx("Conv", 11, [h(1, 2, 5, 5), h(3, 2, 3, 3), h(3)]),
  onnx("MatMul", 13, [d(3, 4), d(4, 5)]),
  onnx("Gemm", 13, [d(3, 4), d(4, 5)]),
  onnx("MaxPool", 12, [d(1, 2, 5, 5)], { kernel_shape: [2, 2] }),
  onnx("MaxPool", 12, [h(1, 2, 5, 5)], { kernel_shape: [2, 2] }),
  onnx("Softmax", 13, [d(3, 4)]),
  onnx("BatchNormalization", 9, [d(2, 3, 4), d(3), d(3), d(3), of("float64", [3], [0.5, 1, 2])]),
  onnx("LayerNormalization", 17, [d(2, 3), d(3), d(3)]),
  onnx("QuantizeLinear", 19, [h(3, 5), of("float16", [], [0.1]), ints([], [3], "int8")]),
  onnx("DequantizeLinear", 19, [i8(3, 5), of("float16", [], [0.1]), ints([], [3], "int8")]),
  onnx("DeformConv", 19, [f(2, 4, 5, 6), f(4, 2, 3, 2), f(2, 24, 3, 3), f(4), f(2, 12, 3, 3)], {
    group: 2,
    offset_group: 2,
    strides: [2, 2],
    pads: [1, 0, 1, 0],
    kernel_shape: [3, 2],
  }),
  onnx("MaxUnpool", 11, [f(1, 1, 2, 2), ints([1, 1, 2, 2], [5, 7, 13, 15])], { kernel_shape: [2, 2], strides: [2, 2] }),
  onnx("NegativeLogLikelihoodLoss", 13, [f(2, 4, 3), ints([2, 3], [0, 1, 2, 3, 1]), f(4)], { ignore_index: 2 }),
  onnx("SoftmaxCrossEntropyLoss", 13, [f(2, 4, 3), ints([2, 3], [0, 1, 2, 3, 1]), positive(4)], { ignore_index: 2 }, { outputs: 2 }),
];

export const COMPUTED: readonly Computed[] = [
  ...ACTIVATED,
  ...WIDTHS,
  ...ATTENTION,
  ...MICROSOFT,
  ...IMAGES,
  ...MICROSOFT_LINEAR,
  ...WINDOWED,
  ...PRODUCTS,
  ...NORMALIZED,
  ...QUANTIZED,
  ...FLOAT8,
  ...RECURRENT,
];
