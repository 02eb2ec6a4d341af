/** VGG: nothing but convolutions with biases, one after the other, and linear layers on all pixels of their channels. */
import { HE, imageModel, maxPool, relu } from "./layers.ts";
import type { Generate } from "./model.ts";
import { conv, gemm, reshape, size } from "./operators.ts";
import type { Trace } from "./trace.ts";

/** [N, C, H, W] → [N, C · H · W], as `torch.flatten`, as `view(0, -1)` and as `view(x.size(0), -1)` are exported. */
const FLATTEN = {
  flatten: (t: Trace, x: string) => t.op("Flatten", [x], { axis: 1 }),
  zero: (t: Trace, x: string) => reshape(t, x, 0, -1),
  size: (t: Trace, x: string) => reshape(t, x, size(t, x, 0), -1),
} as const;

const vgg = (name: string, how: keyof typeof FLATTEN, note: string): Generate =>
  imageModel(name, note, (t, x) => {
    const layer = (x: string, i: number, cin: number, cout: number) =>
      relu(t, conv(t, x, `features.${i}`, cin, cout, { kernel: [3, 3], gain: HE }));
    let h = maxPool(t, layer(layer(x, 0, 3, 16), 2, 16, 16), 2, 2);
    h = maxPool(t, layer(layer(h, 5, 16, 24), 7, 24, 24), 2, 2);
    h = maxPool(t, layer(h, 10, 24, 32), 2, 2);
    const flat = FLATTEN[how](t, h);
    const wide = t.op("Dropout", [relu(t, gemm(t, flat, "classifier.0", 32 * 16, 64))]);
    return gemm(t, relu(t, gemm(t, wide, "classifier.3", 64, 48)), "classifier.6", 48, 10);
  });

export const vggs: readonly Generate[] = [
  vgg("vgg", "flatten", "VGG: Conv with bias, MaxPool, Flatten of 4×4 into Gemm"),
  vgg("vgg-view", "zero", "VGG whose 4×4 goes into Gemm by Reshape to [0, -1]"),
  vgg("vgg-size", "size", "VGG whose 4×4 goes into Gemm by Reshape to a batch that is read from Shape"),
];
