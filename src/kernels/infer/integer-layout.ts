/** What the integer kernels read from memory besides data: a description of windows, one of outputs; and how much room they need. */

/** Bytes of the scratch `work` of `q8_gemm`, `q8_conv` and `q8_depthwise`. */
export const INTEGER_WORK_BYTES = 276_800;

/** Windows of one NHWC image: sizes and strides in elements. `ldx` ≥ `c` lies between pixels, so that `c` may be some of its channels. */
export interface Window {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly oh: number;
  readonly ow: number;
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  readonly dh: number;
  readonly dw: number;
  /** Padding above and to the left; that below and to the right follows from the sizes. */
  readonly pt: number;
  readonly pl: number;
  readonly ldx: number;
}

/** `Window` as the kernels read it, at any address. */
export const windowWords = (v: Window): Int32Array<ArrayBuffer> =>
  Int32Array.of(v.h, v.w, v.c, v.oh, v.ow, v.kh, v.kw, v.sh, v.sw, v.dh, v.dw, v.pt, v.pl, v.ldx);

/**
 * What becomes of the int32 sums s[m, n] of an integer product, with a `scale` and a `bias` for each n:
 * - `sum`: int32, s + bias; scales are not read.
 * - `float`: float32, act(s · scale + bias).
 * - `byte`: clamp(roundTiesToEven((s + bias) · scale) + zero, low, high). Its bias is int32.
 * - `float byte`: clamp(roundTiesToEven(act(s · scale + bias) / y_scale) + zero, low, high).
 *
 * Bytes then go through `table`, where there is one. Both products round to float32 on their own. An int8 is written as its byte.
 */
export interface Output {
  readonly kind: "sum" | "float" | "byte" | "float byte";
  readonly zero?: number;
  readonly low?: number;
  readonly high?: number;
  readonly y_scale?: number;
  /** A kind of activation, as `f32_activate` has them; 0 is none. */
  readonly activation?: number;
  readonly alpha?: number;
  readonly beta?: number;
}

export const OUTPUT_KINDS = ["sum", "float", "byte", "float byte"] as const satisfies readonly Output["kind"][];

/** `Output` as the kernels read it, at any address. */
export function outputWords(output: Output): Int32Array<ArrayBuffer> {
  const { kind, zero = 0, low = 0, high = 255, y_scale = 1, activation = 0, alpha = 0, beta = 0 } = output;
  const floats = new Int32Array(Float32Array.of(y_scale, alpha, beta).buffer);
  return Int32Array.of(OUTPUT_KINDS.indexOf(kind), zero, low, high, floats[0]!, activation, floats[1]!, floats[2]!);
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/**
 * How `q8_pack` packs weights. `wide`, two bytes each, takes all; `bytes` takes int8 without zero points; `narrow`, the quickest, those of them that
 * are all in -64..63, in the relaxed build. Sums are the same.
 */
export const Q8_FORMS = { wide: 0, narrow: 1, bytes: 2 } as const;
export type Q8Form = (typeof Q8_FORMS)[keyof typeof Q8_FORMS];

/** Bytes of `n` columns of `k` weights that `q8_pack` packs. */
export const q8PackedBytes = (n: number, k: number, form: Q8Form): number =>
  (roundUp(n, 8) / 8) * (roundUp(k, 16) * (form === Q8_FORMS.wide ? 16 : 8) + (form === Q8_FORMS.narrow ? 32 : 0));

/** Bytes of the weights of `c` channels that `q8_pack_depthwise` packs. */
export const q8DepthwiseBytes = (c: number, kh: number, kw: number): number => (roundUp(c, 8) / 8) * roundUp(kh, 2) * kw * 16;

/** Whether `q8_depthwise` has room for windows of a kernel whose columns are `dw` apart. */
export const q8DepthwiseFits = (kh: number, kw: number, dw: number): boolean => roundUp(kh, 2) * ((kw - 1) * dw + 1) * 16 <= 131_072;

/** Bytes of the scratch `work` of `q8_winograd_conv` on `c` channels. */
export const q8WinogradWorkBytes = (c: number): number => INTEGER_WORK_BYTES + 147_456 + roundUp(c, 8) * 1152;

/** Bytes of the weights [n, c, 3, 3] that `q8_winograd_pack` packs: eight times as many as int8. */
export const q8WinogradBytes = (n: number, c: number): number => 72 * roundUp(n, 8) * roundUp(c, 8);

/** Bytes of the scratch `work` of `f32_qbw_gemm`. */
export const QBW_WORK_BYTES = 2 ** 19;

/** Bytes of `n` columns of `k` weights that `qbw_pack` packs. */
export const qbwPackedBytes = (bits: 4 | 8, n: number, k: number, block: number): number =>
  (roundUp(n, 8) / 8) * (roundUp(k, 8) * bits + Math.ceil(k / block) * 64);
