// The rows of the compression kernels. Only tests and benches import them; nothing here is shipped.
import { bench, bits, bytes, CHANNELS, COUNTS, EDGE, each, product, scales, vector, weights, words } from "./fills.ts";
import type { CompressKernels } from "./kernels.ts";
import { matrixRows } from "./matrix-rows.ts";
import { pruneRows } from "./prune-rows.ts";
import * as reference from "./reference.ts";
import { type Arg, input, output, type Row } from "./row.ts";

const int8s = (n: number): Arg => output(new Int8Array(n).fill(85));
const halves = (n: number): Arg => output(new Uint16Array(n).fill(0x5555));
const sums = (): Arg => output(Float64Array.of(1, 2, 3));

/** [rows, k] */
const ROWS: readonly [number, number][] = [...COUNTS.map((k): [number, number] => [2, k]), [0, 64], [3, 96], [5, 32], [7, 100]];
const PANELS: readonly [k: number, n: number, ld: number, block: number, blocks: number][] = [
  ...COUNTS.slice(0, 20).map((n): [number, number, number, number, number] => [32, n, n, 0, 1]),
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31].map((k): [number, number, number, number, number] => [k, 19, 23, 1, 3]),
  [32, 40, 41, 2, 3],
];

/** Doubles next to the halfway points of the narrow types, where rounding twice goes wrong, and the floats themselves. */
function doubles(x: Float32Array, next: () => number): BigUint64Array {
  const data = Float64Array.from(x, (v) => v);
  const out = new BigUint64Array(data.buffer);
  for (let i = 0; i < x.length; i++) {
    const keep = [10n, 7n, 23n, 52n][Math.floor(next() * 4)]!;
    const unit = 1n << (52n - keep);
    if (next() < 0.7 && !Number.isNaN(x[i])) out[i] = (out[i]! & ~(unit - 1n)) | (unit >> 1n);
    if (next() < 0.6) out[i] = BigInt.asUintN(64, out[i]! + BigInt(Math.floor(next() * 3)) - 1n);
  }
  return out;
}

function quantized8(x: Float32Array, c: number, inner: number): [q: Int8Array, scale: Float32Array] {
  const out: [Int8Array, Float32Array] = [new Int8Array(c * inner), new Float32Array(c)];
  reference.f32_qc8w_rows(c, inner, x, ...out);
  return out;
}
function quantized4(x: Float32Array, rows: number, k: number): [q: Uint8Array, scale: Float32Array] {
  const blocks = rows * Math.ceil(k / 32);
  const out: [Uint8Array, Float32Array] = [new Uint8Array(blocks * 16), new Float32Array(blocks)];
  reference.f32_qb4w_rows(rows, k, x, ...out);
  return out;
}
/** A one, so that shares of the absmax are the values, and each bound of NF4 with the floats beside it. */
function besideBounds(): Float32Array {
  const x = Float32Array.from([1, ...reference.NF4_BOUNDS.flatMap((bound) => [bound, bound, bound])]);
  const words = bits(x);
  for (let i = 1; i < words.length; i++) words[i]! += ((i - 1) % 3) - 1;
  return x;
}
const any8 = (n: number, next: () => number): Arg => input(Int8Array.from({ length: n }, () => Math.floor(next() * 255) - 127));
const any4 = (n: number, next: () => number): Arg => input(Uint8Array.from({ length: n }, () => Math.floor(next() * 256)));
const anyScale = (n: number, next: () => number): Arg => input(Float32Array.from({ length: n }, () => (next() - 0.5) / 32));

export const table: readonly Row<keyof CompressKernels>[] = [
  {
    name: "f32_absmax",
    doc: "absmax of the finite values",
    reference: reference.f32_absmax,
    cases: vector((n, x) => [n, input(x)]),
    bench: bench((n) => [n, input(weights(n))]),
  },
  {
    name: "f32_minmax_channels",
    doc: "least and greatest finite value of each channel of [outer, c, inner]",
    reference: reference.f32_minmax_channels,
    cases: () =>
      each(CHANNELS, product, (s, x, next) => [
        ...s,
        input(x),
        output(Float32Array.from({ length: s[1] }, () => -(next() ** 4))),
        output(Float32Array.from({ length: s[1] }, () => next() ** 4)),
      ]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), scales(EDGE), scales(EDGE)]),
  },
  {
    name: "f32_qs8_quantize",
    doc: "int8 with a given scale and zero point",
    reference: reference.f32_qs8_quantize,
    cases: () =>
      each(
        COUNTS.flatMap((n) => [[n, 0, 1] as const, [n, -128, 12.7] as const, [n, 127, 3e38] as const]),
        ([n]) => n,
        ([n, zero_point, inv_scale], x) => [n, input(x), int8s(n), inv_scale, zero_point],
      ),
    bench: bench((n) => [n, input(weights(n)), int8s(n), 800, 3]),
  },
  {
    name: "f32_qa8_channels",
    doc: "int8 or uint8 with the scale and zero point of each channel of [outer, c, inner], by division",
    reference: reference.f32_qa8_channels,
    cases: () =>
      each(
        CHANNELS.flatMap((s) => [[s, -128, 127] as const, [s, 0, 255] as const]),
        ([s]) => product(s),
        ([s, low, high], x, next) => [
          ...s,
          input(x),
          bytes(product(s)),
          input(Float32Array.from({ length: s[1] }, () => [0.5, 1e-37, 10 ** (next() * 9 - 8)][Math.floor(next() * 3)]!)),
          any4(s[1], next),
          low,
          high,
        ],
      ),
    bench: bench((n) => [
      n / EDGE,
      EDGE,
      1,
      input(weights(n)),
      bytes(n),
      input(new Float32Array(EDGE).fill(0.00125)),
      input(new Uint8Array(EDGE).fill(128)),
      0,
      255,
    ]),
  },
  {
    name: "f32_qc8w_rows",
    doc: "int8 with a scale a row",
    reference: reference.f32_qc8w_rows,
    cases: () => each(ROWS, product, ([c, inner], x) => [c, inner, input(x), int8s(c * inner), scales(c)]),
    bench: bench((n) => [n / EDGE, EDGE, input(weights(n)), int8s(n), scales(n / EDGE)]),
  },
  {
    name: "f32_absmax_channels",
    doc: "absmax of each channel of [outer, c, inner]",
    reference: reference.f32_absmax_channels,
    cases: () => each(CHANNELS, product, (s, x, next) => [...s, input(x), output(Float32Array.from({ length: s[1] }, () => next() ** 4))]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), output(new Float32Array(EDGE))]),
  },
  ...matrixRows,
  {
    name: "qc8w_scales",
    doc: "scale and inverse from absmax",
    reference: reference.qc8w_scales,
    cases: vector((n, x) => [n, input(x.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0))), scales(n), scales(n)]),
    bench: bench((n) => [n, input(weights(n)), scales(n), scales(n)]),
  },
  {
    name: "f32_qc8w_channels",
    doc: "int8 with the scale of each channel of [outer, c, inner]",
    reference: reference.f32_qc8w_channels,
    cases: () =>
      each(CHANNELS, product, (s, x, next) => [
        ...s,
        input(x),
        int8s(product(s)),
        input(Float32Array.from({ length: s[1] }, () => 10 ** (next() * 9 - 3))),
      ]),
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), int8s(n), input(new Float32Array(EDGE).fill(800))]),
  },
  {
    name: "f32_qb8w_rows",
    doc: "int8 with a scale a block",
    reference: reference.f32_qb8w_rows,
    cases: () =>
      each(
        [32, 16, 7].flatMap((b) => ROWS.map((r) => [...r, b] as const)),
        ([rows, k]) => rows * k,
        ([rows, k, b], x) => [rows, k, b, input(x), int8s(rows * k), scales(rows * Math.ceil(k / b))],
      ),
    bench: bench((n) => [n / EDGE, EDGE, 32, input(weights(n)), int8s(n), scales(n / 32)]),
  },
  {
    name: "f32_qb4w_rows",
    doc: "int4 in blocks of 32, rows of [N, K]",
    reference: reference.f32_qb4w_rows,
    cases: () =>
      each(ROWS, product, ([rows, k], x) => [rows, k, input(x), bytes(rows * Math.ceil(k / 32) * 16), scales(rows * Math.ceil(k / 32))]),
    bench: bench((n) => [n / EDGE, EDGE, input(weights(n)), bytes(n / 2), scales(n / 32)]),
  },
  {
    name: "f32_qb4w_transpose",
    doc: "int4 in blocks of 32, columns of [K, N]",
    reference: reference.f32_qb4w_transpose,
    cases: () =>
      each(
        PANELS,
        ([k, , ld]) => k * ld,
        ([k, n, ld, block, blocks], x) => [k, n, ld, input(x), bytes(n * blocks * 16), scales(n * blocks), block, blocks],
      ),
    bench: bench((n) => [32, n / 32, n / 32, input(weights(n)), bytes(n / 2), scales(n / 32), 0, 1]),
  },
  {
    name: "f32_nf4",
    doc: "NF4 in blocks of 64",
    reference: reference.f32_nf4,
    cases: function* () {
      const args = (n: number, x: Float32Array): readonly Arg[] => [n, input(x), bytes(Math.ceil(n / 2)), scales(Math.ceil(n / 64))];
      yield* vector(args)();
      yield { label: "at and next to every bound", args: args(46, besideBounds()) };
    },
    bench: bench((n) => [n, input(weights(n)), bytes(n / 2), scales(n / 64)]),
  },
  {
    name: "nf4_f32",
    doc: "NF4 to float",
    reference: reference.nf4_f32,
    cases: vector((n, _x, next) => [n, any4(Math.ceil(n / 2), next), anyScale(Math.ceil(n / 64), next), scales(n)]),
    bench: bench((n) => [n, input(new Uint8Array(n / 2).fill(0x5a)), input(new Float32Array(n / 64).fill(1)), scales(n)]),
  },
  {
    name: "f32_transpose",
    doc: "[K, N] to [N, K]",
    reference: reference.f32_transpose,
    cases: () =>
      each(
        PANELS,
        ([k, , ld]) => k * ld,
        ([k, n, ld], x) => [k, n, ld, input(bits(x)), words(n * (k + 3)), k + 3],
      ),
    bench: bench((n) => [n / EDGE, EDGE, EDGE, input(weights(n)), scales(n), n / EDGE]),
  },
  {
    name: "f32_f16",
    doc: "float to IEEE half",
    reference: reference.f32_f16,
    cases: vector((n, x) => [n, input(bits(x)), halves(n)]),
    bench: bench((n) => [n, input(weights(n)), halves(n)]),
  },
  {
    name: "f16_f32",
    doc: "IEEE half to float",
    reference: reference.f16_f32,
    cases: vector((n, x) => [n, input(Uint16Array.from(bits(x), (v) => v >>> 16)), words(n)]),
    bench: bench((n) => [n, input(new Uint16Array(n).fill(0x2e66)), words(n)]),
  },
  {
    name: "f32_bf16",
    doc: "float to bfloat16",
    reference: reference.f32_bf16,
    cases: vector((n, x) => [n, input(bits(x)), halves(n)]),
    bench: bench((n) => [n, input(weights(n)), halves(n)]),
  },
  {
    name: "bf16_f32",
    doc: "bfloat16 to float",
    reference: reference.bf16_f32,
    cases: vector((n, x) => [n, input(Uint16Array.from(bits(x), (v) => v >>> 16)), words(n)]),
    bench: bench((n) => [n, input(new Uint16Array(n).fill(0x3dcc)), words(n)]),
  },
  {
    name: "f64_f32",
    doc: "double to float",
    reference: reference.f64_f32,
    cases: vector((n, x, next) => [n, input(doubles(x, next)), words(n)]),
    bench: bench((n) => [n, input(Float64Array.from(weights(n))), words(n)], 8),
  },
  {
    name: "f64_f16",
    doc: "double to IEEE half",
    reference: reference.f64_f16,
    cases: vector((n, x, next) => [n, input(doubles(x, next)), halves(n)]),
    bench: bench((n) => [n, input(Float64Array.from(weights(n))), halves(n)], 8),
  },
  {
    name: "f64_bf16",
    doc: "double to bfloat16",
    reference: reference.f64_bf16,
    cases: vector((n, x, next) => [n, input(doubles(x, next)), halves(n)]),
    bench: bench((n) => [n, input(Float64Array.from(weights(n))), halves(n)], 8),
  },
  {
    name: "f32_error",
    doc: "signal and noise of floats against floats",
    tolerance: 1e-5,
    reference: reference.f32_error,
    cases: vector((n, x, next) => [n, input(x), input(x.map((v) => v * (1 + (next() - 0.5) / 64))), sums()]),
    bench: bench((n) => [n, input(weights(n)), input(weights(n)), sums()]),
  },
  {
    name: "qc8w_error_channels",
    doc: "signal and noise of int8 with a scale a channel",
    tolerance: 1e-5,
    reference: reference.qc8w_error_channels,
    cases: () => each(CHANNELS, product, (s, x, next) => [...s, input(x), any8(product(s), next), anyScale(s[1], next), sums()]),
    bench: bench((n) => [1, n / EDGE, EDGE, input(weights(n)), ...quantized8(weights(n), n / EDGE, EDGE).map(input), sums()]),
  },
  {
    name: "qa8_error_channels",
    doc: "signal and noise of int8 or uint8 with a scale and zero point a channel",
    tolerance: 1e-5,
    reference: reference.qa8_error_channels,
    cases: () =>
      each(
        CHANNELS.flatMap((s) => [[s, -128] as const, [s, 0] as const]),
        ([s]) => product(s),
        ([s, low], x, next) => [...s, input(x), any4(product(s), next), anyScale(s[1], next), any4(s[1], next), low, sums()],
      ),
    bench: bench((n) => [
      n / EDGE,
      EDGE,
      1,
      input(weights(n)),
      input(new Uint8Array(n).fill(77)),
      input(new Float32Array(EDGE).fill(0.00125)),
      input(new Uint8Array(EDGE).fill(128)),
      0,
      sums(),
    ]),
  },
  {
    name: "qb8w_error_rows",
    doc: "signal and noise of int8 with a scale a block",
    tolerance: 1e-5,
    reference: reference.qb8w_error_rows,
    cases: () =>
      each(
        [32, 7].flatMap((b) => ROWS.map((r) => [...r, b] as const)),
        ([rows, k]) => rows * k,
        ([rows, k, b], x, next) => [rows, k, b, input(x), any8(rows * k, next), anyScale(rows * Math.ceil(k / b), next), sums()],
      ),
    bench: bench((n) => [n / EDGE, EDGE, 32, input(weights(n)), ...quantized8(weights(n), n / 32, 32).map(input), sums()]),
  },
  {
    name: "qb4w_error_rows",
    doc: "signal and noise of int4, rows of [N, K]",
    tolerance: 1e-5,
    reference: reference.qb4w_error_rows,
    cases: () =>
      each(ROWS, product, ([rows, k], x, next) => [
        rows,
        k,
        input(x),
        any4(rows * Math.ceil(k / 32) * 16, next),
        anyScale(rows * Math.ceil(k / 32), next),
        sums(),
      ]),
    bench: bench((n) => [n / EDGE, EDGE, input(weights(n)), ...quantized4(weights(n), n / EDGE, EDGE).map(input), sums()]),
  },
  {
    name: "qb4w_error_transpose",
    doc: "signal and noise of int4, columns of [K, N]",
    tolerance: 1e-5,
    reference: reference.qb4w_error_transpose,
    cases: () =>
      each(
        PANELS,
        ([k, , ld]) => k * ld,
        ([k, n, ld, block, blocks], x, next) => [
          k,
          n,
          ld,
          input(x),
          any4(n * blocks * 16, next),
          anyScale(n * blocks, next),
          block,
          blocks,
          sums(),
        ],
      ),
    bench: bench((n) => [32, n / 32, n / 32, input(weights(n)), ...quantized4(weights(n), n / 32, 32).map(input), 0, 1, sums()]),
  },
  ...pruneRows,
  {
    name: "memory_copy",
    doc: "memory.copy, the yardstick",
    reference: reference.memory_copy,
    cases: () => COUNTS.map((n) => ({ label: `${n}`, args: [n, input(Uint8Array.from({ length: n }, (_, i) => i)), bytes(n)] })),
    bench: (n) => ({ args: [n * 4, input(weights(n)), output(new Float32Array(n))], bytes: n * 4 }),
  },
];
