import { type Arg, type Case, type Data, input, output, type Row, random } from "../row.ts";
import * as block from "./block-rows.ts";
import type { IntegerKernels } from "./integer.ts";
import { bytes, FINISHES, type Finish, finishing, square, WINDOWS } from "./integer-cases.ts";
import { Q8_FORMS, q8PackedBytes, type Window, windowWords } from "./integer-layout.ts";
import * as reference from "./integer-reference.ts";
import * as winograd from "./q8-winograd-rows.ts";
import * as quantized from "./quantized-rows.ts";

function packed(n: number, k: number, w: Uint8Array, w_signed: number, zero: Uint8Array | 0): Int16Array {
  const p = new Int16Array(q8PackedBytes(n, k, Q8_FORMS.wide) / 2);
  reference.q8_pack(n, k, 1, w, 1, n, 0, w_signed, zero, 0, p);
  return p;
}

const PACKS = [
  [0, 1, 1],
  [1, 1, 1],
  [3, 5, 1],
  [8, 16, 1],
  [17, 3, 9],
  [9, 33, 4],
] as const;

function* packs(): Iterable<Case> {
  for (const [i, [n, c, taps]] of PACKS.entries())
    for (const w_signed of [0, 1])
      for (const zeros of [false, true]) {
        const next = random(i);
        const w = bytes(n * c * taps, next);
        const p = new Int16Array(q8PackedBytes(n, c * taps, Q8_FORMS.wide) / 2);
        const args = [w_signed, zeros ? input(bytes(n, next)) : 0, 0, output(p)];
        yield { label: `conv ${n}x${c}x${taps}`, args: [n, c, taps, input(w), c * taps, taps, 1, ...args] };
        if (taps === 1) yield { label: `B ${n}x${c}`, args: [n, c, 1, input(w), 1, n, 0, ...args] };
      }
}

/** [m, n, k]: around every tile, and past every slice and block. */
const PRODUCTS = [
  [0, 3, 4],
  [1, 1, 1],
  [1, 9, 0],
  [1, 20, 37],
  [2, 17, 16],
  [3, 8, 5],
  [5, 13, 31],
  [67, 7, 18],
  [131, 20, 24],
  [65, 8, 16], // the last block is a row
  [65, 1, 9], // of which few rows are behind the first block
  [66, 3, 20],
  [4, 530, 8],
  [1, 24, 1040],
  [6, 12, 1029],
] as const;

function gemm(m: number, n: number, k: number, gap: number, a_signed: number, finish: Finish, next: () => number): Arg[] {
  const a = bytes(m === 0 ? 0 : (m - 1) * (k + gap) + k, next);
  const zero = Math.floor(next() * 256) - (a_signed ? 128 : 0);
  const [y, ldy, ...rest] = finishing(m, n, k, gap, finish, next);
  const b = packed(n, k, bytes(n * k, next), a_signed, a_signed ? 0 : bytes(n, next));
  return [m, n, k, input(a), k + gap, a_signed, zero, input(b), 0, y!, ldy!, ...rest];
}

function* gemms(): Iterable<Case> {
  for (const [i, [m, n, k]] of PRODUCTS.entries())
    for (const [j, finish] of FINISHES.entries())
      yield {
        label: `${m}x${n}x${k} ${JSON.stringify(finish)}`,
        args: gemm(m, n, k, (j % 3) * 5, (i + j) & 1, finish, random(i * 16 + j)),
      };
}

function conv(v: Window, n: number, gap: number, x_signed: number, finish: Finish, next: () => number): Arg[] {
  const k = v.kh * v.kw * v.c;
  const x = bytes((v.h * v.w - 1) * v.ldx + v.c, next);
  const zero = Math.floor(next() * 256) - (x_signed ? 128 : 0);
  const b = packed(n, k, bytes(n * k, next), 1, 0);
  return [input(x), input(windowWords(v)), x_signed, zero, input(b), 0, n, ...finishing(v.oh * v.ow, n, k, gap, finish, next)];
}

function* convs(): Iterable<Case> {
  for (const [i, v] of WINDOWS.entries())
    for (const j of [0, 3, 4, 7]) {
      const args = conv(v, [8, 3, 18][i % 3]!, (j % 2) * 5, (i + j) & 1, FINISHES[j]!, random(i * 16 + j));
      yield { label: `${JSON.stringify(v)} ${JSON.stringify(FINISHES[j])}`, args };
    }
}

const data = (args: readonly Arg[], at: number): Data => (args[at] as { data: Data }).data;

export const rows: readonly Row<string & keyof IntegerKernels>[] = [
  {
    name: "q8_is_narrow",
    doc: "whether int8 weights fit seven bits",
    reference: reference.q8_is_narrow,
    cases: function* () {
      for (const n of [0, 1, 15, 16, 17, 40])
        for (const edge of [-65, -64, 63, 64])
          for (const at of [0, n - 1]) {
            const w = Int8Array.from({ length: n }, (_, i) => (i === at ? edge : ((i * 37) % 127) - 63));
            yield { label: `${n} ${edge} at ${at}`, args: [n, input(w)] };
          }
    },
    bench: (n) => ({ args: [n * 4, input(new Int8Array(n * 4))], bytes: n * 4 }),
  },
  {
    name: "q8_pack",
    doc: "packs int8 weights",
    reference: reference.q8_pack,
    cases: packs,
    bench: (n) => {
      const args = [64, n / 64, 1, input(new Uint8Array(n)), n / 64, 1, 0, 1, 0, 0];
      return { args: [...args, output(new Int16Array(q8PackedBytes(64, n / 64, Q8_FORMS.wide) / 2))], bytes: n };
    },
  },
  {
    name: "q8_gemm",
    doc: "multiplies bytes",
    reference: reference.q8_gemm,
    cases: gemms,
    bench: (n) => {
      const args = gemm(n >> 8, 256, 256, 0, 0, FINISHES[2]!, random(1));
      return { args, bytes: data(args, 3).byteLength };
    },
  },
  {
    name: "q8_conv",
    doc: "convolves images of bytes",
    reference: reference.q8_conv,
    cases: convs,
    bench: (n) => {
      const args = conv(square(Math.sqrt(n >> 6), 64, 3, 1, 1, 1), 64, 0, 0, FINISHES[2]!, random(1));
      return { args, bytes: data(args, 0).byteLength };
    },
  },
  ...winograd.rows,
  ...quantized.rows,
  ...block.rows,
];
