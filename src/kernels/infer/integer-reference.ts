// The integer kernels in plain TypeScript. Weights and data are decoded from their bytes; descriptions from their words.
import { roundTiesToEven } from "../reference.ts";
import { OUTPUT_KINDS, type Output, type Window, windowWords } from "./integer-layout.ts";

const f = Math.fround;

type Bytes = Uint8Array;

export const integer = (byte: number, is_signed: number): number => (is_signed ? (byte << 24) >> 24 : byte);

export function q8_is_narrow(_n: number, w: Int8Array): number {
  return w.every((v) => v >= -64 && v <= 63) ? 1 : 0;
}

/** As `q8_pack`, wide. */
export function q8_pack(
  n: number,
  c: number,
  taps: number,
  w: Bytes,
  n_stride: number,
  c_stride: number,
  tap_stride: number,
  w_signed: number,
  zero: Bytes | 0,
  _narrow: number,
  p: Int16Array,
): void {
  const depth = Math.ceil((c * taps) / 16) * 16;
  p.fill(0);
  for (let j = 0; j < n; j++)
    for (let k = 0; k < c * taps; k++) {
      const v = integer(w[j * n_stride + (k % c) * c_stride + Math.floor(k / c) * tap_stride]!, w_signed);
      p[(j >> 3) * depth * 8 + (k >> 1) * 16 + (j & 7) * 2 + (k & 1)] = v - (zero === 0 ? 0 : integer(zero[j]!, w_signed));
    }
}

/** Weight k of column j of what `q8_pack` packed wide. */
const weight = (p: Int16Array, depth: number, k: number, j: number): number =>
  p[(j >> 3) * Math.ceil(depth / 16) * 128 + (k >> 1) * 16 + (j & 7) * 2 + (k & 1)]!;

export function readOutput(words: Int32Array): Required<Output> {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const [kind, zero, low, high, , activation] = words as unknown as [number, number, number, number, number, number];
  return { kind: OUTPUT_KINDS[kind]!, zero, low, high, y_scale: floats[4]!, activation, alpha: floats[6]!, beta: floats[7]! };
}

export function readWindow(words: Int32Array): Window {
  const names = ["h", "w", "c", "oh", "ow", "kh", "kw", "sh", "sw", "dh", "dw", "pt", "pl", "ldx"] as const;
  const window = Object.fromEntries(names.map((name, i) => [name, words[i]!])) as unknown as Window;
  if (windowWords(window).join() !== words.join()) throw new Error("readWindow does not read what windowWords writes");
  return window;
}

/** Kinds 0 to 2: the others are those of `activate`, and tested there. */
function activate(v: number, { activation, alpha, beta }: Required<Output>): number {
  if (activation === 1) return Math.max(v, 0);
  return activation === 2 ? Math.min(Math.max(v, alpha), beta) : v;
}

/** Writes what becomes of one sum. */
export function put(
  sum: number,
  j: number,
  at: number,
  y: Bytes,
  bias: Int32Array | Float32Array | 0,
  scale: Float32Array | 0,
  table: Bytes | 0,
  output: Required<Output>,
): void {
  const view = new DataView(y.buffer, y.byteOffset, y.byteLength);
  const b = bias === 0 ? 0 : bias[j]!;
  if (output.kind === "sum") {
    view.setInt32(at * 4, sum + b, true);
    return;
  }
  const s = (scale as Float32Array)[j]!;
  const float = f(activate(f(f(f(sum) * s) + b), output));
  if (output.kind === "float") {
    view.setFloat32(at * 4, float, true);
    return;
  }
  const q = output.kind === "byte" ? f(f(sum + b) * s) : f(float / output.y_scale);
  const rounded = Number.isNaN(q) ? output.zero : roundTiesToEven(q) + output.zero;
  y[at] = Math.min(output.high, Math.max(output.low, rounded));
  if (table !== 0) y[at] = table[y[at]!]!;
}

export function q8_gemm(
  m: number,
  n: number,
  k: number,
  a: Bytes,
  lda: number,
  a_signed: number,
  a_zero: number,
  b: Int16Array,
  _narrow: number,
  y: Bytes,
  ldy: number,
  bias: Int32Array | Float32Array | 0,
  scale: Float32Array | 0,
  table: Bytes | 0,
  output: Int32Array,
  _work: number,
): void {
  const out = readOutput(output);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += (integer(a[i * lda + l]!, a_signed) - a_zero) * weight(b, k, l, j);
      put(sum, j, i * ldy + j, y, bias, scale, table, out);
    }
}

/** Byte of the image at row `iy`, column `ix`, channel `c` as a value less the zero point; 0 outside. */
export function pixel(x: Bytes, v: Window, iy: number, ix: number, c: number, x_signed: number, x_zero: number): number {
  if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w) return 0;
  return integer(x[(iy * v.w + ix) * v.ldx + c]!, x_signed) - x_zero;
}

export function q8_conv(
  x: Bytes,
  window: Int32Array,
  x_signed: number,
  x_zero: number,
  b: Int16Array,
  _narrow: number,
  n: number,
  y: Bytes,
  ldy: number,
  bias: Int32Array | Float32Array | 0,
  scale: Float32Array | 0,
  table: Bytes | 0,
  output: Int32Array,
  _work: number,
): void {
  const v = readWindow(window);
  const out = readOutput(output);
  for (let at = 0; at < v.oh * v.ow; at++) {
    const [top, left] = [Math.floor(at / v.ow) * v.sh - v.pt, (at % v.ow) * v.sw - v.pl];
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let ky = 0, k = 0; ky < v.kh; ky++)
        for (let kx = 0; kx < v.kw; kx++)
          for (let c = 0; c < v.c; c++, k++)
            sum += pixel(x, v, top + ky * v.dh, left + kx * v.dw, c, x_signed, x_zero) * weight(b, v.kh * v.kw * v.c, k, j);
      put(sum, j, at * ldy + j, y, bias, scale, table, out);
    }
  }
}
