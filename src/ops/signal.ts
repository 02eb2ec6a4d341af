/** Spectra and windows. */
import { elements } from "../tensor.ts";
import { filled, ofKnown, one } from "./compute.ts";
import { computed, unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { axesOf, axisOf, dtypeAttribute, int, type Op } from "./op.ts";
import { offsets, strides } from "./strides.ts";
import { type Dim, type Dims, elementsOf, integerOf, integersOf } from "./value.ts";

/** Batches of frames: signal[batch, length, 1 or 2] → [batch, frames, bins, 2]. */
export const STFT: Op = {
  infer(node, [signal, step, window, length], context) {
    const frame = integersOf(length)?.[0] ?? window?.shape?.[0] ?? context.symbol();
    const stride = integersOf(step)?.[0];
    const whole = signal?.shape?.[1];
    const frames =
      whole !== undefined && stride
        ? computed(`frames/${stride}`, [whole, frame], context, (n, k) => Math.floor((n - k) / stride) + 1)
        : context.symbol();
    const isOneSided = int(node, "onesided", 1) !== 0;
    const bins = isOneSided ? computed("onesided", [frame], context, (n) => Math.floor(n / 2) + 1) : frame;
    const known = frames !== undefined && bins !== undefined;
    return [{ dtype: signal?.dtype, shape: known ? [signal?.shape?.[0] ?? context.symbol(), frames, bins, 2] : undefined }];
  },
  compute: ofKnown((_node, [signal, step, window, length], { outputs: [y] }) => {
    const [from, weights] = [signal && numbersOf(signal), window && numbersOf(window)];
    const [, frames = 0, bins = 0] = y?.shape ?? [];
    const [, whole = 0, parts = 1] = signal?.shape ?? [];
    const [stride, size] = [Number(step?.data[0]), Number(length ? length.data[0] : window?.data.length)];
    if (!from || !y || parts > 2 || (weights && weights.length !== size)) return undefined;
    const frame = (at: number): Pairs => {
      const start = (Math.floor(at / frames) * whole + (at % frames) * stride) * parts;
      const part = (which: number) =>
        Float64Array.from({ length: size }, (_, i) =>
          which < parts ? (from[start + i * parts + which] as number) * ((weights?.[i] as number) ?? 1) : 0,
        );
      return [part(0), part(1)];
    };
    const result = transforms((y.shape[0] as number) * frames, size, frame, -1);
    return result && one(filled(y.dtype, y.shape, (i) => result(Math.floor(i / 2 / bins), Math.floor(i / 2) % bins, i % 2)));
  }),
};

/** Real and imaginary parts. */
type Pairs = readonly [Float64Array, Float64Array];

/** Multiplications of one node, at most: a second or so. */
const MAX_PRODUCTS = 1 << 30;

/** Part `part` of bin `bin` of the transform of each of `count` lines; undefined where that would take too long. */
function transforms(count: number, size: number, line: (at: number) => Pairs, sign: 1 | -1) {
  const odd = size / (size & -size);
  if (!(size > 0) || count * size * odd > MAX_PRODUCTS) return undefined;
  const lines = Array.from({ length: count }, (_, at) => fourier(line(at), sign));
  return (at: number, bin: number, part: number): number => lines[at]?.[part as 0 | 1][bin] ?? 0;
}

/** The discrete Fourier transform, by halves as long as the length is even. */
function fourier([re, im]: Pairs, sign: 1 | -1): Pairs {
  const n = re.length;
  const [outRe, outIm] = [new Float64Array(n), new Float64Array(n)];
  const turn = (sign * 2 * Math.PI) / n;
  if (n % 2 === 0) {
    const [even, odd] = [0, 1].map((from) => {
      const [a, b] = [re, im].map((part) => part.filter((_, i) => i % 2 === from)) as [Float64Array, Float64Array];
      return fourier([a, b], sign);
    }) as [Pairs, Pairs];
    const half = n / 2;
    for (let k = 0; k < half; k++) {
      const [cos, sin] = [Math.cos(turn * k), Math.sin(turn * k)];
      const [a, b, c, d] = [even[0][k], even[1][k], odd[0][k], odd[1][k]] as [number, number, number, number];
      const [x, y] = [c * cos - d * sin, c * sin + d * cos];
      [outRe[k], outIm[k], outRe[k + half], outIm[k + half]] = [a + x, b + y, a - x, b - y];
    }
    return [outRe, outIm];
  }
  const cos = Float64Array.from(re, (_, i) => Math.cos(turn * i));
  const sin = Float64Array.from(re, (_, i) => Math.sin(turn * i));
  for (let k = 0; k < n; k++) {
    let [x, y] = [0, 0];
    for (let i = 0, at = 0; i < n; i++, at = (at + k) % n) {
      const [a, b, c, s] = [re[i], im[i], cos[at], sin[at]] as [number, number, number, number];
      x += a * c - b * s;
      y += a * s + b * c;
    }
    [outRe[k], outIm[k]] = [x, y];
  }
  return [outRe, outIm];
}

/** The last axis holds real and imaginary parts; the axis of the transform is an attribute up to opset 19. */
export const DFT: Op = {
  infer(node, [x, length, axis], context) {
    const shape = x?.shape;
    const at = context.opset >= 20 ? (axis ? integersOf(axis)?.[0] : -2) : int(node, "axis", 1);
    const [counted] = (shape && at !== undefined && axesOf([at], shape.length)) || [];
    if (!shape || counted === undefined) return [{ dtype: x?.dtype, shape: shape && [...unknownDims(shape.length - 1, context), 2] }];
    const given = length ? (elementsOf(length)?.[0] ?? context.symbol()) : (shape[counted] as Dim);
    const isInverse = int(node, "inverse", 0) !== 0;
    const isOneSided = int(node, "onesided", 0) !== 0;
    const bins = isOneSided && !isInverse ? computed("onesided", [given], context, (n) => Math.floor(n / 2) + 1) : given;
    const dims = shape.map((d, i) => (i === counted ? bins : i === shape.length - 1 ? (isInverse && isOneSided ? 1 : 2) : d));
    return [{ dtype: x.dtype, shape: dims.includes(undefined) ? undefined : (dims as Dims) }];
  },
  compute: ofKnown((node, [x, length, axes], { opset, outputs: [y] }) => {
    const [from, inverse] = [x && numbersOf(x), int(node, "inverse", 0) !== 0];
    const rank = x?.shape.length ?? 0;
    const axis = axisOf(opset >= 20 ? Number(axes?.data[0] ?? -2) : int(node, "axis", 1), rank);
    const parts = x?.shape.at(-1) ?? 0;
    if (!x || !from || !y || axis === undefined || axis === rank - 1 || parts > 2 || y.shape.at(-1) !== 2) return undefined;
    const steps = strides(x.shape);
    const starts = offsets(x.shape.slice(0, -1).toSpliced(axis, 1), steps.slice(0, -1).toSpliced(axis, 1));
    const [own, step] = [x.shape[axis] as number, steps[axis] as number];
    const size = length ? Number(length.data[0]) : own;
    const line = (at: number): Pairs => {
      const part = (which: number) =>
        Float64Array.from({ length: size }, (_, i) =>
          which < parts && i < own ? (from[(starts[at] as number) + i * step + which] as number) : 0,
        );
      return [part(0), part(1)];
    };
    const result = transforms(starts.length, size, line, inverse ? 1 : -1);
    const [bins, inner] = [y.shape[axis] as number, elements(y.shape.slice(axis + 1, -1))];
    const value = (i: number) => {
      const at = Math.floor(i / 2);
      return result?.(Math.floor(at / inner / bins) * inner + (at % inner), Math.floor(at / inner) % bins, i % 2) ?? 0;
    };
    return result && one(filled(y.dtype, y.shape, (i) => value(i) / (inverse ? size : 1)));
  }),
};

/** A sum of cosines over the window. */
const window = (...weights: readonly [number, number, number?]): Op => ({
  infer: (node, [size], context) => [
    { dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: [elementsOf(size)?.[0] ?? context.symbol()] },
  ],
  compute: ofKnown((node, _inputs, { outputs: [y] }) => {
    const [size = 0] = y?.shape ?? [];
    const turn = (2 * Math.PI) / (int(node, "periodic", 1) !== 0 ? size : size - 1);
    return one(filled(y?.dtype, y?.shape, (i) => weights.reduce<number>((sum, w = 0, k) => sum + w * Math.cos(k * turn * i), 0)));
  }),
});

export const BlackmanWindow = window(0.42, -0.5, 0.08);
export const HammingWindow = window(25 / 46, -21 / 46);
export const HannWindow = window(0.5, -0.5);

/** [bins of the spectrum, mel bins]. */
export const MelWeightMatrix: Op = {
  infer(node, [bins, length], context) {
    const spectrum = integerOf(length);
    const rows = spectrum === undefined ? context.symbol() : computed("mel", [spectrum], context, (n) => Math.floor(n / 2) + 1);
    const columns = elementsOf(bins)?.[0] ?? context.symbol();
    return [{ dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: rows === undefined ? undefined : [rows, columns] }];
  },
  /** Triangles between neighbours of frequencies that are evenly spread over the mel scale. */
  compute: ofKnown((_node, inputs, { outputs: [y] }) => {
    const [count = 0, length = 0, rate = 0, low = 0, high = 0] = inputs.map((x) => Number(x?.data[0]));
    const [rows = 0, columns = 0] = y?.shape ?? [];
    const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
    const step = (mel(high) - mel(low)) / (count + 2);
    const bins = Array.from({ length: columns + 2 }, (_, i) =>
      Math.floor(((length + 1) * 700 * (10 ** ((i * step + mel(low)) / 2595) - 1)) / rate),
    );
    const weights = new Float64Array(rows * columns);
    for (let column = 0; column < columns; column++) {
      const [left, middle, right] = bins.slice(column, column + 3) as [number, number, number];
      for (let row = Math.max(0, left); row < Math.min(rows, right); row++)
        weights[row * columns + column] = row < middle ? (row - left) / (middle - left) : (right - row) / (right - middle);
      if (middle >= 0 && middle < rows) weights[middle * columns + column] = 1;
    }
    return one(filled(y?.dtype, y?.shape, (i) => weights[i] as number));
  }),
};
