import { activation } from "./activation-reference.ts";
import { unpacked } from "./sparse-reference.ts";

/** What the kernels that multiply compute, from their definitions, in double precision. Absent data is the number 0. */

type Maybe = Float32Array | 0;

export function f32_pack_b(k: number, n: number, b: Float32Array, ldb: number, y: Float32Array): void {
  for (let at = 0; at < y.length; at++) {
    const [panel, row, lane] = [Math.floor(at / (8 * k)), Math.floor(at / 8) % k, at % 8];
    const column = panel * 8 + lane;
    y[at] = column < n ? b[row * ldb + column]! : 0;
  }
}

export function f32_pack_bt(k: number, n: number, b: Float32Array, ldb: number, y: Float32Array): void {
  const transposed = Float32Array.from({ length: k * n }, (_, i) => b[(i % n) * ldb + Math.floor(i / n)]!);
  f32_pack_b(k, n, transposed, n, y);
}

export function f32_pack_conv(n: number, c: number, taps: number, w: Float32Array, y: Float32Array): void {
  const rows = Float32Array.from({ length: taps * c * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return w[(column * c + (row % c)) * taps + Math.floor(row / c)]!;
  });
  f32_pack_b(taps * c, n, rows, n, y);
}

export function f32_pack_conv_transpose(c: number, n: number, taps: number, w: Float32Array, y: Float32Array): void {
  const rows = Float32Array.from({ length: c * taps * n }, (_, i) => {
    const [row, column] = [Math.floor(i / (taps * n)), i % (taps * n)];
    return w[(row * n + (column % n)) * taps + Math.floor(column / n)]!;
  });
  f32_pack_b(c, taps * n, rows, taps * n, y);
}

export function f32_pack_depthwise(c: number, taps: number, w: Float32Array, y: Float32Array): void {
  for (let at = 0; at < y.length; at++) {
    const channel = Math.floor(at / (4 * taps)) * 4 + (at % 4);
    y[at] = channel < c ? w[channel * taps + (Math.floor(at / 4) % taps)]! : 0;
  }
}

export function f32_gemm(
  m: number,
  n: number,
  k: number,
  a: Float32Array,
  lda: number,
  b: Float32Array | Uint8Array,
  sparse: number,
  y: Float32Array,
  ldy: number,
  bias: Maybe,
  z: Maybe,
  ldz: number,
  z_first: number,
  kind: number,
  alpha: number,
  beta: number,
): void {
  const panels = sparse ? unpacked(b as Uint8Array, n, k) : b;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = bias === 0 ? 0 : bias[j]!;
      for (let l = 0; l < k; l++) sum += a[i * lda + l]! * panels[((j >> 3) * k + l) * 8 + (j & 7)]!;
      const other = z === 0 ? 0 : z[i * ldz + j]!;
      y[i * ldy + j] = z_first ? activation(sum + other, kind, alpha, beta) : activation(sum, kind, alpha, beta) + other;
    }
  }
}

export function f32_conv(
  x: Float32Array,
  w: Float32Array | Uint8Array,
  sparse: number,
  y: Float32Array,
  bias: Maybe,
  z: Maybe,
  h: number,
  wd: number,
  c: number,
  oh: number,
  ow: number,
  n: number,
  kh: number,
  kw: number,
  sh: number,
  sw: number,
  dh: number,
  dw: number,
  pt: number,
  pl: number,
  ldx: number,
  ldy: number,
  ldz: number,
  ...rest: [z_first: number, kind: number, alpha: number, beta: number]
): void {
  const k = kh * kw * c;
  const windows = Float32Array.from({ length: oh * ow * k }, (_, i) => {
    const [pixel, tap, channel] = [Math.floor(i / k), Math.floor(i / c) % (kh * kw), i % c];
    const iy = Math.floor(pixel / ow) * sh - pt + Math.floor(tap / kw) * dh;
    const ix = (pixel % ow) * sw - pl + (tap % kw) * dw;
    return iy >= 0 && iy < h && ix >= 0 && ix < wd ? x[(iy * wd + ix) * ldx + channel]! : 0;
  });
  f32_gemm(oh * ow, n, k, windows, k, w, sparse, y, ldy, bias, z, ldz, ...rest);
}

export function f32_depthwise(
  x: Float32Array,
  w: Float32Array,
  y: Float32Array,
  bias: Maybe,
  h: number,
  wd: number,
  c: number,
  oh: number,
  ow: number,
  kh: number,
  kw: number,
  sh: number,
  sw: number,
  dh: number,
  dw: number,
  pt: number,
  pl: number,
  kind: number,
  alpha: number,
  beta: number,
): void {
  for (let at = 0; at < oh * ow * c; at++) {
    const [oy, ox, channel] = [Math.floor(at / c / ow), Math.floor(at / c) % ow, at % c];
    let sum = bias === 0 ? 0 : bias[channel]!;
    for (let tap = 0; tap < kh * kw; tap++) {
      const iy = oy * sh - pt + Math.floor(tap / kw) * dh;
      const ix = ox * sw - pl + (tap % kw) * dw;
      if (iy >= 0 && iy < h && ix >= 0 && ix < wd)
        sum += x[(iy * wd + ix) * c + channel]! * w[((channel >> 2) * kh * kw + tap) * 4 + (channel & 3)]!;
    }
    y[at] = activation(sum, kind, alpha, beta);
  }
}

export function f32_col2im(
  x: Float32Array,
  y: Float32Array,
  bias: Maybe,
  h: number,
  wd: number,
  n: number,
  oh: number,
  ow: number,
  kh: number,
  kw: number,
  sh: number,
  sw: number,
  dh: number,
  dw: number,
  pt: number,
  pl: number,
  kind: number,
  alpha: number,
  beta: number,
): void {
  const sums = Float64Array.from({ length: oh * ow * n }, (_, i) => (bias === 0 ? 0 : bias[i % n]!));
  for (let at = 0; at < h * wd * kh * kw * n; at++) {
    const [tap, pixel] = [Math.floor(at / n) % (kh * kw), Math.floor(at / n / (kh * kw))];
    const oy = Math.floor(pixel / wd) * sh - pt + Math.floor(tap / kw) * dh;
    const ox = (pixel % wd) * sw - pl + (tap % kw) * dw;
    if (oy >= 0 && oy < oh && ox >= 0 && ox < ow) sums[(oy * ow + ox) * n + (at % n)]! += x[at]!;
  }
  y.set(sums.map((sum) => activation(sum, kind, alpha, beta)));
}
