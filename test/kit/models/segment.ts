/** Networks that give an image for an image, of sizes that are fixed: two U-Nets and a pyramid of features. */
import { f32 } from "../onnx.ts";
import { concat, convNorm, convTranspose, imageModel, maxPool, relu } from "./layers.ts";
import type { Generate } from "./model.ts";
import { conv, upsample } from "./operators.ts";
import type { Trace } from "./trace.ts";
import { double } from "./unet.ts";

/** Twice as large by a constant of scales; [N, channels, H, W] keeps its channels. */
function resized(t: Trace, x: string, mode: "nearest" | "linear"): string {
  const scales = t.op("Constant", [], { value: { tensor: f32("", [4], [1, 1, 2, 2]) } });
  const roi = t.opset < 13 ? t.tensor("roi", 1, [0], new Float32Array(0)) : "";
  const where = mode === "linear" ? "half_pixel" : "asymmetric";
  return t.op("Resize", [x, roi, scales], { coordinate_transformation_mode: where, mode, nearest_mode: "floor" });
}

/** [N, cin, H, W] → [N, cout, 2 H, 2 W]. */
const UP = {
  transposed: (t: Trace, x: string, cin: number, cout: number) => convTranspose(t, x, `${t.module}.up`, cin, cout),
  resized: (t: Trace, x: string, cin: number, cout: number) =>
    conv(t, resized(t, x, "linear"), `${t.module}.up.1`, cin, cout, { kernel: [1, 1] }),
} as const;

const unet = (name: string, note: string, up: keyof typeof UP): Generate =>
  imageModel(
    name,
    note,
    (t, x) => {
      const widths = [16, 24, 32];
      const skips: string[] = [];
      let h = t.in("inc", () => double(t, x, 3, 16));
      for (const [i, cin] of widths.slice(0, -1).entries()) {
        skips.push(h);
        h = t.in(`down${i + 1}`, () => double(t, maxPool(t, h, 2, 2), cin, widths[i + 1] as number));
      }
      for (const [i, skip] of skips.toReversed().entries()) {
        const [cin, cout] = widths.toReversed().slice(i) as [number, number];
        h = t.in(`up${i + 1}`, () => double(t, concat(t, 1, skip, UP[up](t, h, cin, cout)), 2 * cout, cout));
      }
      return conv(t, h, "outc", 16, 2, { kernel: [1, 1] });
    },
    { dims: [2, 32, 32] },
  );

export const unets: readonly Generate[] = [
  unet("unet-transposed", "U-Net: ConvTranspose with bias, skips that come first in a Concat", "transposed"),
  unet("unet-resized", "U-Net: Resize by constant scales and a 1×1 convolution, skips that come first in a Concat", "resized"),
];

export const fpn = imageModel(
  "fpn",
  "Feature pyramid: lateral 1×1 sums over Resizes, one set of convolutions shared by three sizes, depthwise ConvTranspose",
  (t, x) => {
    const fine = convNorm(t, x, "body.0", 3, 16, { stride: 2 });
    const middle = convNorm(t, fine, "body.1", 16, 24, { stride: 2 });
    const coarse = convNorm(t, middle, "body.2", 24, 48, { stride: 2 });
    const lateral = (x: string, i: number, cin: number) => conv(t, x, `fpn.inner.${i}`, cin, 32, { kernel: [1, 1] });
    const third = lateral(coarse, 2, 48);
    const second = t.op("Add", [lateral(middle, 1, 24), resized(t, third, "nearest")]);
    const first = t.op("Add", [lateral(fine, 0, 16), upsample(t, second)]);
    const head = (x: string) => relu(t, conv(t, x, "head.conv", 32, 24, { kernel: [3, 3] }));
    const larger = (x: string) => convTranspose(t, x, "head.up", 24, 24, 2, 24);
    const both = t.op("Add", [head(second), larger(head(third))]);
    return conv(t, t.op("Add", [head(first), larger(both)]), "head.mask", 24, 2, { kernel: [3, 3] });
  },
  { dims: [2, 16, 16] },
);
