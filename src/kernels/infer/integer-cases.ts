// Data, windows and outputs that the cases of the integer kernels share.
import { type Arg, input, output, scratch } from "../row.ts";
import { INTEGER_WORK_BYTES, type Output, outputWords, type Window } from "./integer-layout.ts";

export const bytes = (n: number, next: () => number): Uint8Array => Uint8Array.from({ length: n }, () => next() * 256);
export const floats = (n: number, next: () => number, scale: number): Float32Array =>
  Float32Array.from({ length: n }, () => (next() - 0.2) * scale);
export const ints = (n: number, next: () => number, scale: number): Int32Array =>
  Int32Array.from({ length: n }, () => (next() - 0.5) * scale);

/** A way to finish sums of about `k` products. */
export interface Finish {
  readonly output: Output;
  readonly table?: boolean;
  readonly bias?: boolean;
}

export const FINISHES: readonly Finish[] = [
  { output: { kind: "sum" } },
  { output: { kind: "sum" }, bias: true },
  { output: { kind: "byte", zero: 3 } },
  { output: { kind: "byte", zero: -7, low: -128, high: 127 }, bias: true },
  { output: { kind: "byte", zero: 128, low: 128, high: 250 }, bias: true, table: true },
  { output: { kind: "float" }, bias: true },
  { output: { kind: "float", activation: 2, alpha: -1, beta: 6 } },
  { output: { kind: "float byte", zero: 30, y_scale: 0.03, activation: 1 }, bias: true },
  { output: { kind: "float byte", zero: 5, low: -128, high: 127, y_scale: 0.013, activation: 2, alpha: -0.5, beta: 0.7 }, table: true },
];

/** What y is at first, and the arguments y, ldy, bias, scale, table, output and work that follow a product. */
export function finishing(m: number, n: number, k: number, gap: number, finish: Finish, next: () => number): Arg[] {
  const { kind } = finish.output;
  const size = kind === "sum" || kind === "float" ? 4 : 1;
  const integer = kind === "sum" || kind === "byte";
  const spread = 1 / (5000 * Math.sqrt(k + 1));
  const bias = integer ? ints(n, next, 20000) : floats(n, next, 2);
  return [
    output(new Uint8Array(m === 0 ? 0 : ((m - 1) * (n + gap) + n) * size).fill(85)),
    n + gap,
    finish.bias ? input(bias) : 0,
    kind === "sum" ? 0 : input(floats(n, next, kind === "byte" ? spread * 100 : spread * 4)),
    finish.table ? input(bytes(256, next)) : 0,
    input(outputWords(finish.output)),
    scratch(INTEGER_WORK_BYTES),
  ];
}

export const square = (size: number, c: number, k: number, stride: number, dilation: number, pad: number): Window => {
  const o = Math.max(0, Math.floor((size + 2 * pad - dilation * (k - 1) - 1) / stride) + 1);
  const pads = { pt: pad, pl: pad, ldx: c };
  return { h: size, w: size, c, oh: o, ow: o, kh: k, kw: k, sh: stride, sw: stride, dh: dilation, dw: dilation, ...pads };
};

export const WINDOWS: readonly Window[] = [
  square(5, 3, 3, 1, 1, 1),
  square(9, 3, 3, 2, 1, 1),
  square(7, 17, 1, 1, 1, 0),
  square(7, 4, 1, 2, 1, 0),
  square(8, 8, 3, 1, 2, 2),
  square(6, 33, 5, 1, 1, 2),
  square(4, 130, 3, 1, 1, 1),
  { ...square(7, 5, 3, 1, 1, 1), ldx: 12 },
  { h: 6, w: 4, c: 2, oh: 7, ow: 3, kh: 2, kw: 3, sh: 1, sw: 2, dh: 1, dw: 2, pt: 1, pl: 2, ldx: 2 },
  { ...square(1, 6, 3, 1, 1, 1) },
];
