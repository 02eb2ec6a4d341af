/** Normalizations of groups, of single channels, and operators that onnxruntime puts in the place of several. */
import { convNorm, convTranspose, HE, imageModel, relu, groupNorm as spelledOut } from "./layers.ts";
import { floats, type Generate, generator } from "./model.ts";
import { conv, gemm, pad, reduce, silu, softmax, transpose } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

/** GroupNormalization has a scale for each channel from opset 21 on. */
function groups(t: Trace, x: string, name: string, count: number, channels: number, named: boolean): string {
  if (!named) return spelledOut(t, x, name, count, channels);
  const parts = [t.weight(`${name}.weight`, [channels], 0.1, 1), t.weight(`${name}.bias`, [channels], 0.1)];
  return t.op("GroupNormalization", [x, ...parts], { num_groups: count, epsilon: { float: 1e-5 } });
}

const grouped = (name: string, note: string, named: boolean): Generate =>
  imageModel(name, note, (t, x) => {
    const block = (x: string, name: string, cin: number, cout: number, stride: number) => {
      const made = conv(t, x, `${name}.conv`, cin, cout, { kernel: [3, 3], stride, biased: false });
      return silu(t, groups(t, made, `${name}.norm`, 4, cout, named));
    };
    const first = block(x, "0", 3, 16, 2);
    const sum = t.op("Add", [first, block(block(first, "1", 16, 32, 1), "2", 32, 16, 1)]);
    const out = block(sum, "3", 16, 32, 2);
    return gemm(t, t.op("Flatten", [t.op("GlobalAveragePool", [out])], { axis: 1 }), "fc", 32, 10);
  });

export const groupNorm = grouped(
  "group-norm",
  "GroupNorm as PyTorch exports it: Reshape to [0, 4, -1], InstanceNormalization, Reshape, Mul, Add",
  false,
);
export const groupNormNamed = grouped("group-norm-named", "GroupNormalization as an operator, with a scale for each channel", true);

/** output[batch, 3, 32, 32]: a network that draws in a style. */
export const style = imageModel(
  "style",
  "InstanceNormalization with a scale for each channel, residual sums, ConvTranspose, PRelu with a slope for each channel",
  (t, x) => {
    const normal = (x: string, name: string, channels: number) =>
      t.op("InstanceNormalization", [x, t.weight(`${name}.weight`, [channels], 0.1, 1), t.weight(`${name}.bias`, [channels], 0.1)], {
        epsilon: { float: 1e-5 },
      });
    const layer = (x: string, name: string, cin: number, cout: number, stride = 1) =>
      normal(
        conv(t, pad(t, x, [0, 0, 1, 1, 0, 0, 1, 1]), name, cin, cout, { kernel: [3, 3], stride, pads: [0, 0, 0, 0] }),
        `${name}_in`,
        cout,
      );
    const small = t.op("PRelu", [layer(x, "conv1", 3, 16, 2), t.weight("act.weight", [16, 1, 1], 0.05, 0.2)]);
    const inner = layer(relu(t, layer(small, "res1.conv1", 16, 24)), "res1.conv2", 24, 16);
    const large = relu(t, normal(convTranspose(t, t.op("Add", [small, inner]), "deconv1", 16, 16), "in4", 16));
    return t.op("Tanh", [conv(t, large, "deconv2", 16, 3, { kernel: [3, 3] })]);
  },
  { dims: [3, 32, 32] },
);

const MICROSOFT = "com.microsoft";

/** input[batch, 3, 32, 32] → output[batch, 10]: a patch of 8 × 8 for each of 16 rows, and what onnxruntime makes of two blocks on them. */
export const optimized = generator(
  "onnxruntime-optimized",
  "FusedConv, BiasGelu, SkipLayerNormalization and FusedMatMul of com.microsoft, as an optimized model is saved",
  (opset) => {
    const t = new Trace(opset);
    const fused = (x: string, name: string, cin: number, cout: number, k: number) => {
      const inputs = [x, t.weight(`${name}.weight`, [cout, cin, k, k], HE / (k * Math.sqrt(cin))), t.weight(`${name}.bias`, [cout], 0.1)];
      const window = { kernel_shape: [k, k], strides: [1, 1], pads: [k >> 1, k >> 1, k >> 1, k >> 1], group: 1 };
      return t.op("FusedConv", inputs, { ...window, activation: "Relu" }, MICROSOFT);
    };
    const features = convNorm(t, fused(fused("input", "conv1", 3, 16, 3), "conv2", 16, 24, 3), "conv3", 24, 32, { kernel: 8, stride: 8 });
    const rows = transpose(t, t.op("Reshape", [features, t.ints([0, 0, -1])]), 0, 2, 1);
    const wide = t.op("MatMul", [rows, t.weight("fc1.weight", [32, 64])]);
    const gelu = t.op("BiasGelu", [wide, t.weight("fc1.bias", [64], 0.1)], {}, MICROSOFT);
    const narrow = t.op("MatMul", [gelu, t.weight("fc2.weight", [64, 32])]);
    const parts = [t.weight("norm.weight", [32], 0.1, 1), t.weight("norm.bias", [32], 0.1), t.weight("fc2.bias", [32], 0.1)];
    const normal = t.op("SkipLayerNormalization", [narrow, rows, ...parts], { epsilon: { float: 1e-5 } }, MICROSOFT);
    const scores = t.op("FusedMatMul", [normal, normal], { alpha: { float: 0.18 }, transB: 1 }, MICROSOFT);
    const mixed = t.op("MatMul", [softmax(t, scores, 3), normal]);
    const graph = t.graph(
      [float32("input", ["batch_size", 3, 32, 32])],
      [[gemm(t, reduce(t, "ReduceMax", mixed, [1], 0), "head", 32, 10), float32("output", ["batch_size", 10])]],
    );
    const feeds = (rows: number, seed: number) => ({ input: floats([rows, 3, 32, 32], seed) });
    return { graph, opsets: { [MICROSOFT]: 1 }, inputs: feeds(2, 5), more: [feeds(1, 6)] };
  },
);
