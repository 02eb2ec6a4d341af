import { type Arg, type Case, type Data, input, output, type Row, random } from "../row.ts";
import { table as compress } from "../table.ts";
import type { IntegerKernels } from "./integer.ts";
import { bytes, FINISHES, finishing, floats, square, WINDOWS } from "./integer-cases.ts";
import { q8DepthwiseBytes, type Window, windowWords } from "./integer-layout.ts";
import * as reference from "./quantized-reference.ts";

const blank = (n: number): Arg => output(new Uint8Array(n).fill(85));
const size = (arg: Arg): number => (arg as { data: Data }).data.byteLength;

function depthwise(v: Window, w_signed: number, zeros: boolean, finish: number, gap: number, next: () => number): Arg[] {
  const taps = v.kh * v.kw;
  const x = bytes((v.h * v.w - 1) * v.ldx + v.c, next);
  const p = new Uint8Array(q8DepthwiseBytes(v.c, v.kh, v.kw));
  reference.q8_pack_depthwise(v.c, v.kh, v.kw, bytes(v.c * taps, next), w_signed, zeros ? bytes(v.c, next) : 0, p);
  const zero = Math.floor(next() * 256) - (w_signed ? 128 : 0);
  return [
    ...[input(x), input(windowWords(v)), w_signed, zero, input(p)],
    ...finishing(v.oh * v.ow, v.c, taps, gap, FINISHES[finish]!, next),
  ];
}

const DEPTHWISE: readonly Window[] = [
  ...WINDOWS,
  square(6, 8, 3, 2, 1, 1),
  square(3, 24, 5, 1, 1, 2),
  square(2, 515, 3, 1, 1, 1),
  square(9, 1030, 2, 9, 1, 0),
  { ...square(1, 8, 3, 1, 1, 1), w: 900, ow: 900 }, // wider than what is worked on at once
  { ...square(5, 16, 4, 2, 2, 3), w: 7, ow: 4, kw: 2 },
];

function* depthwises(): Iterable<Case> {
  for (const [i, v] of DEPTHWISE.entries())
    for (const j of [1, 3, 4, 5, 8])
      yield { label: JSON.stringify([v, FINISHES[j]]), args: depthwise(v, (i + j) & 1, j === 4, j, (i % 3) * 3, random(i * 16 + j)) };
}

function* pools(rest: (i: number) => { before: number[]; after: number[] }): Iterable<Case> {
  for (const [i, v] of [...WINDOWS, square(5, 16, 5, 1, 1, 2), square(2, 19, 3, 3, 2, 4)].entries())
    for (const signed of [0, 1]) {
      const { before, after } = rest(i);
      const x = bytes((v.h * v.w - 1) * v.ldx + v.c, random(i));
      const [ldy, y] = [v.c + i, new Uint8Array((v.oh * v.ow - 1) * (v.c + i) + v.c).fill(85)];
      yield { label: JSON.stringify([v, signed]), args: [input(x), input(windowWords(v)), signed, ...before, output(y), ldy, ...after] };
    }
}

// biome-ignore format: pairs
const REPEATED = [[0, 1], [1, 1], [7, 7], [16, 16], [33, 33], [35, 1], [40, 5], [54, 18], [96, 32], [4800, 24], [4107, 37]] as const;

/** Bytes a and b of which b is repeated. */
function* pairs(): Iterable<Case> {
  for (const [i, [n, c]] of REPEATED.entries())
    for (const [signed, low, high] of [
      [0, 0, 255],
      [1, -128, 127],
      [0, 17, 200],
    ] as const) {
      const next = random(i);
      const [a, b] = [input(bytes(n, next)), input(bytes(c, next))];
      yield { label: `${n} ${c}`, args: [n, c, a, 0.013, 11, b, 0.029, signed ? -3 : 130, blank(n), 0.031 + i / 9, 17, signed, low, high] };
    }
}

const pair = (n: number): { args: Arg[]; bytes: number } => {
  const [a, b] = [input(bytes(n, random(1))), input(bytes(n, random(2)))];
  return { args: [n, n, a, 0.013, 11, b, 0.029, 9, blank(n), 0.1, 17, 0, 0, 255], bytes: n };
};

function* ranges(): Iterable<Case> {
  for (const n of [0, 1, 15, 16, 50])
    for (const [i, [shift, stretch]] of (
      [
        [0.5, 3],
        [0, 1],
        [1, 2],
        [0.3, 1e-3],
        [0, 0],
        [0.4, 1e30],
      ] as const
    ).entries()) {
      // biome-ignore format: pairs
      const next = random(n + i);
      const x = Float32Array.from({ length: n }, () => (next() - shift) * stretch);
      yield { label: `${n} ${shift} ${stretch}`, args: [n, input(x), blank(n), output(new Float32Array(1)), blank(1)] };
    }
  const x = Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY, -0.7, Number.NEGATIVE_INFINITY);
  yield { label: "not finite", args: [5, input(x), blank(5), output(new Float32Array(1)), blank(1)] };
}

const SHAPES = [[1, 1, 1], [1, 1, 37], [2, 3, 1], [3, 20, 1], [2, 3, 7], [1, 5, 18], [0, 2, 3]] as const; // biome-ignore format: triples

function* dequantized(): Iterable<Case> {
  for (const [i, [outer, c, inner]] of SHAPES.entries())
    for (const low of [0, -128]) {
      const next = random(i);
      const n = outer * c * inner;
      const args = [
        outer,
        c,
        inner,
        input(bytes(n, next)),
        output(new Float32Array(n)),
        input(floats(c, next, 1)),
        input(bytes(c, next)),
        low,
      ];
      yield { label: `${outer}x${c}x${inner} ${low}`, args };
    }
}

export const rows: readonly Row<string & keyof IntegerKernels>[] = [
  {
    name: "q8_pack_depthwise",
    doc: "packs int8 weights of depthwise convolutions",
    reference: reference.q8_pack_depthwise,
    cases: function* () {
      for (const [i, [c, kh, kw]] of [[0, 3, 3], [1, 1, 1], [5, 2, 3], [8, 3, 3], [19, 5, 4]].entries()) // biome-ignore format: sizes
        for (const signed of [0, 1]) {
          const next = random(i);
          const zero = signed ? input(bytes(c!, next)) : 0;
          yield {
            label: `${c} ${kh} ${kw}`,
            args: [c!, kh!, kw!, input(bytes(c! * kh! * kw!, next)), signed, zero, blank(q8DepthwiseBytes(c!, kh!, kw!))],
          };
        }
    },
    bench: (n) => ({
      args: [n / 16, 3, 3, input(new Uint8Array((n / 16) * 9)), 1, 0, blank(q8DepthwiseBytes(n / 16, 3, 3))],
      bytes: (n / 16) * 9,
    }),
  },
  {
    name: "q8_depthwise",
    doc: "convolves channels of bytes",
    reference: reference.q8_depthwise,
    cases: depthwises,
    bench: (n) => {
      const args = depthwise(square(Math.sqrt(n >> 6), 64, 3, 1, 1, 1), 0, false, 2, 0, random(1));
      return { args, bytes: size(args[0]!) };
    },
  },
  {
    name: "q8_max_pool",
    doc: "the greatest byte of each window",
    reference: reference.q8_max_pool,
    cases: () => pools(() => ({ before: [], after: [] })),
    bench: (n) => {
      const v = square(Math.sqrt(n >> 6), 64, 3, 1, 1, 1);
      return {
        args: [input(bytes(v.h * v.w * v.c, random(1))), input(windowWords(v)), 0, blank(v.oh * v.ow * v.c), v.c],
        bytes: v.h * v.w * v.c,
      };
    },
  },
  {
    name: "q8_average_pool",
    doc: "the mean of each window",
    reference: reference.q8_average_pool,
    cases: () => pools((i) => ({ before: [i * 3, 0.7 + i / 9, i & 1], after: [20, i & 2 ? -128 : 0, i & 2 ? 127 : 255] })),
    bench: (n) => {
      const v = { ...square(Math.sqrt(n >> 6), 64, Math.sqrt(n >> 6), 1, 1, 0) };
      const x = bytes(v.h * v.w * v.c, random(1));
      return { args: [input(x), input(windowWords(v)), 0, 9, 0.7, 0, blank(v.c), v.c, 3, 0, 255], bytes: x.length };
    },
  },
  ...compress.filter((row): row is Row<"f32_qa8_channels" | "nf4_f32"> => row.name === "f32_qa8_channels" || row.name === "nf4_f32"),
  {
    name: "qa8_f32_channels",
    doc: "dequantizes bytes",
    reference: reference.qa8_f32_channels,
    cases: dequantized,
    bench: (n) => {
      const one = [input(Float32Array.of(0.1)), input(Uint8Array.of(9)), 0];
      return { args: [1, 1, n, input(bytes(n, random(1))), output(new Float32Array(n)), ...one], bytes: n * 4 };
    },
  },
  {
    name: "f32_dynamic_quantize",
    doc: "quantizes floats by their range",
    reference: reference.f32_dynamic_quantize,
    cases: ranges,
    bench: (n) => ({ args: [n, input(floats(n, random(1), 3)), blank(n), output(new Float32Array(1)), blank(1)], bytes: n * 4 }),
  },
  {
    name: "q8_lookup",
    doc: "maps bytes through a table",
    reference: reference.q8_lookup,
    cases: function* () {
      for (const [m, n] of [[0, 3], [1, 1], [3, 0], [2, 17], [4, 5]] as const) // biome-ignore format: pairs
        yield {
          label: `${m}x${n}`,
          args: [m, n, input(bytes(m * (n + 2), random(m))), n + 2, blank(m * (n + 5)), n + 5, input(bytes(256, random(n)))],
        };
    },
    bench: (n) => ({ args: [1, n, input(bytes(n, random(1))), n, blank(n), n, input(bytes(256, random(2)))], bytes: n }),
  },
  { name: "q8_add", doc: "adds quantized bytes", reference: reference.q8_add, cases: pairs, bench: pair },
  { name: "q8_mul", doc: "multiplies quantized bytes", reference: reference.q8_mul, cases: pairs, bench: pair },
];
