/**
 * Round-to-nearest references in double precision. Slow and plain on purpose: what the product computes with SIMD and single
 * precision is compared with these. Finite inputs only, unless a function says more.
 */

export interface Quantized {
  /** What the codes stand for, in the shape of the source. */
  dequantized: Float32Array;
  codes: Int8Array;
  /** Scales as a file stores them: rounded to f32. */
  scales: Float32Array;
  /** Signal to quantization noise of `dequantized` against the source, in dB. */
  sqnr_db: number;
}

/** Round to nearest, ties to even. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * 10 · log10(Σ reference² / Σ (reference − actual)²) in dB, in double precision. Equal arrays give Infinity; equal non-finite
 * elements count as no error, unequal ones give NaN or −Infinity, never a good mark.
 */
export function sqnr(reference: ArrayLike<number | bigint>, actual: ArrayLike<number | bigint>): number {
  if (reference.length !== actual.length) throw new RangeError(`Cannot compare ${reference.length} with ${actual.length} elements`);
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < reference.length; i++) {
    const a = Number(reference[i]);
    const b = Number(actual[i]);
    if (Object.is(a, b)) {
      if (Number.isFinite(a)) signal += a * a;
      continue;
    }
    signal += a * a;
    noise += (a - b) ** 2;
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** Quantizes `data` in groups: `group(i)` is the scale index of element i, `scaleOf` the scale of a group's extreme value. */
function quantize(
  data: Float32Array,
  groups: number,
  group: (i: number) => number,
  [low, high]: readonly [number, number],
  scaleOf: (extreme: number) => number,
): Quantized {
  const extremes = new Float64Array(groups);
  data.forEach((x, i) => {
    const g = group(i);
    if (Math.abs(x) > Math.abs(extremes[g] as number)) extremes[g] = x;
  });
  const scales = Float32Array.from(extremes, scaleOf);
  const codes = Int8Array.from(data, (x, i) => {
    const scale = scales[group(i)] as number;
    return scale === 0 ? 0 : Math.min(high, Math.max(low, roundHalfEven(x / scale)));
  });
  const dequantized = Float32Array.from(codes, (code, i) => code * (scales[group(i)] as number));
  return { dequantized, codes, scales, sqnr_db: sqnr(data, dequantized) };
}

/** Symmetric int8, one scale (largest magnitude / 127) for each index of `axis` of `dims`. */
export function int8PerChannel(data: Float32Array, dims: readonly number[], axis: number): Quantized {
  const channels = dims.at(axis) as number;
  const inner = dims.slice(axis < 0 ? dims.length + axis + 1 : axis + 1).reduce((a, b) => a * b, 1);
  return quantize(
    data,
    channels,
    (i) => Math.floor(i / inner) % channels,
    [-127, 127],
    (extreme) => Math.abs(extreme) / 127,
  );
}

/** Symmetric int8, one scale for the tensor. */
export function int8PerTensor(data: Float32Array): Quantized {
  return quantize(
    data,
    1,
    () => 0,
    [-127, 127],
    (extreme) => Math.abs(extreme) / 127,
  );
}

/**
 * Symmetric int4 in blocks along K, the last block shorter: scale = (element of largest magnitude, with its sign) / −8, codes −8 to
 * 7. `layout` says where K stands: "kn" for a MatMul's B, "nk" for a Gemm with transB. Scales are [N, ceil(K / block)] row-major.
 */
export function int4Block(data: Float32Array, dims: readonly [number, number], layout: "kn" | "nk", block = 32): Quantized {
  const [rows, columns] = dims;
  const k = layout === "kn" ? rows : columns;
  const n = layout === "kn" ? columns : rows;
  const blocks = Math.ceil(k / block);
  const group = (i: number) => {
    const row = Math.floor(i / columns);
    const column = i % columns;
    return layout === "kn" ? column * blocks + Math.floor(row / block) : row * blocks + Math.floor(column / block);
  };
  return quantize(data, n * blocks, group, [-8, 7], (extreme) => extreme / -8);
}

/**
 * Integers with a scale and a zero point for every index of the axes `from` to `to` (less 1) of `dims`: int8 over ±absmax in 254 steps with
 * zero point 0, uint8 over the range from min to max, zero within it, in 255 steps.
 */
export function affine8(
  data: Float32Array,
  dims: readonly number[],
  [from, to]: readonly [number, number],
  dtype: "int8" | "uint8",
): { dequantized: Float32Array; sqnr_db: number } {
  const size = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  const [channels, inner] = [size(dims.slice(from, to)), size(dims.slice(to))];
  const [low, high] = dtype === "int8" ? [-128, 127] : [0, 255];
  const [min, max] = [new Float64Array(channels), new Float64Array(channels)];
  const channel = (i: number) => Math.floor(i / inner) % channels;
  data.forEach((x, i) => {
    const c = channel(i);
    min[c] = Math.min(min[c] as number, x);
    max[c] = Math.max(max[c] as number, x);
  });
  const dequantized = data.map((x, i) => {
    const [least, most] = [min[channel(i)] as number, max[channel(i)] as number];
    const scale = (dtype === "int8" ? (2 * Math.max(-least, most)) / 254 : (most - least) / 255) || 1;
    const zero_point = dtype === "int8" ? 0 : roundHalfEven(-least / scale);
    return (Math.max(low, Math.min(high, roundHalfEven(x / scale) + zero_point)) - zero_point) * scale;
  });
  return { dequantized, sqnr_db: sqnr(data, dequantized) };
}

/** The values of NF4, of a block whose largest magnitude is 1: quantiles of the normal distribution, https://arxiv.org/abs/2305.14314. */
// biome-ignore format: a table
export const NF4: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
];

/** NF4 of a [K, N] weight: columns one after another, cut into blocks of 64 whatever K is. */
export function nf4(data: Float32Array, [k, n]: readonly [number, number], block = 64): { dequantized: Float32Array; sqnr_db: number } {
  const at = (i: number) => (i % k) * n + Math.floor(i / k);
  const dequantized = new Float32Array(data.length);
  for (let from = 0; from < data.length; from += block) {
    const line = Array.from({ length: Math.min(block, data.length - from) }, (_, i) => data[at(from + i)] as number);
    const absmax = Math.max(...line.map(Math.abs));
    for (const [i, x] of line.entries()) {
      const nearest = NF4.reduce((best, value) => (Math.abs(value * absmax - x) < Math.abs(best * absmax - x) ? value : best));
      dequantized[at(from + i)] = nearest * absmax;
    }
  }
  return { dequantized, sqnr_db: sqnr(data, dequantized) };
}

const view = new DataView(new ArrayBuffer(8));

/** The exponent of a positive double, exactly; subnormal doubles count as the smallest normal one. */
function exponentOf(x: number): number {
  view.setFloat64(0, x);
  return Math.max(((view.getUint32(0) >>> 20) & 0x7ff) - 1023, -1022);
}

/**
 * The bits of the nearest value of a binary format with `mantissa` stored bits and smallest normal exponent `least`, ties to even.
 * Too large becomes ±Infinity, NaN the quiet NaN of its sign. One rounding, straight from the double.
 */
function toBits(x: number, mantissa: number, least: number, infinity: number): number {
  view.setFloat64(0, x);
  const sign = view.getUint32(0) >>> 31 ? 0x8000 : 0;
  if (Number.isNaN(x)) return sign | infinity | (1 << (mantissa - 1));
  const magnitude = Math.abs(x);
  if (magnitude === Infinity) return sign | infinity;
  const exponent = Math.max(exponentOf(magnitude), least);
  const steps = roundHalfEven(magnitude * 2 ** (mantissa - exponent));
  return sign | Math.min(infinity, ((exponent - least) << mantissa) + steps);
}

function fromBits(bits: number, mantissa: number, least: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >> mantissa;
  const fraction = bits & ((1 << mantissa) - 1);
  if (exponent === 0x7fff >> mantissa) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** (least - mantissa);
  return sign * (fraction + 2 ** mantissa) * 2 ** (exponent - 1 + least - mantissa);
}

/** IEEE binary16, correctly rounded from a double. */
export function toFloat16Bits(x: number): number {
  return toBits(x, 10, -14, 0x7c00);
}

export function fromFloat16Bits(bits: number): number {
  return fromBits(bits, 10, -14);
}

/** bfloat16, correctly rounded from a double. */
export function toBfloat16Bits(x: number): number {
  return toBits(x, 7, -126, 0x7f80);
}

export function fromBfloat16Bits(bits: number): number {
  return fromBits(bits, 7, -126);
}

/** What f16 storage makes of the weights, and the SQNR in dB. */
export function float16(data: Float32Array): { dequantized: Float32Array; sqnr_db: number } {
  const dequantized = data.map((x) => fromFloat16Bits(toFloat16Bits(x)));
  return { dequantized, sqnr_db: sqnr(data, dequantized) };
}

/** What bf16 storage makes of the weights, and the SQNR in dB. */
export function bfloat16(data: Float32Array): { dequantized: Float32Array; sqnr_db: number } {
  const dequantized = data.map((x) => fromBfloat16Bits(toBfloat16Bits(x)));
  return { dequantized, sqnr_db: sqnr(data, dequantized) };
}
