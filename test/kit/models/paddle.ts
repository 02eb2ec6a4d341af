/**
 * Building blocks of PaddleDetection's models, with random weights by which every layer sees inputs of about unit variance, however deep
 * it stands: each value carries samples of what it will hold, and a convolution's weights are scaled by what comes of them.
 */
import { DataType, drawn, f32 } from "../onnx.ts";
import { product } from "./model.ts";
import * as operators from "./operators.ts";
import { Trace } from "./trace.ts";

export interface PaddleOptions {
  /** BatchNormalization is folded into the convolution before it (the default), or stands behind one without bias. */
  folded?: boolean;
  /** Of all weights. */
  seed?: number;
  /** Images in a batch; 1 unless said. A name makes it symbolic. */
  batch?: number | string;
}

/** Pixels of which samples are kept, in a ring: the neighbours of one are those that follow. */
const SAMPLES = 8;

/** [N, channels, height, width]. */
export interface Feature {
  name: string;
  channels: number;
  height: number;
  width: number;
  /** [channels, SAMPLES]. */
  samples: Float32Array;
}

const clip6 = (x: number) => Math.min(6, Math.max(0, x));

const activations = {
  relu: { write: (t: Trace, x: string) => t.op("Relu", [x]), f: (x: number) => Math.max(0, x) },
  swish: { write: operators.silu, f: (x: number) => x / (1 + Math.exp(-x)) },
  sigmoid: { write: (t: Trace, x: string) => t.op("Sigmoid", [x]), f: (x: number) => 1 / (1 + Math.exp(-x)) },
  hard_swish: { write: (t: Trace, x: string) => operators.hardSwish(t, x, true), f: (x: number) => (x * clip6(x + 3)) / 6 },
  hard_sigmoid: { write: operators.hardSigmoid, f: (x: number) => clip6(x + 3) / 6 },
} as const;

export type Activation = keyof typeof activations;

/** A graph under way whose weights have one seed. */
export class Network extends Trace {
  readonly folded: boolean;
  #seed: number;

  constructor(opset: number, { folded = true, seed = 1 }: PaddleOptions = {}) {
    super(opset);
    this.folded = folded;
    this.#seed = seed * 65536;
  }

  normal(n: number, std: number): Float32Array {
    return drawn(n, ++this.#seed, std);
  }

  /** An initializer of float32. */
  floats(name: string, dims: readonly number[], data: Float32Array): string {
    return this.tensor(name, DataType.FLOAT, dims, data);
  }
}

/** The network's input: normally distributed pixels of three channels. */
export const image = (t: Network, name: string, height: number, width: number): Feature => ({
  name,
  channels: 3,
  height,
  width,
  samples: t.normal(3 * SAMPLES, 1),
});

interface Convolution {
  kernel?: number;
  stride?: number;
  group?: number;
}

const scale = (data: Float32Array, by: number, from = 0, to = data.length): void => {
  for (let i = from; i < to; i++) data[i] = (data[i] as number) * by;
};

/** What a convolution makes of the samples. */
function convolveSamples(x: Feature, weights: Float32Array, channels: number, group: number): Float32Array {
  const out = new Float32Array(channels * SAMPLES);
  const row = weights.length / channels;
  const taps = (row * group) / x.channels;
  // Each ring twice, so that the neighbours of the last sample stand behind it.
  const rings = Float32Array.from({ length: 2 * x.samples.length }, (_, i) => {
    const at = i % (2 * SAMPLES);
    return x.samples[(i - at) / 2 + (at % SAMPLES)] as number;
  });
  const sums = new Float64Array(SAMPLES);
  for (let c = 0; c < channels; c++) {
    const first = Math.floor((c * group) / channels) * (x.channels / group);
    sums.fill(0);
    for (let i = 0; i < row / taps; i++) {
      for (let tap = 0; tap < taps; tap++) {
        const weight = weights[c * row + i * taps + tap] as number;
        const from = (first + i) * 2 * SAMPLES + (tap % SAMPLES);
        for (let k = 0; k < SAMPLES; k++) sums[k] = (sums[k] as number) + weight * (rings[from + k] as number);
      }
    }
    out.set(sums, c * SAMPLES);
  }
  return out;
}

interface Weights {
  dims: number[];
  data: Float32Array;
  /** What comes of them, [channels, SAMPLES]. */
  samples: Float32Array;
}

/** Weights of a convolution by which the mean square of what comes out is 1 over all channels, or that of `gain`. */
function normalized(x: Feature, dims: number[], data: Float32Array, { group = 1 }: Convolution, gain = 1): Weights {
  const samples = convolveSamples(x, data, dims[0] as number, group);
  const factor = gain / Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
  scale(data, factor);
  scale(samples, factor);
  return { dims, data, samples };
}

function kernels(t: Network, x: Feature, channels: number, { kernel = 1, group = 1 }: Convolution): [dims: number[], data: Float32Array] {
  const dims = [channels, x.channels / group, kernel, kernel];
  return [dims, t.normal(product(dims), 1 / Math.sqrt(product(dims.slice(1))))];
}

/** Adds a bias for each channel to its samples. */
const biased = (samples: Float32Array, bias: Float32Array) => samples.map((each, i) => each + (bias[Math.floor(i / SAMPLES)] as number));

function convolved(t: Network, x: Feature, inputs: readonly string[], samples: Float32Array, options: Convolution): Feature {
  const { kernel = 1, stride = 1, group = 1 } = options;
  const half = kernel >> 1;
  const name = t.op("Conv", [x.name, ...inputs], {
    dilations: [1, 1],
    group,
    kernel_shape: [kernel, kernel],
    pads: [half, half, half, half],
    strides: [stride, stride],
  });
  const [height, width] = [x.height, x.width].map((size) => Math.floor((size + 2 * half - kernel) / stride) + 1) as [number, number];
  return { name, channels: samples.length / SAMPLES, height, width, samples };
}

interface Plain extends Convolution {
  /** What the biases are about, or that there are none. */
  bias?: number | false;
  /** The deviation of what comes out. */
  gain?: number;
}

/** A convolution and no normalization. */
export function conv(t: Network, x: Feature, name: string, channels: number, { bias = 0, gain = 1, ...options }: Plain = {}): Feature {
  const { dims, data, samples } = normalized(x, ...kernels(t, x, channels, options), options, gain);
  const inputs = [t.floats(`${name}.weight`, dims, data)];
  if (bias === false) return convolved(t, x, inputs, samples, options);
  const biases = t.normal(channels, 0.1 * gain).map((each) => bias + each);
  return convolved(t, x, [...inputs, t.floats(`${name}.bias`, [channels], biases)], biased(samples, biases), options);
}

/** Of what a normalization adds: it keeps large signals from growing and small ones from vanishing over many layers. */
const SHIFT = 0.35;

/** Convolution, batch normalization, activation. Channels differ in what they are scaled by before the normalization and in it. */
export function convNorm(
  t: Network,
  x: Feature,
  name: string,
  channels: number,
  { act, ...options }: Convolution & { act?: Activation } = {},
): Feature {
  const { dims, data, samples } = normalized(x, ...kernels(t, x, channels, options), options, Math.sqrt(1 - SHIFT ** 2));
  const [spread, variance] = [t.normal(channels, 0.3).map(Math.exp), new Float32Array(channels)];
  const [weight, shift, mean] = [t.normal(channels, 0.15).map((each) => 1 + each), t.normal(channels, SHIFT), t.normal(channels, 0.1)];
  const epsilon = 1e-5;
  const bias = new Float32Array(channels);
  const row = product(dims.slice(1));
  for (let c = 0; c < channels; c++) {
    const deviation = spread[c] as number;
    variance[c] = deviation ** 2;
    const factor = (weight[c] as number) / Math.sqrt((variance[c] as number) + epsilon);
    bias[c] = (shift[c] as number) - (mean[c] as number) * factor;
    scale(data, t.folded ? deviation * factor : deviation, c * row, (c + 1) * row);
    scale(samples, deviation * factor, c * SAMPLES, (c + 1) * SAMPLES);
  }
  const vector = (part: string, values: Float32Array) => t.floats(`${name}.${part}`, [channels], values);
  const inputs = [t.floats(`${name}.conv.weight`, dims, data)];
  if (t.folded) inputs.push(vector("conv.bias", bias));
  const out = convolved(t, x, inputs, biased(samples, bias), options);
  if (!t.folded) {
    const parts = Object.entries({ weight, bias: shift, _mean: mean, _variance: variance }).map(([part, each]) =>
      vector(`bn.${part}`, each),
    );
    out.name = t.op("BatchNormalization", [out.name, ...parts], { epsilon: { float: epsilon }, momentum: { float: 0.9 } });
  }
  return act ? activate(t, out, act) : out;
}

/** What RepVGG's 3×3 and 1×1 become when they are deployed: one 3×3 whose middle weighs most. */
export function repVgg(t: Network, x: Feature, name: string, act: Activation): Feature {
  const [dims, data] = kernels(t, x, x.channels, { kernel: 3 });
  kernels(t, x, x.channels, {})[1].forEach((each, i) => {
    data[9 * i + 4] = (data[9 * i + 4] as number) + each;
  });
  const { samples } = normalized(x, dims, data, {}, Math.sqrt(1 - SHIFT ** 2));
  const bias = t.normal(x.channels, SHIFT);
  const inputs = [t.floats(`${name}.conv.weight`, dims, data), t.floats(`${name}.conv.bias`, [x.channels], bias)];
  return activate(t, convolved(t, x, inputs, biased(samples, bias), { kernel: 3 }), act);
}

export function activate(t: Network, x: Feature, act: Activation): Feature {
  const { write, f } = activations[act];
  return { ...x, name: write(t, x.name), samples: x.samples.map(f) };
}

export const add = (t: Network, a: Feature, b: Feature): Feature => ({
  ...a,
  name: t.op("Add", [a.name, b.name]),
  samples: a.samples.map((each, i) => each + (b.samples[i] as number)),
});

/** `x` times a gate of [N, channels, 1, 1]. */
export const gated = (t: Network, x: Feature, gate: Feature): Feature => ({
  ...x,
  name: t.op("Mul", [x.name, gate.name]),
  samples: x.samples.map((each, i) => each * (gate.samples[i] as number)),
});

export function concat(t: Network, ...parts: readonly Feature[]): Feature {
  const names = parts.map(({ name }) => name);
  const samples = Float32Array.from(parts.flatMap((part) => Array.from(part.samples)));
  return { ...(parts[0] as Feature), name: t.op("Concat", names, { axis: 1 }), channels: samples.length / SAMPLES, samples };
}

/** The two halves of the channels. */
export function halves(t: Network, x: Feature): [Feature, Feature] {
  const channels = x.channels / 2;
  const half = (name: string, i: number): Feature => {
    const from = i * channels * SAMPLES;
    return { ...x, name, channels, samples: x.samples.subarray(from, from + channels * SAMPLES) };
  };
  return operators.split(t, x.name, [channels, channels], 1).map(half) as [Feature, Feature];
}

/** Channels of two groups in turn. */
export function shuffle(t: Network, x: Feature): Feature {
  const { channels, height, width } = x;
  const pairs = operators.transpose(t, operators.reshape(t, x.name, -1, 2, channels / 2, height, width), 0, 2, 1, 3, 4);
  const from = (c: number) => (c % 2) * (channels / 2) + (c >> 1);
  const samples = x.samples.map((_, i) => x.samples[from(Math.floor(i / SAMPLES)) * SAMPLES + (i % SAMPLES)] as number);
  return { ...x, name: operators.reshape(t, pairs, -1, channels, height, width), samples };
}

/** Each sample from those in reach of it. */
const around = (x: Feature, reach: number, f: (values: readonly number[]) => number): Float32Array =>
  x.samples.map((_, i) => {
    const at = (k: number) => x.samples[i - (i % SAMPLES) + ((i + k) % SAMPLES)] as number;
    return f(Array.from({ length: Math.min(reach, SAMPLES) }, (_, k) => at(k)));
  });

/** The mean of each channel, by GlobalAveragePool or, where `reduced`, by ReduceMean. */
export function pooled(t: Network, x: Feature, reduced = false): Feature {
  const name = reduced ? operators.reduce(t, "ReduceMean", x.name, [2, 3]) : t.op("GlobalAveragePool", [x.name]);
  const samples = around(x, SAMPLES, (values) => values.reduce((sum, each) => sum + each, 0) / SAMPLES);
  return { ...x, name, height: 1, width: 1, samples };
}

/** The greatest of size × size around. */
export function maxPooled(t: Network, x: Feature, size: number): Feature {
  const half = size >> 1;
  const attributes = { kernel_shape: [size, size], pads: [half, half, half, half], strides: [1, 1] };
  return { ...x, name: t.op("MaxPool", [x.name], attributes), samples: around(x, size * size, (values) => Math.max(...values)) };
}

/** To the size of another: nearest by a whole factor, or linear with its corners on the other's. */
export function resize(t: Network, x: Feature, { height, width }: Pick<Feature, "height" | "width">, mode: "nearest" | "linear"): Feature {
  const linear = { coordinate_transformation_mode: "align_corners", mode };
  const nearest = { coordinate_transformation_mode: "asymmetric", mode, nearest_mode: "floor" };
  const scales = f32("", [4], [1, 1, height / x.height, width / x.width]);
  const inputs = [x.name, "", t.op("Constant", [], { value: { tensor: scales } })];
  return { ...x, name: t.op("Resize", inputs, mode === "nearest" ? nearest : linear), height, width };
}
