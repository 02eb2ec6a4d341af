// Kernels that go over quantized images and vectors, in plain TypeScript.
import { f32_qa8_channels, roundTiesToEven } from "../reference.ts";
import { integer, pixel, put, readOutput, readWindow } from "./integer-reference.ts";

const f = Math.fround;

type Bytes = Uint8Array;

const clampRound = (v: number, zero: number, low: number, high: number): number => Math.min(high, Math.max(low, roundTiesToEven(v) + zero));

/** Channels of the last group start here: it ends with the last channel. */
const start = (j: number, c: number): number => Math.max(0, Math.min(j & ~7, c - 8));

/** Where the weight of a tap stands: two rows of the kernel at once. */
const tapAt = (t: number, kw: number): number => (Math.floor(t / kw / 2) * kw + (t % kw)) * 32 + (Math.floor(t / kw) % 2) * 2;

export function q8_pack_depthwise(c: number, kh: number, kw: number, w: Bytes, w_signed: number, zero: Bytes | 0, p: Uint8Array): void {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const [taps, group] = [kh * kw, Math.ceil(kh / 2) * kw * 32];
  p.fill(0);
  for (let g = 0; g < Math.ceil(c / 8); g++)
    for (let i = 0; i < Math.min(8, c); i++) {
      const j = start(g * 8, c) + i;
      for (let t = 0; t < taps; t++) {
        const v = integer(w[j * taps + t]!, w_signed) - (zero === 0 ? 0 : integer(zero[j]!, w_signed));
        view.setInt16(g * group + tapAt(t, kw) + i * 4, v, true);
      }
    }
}

export function q8_depthwise(
  x: Bytes,
  window: Int32Array,
  x_signed: number,
  x_zero: number,
  b: Uint8Array,
  y: Bytes,
  ldy: number,
  bias: Int32Array | Float32Array | 0,
  scale: Float32Array | 0,
  table: Bytes | 0,
  output: Int32Array,
): void {
  const v = readWindow(window);
  const out = readOutput(output);
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const group = Math.ceil(v.kh / 2) * v.kw * 32;
  for (let at = 0; at < v.oh * v.ow; at++) {
    const [top, left] = [Math.floor(at / v.ow) * v.sh - v.pt, (at % v.ow) * v.sw - v.pl];
    for (let j = 0; j < v.c; j++) {
      let sum = 0;
      for (let t = 0; t < v.kh * v.kw; t++) {
        const weight = view.getInt16((j >> 3) * group + tapAt(t, v.kw) + (j - start(j, v.c)) * 4, true);
        sum += pixel(x, v, top + Math.floor(t / v.kw) * v.dh, left + (t % v.kw) * v.dw, j, x_signed, x_zero) * weight;
      }
      put(sum, j, at * ldy + j, y, bias, scale, table, out);
    }
  }
}

/** Values of the taps of every window and channel that lie in the image, and where their result goes. */
function* windows(x: Bytes, words: Int32Array, x_signed: number, ldy: number): Iterable<{ at: number; taps: number[] }> {
  const v = readWindow(words);
  for (let p = 0; p < v.oh * v.ow; p++)
    for (let c = 0; c < v.c; c++) {
      const taps: number[] = [];
      for (let ky = 0; ky < v.kh; ky++)
        for (let kx = 0; kx < v.kw; kx++) {
          const [iy, ix] = [Math.floor(p / v.ow) * v.sh - v.pt + ky * v.dh, (p % v.ow) * v.sw - v.pl + kx * v.dw];
          if (iy >= 0 && iy < v.h && ix >= 0 && ix < v.w) taps.push(integer(x[(iy * v.w + ix) * v.ldx + c]!, x_signed));
        }
      yield { at: p * ldy + c, taps };
    }
}

export function q8_max_pool(x: Bytes, window: Int32Array, x_signed: number, y: Bytes, ldy: number): void {
  for (const { at, taps } of windows(x, window, x_signed, ldy)) y[at] = Math.max(x_signed ? -128 : 0, ...taps);
}

export function q8_average_pool(
  x: Bytes,
  window: Int32Array,
  x_signed: number,
  x_zero: number,
  scale: number,
  count_pad: number,
  y: Bytes,
  ldy: number,
  y_zero: number,
  low: number,
  high: number,
): void {
  const { kh, kw } = readWindow(window);
  for (const { at, taps } of windows(x, window, x_signed, ldy)) {
    const sum = taps.reduce((total, v) => total + v - x_zero, 0);
    const v = f(sum * f(f(scale) / (count_pad ? kh * kw : taps.length)));
    y[at] = Number.isNaN(v) ? low : clampRound(v, y_zero, low, high);
  }
}

export function qa8_f32_channels(
  outer: number,
  c: number,
  inner: number,
  x: Bytes,
  y: Float32Array,
  scale: Float32Array,
  zero_point: Bytes,
  low: number,
): void {
  const is_signed = low < 0 ? 1 : 0;
  for (let i = 0; i < outer * c * inner; i++) {
    const j = Math.floor(i / inner) % c;
    y[i] = (integer(x[i]!, is_signed) - integer(zero_point[j]!, is_signed)) * scale[j]!;
  }
}

export function f32_dynamic_quantize(n: number, x: Float32Array, y: Bytes, scale: Float32Array, zero: Bytes): void {
  const finite = x.filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  scale[0] = low === high ? 1 : f(high - low) / 255;
  zero[0] = roundTiesToEven(Math.min(255, f(-low / scale[0]!)));
  f32_qa8_channels(1, 1, n, x, y, scale, zero, 0, 255);
}

export function q8_lookup(m: number, n: number, x: Bytes, ldx: number, y: Bytes, ldy: number, table: Bytes): void {
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) y[i * ldy + j] = table[x[i * ldx + j]!]!;
}

type Pair = [
  n: number,
  c: number,
  a: Bytes,
  a_scale: number,
  a_zero: number,
  b: Bytes,
  b_scale: number,
  b_zero: number,
  y: Bytes,
  y_scale: number,
  y_zero: number,
  is_signed: number,
  low: number,
  high: number,
];

export function q8_add(...[n, c, a, a_scale, a_zero, b, b_scale, b_zero, y, y_scale, y_zero, is_signed, low, high]: Pair): void {
  const [p, q] = [f(a_scale), f(b_scale)];
  for (let i = 0; i < n; i++) {
    const v = f(f((integer(a[i]!, is_signed) - a_zero) * p) + f((integer(b[i % c]!, is_signed) - b_zero) * q));
    y[i] = clampRound(f(v / f(y_scale)), y_zero, low, high);
  }
}

export function q8_mul(...[n, c, a, a_scale, a_zero, b, b_scale, b_zero, y, y_scale, y_zero, is_signed, low, high]: Pair): void {
  const [p, q] = [f(a_scale), f(b_scale)];
  for (let i = 0; i < n; i++) {
    const v = f(f((integer(a[i]!, is_signed) - a_zero) * p) * f((integer(b[i % c]!, is_signed) - b_zero) * q));
    y[i] = clampRound(f(v / f(y_scale)), y_zero, low, high);
  }
}
