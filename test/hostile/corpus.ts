/** The small models that hostile ones are made from. */
import type { RecipeInput } from "../../src/index.ts";
import { DataType, encodeModel, f32, type GraphSpec, i64, type Layout, type ModelSpec, node, randn, tensor, value } from "../kit/onnx.ts";
import { toFloat16Bits } from "../kit/reference.ts";
import { bytesOf, concat } from "../kit/wire.ts";

export interface Specimen {
  name: string;
  bytes: Uint8Array;
  format: "onnx" | "safetensors";
  /** A recipe that changes it. */
  recipe: RecipeInput;
}

const halves = (n: number, seed: number): Uint16Array => Uint16Array.from(randn(n, seed, 0.2), toFloat16Bits);

/** x[?,32] × w[32,32] + b: 2 KiB of weight, the least that a scheme takes and that streams. */
export function dense(layout: Layout = {}, initializers = [tensor("w", DataType.FLOAT16, [32, 32], halves(1024, 1))]): Uint8Array {
  const nodes = [node("MatMul", ["x", "w"], ["a"], {}, { name: "product" }), node("Add", ["a", "b"], ["y"])];
  const graph: GraphSpec = {
    nodes,
    initializers: [...initializers, tensor("b", DataType.FLOAT16, [32], halves(32, 2)), i64("axes", [1, 2])],
    inputs: [value("x", DataType.FLOAT16, ["rows", 32])],
    outputs: [value("y", DataType.FLOAT16, ["rows", 32])],
  };
  return encodeModel({ graph, opsets: { "": 13 }, metadata: { author: "nobody" } }, layout);
}

/** Both branches of an If hold a weight: one an initializer, one a Constant. */
export function branches(): Uint8Array {
  const out = [value("out", DataType.FLOAT16, ["rows", 32])];
  const then_branch: GraphSpec = {
    nodes: [node("MatMul", ["x", "w"], ["out"])],
    initializers: [tensor("w", DataType.FLOAT16, [32, 32], halves(1024, 3))],
    inputs: [],
    outputs: out,
  };
  const constant = node("Constant", [], ["w"], { value: { tensor: tensor("", DataType.FLOAT16, [32, 32], halves(1024, 4)) } });
  const else_branch: GraphSpec = { nodes: [constant, node("MatMul", ["x", "w"], ["out"])], inputs: [], outputs: out };
  const model: ModelSpec = {
    graph: {
      nodes: [node("If", ["condition"], ["y"], { then_branch: { graph: then_branch }, else_branch: { graph: else_branch } })],
      inputs: [value("x", DataType.FLOAT16, ["rows", 32]), value("condition", DataType.BOOL, [])],
      outputs: [value("y", DataType.FLOAT16, ["rows", 32])],
    },
    opsets: { "": 13 },
  };
  return encodeModel(model);
}

/** A safetensors file of any header text, honest or not; `length` overrides the header's length. */
export function safetensors(header: unknown, data: Uint8Array = new Uint8Array(0), length?: bigint): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  return concat([prefix, json, data]);
}

/** Two F16 weights, one bias, metadata. */
export function dictionary(): Uint8Array {
  const header = {
    __metadata__: { format: "pt" },
    "layers.0.weight": { dtype: "F16", shape: [32, 32], data_offsets: [0, 2048] },
    "layers.0.bias": { dtype: "F16", shape: [32], data_offsets: [2048, 2112] },
    "layers.1.weight": { dtype: "F16", shape: [32, 64], data_offsets: [2112, 6208] },
  };
  return safetensors(header, bytesOf(halves(3104, 5)));
}

/** x[?,32] × w[32,32] at opset 9, then operators that are others at 13. */
function older(): Uint8Array {
  const nodes = [
    node("MatMul", ["x", "w"], ["a"]),
    node("Clip", ["a"], ["b"], { min: { float: -1 }, max: { float: 1 } }),
    node("Slice", ["b"], ["c"], { axes: [1], starts: [0], ends: [2 ** 63] }),
    node("Softmax", ["c"], ["d"], { axis: 1 }),
    node("Unsqueeze", ["d"], ["y"], { axes: [0] }),
  ];
  const graph: GraphSpec = {
    nodes,
    initializers: [f32("w", [32, 32], randn(1024, 8, 0.2))],
    inputs: [value("x", DataType.FLOAT, ["rows", 32])],
    outputs: [value("y", DataType.FLOAT, [1, "rows", 32])],
  };
  return encodeModel({ graph, opsets: { "": 9 } });
}

/** Something for each pass of the optimizer, and for float16 arithmetic to go round: x[?, 16] → y[?, 8]. */
function simplifiable(): Uint8Array {
  const branch = (name: string, op_type: string): GraphSpec => ({
    name,
    nodes: [node(op_type, ["t", "half"], ["out"])],
    inputs: [],
    outputs: [value("out", DataType.FLOAT)],
  });
  const nodes = [
    node("Constant", [], ["half"], { value: { tensor: f32("", [], [0.5]) } }),
    node("Shape", ["x"], ["s"]),
    node("Gather", ["s", "zero"], ["n"], { axis: 0 }),
    node("Concat", ["n", "image"], ["target"], { axis: 0 }),
    node("Reshape", ["x", "target"], ["i"]),
    node("Pad", ["i", "pads"], ["p"]),
    node("Conv", ["p", "k"], ["c"], { kernel_shape: [2, 2] }),
    node("BatchNormalization", ["c", "v", "v", "v", "v"], ["b"]),
    node("Transpose", ["b"], ["b1"], { perm: [0, 2, 3, 1] }),
    node("Transpose", ["b1"], ["b2"], { perm: [0, 3, 1, 2] }),
    node("Identity", ["b2"], ["b3"]),
    node("Flatten", ["b3"], ["f"]),
    node("Cast", ["n"], ["scale"], { to: DataType.FLOAT }),
    node("Div", ["f", "scale"], ["d"]),
    node("MatMul", ["d", "w"], ["m"]),
    node("Add", ["m", "nothing"], ["t"]),
    node("If", ["condition"], ["e"], { then_branch: { graph: branch("then", "Mul") }, else_branch: { graph: branch("else", "Add") } }),
    node("Where", ["condition", "e", "least"], ["y"]),
  ];
  const graph: GraphSpec = {
    nodes,
    initializers: [
      i64("zero", [0]),
      i64("image", [1, 4, 4]),
      i64("pads", [0, 0, 0, 0, 0, 0, 1, 1]),
      f32("k", [2, 1, 2, 2], randn(8, 9, 0.3)),
      f32("v", [2], [0.5, 2]),
      f32("w", [32, 8], randn(256, 10, 0.2)),
      f32("nothing", [1], [0]),
      f32("least", [], [-3.4e38]),
    ],
    inputs: [value("x", DataType.FLOAT, ["rows", 16]), value("condition", DataType.BOOL, [])],
    outputs: [value("y", DataType.FLOAT, ["rows", 8])],
  };
  return encodeModel({ graph, opsets: { "": 13 } });
}

const single = f32("w", [32, 32], randn(1024, 6, 0.2));

/** One of each way in which a weight can stand in a file, and of each stage that looks at a graph. */
export const corpus: readonly Specimen[] = [
  { name: "raw initializers", bytes: dense(), format: "onnx", recipe: { quantize: "w8" } },
  { name: "weights first", bytes: dense({ weights: "before", lengths: 5 }), format: "onnx", recipe: { quantize: "w4" } },
  { name: "Constant nodes", bytes: dense({ weights: "constants" }), format: "onnx", recipe: { quantize: "w8" } },
  { name: "typed fields", bytes: dense({ storage: "packed" }, [single]), format: "onnx", recipe: { quantize: "fp16" } },
  {
    name: "typed halves",
    bytes: dense({}, [tensor("w", DataType.FLOAT16, [32, 32], halves(1024, 7), { storage: "split" })]),
    format: "onnx",
    recipe: { quantize: "w8" },
  },
  { name: "data before its header", bytes: dense({ order: "reversed" }), format: "onnx", recipe: { quantize: "w4" } },
  { name: "subgraphs", bytes: branches(), format: "onnx", recipe: { quantize: "w8" } },
  { name: "pieces", bytes: dense({ pieces: 1, opset_first: true }), format: "onnx", recipe: { quantize: "w8" } },
  { name: "an older opset", bytes: older(), format: "onnx", recipe: { quantize: "bf16" } },
  { name: "an older opset, dynamically", bytes: older(), format: "onnx", recipe: { quantize: "q8" } },
  { name: "NF4", bytes: dense(), format: "onnx", recipe: { quantize: "bnb4" } },
  { name: "a graph to simplify", bytes: simplifiable(), format: "onnx", recipe: { optimize: true } },
  { name: "a graph to simplify, in float16", bytes: simplifiable(), format: "onnx", recipe: { optimize: true, quantize: "fp16" } },
  { name: "a graph in float16", bytes: simplifiable(), format: "onnx", recipe: { quantize: "q4f16" } },
  { name: "safetensors", bytes: dictionary(), format: "safetensors", recipe: { quantize: "w8" } },
  { name: "safetensors, int4", bytes: dictionary(), format: "safetensors", recipe: { quantize: "w4" } },
];
