/** Convolutional models: every arrangement of a convolution's weight, and the nodes that stand around it in real exports. */
import { f32, type NodeSpec, node, randn, type TensorSpec, value } from "../onnx.ts";
import { FLOAT, floats, generator, product } from "./model.ts";

interface Layer {
  nodes: NodeSpec[];
  initializers: TensorSpec[];
}

/** Conv or ConvTranspose; `w` is the weight's shape, [M, C/group, …] or, transposed, [C, M/group, …]; the bias has `channels`. */
function convolution(
  op_type: string,
  from: string,
  to: string,
  w: readonly number[],
  channels: number,
  group: number,
  seed: number,
): Layer {
  const kernel = w.slice(2);
  const transposed = op_type === "ConvTranspose";
  const pads = kernel.map((size) => (transposed ? 0 : size >> 1));
  const attributes = { group, kernel_shape: kernel, pads: [...pads, ...pads], strides: kernel.map(() => (transposed ? 2 : 1)) };
  const std = 1 / Math.sqrt(product(w.slice(1)));
  return {
    nodes: [node(op_type, [from, `${to}.weight`, `${to}.bias`], [to], attributes)],
    initializers: [f32(`${to}.weight`, w, randn(product(w), seed, std)), f32(`${to}.bias`, [channels], randn(channels, seed + 100, 0.1))],
  };
}

function batchNorm(from: string, to: string, channels: number, seed: number): Layer {
  const names = ["scale", "bias", "mean", "var"].map((part) => `${to}.${part}`) as [string, string, string, string];
  const [scale, bias, mean, variance] = names;
  return {
    nodes: [node("BatchNormalization", [from, ...names], [to], { epsilon: { float: 1e-5 } })],
    initializers: [
      f32(
        scale,
        [channels],
        randn(channels, seed, 0.2).map((x) => 1 + x),
      ),
      f32(bias, [channels], randn(channels, seed + 1, 0.1)),
      f32(mean, [channels], randn(channels, seed + 2, 0.1)),
      f32(
        variance,
        [channels],
        randn(channels, seed + 3, 0.3).map((x) => 0.5 + x * x),
      ),
    ],
  };
}

const relu = (from: string, to: string): Layer => ({ nodes: [node("Relu", [from], [to])], initializers: [] });

function stack(layers: readonly Layer[]) {
  return { nodes: layers.flatMap((layer) => layer.nodes), initializers: layers.flatMap((layer) => layer.initializers) };
}

/** x[1,3,16,16] → y[1,8,32,32]. The first weight and the depthwise one are under and over 1024 elements (1200 and 1152). */
export const conv = generator("conv", "Conv + BatchNormalization, depthwise, grouped, 1×1, ConvTranspose", () => ({
  graph: {
    ...stack([
      convolution("Conv", "x", "stem", [16, 3, 5, 5], 16, 1, 1),
      batchNorm("stem", "stem_bn", 16, 11),
      relu("stem_bn", "a"),
      convolution("Conv", "a", "expand", [128, 16, 1, 1], 128, 1, 2),
      convolution("Conv", "expand", "depthwise", [128, 1, 3, 3], 128, 128, 3),
      batchNorm("depthwise", "depthwise_bn", 128, 21),
      relu("depthwise_bn", "b"),
      convolution("Conv", "b", "grouped", [64, 32, 3, 3], 64, 4, 4),
      relu("grouped", "c"),
      convolution("ConvTranspose", "c", "up", [64, 24, 2, 2], 24, 1, 5),
      batchNorm("up", "up_bn", 24, 31),
      convolution("Conv", "up_bn", "y", [8, 24, 3, 3], 8, 1, 6),
    ]),
    inputs: [value("x", FLOAT, ["batch", 3, 16, 16])],
    outputs: [value("y", FLOAT, ["batch", 8, 32, 32])],
  },
  inputs: { x: floats([1, 3, 16, 16], 5) },
}));

/** Weights of rank 3 and 5, and a ConvTranspose of two groups, whose output channels stand in two dimensions of the weight. */
export const convRanks = generator("conv-ranks", "Conv of one and three spatial dimensions; grouped ConvTranspose", () => ({
  graph: {
    ...stack([
      convolution("Conv", "x1", "y1", [48, 24, 3], 48, 1, 1),
      convolution("Conv", "x3", "y3", [12, 8, 3, 3, 3], 12, 1, 2),
      convolution("ConvTranspose", "x2", "y2", [16, 12, 3, 3], 24, 2, 3),
    ]),
    inputs: [value("x1", FLOAT, [1, 24, 20]), value("x3", FLOAT, [1, 8, 5, 6, 7]), value("x2", FLOAT, [1, 16, 5, 5])],
    outputs: [value("y1", FLOAT, [1, 48, 20]), value("y3", FLOAT, [1, 12, 5, 6, 7]), value("y2", FLOAT, [1, 24, 11, 11])],
  },
  inputs: { x1: floats([1, 24, 20], 5), x3: floats([1, 8, 5, 6, 7], 6), x2: floats([1, 16, 5, 5], 7) },
}));

/** A Resize whose `roi` is an initializer of no elements (opset 11 and later). */
export const emptyTensor = generator("empty-tensor", "Resize with an empty roi", () => {
  const layer = convolution("Conv", "x", "a", [16, 8, 3, 3], 16, 1, 1);
  return {
    graph: {
      nodes: [...layer.nodes, node("Resize", ["a", "roi", "scales"], ["y"], { mode: "nearest" })],
      initializers: [...layer.initializers, f32("roi", [0], []), f32("scales", [4], [1, 1, 2, 2])],
      inputs: [value("x", FLOAT, [1, 8, 6, 6])],
      outputs: [value("y", FLOAT, [1, 16, 12, 12])],
    },
    inputs: { x: floats([1, 8, 6, 6], 5) },
  };
});
