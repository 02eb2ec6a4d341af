import { type Arg, type Case, input, output, type Row, random, scratch } from "../row.ts";
import { FLOAT_WORK_BYTES, type FloatKernels, packedLength } from "./float.ts";
import * as reference from "./float-reference.ts";
import { blocksOf, FLOAT_FORM, sparseForm, sparseLayout } from "./sparse.ts";
import { DENSITIES, withBlocks } from "./sparse-cases.ts";
import { sparse_pack } from "./sparse-reference.ts";

/** Quarters between -2 and 2: all their sums here are exact in float32, so that neither order nor fusing shows, and no tolerance is needed. */
export function exact(n: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => Math.floor(next() * 17 - 8) / 4);
}

/** Data that a kernel must leave alone where it is not told to write. */
export const blank = (n: number): Arg => output(new Float32Array(n).fill(85));

export interface Ending {
  bias?: boolean;
  z?: "first" | "last";
  kind?: number;
  /** Floats beyond n in a row of y and z. */
  beyond?: number;
}

export const ENDINGS: readonly Ending[] = [
  {},
  { bias: true, kind: 1, beyond: 3 },
  { bias: true, z: "first", kind: 2 },
  { z: "last", kind: 1, beyond: 8 },
];

export const label = (...values: unknown[]): string =>
  values.map((value) => (typeof value === "object" ? JSON.stringify(value) : value)).join(" ");

/** Weights packed for `taps` of `c` channels, and whether without zero blocks: of all, `density` are left. */
function packed(n: number, c: number, taps: number, density: number | undefined): [Arg, number] {
  if (density === undefined) return [input(exact(packedLength(c * taps, n), 2)), 0];
  const w = withBlocks(exact(n * c * taps, 2), n, c, taps, density);
  const p = new Uint8Array(sparseLayout(n, blocksOf(n, c, taps), sparseForm(FLOAT_FORM)).end);
  sparse_pack(n, c, taps, w, c * taps, taps, 1, 0, 0, sparseForm(FLOAT_FORM), p);
  return [input(p), 1];
}

function gemm(m: number, n: number, k: number, ending: Ending = {}, density?: number): Case {
  const { bias, z, kind = 0, beyond = 0 } = ending;
  const [lda, ldy] = [k + beyond, n + beyond];
  const args = [
    ...[m, n, k, input(exact(m * lda, 1)), lda, ...packed(n, k, 1, density), blank(m * ldy), ldy],
    ...[bias ? input(exact(n, 3)) : 0, z ? input(exact(m * ldy, 4)) : 0, ldy, z === "first" ? 1 : 0, kind, -0.5, 1.25],
    scratch(FLOAT_WORK_BYTES),
  ];
  return { label: label(m, n, k, ending, density), args };
}

function* products(): Iterable<Case> {
  for (const m of [0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 17])
    for (const [i, n] of [1, 7, 8, 9, 19].entries()) yield gemm(m, n, 5 + i, ENDINGS[(m + i) % 4]);
  for (const k of [0, 1, 2, 3, 4, 7, 16, 511, 512, 513, 1100])
    for (const [i, m] of [1, 2, 7].entries()) yield gemm(m, 11, k, ENDINGS[(k + i) % 4]);
  yield* [gemm(1, 9, 4100, ENDINGS[2]), gemm(3, 16, 4100, ENDINGS[1]), gemm(403, 12, 3, ENDINGS[3]), gemm(200, 9, 600, ENDINGS[1])];
  for (const [i, density] of DENSITIES.entries()) {
    for (const m of [0, 1, 2, 3, 6, 9, 14]) yield gemm(m, 9 + m, 20, ENDINGS[(m + i) % 4], density);
    yield* [gemm(3, 16, 4104, ENDINGS[1], density), gemm(7, 20, 1100, ENDINGS[i], density), gemm(200, 24, 516, ENDINGS[2], density)];
  }
}

interface Geometry {
  h: number;
  wd: number;
  c: number;
  kh: number;
  kw: number;
  /** Rows, then columns. */
  strides?: readonly [number, number];
  dilations?: readonly [number, number];
  /** Above, left, below, right. */
  pads?: readonly [number, number, number, number];
}

/** The sides of the output, and the arguments from kh to pl. */
function windows({
  h,
  wd,
  kh,
  kw,
  strides = [1, 1],
  dilations = [1, 1],
  pads = [0, 0, 0, 0],
}: Geometry): [oh: number, ow: number, rest: number[]] {
  const side = (size: number, taps: number, i: 0 | 1): number =>
    Math.floor((size + pads[i] + pads[i + 2]! - (taps - 1) * dilations[i] - 1) / strides[i]) + 1;
  return [side(h, kh, 0), side(wd, kw, 1), [kh, kw, ...strides, ...dilations, pads[0], pads[1]]];
}

const GEOMETRIES: readonly Geometry[] = [
  { h: 3, wd: 4, c: 5, kh: 1, kw: 1 },
  { h: 5, wd: 4, c: 3, kh: 1, kw: 1, strides: [2, 2] },
  { h: 7, wd: 9, c: 3, kh: 3, kw: 3, strides: [2, 2], pads: [1, 1, 1, 1] },
  { h: 6, wd: 7, c: 4, kh: 3, kw: 3, pads: [1, 1, 1, 1] },
  { h: 8, wd: 11, c: 9, kh: 5, kw: 5, pads: [2, 2, 2, 2] },
  { h: 9, wd: 17, c: 8, kh: 5, kw: 5, strides: [2, 2], pads: [2, 2, 1, 1] },
  { h: 9, wd: 16, c: 4, kh: 3, kw: 3, strides: [2, 1], pads: [0, 1, 1, 0] },
  { h: 8, wd: 9, c: 2, kh: 3, kw: 3, dilations: [2, 3], pads: [2, 3, 2, 3] },
  { h: 1, wd: 20, c: 6, kh: 1, kw: 7, pads: [0, 3, 0, 3] },
  { h: 2, wd: 2, c: 5, kh: 5, kw: 5, pads: [4, 4, 4, 4] },
  { h: 2, wd: 3, c: 4, kh: 2, kw: 2, strides: [3, 3], dilations: [4, 4], pads: [5, 6, 5, 6] },
  { h: 4, wd: 5, c: 130, kh: 3, kw: 3, pads: [1, 1, 1, 1] },
];

function conv(geometry: Geometry, n: number, ending: Ending = {}, density?: number): Case {
  const { h, wd, c, kh, kw } = geometry;
  const [oh, ow, rest] = windows(geometry);
  const { bias, z, kind = 0, beyond = 0 } = ending;
  const [ldx, ldy] = [c + beyond, n + beyond];
  const args = [
    ...[input(exact(h * wd * ldx, 1)), ...packed(n, c, kh * kw, density), blank(oh * ow * ldy)],
    ...[bias ? input(exact(n, 3)) : 0, z ? input(exact(oh * ow * ldy, 4)) : 0, h, wd, c, oh, ow, n, ...rest],
    ...[ldx, ldy, ldy, z === "first" ? 1 : 0, kind, -0.5, 1.25, scratch(FLOAT_WORK_BYTES)],
  ];
  return { label: label(geometry, n, ending, density), args };
}

function* convolutions(): Iterable<Case> {
  for (const [i, geometry] of GEOMETRIES.entries()) for (const j of [0, 1]) yield conv(geometry, [8, 10][j]!, ENDINGS[(i + j) % 4]);
  yield conv({ h: 21, wd: 23, c: 5, kh: 3, kw: 3, pads: [1, 1, 1, 1] }, 9, ENDINGS[1]);
  for (const [i, geometry] of GEOMETRIES.entries()) yield conv({ ...geometry, c: 4 * geometry.c }, 12, ENDINGS[i % 4], DENSITIES[i % 4]);
}

function depthwise(geometry: Geometry, bias: boolean, kind: number): Case {
  const { h, wd, c, kh, kw } = geometry;
  const [oh, ow, rest] = windows(geometry);
  const data = [
    input(exact(h * wd * c, 1)),
    input(exact(Math.ceil(c / 4) * 4 * kh * kw, 2)),
    blank(oh * ow * c),
    bias ? input(exact(c, 3)) : 0,
  ];
  return { label: label(geometry, bias, kind), args: [...data, h, wd, c, oh, ow, ...rest, kind, -0.5, 1.25] };
}

function* depthwises(): Iterable<Case> {
  yield depthwise({ h: 9, wd: 13, c: 256, kh: 5, kw: 5, strides: [2, 2], pads: [2, 2, 2, 2] }, true, 1);
  yield depthwise({ h: 70, wd: 30, c: 16, kh: 5, kw: 5, dilations: [2, 1], pads: [4, 2, 4, 2] }, false, 0);
  yield depthwise({ h: 3, wd: 28, c: 16, kh: 5, kw: 5, dilations: [7, 1], strides: [2, 1], pads: [14, 2, 14, 2] }, true, 2);
  for (const [i, geometry] of GEOMETRIES.entries())
    for (const c of [geometry.c, 1, 4, 7, 17, 20, 32]) yield depthwise({ ...geometry, c }, i % 2 === 0, i % 3);
}

/** A geometry turned round: columns of the image of its output, added up to its input. */
function col2im(geometry: Geometry, bias: boolean, kind: number): Case {
  const { h, wd, c, kh, kw } = geometry;
  const [oh, ow, rest] = windows(geometry);
  const data = [input(exact(oh * ow * kh * kw * c, 1)), blank(h * wd * c), bias ? input(exact(c, 3)) : 0];
  return { label: label(geometry, bias, kind), args: [...data, oh, ow, c, h, wd, ...rest, kind, -0.5, 1.25] };
}

function* matrices(columns: boolean): Iterable<Case> {
  for (const [k, n] of [[0, 3], [1, 1], [3, 8], [5, 7], [2, 17]] as const) // biome-ignore format: pairs
    for (const beyond of [0, 2]) {
      const ldb = (columns ? k : n) + beyond;
      yield { label: label(k, n, ldb), args: [k, n, input(exact((columns ? n : k) * ldb, 1)), ldb, blank(packedLength(k, n))] };
    }
}

function* weights(transposed: boolean): Iterable<Case> {
  for (const [n, c, taps] of [
    [1, 1, 1],
    [3, 2, 9],
    [8, 4, 4],
    [9, 3, 1],
    [17, 2, 6],
  ] as const) {
    // biome-ignore format: triples
    const length = transposed ? packedLength(n, taps * c) : packedLength(taps * c, n);
    yield { label: label(n, c, taps), args: [n, c, taps, input(exact(n * c * taps, 1)), blank(length)] };
  }
}

const side = (n: number): number => Math.max(1, Math.round(Math.sqrt(n)));
const image = (n: number): Geometry => ({ h: side(n / 64), wd: side(n / 64), c: 64, kh: 3, kw: 3, pads: [1, 1, 1, 1] });

export const rows: readonly Row<string & keyof FloatKernels>[] = [
  {
    name: "f32_pack_b",
    doc: "packs a matrix",
    reference: reference.f32_pack_b,
    cases: () => matrices(false),
    bench: (n) => ({ args: [n >> 6, 64, input(exact(n, 1)), 64, blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_pack_bt",
    doc: "packs a transposed matrix",
    reference: reference.f32_pack_bt,
    cases: () => matrices(true),
    bench: (n) => ({ args: [n >> 6, 64, input(exact(n, 1)), n >> 6, blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_pack_conv",
    doc: "packs convolution weights",
    reference: reference.f32_pack_conv,
    cases: () => weights(false),
    bench: (n) => ({ args: [64, n >> 6, 1, input(exact(n, 1)), blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_pack_conv_transpose",
    doc: "packs weights of a transposed convolution",
    reference: reference.f32_pack_conv_transpose,
    cases: () => weights(true),
    bench: (n) => ({ args: [n >> 6, 64, 1, input(exact(n, 1)), blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_pack_depthwise",
    doc: "packs weights of a convolution of every channel",
    reference: reference.f32_pack_depthwise,
    cases: () =>
      [1, 3, 4, 9].flatMap((c) =>
        [1, 6].map((taps) => ({ label: label(c, taps), args: [c, taps, input(exact(c * taps, 1)), blank(Math.ceil(c / 4) * 4 * taps)] })),
      ),
    bench: (n) => ({ args: [n >> 4, 16, input(exact(n, 1)), blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_gemm",
    doc: "multiplies matrices",
    reference: reference.f32_gemm,
    cases: products,
    bench: (n) => ({ args: gemm(side(n), side(n), side(n)).args, bytes: n * 4 }),
  },
  {
    name: "f32_conv",
    doc: "convolution",
    reference: reference.f32_conv,
    cases: convolutions,
    bench: (n) => ({ args: conv(image(n), 64).args, bytes: n * 4 }),
  },
  {
    name: "f32_depthwise",
    doc: "convolution of every channel by itself",
    reference: reference.f32_depthwise,
    cases: depthwises,
    bench: (n) => ({ args: depthwise(image(n), true, 0).args, bytes: n * 4 }),
  },
  {
    name: "f32_col2im",
    doc: "adds up columns to an image",
    reference: reference.f32_col2im,
    cases: () => GEOMETRIES.map((geometry, i) => col2im(geometry, i % 2 === 0, i % 3)),
    bench: (n) => ({ args: col2im({ ...image(n), kh: 2, kw: 2, strides: [2, 2] }, true, 0).args, bytes: n * 4 }),
  },
];
