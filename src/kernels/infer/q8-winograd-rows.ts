import { type Arg, type Case, input, output, type Row, random } from "../row.ts";
import type { IntegerKernels } from "./integer.ts";
import { bytes, FINISHES, finishing, square } from "./integer-cases.ts";
import { q8WinogradBytes, q8WinogradWorkBytes, type Window, windowWords } from "./integer-layout.ts";
import { integer, pixel, put, readOutput, readWindow } from "./integer-reference.ts";

/** Integer multiples of the rows of G of F(4×4, 3×3). */
const G = [
  [1, 0, 0],
  [1, 1, 1],
  [1, -1, 1],
  [1, 2, 4],
  [1, -2, 4],
  [0, 0, 1],
] as const;

/** Where weight k of column j is, of element 0 of 36: groups of eight channels, the last of which ends with the last channel. */
const place = (c: number, j: number, i: number): number => {
  const groups = Math.ceil(c / 8);
  const k = i < (c & ~7) ? i : i + 8 - (c & 7);
  return (j >> 3) * groups * 64 + (k >> 1) * 16 + (j & 7) * 2 + (k & 1);
};

function q8_winograd_pack(n: number, c: number, w: Int8Array, p: Int16Array): void {
  p.fill(0);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < c; i++) {
      const at = (j * c + i) * 9;
      for (const [u, left] of G.entries())
        for (const [v, right] of G.entries()) {
          let sum = 0;
          for (let y = 0; y < 3; y++) for (let x = 0; x < 3; x++) sum += left[y]! * w[at + y * 3 + x]! * right[x]!;
          p[(u * 6 + v) * (p.length / 36) + place(c, j, i)] = sum;
        }
    }
}

/** Takes the weights out of what `q8_winograd_pack` packs: elements 0, 1 and 5 of a row are g0, g0 + g1 + g2 and g2. */
function unpack(p: Int16Array, c: number, j: number, i: number): number[] {
  const at = (u: number, v: number): number => p[(u * 6 + v) * (p.length / 36) + place(c, j, i)]!;
  const row = (u: number): number[] => [at(u, 0), at(u, 1) - at(u, 0) - at(u, 5), at(u, 5)];
  const [first, all, last] = [row(0), row(1), row(5)];
  return [...first, ...all.map((v, x) => v - first[x]! - last[x]!), ...last];
}

function q8_winograd_conv(
  x: Uint8Array,
  window: Int32Array,
  x_signed: number,
  x_zero: number,
  p: Int16Array,
  n: number,
  y: Uint8Array,
  ldy: number,
  bias: Int32Array | Float32Array | 0,
  scale: Float32Array | 0,
  table: Uint8Array | 0,
  output: Int32Array,
): void {
  const v = readWindow(window);
  const out = readOutput(output);
  for (let j = 0; j < n; j++) {
    const w = Array.from({ length: v.c }, (_, i) => unpack(p, v.c, j, i));
    for (let at = 0; at < v.oh * v.ow; at++) {
      const [top, left] = [Math.floor(at / v.ow) - v.pt, (at % v.ow) - v.pl];
      let sum = 0;
      for (let c = 0; c < v.c; c++)
        for (let t = 0; t < 9; t++) sum += pixel(x, v, top + Math.floor(t / 3), left + (t % 3), c, x_signed, x_zero) * w[c]![t]!;
      put(sum, j, at * ldy + j, y, bias, scale, table, out);
    }
  }
}

function q8_winograd_fits(n: number, k: number, w: Int8Array): number {
  for (let j = 0; j < n; j++)
    if (w.subarray(j * k, (j + 1) * k).reduce((sum, v) => sum + Math.abs(integer(v, 1)), 0) * 255 >= 2 ** 25) return 0;
  return k >= 72 ? 1 : 0;
}

const wide = (h: number, w: number, c: number, pt: number, pl: number): Window => {
  const [oh, ow] = [h + pt + 1 - 2, w + pl + 1 - 2];
  return { ...square(h, c, 3, 1, 1, 1), w, oh, ow, pt, pl };
};

const SHAPES: readonly (readonly [v: Window, n: number])[] = [
  [square(4, 8, 3, 1, 1, 1), 8],
  [square(1, 9, 3, 1, 1, 1), 1],
  [square(7, 17, 3, 1, 1, 1), 13],
  [square(6, 24, 3, 1, 1, 0), 20],
  [square(19, 8, 3, 1, 1, 1), 70],
  [{ ...wide(5, 12, 16, 2, 0), ldx: 21 }, 5],
  [wide(3, 9, 11, 0, 2), 6],
];

function conv(v: Window, n: number, gap: number, x_signed: number, finish: number, extreme: boolean, next: () => number): Arg[] {
  const x = extreme ? new Uint8Array(v.h * v.w * v.ldx).fill(255) : bytes((v.h * v.w - 1) * v.ldx + v.c, next);
  const zero = extreme ? 0 : Math.floor(next() * 256) - (x_signed ? 128 : 0);
  const w = extreme ? new Int8Array(n * v.c * 9).fill(127) : new Int8Array(bytes(n * v.c * 9, next).buffer);
  const p = new Int16Array(q8WinogradBytes(n, v.c) / 2);
  q8_winograd_pack(n, v.c, w, p);
  const [y, ldy, bias, scale, table, words] = finishing(v.oh * v.ow, n, v.c * 9, gap, FINISHES[finish]!, next);
  const work: Arg = { data: new Uint8Array(q8WinogradWorkBytes(v.c)), written: true, scratch: true };
  return [input(x), input(windowWords(v)), x_signed, zero, input(p), n, y!, ldy!, bias!, scale!, table!, words!, work];
}

function* convs(): Iterable<Case> {
  for (const [i, [v, n]] of SHAPES.entries())
    for (const j of [0, 3, 5, 8])
      yield { label: JSON.stringify([v, n, FINISHES[j]]), args: conv(v, n, (j % 2) * 5, (i + j) & 1, j, false, random(i * 16 + j)) };
  // As many channels as surely fit, all as great as can be: sums reach 33.2 of 33.5 million.
  yield { label: "extreme", args: conv(square(5, 114, 3, 1, 1, 1), 9, 0, 0, 1, true, random(1)) };
}

export const rows: readonly Row<string & keyof IntegerKernels>[] = [
  {
    name: "q8_winograd_fits",
    doc: "whether int8 weights suit Winograd's convolution",
    reference: q8_winograd_fits,
    cases: function* () {
      for (const [
        n,
        k,
        value,
      ] of [[0, 72, 1], [1, 63, 1], [2, 72, -128], [3, 1036, 127], [2, 1037, 127], [2, 1028, -128], [2, 1029, -128]] as const) // biome-ignore format: triples
        yield { label: `${n} ${k} ${value}`, args: [n, k, input(Int8Array.from({ length: n * k }, (_, i) => (i < k ? 0 : value)))] };
    },
    bench: (n) => ({ args: [n / 256, 1024, input(new Int8Array(n * 4))], bytes: n * 4 }),
  },
  {
    name: "q8_winograd_pack",
    doc: "transforms and packs weights for Winograd's convolution",
    reference: q8_winograd_pack,
    cases: function* () {
      for (const [n, c] of [[1, 8], [9, 11], [16, 24]] as const) // biome-ignore format: pairs
        yield {
          label: `${n} ${c}`,
          args: [n, c, input(new Int8Array(bytes(n * c * 9, random(n)).buffer)), output(new Int16Array(q8WinogradBytes(n, c) / 2))],
        };
    },
    bench: (n) => ({ args: [16, n / 144, input(new Int8Array(n)), output(new Int16Array(q8WinogradBytes(16, n / 144) / 2))], bytes: n }),
  },
  {
    name: "q8_winograd_conv",
    doc: "convolves images of bytes by Winograd's algorithm",
    reference: q8_winograd_conv,
    cases: convs,
    bench: (n) => ({ args: conv(square(Math.sqrt(n >> 6), 64, 3, 1, 1, 1), 64, 0, 0, 2, false, random(1)), bytes: n }),
  },
];
