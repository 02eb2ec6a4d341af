/** Networks that give an image: a U-Net that segments, and the blocks of one that draws. */

import { groupNorm } from "./layers.ts";
import { type Feeds, floats, generator } from "./model.ts";
import { batchNorm, conv, expand, gemm, silu, size, toFloat, unsqueeze, upsample } from "./operators.ts";
import { float32, int64, Trace } from "./trace.ts";

const image = (size: number, batch = 1): Feeds => ({ input: floats([batch, 3, size, size], 5) });

/** Conv, BatchNormalization, Relu, twice. */
export function double(t: Trace, x: string, cin: number, cout: number): string {
  const single = (from: string, i: number, channels: number) =>
    t.op("Relu", [batchNorm(t, conv(t, from, `${t.module}.${i}`, channels, cout, { kernel: [3, 3] }), `${t.module}.${i + 1}`, cout)]);
  return single(single(x, 0, cin), 3, cout);
}

/** input[batch, 3, height, width], any multiple of 4 → mask[batch, 2, height, width]. */
export const unet = generator("unet", "U-Net: MaxPool, ConvTranspose, Resize or Upsample, skips by Concat; any size", (opset) => {
  const t = new Trace(opset);
  const pool = (x: string) => t.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
  const a = t.in("inc", () => double(t, "input", 3, 8));
  const b = t.in("down1", () => double(t, pool(a), 8, 16));
  const c = t.in("down2", () => double(t, pool(b), 16, 24));
  const up = t.in("up1", () => {
    const weight = t.weight("up1.up.weight", [24, 16, 2, 2], 0.2);
    const larger = t.op("ConvTranspose", [c, weight, t.weight("up1.up.bias", [16], 0.1)], {
      kernel_shape: [2, 2],
      strides: [2, 2],
      group: 1,
    });
    return double(t, t.op("Concat", [b, larger], { axis: 1 }), 32, 16);
  });
  const out = t.in("up2", () => double(t, t.op("Concat", [a, upsample(t, up)], { axis: 1 }), 24, 8));
  const mask = t.op("Sigmoid", [conv(t, out, "outc.conv", 8, 2, { kernel: [1, 1] })]);
  const dims = ["batch_size", 3, "height", "width"];
  const graph = t.graph([float32("input", dims)], [[mask, float32("mask", ["batch_size", 2, "height", "width"])]]);
  return { graph, inputs: image(16, 2), more: [{ input: floats([1, 3, 8, 12], 6) }] };
});

/** Sines and cosines of the time step, which goes to 1000, at 16 frequencies. */
function timeEmbedding(t: Trace): string {
  const table = t.tensor(
    "time_proj.freqs",
    1,
    [1, 16],
    Float32Array.from({ length: 16 }, (_, i) => Math.exp((-Math.log(10000) * i) / 16)),
  );
  const wide = expand(t, unsqueeze(t, "timestep", 0), size(t, "sample", 0));
  const angles = t.op("Mul", [toFloat(t, unsqueeze(t, wide, 1)), table]);
  const both = t.op("Concat", [t.op("Sin", [angles]), t.op("Cos", [angles])], { axis: -1 });
  return gemm(t, silu(t, gemm(t, both, "time_embedding.linear_1", 32, 48)), "time_embedding.linear_2", 48, 32);
}

/** sample[batch, 4, 8, 8], timestep → out_sample of the same size. */
export const diffusion = generator(
  "diffusion",
  "a diffusion model's residual blocks: GroupNorm, time step by sines and cosines",
  (opset) => {
    const t = new Trace(opset);
    const time = t.in("time", () => timeEmbedding(t));
    let x = conv(t, "sample", "conv_in", 4, 16, { kernel: [3, 3] });
    for (const i of [0, 1]) {
      x = t.in(`down_blocks.${i}`, () => {
        const first = conv(t, silu(t, groupNorm(t, x, `${t.module}.norm1`, 4, 16)), `${t.module}.conv1`, 16, 16, { kernel: [3, 3] });
        const moved = t.op("Add", [first, unsqueeze(t, unsqueeze(t, gemm(t, silu(t, time), `${t.module}.time_emb_proj`, 32, 16), 2), 3)]);
        const second = conv(t, silu(t, groupNorm(t, moved, `${t.module}.norm2`, 4, 16)), `${t.module}.conv2`, 16, 16, { kernel: [3, 3] });
        return t.op("Div", [t.op("Add", [x, second]), t.float(1)]);
      });
    }
    const out = conv(t, silu(t, groupNorm(t, x, "conv_norm_out", 4, 16)), "conv_out", 16, 4, { kernel: [3, 3] });
    const dims = ["batch_size", 4, "height", "width"];
    const graph = t.graph([float32("sample", dims), int64("timestep", [])], [[out, float32("out_sample", dims)]]);
    const feeds = (batch: number, step: number): Feeds => ({
      sample: floats([batch, 4, 8, 8], 5),
      timestep: { type: "int64", dims: [], data: BigInt64Array.of(BigInt(step)) },
    });
    return { graph, inputs: feeds(2, 961), more: [feeds(1, 1)] };
  },
);
