// The rows of the compression kernels. Only tests and benches import them; nothing here is shipped.
import type { CompressKernels } from "./kernels.ts";
import { matrixRows } from "./matrix-rows.ts";
import * as reference from "./reference.ts";
import { type Arg, type Case, input, output, type Row, random } from "./row.ts";

const int8s = (n: number): Arg => output(new Int8Array(n).fill(85));
const bytes = (n: number): Arg => output(new Uint8Array(n).fill(85));
const halves = (n: number): Arg => output(new Uint16Array(n).fill(0x5555));
const words = (n: number): Arg => output(new Uint32Array(n).fill(0x55555555));
const scales = (n: number): Arg => output(new Float32Array(n).fill(85));
const sums = (): Arg => output(Float64Array.of(1, 2, 3));

/** Around every width that a kernel steps by: 4, 8, 16, 32, 128 and the page of 512. */
const COUNTS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 159, 160, 161, 255, 511, 512, 513, 1030];

/** Floats on which a kernel may go wrong: zeros, subnormal, least normal, the edges of int8, half and float, infinities, NaN of both kinds. */
const EDGES = Uint32Array.of(
  ...[0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x0d7fffff, 0x0d800000, 0x33000000, 0x33000001, 0x387fc000],
  ...[0x387fe000, 0x387fffff, 0x38800000, 0x477fe000, 0x477fefff, 0x477ff000, 0x477fffff, 0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0xff7fffff],
  ...[0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fffffff, 0x42fe0000, 0xc2ff0000, 0x4b000000, 0xcbc00001],
);

/** Kinds of test data: floats of `n` values. */
const FILLS: Record<string, (n: number, next: () => number) => Float32Array> = {
  weights: (n, next) => Float32Array.from({ length: n }, () => (next() + next() + next() - 1.5) * 0.1),
  // The greatest is 127, so that a scale is 1 and halves are ties.
  ties: (n, next) => Float32Array.from({ length: n }, (_, i) => (i === 0 ? -127 : Math.floor(next() * 508 - 254) / 2)),
  // int4: the greatest is -8, so that a scale is 1.
  ties4: (n, next) => Float32Array.from({ length: n }, (_, i) => (i % 32 === 0 ? -8 : Math.floor(next() * 32 - 16) / 2)),
  positive: (n, next) => Float32Array.from({ length: n }, () => next() + 0.5),
  zeros: (n, next) => Float32Array.from({ length: n }, () => (next() < 0.6 ? -0 : 0)),
  // int4: blocks whose greatest is 2^-125, so that the reciprocal of the scale is just infinite, or a few bits more, so that it is not.
  least: (n, next) => {
    const greatest = [0x01000000, 0x81000000, 0x01000004, 0x81000004];
    return new Float32Array(
      Uint32Array.from({ length: n }, (_, i) => (i % 32 === 0 ? greatest[(i >> 5) % 4]! : next() * 0x00ffffff)).buffer,
    );
  },
  tiny: (n, next) => Float32Array.from({ length: n }, () => (next() - 0.5) * 2 ** (-90 - Math.floor(next() * 59))),
  huge: (n, next) => Float32Array.from({ length: n }, () => (next() - 0.5) * 6.8e38),
  rare: (n, next) => {
    const x = new Uint32Array(Float32Array.from({ length: n }, () => next() - 0.5).buffer);
    for (let i = Math.floor(next() * 40); i < n; i += 1 + Math.floor(next() * 80)) x[i] = EDGES[Math.floor(next() * EDGES.length)]!;
    return new Float32Array(x.buffer);
  },
  edges: (n, next) => new Float32Array(Uint32Array.from({ length: n }, () => EDGES[Math.floor(next() * EDGES.length)]!).buffer),
  bits: (n, next) => new Float32Array(Uint32Array.from({ length: n }, () => next() * 2 ** 32).buffer),
};

/** Every fill, at every one of `shapes` whose seeds differ. */
function* each<S>(
  shapes: readonly S[],
  size: (shape: S) => number,
  args: (shape: S, x: Float32Array, next: () => number) => readonly Arg[],
): Iterable<Case> {
  for (const [i, shape] of shapes.entries()) {
    for (const [j, [fill, make]] of Object.entries(FILLS).entries()) {
      const next = random(i * 64 + j);
      yield { label: `${fill} ${JSON.stringify(shape)}`, args: args(shape, make(size(shape), next), next) };
    }
  }
}
const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const vector = (args: (n: number, x: Float32Array, next: () => number) => readonly Arg[]) => () => each(COUNTS, (n) => n, args);

/** [outer, c, inner] */
const CHANNELS: readonly [number, number, number][] = [
  ...COUNTS.slice(0, -2).map((c): [number, number, number] => [3, c, 1]),
  ...[1, 2, 4, 5, 8, 9].map((outer): [number, number, number] => [outer, 20, 1]),
  ...([
    [0, 5, 3],
    [2, 3, 0],
    [65, 1, 1],
    [2, 3, 5],
    [1, 4, 9],
    [2, 2, 16],
    [1, 3, 33],
    [3, 2, 65],
    [1, 2, 600],
  ] as [number, number, number][]),
];
/** [rows, k] */
const ROWS: readonly [number, number][] = [...COUNTS.map((k): [number, number] => [2, k]), [0, 64], [3, 96], [5, 32], [7, 100]];
const PANELS: readonly [k: number, n: number, ld: number, block: number, blocks: number][] = [
  ...COUNTS.slice(0, 20).map((n): [number, number, number, number, number] => [32, n, n, 0, 1]),
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31].map((k): [number, number, number, number, number] => [k, 19, 23, 1, 3]),
  [32, 40, 41, 2, 3],
];

const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer);

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

let cached: Float32Array = new Float32Array(0);
/** Weights for a benchmark; one array serves all. */
function weights(n: number): Float32Array {
  if (cached.length < n) cached = FILLS.weights!(n, random(7));
  return cached.subarray(0, n);
}
const EDGE = 1024;
const bench =
  (args: (n: number) => readonly Arg[], width = 4): Row["bench"] =>
  (n) => ({ args: args(n), bytes: n * width });

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
  {
    name: "f32_l1_channels",
    doc: "sums of magnitudes of each channel of [outer, c, inner]",
    reference: reference.f32_l1_channels,
    cases: () => each(CHANNELS, product, (s, x) => [...s, input(x), output(new Float64Array(s[1]).fill(0.5))]),
    tolerance: 1e-12,
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), output(new Float64Array(EDGE))]),
  },
  {
    name: "f32_l2_channels",
    doc: "sums of squares of each channel of [outer, c, inner]",
    reference: reference.f32_l2_channels,
    cases: () => each(CHANNELS, product, (s, x) => [...s, input(x), output(new Float64Array(s[1]).fill(0.5))]),
    tolerance: 1e-12,
    bench: bench((n) => [n / EDGE, EDGE, 1, input(weights(n)), output(new Float64Array(EDGE))]),
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
  {
    name: "memory_copy",
    doc: "memory.copy, the yardstick",
    reference: reference.memory_copy,
    cases: () => COUNTS.map((n) => ({ label: `${n}`, args: [n, input(Uint8Array.from({ length: n }, (_, i) => i)), bytes(n)] })),
    bench: (n) => ({ args: [n * 4, input(weights(n)), output(new Float32Array(n))], bytes: n * 4 }),
  },
];
