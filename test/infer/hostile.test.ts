/** Models whose nodes break their operators' rules: an error names the node, with fusions and without, and nothing is read out of place. */
import { describe, expect, it } from "vitest";
import { load } from "../../src/index.ts";
import { DataType, encodeModel, f32, i64, type NodeSpec, node, type TensorSpec, tensor } from "../kit/onnx.ts";

const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const ones = (name: string, ...dims: number[]) => f32(name, dims, new Float32Array(count(dims)).fill(1));
const u8 = (name: string, ...dims: number[]) => tensor(name, DataType.UINT8, dims, new Uint8Array(count(dims)).fill(1));
const i8 = (name: string, ...dims: number[]) => tensor(name, DataType.INT8, dims, new Int8Array(count(dims)).fill(1));
const i32 = (name: string, ...dims: number[]) => tensor(name, DataType.INT32, dims, new Int32Array(count(dims)).fill(1));
const rows = (n: number) => ["s", "b", "m", "v"].map((name) => ones(name, n));
const microsoft = { domain: "com.microsoft" };

const nbits = { N: 64, K: 64, bits: 4, block_size: 32 };
const quantized = (w: string, bias = ""): NodeSpec[] => [
  node("QuantizeLinear", ["x", "s"], ["xq"]),
  node("DequantizeLinear", ["xq", "s"], ["xd"]),
  node("DequantizeLinear", [w, "s"], ["wd"]),
  ...(bias ? [node("DequantizeLinear", [bias, "s"], ["bd"])] : []),
  node("Conv", ["xd", "wd", ...(bias ? ["bd"] : [])], ["t"]),
  node("QuantizeLinear", ["t", "s"], ["yq"]),
  node("DequantizeLinear", ["yq", "s"], ["y"]),
];

/** The shape of x, nodes from x to y, and constants. */
type Case = [dims: number[], nodes: NodeSpec[], constants: TensorSpec[], opset?: number];
const image = [1, 8, 8, 8];

const CASES: Readonly<Record<string, Case>> = {
  "a convolution of other channels": [image, [node("Conv", ["x", "w"], ["y"], { kernel_shape: [3, 3] })], [ones("w", 8, 4, 3, 3)]],
  "a large convolution of more channels": [image, [node("Conv", ["x", "w"], ["y"], { pads: [1, 1, 1, 1] })], [ones("w", 64, 512, 3, 3)]],
  "groups that do not divide the channels": [[1, 4, 8, 8], [node("Conv", ["x", "w"], ["y"], { group: 3 })], [ones("w", 6, 1, 3, 3)]],
  "groups that do not divide what comes out": [[1, 4, 8, 8], [node("Conv", ["x", "w"], ["y"], { group: 2 })], [ones("w", 5, 2, 3, 3)]],
  "no group": [image, [node("Conv", ["x", "w"], ["y"], { group: 0 })], [ones("w", 8, 8, 3, 3)]],
  "a short bias": [image, [node("Conv", ["x", "w", "b"], ["y"])], [ones("w", 8, 8, 3, 3), ones("b", 2)]],
  "a bias that is a matrix": [image, [node("Conv", ["x", "w", "b"], ["y"])], [ones("w", 8, 8, 3, 3), ones("b", 8, 1)]],
  "a short bias of a depthwise one": [image, [node("Conv", ["x", "w", "b"], ["y"], { group: 8 })], [ones("w", 8, 1, 3, 3), ones("b", 1)]],
  "a kernel_shape that is not the weight's": [image, [node("Conv", ["x", "w"], ["y"], { kernel_shape: [5, 5] })], [ones("w", 8, 8, 3, 3)]],
  "a stride of nothing": [image, [node("Conv", ["x", "w"], ["y"], { strides: [0, 1] })], [ones("w", 8, 8, 3, 3)]],
  "a negative stride": [image, [node("Conv", ["x", "w"], ["y"], { strides: [-1, 1] })], [ones("w", 8, 8, 3, 3)]],
  "pads that overflow": [image, [node("Conv", ["x", "w"], ["y"], { pads: [2 ** 31, 1, 2 ** 31, 1] })], [ones("w", 8, 8, 3, 3)]],
  "negative pads": [image, [node("Conv", ["x", "w"], ["y"], { pads: [-1, -1, -1, -1] })], [ones("w", 8, 8, 3, 3)]],
  "dilations of another rank": [image, [node("Conv", ["x", "w"], ["y"], { dilations: [1] })], [ones("w", 8, 8, 3, 3)]],
  "a transposed convolution of other channels": [image, [node("ConvTranspose", ["x", "w"], ["y"])], [ones("w", 5, 8, 3, 3)]],
  "a short bias of a transposed one": [image, [node("ConvTranspose", ["x", "w", "b"], ["y"])], [ones("w", 8, 8, 3, 3), ones("b", 3)]],
  "a product of other lengths": [[4, 5], [node("MatMul", ["x", "w"], ["y"])], [ones("w", 6, 7)]],
  "a summand that does not spread": [[4, 5], [node("Gemm", ["x", "w", "b"], ["y"])], [ones("w", 5, 7), ones("b", 3)]],
  "a normalization of other channels": [image, [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])], rows(2)],
  "a normalization of other channels, behind a convolution": [
    image,
    [node("Conv", ["x", "w"], ["t"]), node("BatchNormalization", ["t", "s", "b", "m", "v"], ["y"])],
    [ones("w", 8, 8, 1, 1), ...rows(2)],
  ],
  "an instance's normalization": [image, [node("InstanceNormalization", ["x", "s", "b"], ["y"])], rows(2).slice(0, 2)],
  "a layer's normalization": [[2, 16], [node("LayerNormalization", ["x", "s", "b"], ["y"])], [ones("s", 4), ones("b", 16)]],
  "a skipped layer's normalization": [[1, 2, 16], [node("SkipLayerNormalization", ["x", "x", "s"], ["y"], {}, microsoft)], [ones("s", 4)]],
  "groups of a normalization": [image, [node("GroupNormalization", ["x", "s", "b"], ["y"], { num_groups: 3 })], rows(8).slice(0, 2), 21],
  "a short bias of an LSTM": [
    [3, 1, 4],
    [node("LSTM", ["x", "w", "r", "b"], ["y"], { hidden_size: 5 })],
    [ones("w", 1, 20, 4), ones("r", 1, 20, 5), ones("b", 1, 10)],
  ],
  "a short state of an LSTM": [
    [3, 1, 4],
    [node("LSTM", ["x", "w", "r", "", "", "h"], ["y"], { hidden_size: 5 })],
    [ones("w", 1, 20, 4), ones("r", 1, 20, 5), ones("h", 1, 1, 2)],
  ],
  "a GRU on other vectors": [
    [3, 1, 9],
    [node("GRU", ["x", "w", "r"], ["y"], { hidden_size: 5 })],
    [ones("w", 1, 15, 4), ones("r", 1, 15, 5)],
  ],
  "slopes that do not spread": [[1, 8, 4, 4], [node("PRelu", ["x", "s"], ["y"])], [ones("s", 5)]],
  "packed weights that are short": [
    [1, 64],
    [node("MatMulNBits", ["x", "w", "s"], ["y"], nbits, microsoft)],
    [u8("w", 4, 2, 16), ones("s", 128)],
  ],
  "too few scales": [[1, 64], [node("MatMulNBits", ["x", "w", "s"], ["y"], nbits, microsoft)], [u8("w", 64, 2, 16), ones("s", 2)]],
  "packed weights of another length": [
    [1, 32],
    [node("MatMulNBits", ["x", "w", "s"], ["y"], nbits, microsoft)],
    [u8("w", 64, 2, 16), ones("s", 128)],
  ],
  "too few zero points": [
    [1, 64],
    [node("MatMulNBits", ["x", "w", "s", "z"], ["y"], nbits, microsoft)],
    [u8("w", 64, 2, 16), ones("s", 128), u8("z", 3)],
  ],
  "too few codes": [
    [1, 64],
    [node("MatMulBnb4", ["x", "w", "s"], ["y"], { N: 64, K: 64, block_size: 64, quant_type: 1 }, microsoft)],
    [u8("w", 10), ones("s", 64)],
  ],
  "scales of a dequantization": [
    [1, 8],
    [node("QuantizeLinear", ["x", "s1"], ["t"]), node("DequantizeLinear", ["t", "s"], ["y"], { axis: 1 })],
    [ones("s1"), ones("s", 3)],
  ],
  "zero points of a quantization": [
    [1, 8],
    [node("QuantizeLinear", ["x", "s", "z"], ["t"], { axis: 1 }), node("DequantizeLinear", ["t", "s"], ["y"], { axis: 1 })],
    [ones("s", 8), u8("z", 2)],
  ],
  "a quantized convolution of other channels": [image, quantized("w"), [ones("s"), i8("w", 8, 5, 3, 3)]],
  "a short bias of a quantized one": [image, quantized("w", "b"), [ones("s"), i8("w", 8, 8, 3, 3), i32("b", 2)]],
  "what is joined": [[2, 3], [node("Concat", ["x", "w"], ["y"], { axis: 1 })], [ones("w", 1, 3)]],
  "more than there is to split": [[2, 8], [node("Split", ["x", "n"], ["y", "z"], { axis: 1 })], [i64("n", [8, 800])]],
  "a shape of more elements": [[2, 8], [node("Reshape", ["x", "n"], ["t"]), node("Add", ["t", "t"], ["y"])], [i64("n", [100, 100])]],
  "an axis twice": [[9, 3], [node("Transpose", ["x"], ["t"], { perm: [0, 0] }), node("Add", ["t", "t"], ["y"])], []],
  "an axis that is not there": [[9, 3], [node("Transpose", ["x"], ["y"], { perm: [0, 7] })], []],
  "more axes than there are": [[9, 3], [node("Transpose", ["x"], ["y"], { perm: [0, 1, 2] })], []],
  "an axis to flatten from": [[9, 3], [node("Flatten", ["x"], ["y"], { axis: 9 })], []],
  "an axis that is not 1": [[9, 3], [node("Squeeze", ["x", "n"], ["y"])], [i64("n", [0])]],
  "an axis far out": [[9, 3], [node("Unsqueeze", ["x", "n"], ["y"])], [i64("n", [50])]],
  "a shape to expand to": [[9, 3], [node("Expand", ["x", "n"], ["y"])], [i64("n", [9, 5])]],
  "an index that is not there": [[9, 3], [node("Gather", ["x", "n"], ["y"])], [i64("n", [77])]],
  "scales that are no numbers": [
    [1, 3, 4, 4],
    [node("Resize", ["x", "", "s"], ["y"])],
    [f32("s", [4], Float32Array.of(1, 1, Number.NaN, 2))],
  ],
  "scales beyond all memory": [[1, 3, 4, 4], [node("Resize", ["x", "", "s"], ["y"])], [f32("s", [4], Float32Array.of(1, 1, 1e9, 1e9))]],
  "scales beyond all memory, along one axis": [
    [1, 1, 1, 1],
    [node("Resize", ["x", "", "s"], ["y"])],
    [f32("s", [4], Float32Array.of(1, 1, 1e9, 1))],
  ],
  "too few pads": [[1, 3, 4, 4], [node("Pad", ["x", "n"], ["y"])], [i64("n", [1, 1])]],
  "a window larger than the image": [[1, 3, 4, 4], [node("MaxPool", ["x"], ["y"], { kernel_shape: [9, 9] })], []],
  "windows in the padding": [[1, 3, 4, 4], [node("AveragePool", ["x"], ["y"], { kernel_shape: [2, 2], pads: [9, 9, 9, 9] })], []],
  "dilated windows that miss the image": [
    [1, 3, 1, 1],
    [node("MaxPool", ["x"], ["y"], { kernel_shape: [2, 2], dilations: [2, 2], pads: [1, 1, 1, 1] })],
    [],
  ],
  "an axis of softmax": [[9, 3], [node("Softmax", ["x"], ["y"], { axis: 7 })], []],
  "a sum that does not spread": [[9, 3], [node("Add", ["x", "w"], ["y"])], [ones("w", 4)]],
  "an operator of the runtime's own": [
    [1, 8, 8, 3],
    [node("Conv", ["x", "w"], ["y"], {}, { domain: "edgeslim" })],
    [ones("w", 8, 300, 3, 3)],
  ],
};

describe.each([true, false])("with optimize %s, refuses", (optimize) => {
  it.each(Object.entries(CASES))("%s", async (_, [dims, nodes, initializers, opset = 17]) => {
    const named = nodes.map((each) => ({ ...each, name: `the_${each.op_type}` }));
    const inputs = [{ name: "x", data_type: DataType.FLOAT, dims }];
    const outputs = [{ name: "y", data_type: DataType.FLOAT }];
    const opsets = { "": opset, "com.microsoft": 1, edgeslim: 1 };
    const bytes = encodeModel({ graph: { nodes: named, initializers, inputs, outputs }, opsets });
    const error = await load(bytes, { optimize })
      .then((model) => model.run({ x: { dtype: "float32", shape: dims, data: new Float32Array(count(dims)).fill(1) } }))
      .then(
        (ran) => new Error(`It ran and gave [${Object.values(ran).map(({ shape }) => shape)}]`),
        (thrown: Error) => thrown,
      );
    expect(error.message).toMatch(/'the_|'y_scaled|'y\/MatMul/);
    expect(error.name).toMatch(/^(Unsupported|Format|Limit)Error$/);
  });
});
