/** Classifiers whose blocks add to what they are given, so that the channels of a whole stage are one: ResNet, ResNeXt, ConvNeXt, and ResNet v2. */
import { classify, convNorm, imageModel, maxPool, normConv, relu } from "./layers.ts";
import { conv, gelu, gemm, layerNorm, linear, transpose } from "./operators.ts";
import type { Trace } from "./trace.ts";

/** [cin, cout, stride] of each block. */
type Blocks = readonly (readonly [number, number, number])[];

function stem(t: Trace, x: string, channels: number): string {
  return maxPool(t, convNorm(t, x, "conv1", 3, channels, { kernel: 7, stride: 2 }), 3, 2, 1);
}

/** What is added: the input, or a strided 1×1 convolution of it where its size is another. */
function shortcut(t: Trace, x: string, cin: number, cout: number, stride: number): string {
  return stride === 1 && cin === cout ? x : convNorm(t, x, "downsample", cin, cout, { kernel: 1, stride, act: false });
}

/** Blocks that rectify the sum of `inner` and the shortcut: [N, first cin, H, W] → [N, last cout, …]. */
function residual(t: Trace, x: string, blocks: Blocks, inner: (t: Trace, x: string, cin: number, cout: number, stride: number) => string) {
  return blocks.reduce(
    (x, [cin, cout, stride], i) =>
      t.in(`layer.${i}`, () => relu(t, t.op("Add", [inner(t, x, cin, cout, stride), shortcut(t, x, cin, cout, stride)]))),
    x,
  );
}

export const resnet = imageModel(
  "resnet",
  "ResNet of basic blocks: BatchNormalization, three stages of residual channels, two of them begun by a downsample branch",
  (t, x) => {
    const blocks: Blocks = [
      [16, 16, 1],
      [16, 16, 1],
      [16, 32, 2],
      [32, 32, 1],
      [32, 64, 2],
      [64, 64, 1],
    ];
    const out = residual(t, stem(t, x, 16), blocks, (t, x, cin, cout, stride) =>
      convNorm(t, convNorm(t, x, "conv1", cin, cout, { stride }), "conv2", cout, cout, { act: false }),
    );
    return classify(t, out, "fc", 64);
  },
);

export const resnext = imageModel("resnext", "ResNeXt of bottlenecks: 3×3 convolutions of eight groups between 1×1", (t, x) => {
  const blocks: Blocks = [
    [16, 32, 1],
    [32, 32, 1],
    [32, 64, 2],
    [64, 64, 1],
  ];
  const out = residual(t, stem(t, x, 16), blocks, (t, x, cin, cout, stride) => {
    const narrow = convNorm(t, x, "conv1", cin, cout, { kernel: 1 });
    return convNorm(t, convNorm(t, narrow, "conv2", cout, cout, { stride, group: 8 }), "conv3", cout, cout, { kernel: 1, act: false });
  });
  return classify(t, out, "fc", 64);
});

/** Layer normalization over the channels of [N, C, H, W], which are turned to the end for it. */
const normalized = (t: Trace, x: string, name: string, channels: number): string =>
  transpose(t, layerNorm(t, transpose(t, x, 0, 2, 3, 1), name, channels), 0, 3, 1, 2);

export const convnext = imageModel(
  "convnext",
  "ConvNeXt: depthwise 7×7, MatMuls on channels that Transpose puts last, a scale for each channel before the sum",
  (t, x) => {
    const patches = (x: string, name: string, cin: number, cout: number, side: number) =>
      conv(t, x, name, cin, cout, { kernel: [side, side], stride: side, pads: [0, 0, 0, 0] });
    const block = (x: string, channels: number): string => {
      const deep = conv(t, x, `${t.module}.dwconv`, channels, channels, { kernel: [7, 7], group: channels });
      const rows = layerNorm(t, transpose(t, deep, 0, 2, 3, 1), `${t.module}.norm`, channels);
      const wide = gelu(t, linear(t, rows, `${t.module}.pwconv1`, channels, 4 * channels));
      const narrow = linear(t, wide, `${t.module}.pwconv2`, 4 * channels, channels);
      const scaled = t.op("Mul", [t.weight(`${t.module}.gamma`, [channels], 0.1, 0.7), narrow]);
      return t.op("Add", [x, transpose(t, scaled, 0, 3, 1, 2)]);
    };
    let h = normalized(t, patches(x, "downsample.0.0", 3, 16, 4), "downsample.0.1", 16);
    for (const i of [0, 1]) h = t.in(`stages.0.${i}`, () => block(h, 16));
    h = patches(normalized(t, h, "downsample.1.0", 16), "downsample.1.1", 16, 32, 2);
    h = t.in("stages.1.0", () => block(h, 32));
    const pooled = t.op("Flatten", [t.op("GlobalAveragePool", [h])], { axis: 1 });
    return gemm(t, layerNorm(t, pooled, "norm", 32), "head", 32, 10);
  },
);

export const preact = imageModel(
  "resnet-v2",
  "ResNet v2: sums that nothing rectifies, each reader of which normalizes them itself",
  (t, x) => {
    let h = conv(t, x, "conv1", 3, 16, { kernel: [3, 3], stride: 2 });
    for (const i of [0, 1])
      h = t.in(`layer.${i}`, () => t.op("Add", [h, normConv(t, normConv(t, h, "conv1", 16, 24, 3), "conv2", 24, 16, 3)]));
    return classify(t, normConv(t, h, "last", 16, 32, 1), "fc", 32);
  },
);
