/** Operators whose definition changes between opset 7 and 21, with inputs that show what they do: every row of the table has a case. */
import { DataType, f32, type GraphSpec, i64, node, value } from "../../kit/onnx.ts";
import { bools, type Case, float, i8, i32, int, ints, LAST, n, of, one, positive, several, u8, x } from "./case.ts";

const odd = of([6], -1.5, 0, -0, 2.5, Number.POSITIVE_INFINITY, Number.NaN);
const image = x(1, 4, 6, 8);

const unary = (first: number, ...ops: string[]): Case[] => ops.map((op) => one(op, [first, LAST], [x(2, 3, 4)]));
const binary = (first: number, ...ops: string[]): Case[] => ops.map((op) => one(op, [first, LAST], [x(2, 3, 4), x(3, 1)]));
const compare = (first: number, ...ops: string[]): Case[] =>
  ops.map((op) => one(op, [first, LAST], [x(2, 3), x(2, 3)], {}, { outputs: ["bool"] }));

const elementwise: Case[] = [
  ...unary(7, "Abs", "Ceil", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Sigmoid", "Tanh", "Identity"),
  ...unary(9, "Erf", "Sign"),
  one("Log", [7, LAST], [positive(3, 4)]),
  one("Sqrt", [7, LAST], [positive(3, 4)]),
  one("LeakyRelu", [7, LAST], [x(3, 4)], { alpha: float(0.2) }),
  ...binary(7, "Add", "Sub", "Mul", "Div"),
  one("Pow", [7, LAST], [positive(2, 3), x(2, 3)]),
  one("PRelu", [7, LAST], [x(2, 3, 4), x(3, 1)]),
  one("Mod", [10, LAST], [n([6], -9, 9), ints(4, -4, 3, 3, -2, 5)], {}, { outputs: ["int64"] }),
  one("Mod", [10, LAST], [x(6), x(6)], { fmod: 1 }),
  ...["Max", "Min", "Mean", "Sum"].map((op) => one(op, [7, LAST], [x(2, 3), x(2, 3), x(2, 3)])),
  ...compare(7, "Greater", "Less"),
  ...compare(12, "GreaterOrEqual", "LessOrEqual"),
  one("Equal", [7, LAST], [n([8], 0, 3), n([8], 0, 3)], {}, { outputs: ["bool"] }),
  one("IsNaN", [9, LAST], [odd], {}, { outputs: ["bool"] }),
  one("IsInf", [10, LAST], [odd], {}, { outputs: ["bool"] }),
  one("Where", [9, LAST], [bools(1, 0, 1), x(2, 3), x(3)]),
  one("Clip", [7, 10], [odd], {}, { note: "no bounds" }),
  one("Clip", [7, 10], [odd], { min: float(-1), max: float(2) }),
  one("Clip", [7, 10], [odd], { max: float(0.3) }),
  one("Clip", [7, 10], [odd], { min: float(0), max: float(3.4028234663852886e38) }),
  one("Clip", [11, LAST], [odd, of([], -1), of([], 2)], {}, { note: "bounds as inputs" }),
  one("Cast", [7, LAST], [x(3, 4)], { to: DataType.INT32 }, { outputs: ["int32"] }),
  one("CastLike", [15, LAST], [x(3, 4), int(1)], {}, { outputs: ["int64"] }),
  one("Dropout", [7, 11], [x(3, 4)], { ratio: float(0.3) }),
  one("Dropout", [7, 11], [x(3, 4)], { ratio: float(1) }),
  one("Dropout", [7, 11], [x(3, 4)]),
  one("Dropout", [12, LAST], [x(3, 4), of([], 0.3)]),
  one("CumSum", [11, LAST], [x(3, 4), int(1)], { exclusive: 1, reverse: 1 }),
];

const products: Case[] = [
  one("MatMul", [7, LAST], [x(2, 3, 4), x(2, 4, 5)]),
  one("Gemm", [7, LAST], [x(4, 3), x(5, 4), x(5)], { alpha: float(0.5), beta: float(2), transA: 1, transB: 1 }),
  one("Gemm", [11, LAST], [x(3, 4), x(4, 5)], {}, { note: "no C" }),
  one("Conv", [7, LAST], [image, x(6, 2, 3, 3), x(6)], { group: 2, pads: [1, 0, 1, 2], strides: [2, 1], kernel_shape: [3, 3] }),
  one("Conv", [7, LAST], [image, x(3, 4, 3, 2)], { auto_pad: "SAME_LOWER" }),
  one("ConvTranspose", [7, LAST], [image, x(4, 2, 3, 3), x(2)], { strides: [2, 3], pads: [1, 0, 1, 1], output_padding: [1, 0] }),
  ...["SAME_UPPER", "SAME_LOWER"].map((auto_pad) => one("ConvTranspose", [7, LAST], [image, x(4, 1, 4, 4)], { auto_pad, strides: [3, 3] })),
  one("ConvTranspose", [7, LAST], [image, x(4, 1, 4, 4)], { output_shape: [13, 17], strides: [2, 2] }),
  one("QuantizeLinear", [10, LAST], [x(3, 4), of([], 0.05), u8([], 7)], {}, { outputs: ["uint8"] }),
  one("QuantizeLinear", [13, LAST], [x(3, 4), positive(3)], { axis: 0 }, { outputs: ["uint8"] }),
  one("DequantizeLinear", [10, LAST], [i8([3], -128, 3, 127), of([], 0.05), i8([], 7)]),
  one("DequantizeLinear", [13, LAST], [i8([3, 2], -128, 3, 127, 0, 1, 2), positive(3)], { axis: 0 }),
  one(
    "QLinearMatMul",
    [10, LAST],
    [u8([2, 2], 0, 255, 3, 100), of([], 0.03), u8([], 99), u8([2, 2], 7, 80, 200, 1), of([], 0.02), u8([], 120), of([], 0.1), u8([], 128)],
    {},
    { outputs: ["uint8"] },
  ),
];

const pooling: Case[] = [
  one("MaxPool", [7, LAST], [image], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  one("MaxPool", [8, LAST], [image], { kernel_shape: [2, 2] }, { outputs: ["float32", "int64"] }),
  one("MaxPool", [10, LAST], [image], { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1, dilations: [2, 1] }),
  ...["SAME_UPPER", "SAME_LOWER", "VALID"].flatMap((auto_pad) =>
    ["MaxPool", "AveragePool", "LpPool"].map((op) => one(op, [7, LAST], [image], { auto_pad, kernel_shape: [3, 3], strides: [2, 3] })),
  ),
  one("AveragePool", [7, LAST], [image], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  one("AveragePool", [7, LAST], [image], { kernel_shape: [3, 2], pads: [1, 1, 2, 0], count_include_pad: 1 }),
  one("AveragePool", [10, LAST], [image], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], ceil_mode: 1 }),
  one("LpPool", [7, LAST], [image], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], p: 3 }),
  one(
    "MaxUnpool",
    [9, LAST],
    [of([1, 1, 2, 2], 1, 2, 3, 4), { type: "int64", dims: [1, 1, 2, 2], data: BigInt64Array.of(0n, 3n, 8n, 10n) }],
    {
      kernel_shape: [2, 2],
      strides: [2, 2],
    },
  ),
  one("RoiAlign", [10, 15], [image, of([2, 4], 0, 0, 4, 4, 1.3, 0.5, 6.2, 5.1), ints(0, 0)], {
    output_height: 3,
    output_width: 2,
    sampling_ratio: 2,
  }),
  one("RoiAlign", [10, 15], [image, of([1, 4], 0.5, 1, 7, 5), ints(0)], { output_height: 2, output_width: 2, spatial_scale: float(0.7) }),
  one("LRN", [7, LAST], [image], { size: 3, alpha: float(0.01), beta: float(0.6), bias: float(1.5) }),
];

const normalization: Case[] = [
  one("BatchNormalization", [7, 8], [image, x(4), x(4), x(4), positive(4)], { spatial: 1 }),
  one("BatchNormalization", [7, LAST], [image, x(4), x(4), x(4), positive(4)], { epsilon: float(0.01), momentum: float(0.8) }),
  one("MeanVarianceNormalization", [9, LAST], [image]),
  one("MeanVarianceNormalization", [9, LAST], [image], { axes: [0, 1] }),
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((op) => [
    one(op, [7, 12], [x(2, 3, 4)], {}, { note: "default axis" }),
    ...[0, 1, 2].map((axis) => one(op, [7, 12], [x(2, 3, 4)], { axis })),
    ...[-1, -2, -3].map((axis) => one(op, [11, 12], [x(2, 3, 4)], { axis })),
    one(op, [7, 12], [x(3, 4)], {}, { note: "default axis, rank 2" }),
    one(op, [13, LAST], [x(2, 3, 4)], { axis: 1 }, { note: "of one axis" }),
  ]),
];

const loss = (op: string) =>
  [{}, { reduction: "sum" }, { reduction: "none", ignore_index: 1 }].map((attributes) =>
    one(op, [12, LAST], [x(4, 3), n([4], 0, 3), positive(3)], attributes),
  );

const reductions: Case[] = [
  ...[
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
  ].flatMap((op) => {
    const last = op === "ReduceSum" ? 12 : 17;
    const data = op === "ReduceLogSum" ? positive(2, 3, 4) : x(2, 3, 4);
    return [
      one(op, [7, last], [data]),
      one(op, [7, last], [data], { axes: [1] }),
      one(op, [7, last], [data], { axes: [2, 0], keepdims: 0 }),
      one(op, [11, last], [data], { axes: [-1, 0] }),
      one(op, [last + 1, LAST], [data, ints(1)], { keepdims: 0 }, { note: "axes as an input" }),
    ];
  }),
  ...["ArgMax", "ArgMin"].flatMap((op) =>
    [{}, { axis: 1, keepdims: 0 }].map((attributes) =>
      one(op, [7, LAST], [of([2, 3], 1, 5, 5, -2, -2, 7)], attributes, { outputs: ["int64"] }),
    ),
  ),
  one("TopK", [7, 9], [x(3, 7)], { k: 3 }, { outputs: ["float32", "int64"] }),
  one("TopK", [7, 9], [of([2, 4], 1, 3, 3, 1, 2, 2, 2, 2)], { k: 2, axis: 1 }, { outputs: ["float32", "int64"] }),
  one("TopK", [7, 9], [x(7, 3)], { k: 2, axis: 0 }, { outputs: ["float32", "int64"] }),
  one("TopK", [10, LAST], [x(3, 7), ints(3)], {}, { outputs: ["float32", "int64"] }),
  ...loss("SoftmaxCrossEntropyLoss"),
  ...loss("NegativeLogLikelihoodLoss"),
];

const GREATEST = 2 ** 63;
const shapes: Case[] = [
  one("Concat", [7, LAST], [x(2, 3), x(2, 1)], { axis: 1 }),
  one("Flatten", [7, LAST], [x(2, 3, 4)], { axis: 2 }),
  one("Reshape", [7, LAST], [x(2, 3, 4), ints(0, -1)]),
  one("Transpose", [7, LAST], [x(2, 3, 4)], { perm: [2, 0, 1] }),
  one("Expand", [8, LAST], [x(3, 1), ints(2, 3, 4)]),
  one("Tile", [7, LAST], [x(2, 3), ints(2, 2)]),
  one("Shape", [7, LAST], [x(2, 3)], {}, { outputs: ["int64"] }),
  one("Size", [7, LAST], [x(2, 3)], {}, { outputs: ["int64"] }),
  one("DepthToSpace", [7, LAST], [image], { blocksize: 2 }),
  one("SpaceToDepth", [7, LAST], [image], { blocksize: 2 }),
  one("Squeeze", [7, 12], [x(1, 3, 1)]),
  one("Squeeze", [7, 12], [x(1, 3, 1)], { axes: [2] }),
  one("Squeeze", [11, 12], [x(1, 3, 1)], { axes: [-1, 0] }),
  one("Squeeze", [13, LAST], [x(1, 3, 1), ints(0)], {}, { note: "axes as an input" }),
  one("Unsqueeze", [7, 12], [x(3, 4)], { axes: [0, 3] }),
  one("Unsqueeze", [7, 12], [x(3, 4)], { axes: [2, 0] }),
  one("Unsqueeze", [11, 12], [x(3, 4)], { axes: [-1] }),
  one("Unsqueeze", [13, LAST], [x(3, 4), ints(0)], {}, { note: "axes as an input" }),
  one("Split", [7, 12], [x(6, 2)], {}, { outputs: ["float32", "float32", "float32"] }),
  one("Split", [7, 12], [x(2, 7)], { axis: 1, split: [4, 0, 3] }, { outputs: ["float32", "float32", "float32"] }),
  one("Split", [11, 12], [x(2, 6)], { axis: -1 }, { outputs: ["float32", "float32"] }),
  one("Split", [13, LAST], [x(2, 7), ints(3, 4)], { axis: 1 }, { outputs: ["float32", "float32"] }),
  one("Split", [13, 17], [x(4, 2)], {}, { outputs: ["float32", "float32"], note: "no sizes at 13" }),
  one("Slice", [7, 9], [x(5, 6)], { starts: [1, -4], ends: [4, -1] }),
  one("Slice", [7, 9], [x(5, 6, 2)], { axes: [1, 0], starts: [-100, 2], ends: [GREATEST, 1000] }),
  one("Slice", [7, 9], [x(5, 6, 2)], { axes: [1], starts: [4], ends: [2] }, { note: "nothing is left" }),
  one("Slice", [10, LAST], [x(5, 6), ints(4, 0), ints(-100, 5), ints(0, 1), ints(-1, 2)], {}, { note: "bounds as inputs" }),
  ...["constant", "edge", "reflect"].map((mode) => one("Pad", [7, 10], [x(3, 4)], { mode, pads: [1, 2, 0, 1], value: float(1.5) })),
  one("Pad", [7, 10], [x(3, 4)], { pads: [0, -1, 1, 0] }),
  one("Pad", [7, 10], [x(3, 4)], { pads: [0, 1, 1, 0], value: float(-0) }, { note: "with minus zero" }),
  one("Pad", [11, LAST], [x(3, 4), ints(1, 0, 0, 2), of([], 3)], {}, { note: "pads as an input" }),
];

const scattered = [x(3, 4), n([2, 4], 0, 3), x(2, 4)];
const indexing: Case[] = [
  one("Gather", [7, LAST], [x(4, 3), n([2, 2], 0, 3)], { axis: 1 }),
  one("GatherElements", [11, LAST], [x(3, 4), n([2, 4], -3, 3)]),
  one("GatherND", [11, LAST], [x(3, 4), n([5, 1], 0, 3)]),
  one("Scatter", [9, 10], [x(3, 4), n([2, 4], 0, 3), x(2, 4)]),
  one("Scatter", [9, 10], [x(3, 4), n([3, 2], 0, 4), x(3, 2)], { axis: 1 }),
  one("ScatterElements", [11, LAST], scattered),
  one("ScatterElements", [16, LAST], scattered, { reduction: "add" }),
  one("ScatterND", [11, LAST], [x(5, 2), { type: "int64", dims: [2, 1], data: BigInt64Array.of(4n, 1n) }, x(2, 2)]),
  one("Compress", [9, LAST], [x(3, 4), bools(1, 0, 1)], { axis: 0 }),
  one("NonZero", [9, LAST], [of([2, 3], 0, 1, 0, 2, 0, 3)], {}, { outputs: ["int64"] }),
  one("OneHot", [9, LAST], [n([2, 3], -5, 6), int(4), of([2], -1, 2)]),
  one("OneHot", [9, LAST], [n([2, 3], 0, 4), int(4), of([2], -1, 2)], { axis: 1 }),
  one(
    "NonMaxSuppression",
    [10, LAST],
    [positive(1, 6, 4), positive(1, 2, 6), int(3), of([], 0.4), of([], 0.1)],
    {},
    { outputs: ["int64"] },
  ),
  one("Constant", [7, LAST], [], { value: { tensor: f32("", [2, 3], [1, 2, 3, 4, 5, 6]) } }),
  one("Constant", [12, LAST], [], { value_ints: [3, 4] }, { outputs: ["int64"] }),
  one("ConstantOfShape", [9, LAST], [ints(2, 3)], { value: { tensor: f32("", [1], [2.5]) } }),
];

const recurrent = (op: string, gates: number): Case[] => [
  one(
    op,
    [7, LAST],
    [x(3, 2, 4), x(1, gates * 5, 4), x(1, gates * 5, 5), x(1, gates * 10)],
    { hidden_size: 5 },
    { outputs: ["float32", "float32"] },
  ),
  one(
    op,
    [7, LAST],
    [x(3, 2, 4), x(2, gates * 5, 4), x(2, gates * 5, 5), "", i32([2], 1, 4), x(2, 2, 5)],
    { hidden_size: 5, direction: "bidirectional" },
    { outputs: ["float32", "float32"] },
  ),
];

const NEAREST = [
  [1, 1, 2, 3],
  [1, 1, 1.5, 2.3],
];
const resizing: Case[] = [
  ...["nearest", "linear"].flatMap((mode) =>
    NEAREST.flatMap((scales) => [
      one("Upsample", [7, 8], [image], { mode, scales: { floats: scales } }),
      one("Upsample", [9, 9], [image, of([4], ...scales)], { mode }),
    ]),
  ),
  one("Upsample", [7, 8], [image], { scales: { floats: [1, 1, 2, 2] } }),
  ...["nearest", "linear"].flatMap((mode) =>
    [...NEAREST, [1, 1, 0.6, 0.45], [1, 1, 1.7, 0.6], [1, 1, 0.5, 1]].map((scales) =>
      one("Resize", [10, 10], [image, of([4], ...scales)], { mode }, { note: `${mode} by ${scales}` }),
    ),
  ),
  ...["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"].flatMap((coordinate_transformation_mode) =>
    ["nearest", "linear", "cubic"].flatMap((mode) => {
      if (coordinate_transformation_mode === "tf_half_pixel_for_nn" && mode !== "nearest") return [];
      const attributes = { mode, coordinate_transformation_mode, nearest_mode: "floor" };
      return [
        one("Resize", [11, 12], [image, f32("roi", [0], []), of([4], 1, 1, 1.7, 0.6)], attributes),
        one("Resize", [11, 12], [image, f32("roi", [0], []), f32("scales", [0], []), i64("sizes", [1, 4, 9, 5])], attributes),
      ];
    }),
  ),
  one("Resize", [13, LAST], [image, "", of([4], 1, 1, 1.7, 0.6)], { mode: "linear" }),
  ...["bilinear", "nearest", "bicubic"].flatMap((mode) =>
    ["zeros", "border", "reflection"].map((padding_mode) => one("GridSample", [16, 19], [image, x(1, 3, 2, 2)], { mode, padding_mode })),
  ),
  one("GridSample", [16, 19], [image, x(1, 3, 2, 2)], { align_corners: 1 }),
  one("DFT", [17, 19], [x(2, 5, 3, 1)]),
  one("DFT", [17, 19], [x(2, 5, 3, 2)], { axis: 2, inverse: 1 }),
  one("DFT", [17, 19], [x(2, 5, 3, 1), int(4)], { axis: 1, onesided: 1 }),
];

const scalar = (name: string, type: number) => value(name, type, []);
const body = (nodes: GraphSpec["nodes"], inputs: GraphSpec["inputs"], outputs: GraphSpec["outputs"]) => ({
  graph: { name: "body", nodes, inputs, outputs },
});
const FLOAT = DataType.FLOAT;
/** Subgraphs in which operators change too, at opsets up to 9. */
const bounded = (from: string, to: string) => [
  node("Clip", [from], [`${to}_clipped`], { min: float(-0.5) }),
  node("Slice", [`${to}_clipped`], [to], { axes: [1], starts: [1], ends: [GREATEST] }),
];
const control: Case[] = [
  ...[0, 1].map((on) =>
    several(
      "If",
      [7, 9],
      [
        node("If", ["c"], ["o0"], {
          then_branch: body(bounded("a", "t"), [], [value("t", FLOAT)]),
          else_branch: body([node("Softmax", ["a"], ["s"], { axis: 0 }), ...bounded("s", "e")], [], [value("e", FLOAT)]),
        }),
      ],
      { a: x(3, 4), c: { type: "bool", dims: [], data: Uint8Array.of(on) } },
      { outputs: { o0: "float32" }, note: `branch ${on}` },
    ),
  ),
  several(
    "Loop",
    [7, 12],
    [
      node("Loop", ["trips", "", "a"], ["o0", "o1"], {
        body: body(
          [
            node("Squeeze", ["s"], ["q"], { axes: [0] }),
            node("Softmax", ["q"], ["p"], { axis: 0 }),
            node("Unsqueeze", ["p"], ["next"], { axes: [0] }),
            node("Identity", ["go"], ["on"]),
          ],
          [scalar("step", DataType.INT64), scalar("go", DataType.BOOL), value("s", FLOAT, [1, 3, 2])],
          [scalar("on", DataType.BOOL), value("next", FLOAT, [1, 3, 2]), value("p", FLOAT, [3, 2])],
        ),
      }),
    ],
    { a: x(1, 3, 2) },
    { outputs: { o0: "float32", o1: "float32" }, initializers: [i64("trips", [2], [])] },
  ),
  several(
    "Scan",
    [9, LAST],
    [
      node("Scan", ["h", "a"], ["o0", "o1"], {
        num_scan_inputs: 1,
        body: body(
          [node("Add", ["s", "e"], ["t"]), node("Identity", ["t"], ["out"])],
          [value("s", FLOAT, [3]), value("e", FLOAT, [3])],
          [value("t", FLOAT, [3]), value("out", FLOAT, [3])],
        ),
      }),
    ],
    { h: x(3), a: x(4, 3) },
    { outputs: { o0: "float32", o1: "float32" } },
  ),
  ...(["OptionalHasElement", "OptionalGetElement"] as const).map((op) =>
    several(
      op,
      [15, LAST],
      [node("Optional", ["a"], ["opt"]), node(op, ["opt"], ["o0"])],
      { a: x(3) },
      { outputs: { o0: op === "OptionalHasElement" ? "bool" : "float32" } },
    ),
  ),
];

export const cases: readonly Case[] = [
  ...elementwise,
  ...products,
  ...pooling,
  ...normalization,
  ...reductions,
  ...shapes,
  ...indexing,
  ...recurrent("RNN", 1),
  ...recurrent("GRU", 3),
  ...recurrent("LSTM", 4),
  ...resizing,
  ...control,
];

/** Rows that onnxruntime cannot run, and why. */
export const UNRUN: ReadonlyMap<string, string> = new Map([
  ["Scan@9", "refused"],
  ["GroupNormalization@21", "onnxruntime refuses the definition of 18"],
]);
