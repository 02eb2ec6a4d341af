/** Classifiers whose blocks join what several branches make: DenseNet and Inception. */
import { averagePool, classify, concat, convNorm, imageModel, maxPool, normConv, relu } from "./layers.ts";
import { batchNorm, pad } from "./operators.ts";
import type { Trace } from "./trace.ts";

const GROWTH = 8;

/** Each layer sees the Concat of all before it, made anew; [N, channels + GROWTH · layers, H, W] comes out. */
function denseBlock(t: Trace, x: string, channels: number, layers: number): string {
  const features = [x];
  for (let i = 0; i < layers; i++) {
    const made = t.in(`denselayer${i + 1}`, () => {
      const narrow = normConv(t, concat(t, 1, ...features), "1", channels + i * GROWTH, 4 * GROWTH, 1);
      return normConv(t, narrow, "2", 4 * GROWTH, GROWTH, 3);
    });
    features.push(made);
  }
  return concat(t, 1, ...features);
}

export const densenet = imageModel(
  "densenet",
  "DenseNet: BatchNormalization, Relu, Conv on Concats that grow; AveragePool in a transition",
  (t, x) => {
    const stem = maxPool(t, convNorm(t, x, "features.conv0", 3, 16), 2, 2);
    const first = t.in("features/denseblock1", () => denseBlock(t, stem, 16, 3));
    const half = averagePool(t, normConv(t, first, "transition1", 40, 20, 1), 2, 2);
    const second = t.in("features/denseblock2", () => denseBlock(t, half, 20, 3));
    return classify(t, relu(t, batchNorm(t, second, "features.norm5", 44)), "classifier", 44);
  },
);

/** One branch of 1×1, one of 1×1 and 7×7 in two, one of 1×1 and 3×3 twice, one of an average; [N, 56, H, W] comes out. */
function inceptionBlock(t: Trace, x: string, channels: number): string {
  const one = convNorm(t, x, "branch1x1", channels, 16, { kernel: 1 });
  const row = convNorm(t, convNorm(t, x, "branch7x7_1", channels, 8, { kernel: 1 }), "branch7x7_2", 8, 12, { kernel: [1, 7] });
  const seven = convNorm(t, row, "branch7x7_3", 12, 16, { kernel: [7, 1] });
  const three = convNorm(t, convNorm(t, x, "branch3x3dbl_1", channels, 8, { kernel: 1 }), "branch3x3dbl_2", 8, 12);
  const twice = convNorm(t, three, "branch3x3dbl_3", 12, 16);
  const mean = averagePool(t, pad(t, x, [0, 0, 1, 1, 0, 0, 1, 1]), 3, 1);
  return concat(t, 1, one, seven, twice, convNorm(t, mean, "branch_pool", channels, 8, { kernel: 1 }));
}

export const inception = imageModel(
  "inception",
  "Inception: Concat of four branches, one of Pad and AveragePool; a reduction that joins a convolution and a MaxPool",
  (t, x) => {
    const stem = convNorm(t, convNorm(t, x, "Conv2d_1a", 3, 16, { stride: 2 }), "Conv2d_2a", 16, 24);
    const first = t.in("Mixed_5b", () => inceptionBlock(t, stem, 24));
    const smaller = t.in("Mixed_6a", () =>
      concat(t, 1, convNorm(t, first, "branch3x3", 56, 32, { stride: 2 }), maxPool(t, first, 3, 2, 1)),
    );
    return classify(
      t,
      t.in("Mixed_6b", () => inceptionBlock(t, smaller, 88)),
      "fc",
      56,
    );
  },
);
