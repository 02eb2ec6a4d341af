import { type Arg, type Case, input, output, type Row, random, scratch } from "../row.ts";
import * as reference from "./reduce-reference.ts";
import type { VectorKernels } from "./vector.ts";

type Shape = readonly [outer: number, n: number, inner: number];

/** Around every width that a loop steps by, and around a block. */
const SHAPES: readonly Shape[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 1023, 1024, 1025, 1100].map((n) => [2, n, 1] as const),
  ...[2, 3, 4, 5, 7, 15, 16, 17, 18, 20, 39].map((inner) => [2, 5, inner] as const),
  ...[1, 63, 64, 65, 130].map((n) => [1, n, 21] as const),
];

const uniform = (n: number, seed: number, low = -1, high = 2): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => low + next() * (high - low));
};
const blank = (n: number): Arg => output(new Float32Array(n).fill(85));
const places = (n: number): Arg => output(new BigInt64Array(n).fill(85n));

/** Data where some value is none, or infinite. */
function rare(x: Float32Array, value: number): Float32Array {
  for (let i = 1; i < x.length; i += 37) x[i] = value;
  return x;
}

const FILLS: Record<string, (n: number) => Float32Array> = {
  floats: (n) => uniform(n, n),
  "with NaN": (n) => rare(uniform(n, n + 1), Number.NaN),
  "with Infinity": (n) => rare(uniform(n, n + 2), Infinity),
  "with -Infinity": (n) => rare(uniform(n, n + 3), -Infinity),
};

function* reductions(): Iterable<Case> {
  for (const [outer, n, inner] of [...SHAPES, [2, 0, 3], [3, 0, 1], [0, 4, 4]] as readonly Shape[]) {
    for (const [fill, make] of Object.entries(FILLS)) {
      for (const op of reference.REDUCE.keys()) {
        // Of a product and a logarithm the factors are near 1.
        const x = make(outer * n * inner).map((v) => (op === 4 || op === 8 ? 1 + v / 8 : v));
        yield { label: `${op} ${fill} ${outer} ${n} ${inner}`, args: [op, outer, n, inner, input(x), blank(outer * inner)] };
      }
    }
  }
}

function* searches(): Iterable<Case> {
  for (const [outer, n, inner] of SHAPES) {
    const size = outer * n * inner;
    const equal = uniform(size, size, 0, 4).map(Math.floor);
    for (const x of [equal, ...Object.values(FILLS).map((make) => make(size))])
      for (const [least, last] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ] as const)
        yield { label: `${least} ${last} ${outer} ${n} ${inner}`, args: [least, last, outer, n, inner, input(x), places(outer * inner)] };
  }
}

function* softmaxes(): Iterable<Case> {
  for (const [outer, n, inner] of SHAPES)
    for (const [fill, make] of Object.entries(FILLS)) {
      const x = make(outer * n * inner).map((v) => v * 15);
      yield { label: `${fill} ${outer} ${n} ${inner}`, args: [outer, n, inner, input(x), blank(x.length)] };
    }
}

function layerNorm(rows: number, n: number, centered: number, bias = true, skip = false, total = false): Case {
  const x = (seed: number) => input(uniform(rows * n, seed, 3, 5));
  return {
    label: `${rows} ${n} ${centered} ${bias} ${skip} ${total}`,
    args: [
      ...[rows, n, x(1), blank(rows * n), input(uniform(n, 2)), bias ? input(uniform(n, 3)) : 0, 1e-5, centered],
      ...[skip ? x(4) : 0, total ? blank(rows * n) : 0],
    ],
  };
}

function* layerNorms(): Iterable<Case> {
  for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 384, 1030])
    for (const centered of [0, 1]) {
      yield layerNorm(3, n, centered);
      yield layerNorm(2, n, centered, false, true, n % 2 === 0);
    }
}

function groupNorm(n: number, c: number, groups: number): Case {
  const [scale, bias] = [input(uniform(c, 2)), input(uniform(c, 3))];
  const x = input(uniform(n * c, 1, 3, 5));
  return { label: `${n} ${c} ${groups}`, args: [n, c, groups, x, blank(n * c), scale, bias, 1e-5, scratch(8 * c)] };
}

const GROUPS: readonly [number, number, number][] = [
  [1, 4, 2],
  [9, 1, 1],
  [5, 3, 3],
  [70, 8, 2],
  [65, 21, 7],
  [130, 20, 20],
  [4, 39, 13],
];

function affine(outer: number, c: number, inner: number): Case {
  const size = outer * c * inner;
  const args = [outer, c, inner, input(uniform(size, 1)), blank(size), input(uniform(c, 2)), input(uniform(c, 3))];
  return { label: `${outer} ${c} ${inner}`, args };
}

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "f32_reduce",
    doc: "reduces an axis",
    reference: reference.f32_reduce,
    cases: reductions,
    tolerance: 2e-6,
    absolute: 1e-6,
    bench: (n) => ({ args: [0, n / 1024, 1024, 1, input(uniform(n, 1)), blank(n / 1024)], bytes: n * 4 }),
  },
  {
    name: "f32_arg",
    doc: "finds the greatest along an axis",
    reference: reference.f32_arg,
    cases: searches,
    bench: (n) => ({ args: [0, 0, n / 1024, 1024, 1, input(uniform(n, 1)), places(n / 1024)], bytes: n * 4 }),
  },
  {
    name: "f32_softmax",
    doc: "makes the sum of an axis 1",
    reference: reference.f32_softmax,
    cases: softmaxes,
    tolerance: 3e-6,
    absolute: 1e-37,
    bench: (n) => ({ args: [n / 1024, 1024, 1, input(uniform(n, 1)), blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_log_softmax",
    doc: "the logarithm of that",
    reference: reference.f32_log_softmax,
    cases: softmaxes,
    tolerance: 3e-7,
    // The digits of a sum that is nearly 1.
    absolute: 3e-7,
    bench: (n) => ({ args: [n / 1024, 1024, 1, input(uniform(n, 1)), blank(n)], bytes: n * 4 }),
  },
  {
    name: "f32_layer_norm",
    doc: "normalizes rows",
    reference: reference.f32_layer_norm,
    cases: layerNorms,
    tolerance: 3e-6,
    absolute: 3e-6,
    bench: (n) => ({ args: layerNorm(n / 1024, 1024, 1).args, bytes: n * 4 }),
  },
  {
    name: "f32_group_norm",
    doc: "normalizes groups of channels",
    reference: reference.f32_group_norm,
    cases: () => GROUPS.map((shape) => groupNorm(...shape)),
    tolerance: 3e-6,
    absolute: 3e-6,
    bench: (n) => ({ args: groupNorm(n / 64, 64, 64).args, bytes: n * 4 }),
  },
  {
    name: "f32_affine",
    doc: "scales and shifts channels",
    reference: reference.f32_affine,
    cases: () => SHAPES.map((shape) => affine(...shape)),
    tolerance: 1e-6,
    absolute: 2e-7,
    bench: (n) => ({ args: affine(n / 64, 64, 1).args, bytes: n * 4 }),
  },
];
