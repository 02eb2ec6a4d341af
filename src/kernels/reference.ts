// The kernels in plain TypeScript: the oracle of their tests, and nothing that is shipped. Each takes the arguments of its kernel with a
// typed array in place of an address. Half types and NaN-bearing outputs are bits, as JavaScript may rewrite a NaN that it carries.

const f = Math.fround;
const MIN_ABSMAX = 2 ** -100;

/** Nearest integer, ties to even. */
export function roundTiesToEven(v: number): number {
  const floor = Math.floor(v);
  const rest = v - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));

export function f32_absmax(n: number, x: Float32Array): number {
  let m = 0;
  for (let i = 0; i < n; i++) if (Number.isFinite(x[i])) m = Math.max(m, Math.abs(x[i]!));
  return m;
}

export function f32_minmax_channels(outer: number, c: number, inner: number, x: Float32Array, lo: Float32Array, hi: Float32Array): void {
  for (let i = 0; i < outer * c * inner; i++) {
    const channel = Math.floor(i / inner) % c;
    if (Number.isFinite(x[i]) && x[i]! < lo[channel]!) lo[channel] = x[i]!;
    if (Number.isFinite(x[i]) && x[i]! > hi[channel]!) hi[channel] = x[i]!;
  }
}

/** https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html */
export function f32_qs8_quantize(n: number, x: Float32Array, y: Int8Array, inv_scale: number, zero_point: number): void {
  for (let i = 0; i < n; i++) y[i] = q8(x[i]!, inv_scale, zero_point, -128);
}

/** numpy: `np.clip((x / scale).round() + zero_point, low, high)` in float32, channel by channel. */
export function f32_qa8_channels(
  outer: number,
  c: number,
  inner: number,
  x: Float32Array,
  y: Uint8Array,
  scale: Float32Array,
  zero_point: Uint8Array,
  low: number,
  high: number,
): void {
  for (let i = 0; i < outer * c * inner; i++) {
    const channel = Math.floor(i / inner) % c;
    const p = f(x[i]! / scale[channel]!);
    const z = integer(zero_point[channel]!, low);
    y[i] = Number.isNaN(p) ? z : clamp(roundTiesToEven(p) + z, low, high);
  }
}

/** A byte as int8 where `low` is negative, else as uint8. */
const integer = (byte: number, low: number): number => (low < 0 ? (byte << 24) >> 24 : byte);

function q8(x: number, inv_scale: number, zero_point = 0, low = -127): number {
  const p = f(x * f(inv_scale));
  return Number.isNaN(p) ? zero_point : clamp(roundTiesToEven(p) + zero_point, low, 127);
}

const scaleOf = (m: number): number => (m < MIN_ABSMAX ? 1 : f(m / 127));
const invScaleOf = (m: number): number => (m < MIN_ABSMAX ? 1 : f(127 / m));

/** https://arxiv.org/abs/2004.09602, section 3.1.2 */
export function f32_qc8w_rows(c: number, inner: number, x: Float32Array, y: Int8Array, scale: Float32Array): void {
  f32_qb8w_rows(c, inner, Math.max(inner, 1), x, y, scale);
  if (inner === 0) scale.fill(1);
}

export function f32_qb8w_rows(rows: number, k: number, block_size: number, x: Float32Array, y: Int8Array, scale: Float32Array): void {
  let block = 0;
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < k; at += block_size) {
      const values = x.subarray(row * k + at, row * k + Math.min(at + block_size, k));
      const m = f32_absmax(values.length, values);
      scale[block++] = scaleOf(m);
      for (const [i, v] of values.entries()) y[row * k + at + i] = q8(v, invScaleOf(m));
    }
  }
}

export function f32_absmax_channels(outer: number, c: number, inner: number, x: Float32Array, m: Float32Array): void {
  for (let i = 0; i < outer * c * inner; i++) {
    const channel = Math.floor(i / inner) % c;
    if (Number.isFinite(x[i])) m[channel] = Math.max(m[channel]!, Math.abs(x[i]!));
  }
}

export function qc8w_scales(c: number, m: Float32Array, scale: Float32Array, inv_scale: Float32Array): void {
  for (let i = 0; i < c; i++) {
    scale[i] = scaleOf(m[i]!);
    inv_scale[i] = invScaleOf(m[i]!);
  }
}

export function f32_qc8w_channels(outer: number, c: number, inner: number, x: Float32Array, y: Int8Array, inv_scale: Float32Array): void {
  for (let i = 0; i < outer * c * inner; i++) y[i] = q8(x[i]!, inv_scale[Math.floor(i / inner) % c]!);
}

/**
 * MlasQuantizeBlockwise of onnxruntime (core/mlas/lib/q4_dq.cpp), symmetric, 4 bits, block 32: min and max, then the one of larger
 * magnitude over -8, and round half away from zero. Returns the scale.
 */
function q4_block(values: Float32Array, y: Uint8Array): number {
  const finite = [...values].filter(Number.isFinite);
  const min = Math.min(...finite);
  const max = Math.max(...finite);
  const zero = new Int32Array(values.buffer, values.byteOffset, 1)[0]! < 0 ? 0 : -0; // MLAS divides the first zero by -8
  let scale = finite.length === 0 ? zero : f((Math.abs(max) > Math.abs(min) ? max : min) / -8);
  let r = scale === 0 ? 0 : f(1 / scale);
  if (scale === 0 || !Number.isFinite(r)) [scale, r] = [zero, 0];
  const q = (i: number): number => {
    const t = f(f((values[i] ?? 0) * r) + 8);
    return Number.isNaN(t) ? 8 : Math.floor(clamp(t, 0, 15) + 0.5);
  };
  for (let i = 0; i < 16; i++) y[i] = 2 * i < values.length ? q(2 * i) | (q(2 * i + 1) << 4) : 0;
  return scale;
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits */
export function f32_qb4w_rows(rows: number, k: number, x: Float32Array, y: Uint8Array, scale: Float32Array): void {
  const blocks = Math.ceil(k / 32);
  for (let i = 0; i < rows * blocks; i++) {
    const row = Math.floor(i / blocks);
    const at = (i % blocks) * 32;
    scale[i] = q4_block(x.subarray(row * k + at, row * k + Math.min(at + 32, k)), y.subarray(i * 16, i * 16 + 16));
  }
  if (k % 2 === 1) for (let row = 0; row < rows; row++) q4_odd(y, row * blocks * 16 + (k - 1) / 2, k % 64 === 1);
}

/** MLAS writes the unused nibble of a column's last byte with what it had in hand: that of the byte before; 0 at the start of 64 rows. */
function q4_odd(y: Uint8Array, last: number, anew: boolean): void {
  y[last] = (y[last]! & 15) | (anew ? 0 : y[last - 1]! & 0xf0);
}

/** `f32_qb4w_rows` of the panel, transposed first. */
export function f32_qb4w_transpose(
  k: number,
  n: number,
  ld: number,
  x: Float32Array,
  y: Uint8Array,
  scale: Float32Array,
  block: number,
  blocks: number,
): void {
  if (k === 0) return;
  for (let j = 0; j < n; j++) {
    const column = Float32Array.from({ length: k }, (_, i) => x[i * ld + j]!);
    const at = j * blocks + block;
    scale[at] = q4_block(column, y.subarray(at * 16, at * 16 + 16));
    if (k % 2 === 1) q4_odd(y, at * 16 + (k - 1) / 2, k === 1 && block % 2 === 0);
  }
}

/** The levels of NF4. https://arxiv.org/abs/2305.14314 */
// biome-ignore format: a table
const NF4 = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
];
/** The middles between them, rounded as onnxruntime has them: some are halfway between two floats. */
// biome-ignore format: a table
export const NF4_BOUNDS = [
  -0.84809643, -0.6106329, -0.45999527, -0.33967942, -0.2346074, -0.13791174, -0.045525018, 0.03979015, 0.120255254, 0.20352125, 0.29201376,
  0.38931254, 0.5016634, 0.6427869, 0.8614784,
].map(Math.fround);

export function f32_nf4(n: number, x: Float32Array, y: Uint8Array, absmax: Float32Array): void {
  y.fill(0, 0, Math.ceil(n / 2));
  for (let i = 0; i < 2 * Math.ceil(n / 2); i++) {
    const block = x.subarray(i & ~63, Math.min(n, (i & ~63) + 64));
    const m = f32_absmax(block.length, block);
    const inverse = Math.fround(1 / m);
    const share = Math.fround((i < n ? x[i]! : 0) * (Number.isFinite(inverse) ? inverse : 0));
    if (i < n) absmax[i >> 6] = m;
    const level = Number.isNaN(share) ? 7 : NF4_BOUNDS.filter((bound) => share > bound).length;
    y[i >> 1]! |= i & 1 ? level : level << 4;
  }
}

export function nf4_f32(n: number, q: Uint8Array, absmax: Float32Array, y: Float32Array): void {
  for (let i = 0; i < n; i++) y[i] = NF4[(q[i >> 1]! >> (i & 1 ? 0 : 4)) & 15]! * absmax[i >> 6]!;
}

export function f32_transpose(k: number, n: number, ld: number, x: Uint32Array, y: Uint32Array, to: number): void {
  for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) y[j * to + i] = x[i * ld + j]!;
}

/** A small IEEE type: bits of the stored significand, least normal exponent. Both types keep the sign in bit 15. */
interface Half {
  readonly significand: number;
  readonly least: number;
}
const F16: Half = { significand: 10, least: -14 };
const BF16: Half = { significand: 7, least: -126 };
const infinity = (type: Half): number => 0x7fff & (-1 << type.significand);

const scratch = new DataView(new ArrayBuffer(8));

/** IEEE 754 roundTiesToEven of a double that is not NaN. */
function encode(v: number, type: Half): number {
  scratch.setFloat64(0, v);
  const sign = (scratch.getUint8(0) & 0x80) << 8;
  const exponent = Math.max(((scratch.getUint16(0) >> 4) & 0x7ff) - 1023, type.least);
  // In units of the last place; the integer carries into the exponent field as it should, up to that of infinity.
  const units = Math.abs(v) / 2 ** (exponent - type.significand);
  const bits = (exponent - type.least) * 2 ** type.significand + roundTiesToEven(units);
  return sign | Math.min(bits, infinity(type));
}

/** NaN keeps its sign and the top bits of its payload; the quiet bit is set. */
function encodeNaN(bits: bigint, width: 32 | 64, type: Half): number {
  const [significand, top] = width === 32 ? [23, 31n] : [52, 63n];
  const payload = Number((bits >> BigInt(significand - type.significand)) & BigInt((1 << type.significand) - 1));
  return (Number((bits >> top) & 1n) << 15) | infinity(type) | (1 << (type.significand - 1)) | payload;
}

/** The bits of a half type from those of n floats (`x` is Uint32Array) or doubles (BigUint64Array). */
function narrow(type: Half) {
  return (n: number, x: Uint32Array | BigUint64Array, y: Uint16Array): void => {
    for (let i = 0; i < n; i++) {
      const v = float(x, i);
      y[i] = Number.isNaN(v) ? encodeNaN(BigInt(x[i]!), x instanceof Uint32Array ? 32 : 64, type) : encode(v, type);
    }
  };
}

function float(x: Uint32Array | BigUint64Array, i: number): number {
  if (x instanceof Uint32Array) {
    scratch.setUint32(0, x[i]!);
    return scratch.getFloat32(0);
  }
  scratch.setBigUint64(0, x[i]!);
  return scratch.getFloat64(0);
}

export const f32_f16 = narrow(F16);
export const f32_bf16 = narrow(BF16);
export const f64_f16 = narrow(F16);
export const f64_bf16 = narrow(BF16);

export function f16_f32(n: number, x: Uint16Array, y: Uint32Array): void {
  for (let i = 0; i < n; i++) {
    const h = x[i]!;
    const [exponent, significand] = [(h >> 10) & 31, h & 1023];
    const magnitude = exponent === 0 ? significand * 2 ** -24 : (1 + significand / 1024) * 2 ** (exponent - 15);
    scratch.setFloat32(0, exponent === 31 ? Number.POSITIVE_INFINITY : magnitude);
    const nan = exponent === 31 && significand !== 0 ? 0x400000 | (significand << 13) : 0;
    y[i] = scratch.getUint32(0) | nan | ((h & 0x8000) << 16);
  }
}

export function bf16_f32(n: number, x: Uint16Array, y: Uint32Array): void {
  for (let i = 0; i < n; i++) y[i] = x[i]! << 16;
}

export function f64_f32(n: number, x: BigUint64Array, y: Uint32Array): void {
  for (let i = 0; i < n; i++) {
    const v = float(x, i);
    scratch.setFloat32(0, v);
    const nan = Number((x[i]! >> 29n) & 0x3fffffn) | 0x7fc00000 | (x[i]! >> 63n === 1n ? 0x80000000 : 0);
    y[i] = Number.isNaN(v) ? nan : scratch.getUint32(0);
  }
}

/** Adds one value and what became of it to `acc`. */
function measure(x: number, x_hat: number, acc: Float64Array): void {
  if (!Number.isFinite(x)) acc[2]! += 1;
  else {
    acc[0]! += x ** 2;
    acc[1]! += (x - x_hat) ** 2;
  }
}

export function f32_error(n: number, x: Float32Array, x_hat: Float32Array, acc: Float64Array): void {
  for (let i = 0; i < n; i++) measure(x[i]!, x_hat[i]!, acc);
}

export function qc8w_error_channels(
  outer: number,
  c: number,
  inner: number,
  x: Float32Array,
  q: Int8Array,
  scale: Float32Array,
  acc: Float64Array,
): void {
  for (let i = 0; i < outer * c * inner; i++) measure(x[i]!, f(q[i]! * scale[Math.floor(i / inner) % c]!), acc);
}

export function qa8_error_channels(
  outer: number,
  c: number,
  inner: number,
  x: Float32Array,
  q: Uint8Array,
  scale: Float32Array,
  zero_point: Uint8Array,
  low: number,
  acc: Float64Array,
): void {
  for (let i = 0; i < outer * c * inner; i++) {
    const channel = Math.floor(i / inner) % c;
    measure(x[i]!, f((integer(q[i]!, low) - integer(zero_point[channel]!, low)) * scale[channel]!), acc);
  }
}

export function qb8w_error_rows(
  rows: number,
  k: number,
  block_size: number,
  x: Float32Array,
  q: Int8Array,
  scale: Float32Array,
  acc: Float64Array,
): void {
  const blocks = Math.ceil(k / block_size);
  for (let i = 0; i < rows * k; i++) measure(x[i]!, f(q[i]! * scale[Math.floor(i / k) * blocks + Math.floor((i % k) / block_size)]!), acc);
}

const dequantize4 = (q: Uint8Array, scale: Float32Array, block: number, i: number): number =>
  f((((q[block * 16 + (i >> 1)]! >> ((i & 1) * 4)) & 15) - 8) * scale[block]!);

export function qb4w_error_rows(rows: number, k: number, x: Float32Array, q: Uint8Array, scale: Float32Array, acc: Float64Array): void {
  const blocks = Math.ceil(k / 32);
  for (let i = 0; i < rows * k; i++) {
    const at = i % k;
    measure(x[i]!, dequantize4(q, scale, Math.floor(i / k) * blocks + (at >> 5), at & 31), acc);
  }
}

export function qb4w_error_transpose(
  k: number,
  n: number,
  ld: number,
  x: Float32Array,
  q: Uint8Array,
  scale: Float32Array,
  block: number,
  blocks: number,
  acc: Float64Array,
): void {
  for (let i = 0; i < k * n; i++) {
    const [row, column] = [Math.floor(i / n), i % n];
    measure(x[row * ld + column]!, dequantize4(q, scale, column * blocks + block, row), acc);
  }
}

export function memory_copy(n: number, x: Uint8Array, y: Uint8Array): void {
  y.set(x.subarray(0, n));
}
