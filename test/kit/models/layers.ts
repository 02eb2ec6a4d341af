/** Layers of image models as PyTorch's exporter writes them, batch normalization not folded, with He's weights. */
import { type Feeds, floats, type Generate, generator } from "./model.ts";
import { batchNorm, conv, gemm } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

/** Of weights behind a Relu, which halves the mean square. */
export const HE = Math.SQRT2;

/** The deviation that {@link batchNorm}'s running variances say their inputs have. */
const DEVIATION = Math.sqrt(0.6);

export const relu = (t: Trace, x: string): string => t.op("Relu", [x]);

interface Layer {
  kernel?: number | readonly number[];
  stride?: number;
  group?: number;
  /** Relu unless said; `false` for none. */
  act?: ((t: Trace, x: string) => string) | false;
}

const pair = (size: number | readonly number[]): readonly number[] => (typeof size === "number" ? [size, size] : size);

/** [N, cin, H, W] → [N, cout, H / stride, W / stride]: convolution without bias, batch normalization, activation. */
export function convNorm(t: Trace, x: string, name: string, cin: number, cout: number, layer: Layer = {}): string {
  const { kernel = 3, act = relu, ...rest } = layer;
  return t.in(name, () => {
    const made = conv(t, x, `${t.module}.0`, cin, cout, { kernel: pair(kernel), gain: HE * DEVIATION, biased: false, ...rest });
    const normal = batchNorm(t, made, `${t.module}.1`, cout);
    return act ? act(t, normal) : normal;
  });
}

/** The other way round: batch normalization, Relu, convolution without bias. */
export function normConv(t: Trace, x: string, name: string, cin: number, cout: number, kernel: number): string {
  return t.in(name, () => {
    const normal = relu(t, batchNorm(t, x, `${t.module}.norm`, cin));
    return conv(t, normal, `${t.module}.conv`, cin, cout, { kernel: pair(kernel), gain: HE, biased: false });
  });
}

/** [N, cin, H, W] → [N, cout, stride · H, stride · W]; the weight is [cin, cout / group, stride, stride]. */
export function convTranspose(t: Trace, x: string, name: string, cin: number, cout: number, stride = 2, group = 1): string {
  const weight = t.weight(`${name}.weight`, [cin, cout / group, stride, stride], 1 / Math.sqrt(cin / group));
  const window = pair(stride);
  const attributes = { dilations: [1, 1], group, kernel_shape: window, pads: [0, 0, 0, 0], strides: window };
  return t.op("ConvTranspose", [x, weight, t.weight(`${name}.bias`, [cout], 0.1)], attributes);
}

const pool = (t: Trace, op_type: string, x: string, kernel: number, stride: number, pad: number, rest: Record<string, number> = {}) =>
  t.op(op_type, [x], { kernel_shape: pair(kernel), pads: [pad, pad, pad, pad], strides: pair(stride), ...rest });

export const maxPool = (t: Trace, x: string, kernel: number, stride: number, pad = 0): string => pool(t, "MaxPool", x, kernel, stride, pad);

export const averagePool = (t: Trace, x: string, kernel: number, stride: number, pad = 0): string =>
  pool(t, "AveragePool", x, kernel, stride, pad, { count_include_pad: 1 });

export const concat = (t: Trace, axis: number, ...parts: readonly string[]): string => t.op("Concat", parts, { axis });

/** [N, channels, H, W] → [N, classes]: the mean of each channel and a linear layer. */
export const classify = (t: Trace, x: string, name: string, channels: number, classes = 10): string =>
  gemm(t, t.op("Flatten", [t.op("GlobalAveragePool", [x])], { axis: 1 }), name, channels, classes);

/** GroupNorm as PyTorch exports it: InstanceNormalization of reshaped groups. */
export function groupNorm(t: Trace, x: string, name: string, groups: number, channels: number): string {
  const ones = t.tensor("instance_norm.scale", 1, [groups], new Float32Array(groups).fill(1));
  const zeros = t.tensor("instance_norm.bias", 1, [groups], new Float32Array(groups));
  const flat = t.op("Reshape", [x, t.ints([0, groups, -1])]);
  const normal = t.op("InstanceNormalization", [flat, ones, zeros], { epsilon: { float: 1e-5 } });
  const back = t.op("Reshape", [normal, t.op("Shape", [x])]);
  const scaled = t.op("Mul", [back, t.weight(`${name}.weight`, [channels, 1, 1], 0.1, 1)]);
  return t.op("Add", [scaled, t.weight(`${name}.bias`, [channels, 1, 1], 0.1)]);
}

interface ImageModel {
  side?: number;
  /** What comes out, without the batch: 10 classes unless said. */
  dims?: readonly number[];
  /** A name makes it symbolic. */
  batch?: number | string;
}

/** A model of images: input[batch, 3, side, side] → output[batch, …dims]. */
export const imageModel = (name: string, note: string, write: (t: Trace, x: string) => string, model: ImageModel = {}): Generate =>
  generator(name, note, (opset) => {
    const { side = 32, dims = [10], batch = "batch_size" } = model;
    const t = new Trace(opset);
    const made = write(t, "input");
    const graph = t.graph([float32("input", [batch, 3, side, side])], [[made, float32("output", [batch, ...dims])]]);
    const rows = typeof batch === "number" ? batch : 2;
    const feeds = (rows: number, change = (x: number) => x): Feeds => {
      const noise = floats([rows, 3, side, side], 5 + rows);
      return { input: { ...noise, data: (noise.data as Float32Array).map(change) } };
    };
    // Noise like noise is averaged away: lighter images of more contrast, and darker ones, leave few channels unseen.
    const other = typeof batch === "number" ? batch : 1;
    return { graph, inputs: feeds(rows), more: [feeds(other, (x) => 2 * x + 1), feeds(other, (x) => x - 1)] };
  });
