import { type Arg, type Case, input, output, type Row, random } from "../row.ts";
import { ACTIVATIONS } from "./activation-reference.ts";
import * as reference from "./elementwise-reference.ts";
import type { VectorKernels } from "./vector.ts";

const COUNTS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100];

/** Where functions change their ways: around 0, where exponentials leave the range, and what is no number. */
const EDGES = [
  ...[0, 1e-40, 1e-20, 1e-6, 0.3, 0.34657, 0.5, 0.92773, 0.92774, 1, 1.5, 2, 2.5, 3, 3.9999, 5.5, 9, 20, 44.1, 87.3, 88.72, 88.8, 103],
  ...[104.5, 1e4, 8388607.5, 3e38],
];
const SPECIAL = Float32Array.from([...EDGES, ...EDGES.map((x) => -x), Number.NaN, Infinity, -Infinity]);

const floats = (n: number, seed: number, range = 20): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => (next() < 0.05 ? Number.NaN : (next() - 0.5) * range));
};
const blank = (n: number): Arg => output(new Float32Array(n).fill(85));
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function* activations(): Iterable<Case> {
  for (const [kind, [name]] of ACTIVATIONS.entries()) {
    for (const n of COUNTS) yield { label: `${name} ${n}`, args: [n, input(floats(n, n)), blank(n), kind, 0.3, 0.7] };
    yield { label: `${name} special`, args: [SPECIAL.length, input(SPECIAL), blank(SPECIAL.length), kind, 0.3, 0.7] };
  }
}

function* functions(): Iterable<Case> {
  for (const op of reference.UNARY.keys()) {
    for (const n of COUNTS) yield { label: `${op} ${n}`, args: [n, input(floats(n, n, 4)), blank(n), op] };
    yield { label: `${op} special`, args: [SPECIAL.length, input(SPECIAL), blank(SPECIAL.length), op] };
  }
}

/** Dimensions of the result, and for each operand the axes along which it does not repeat. */
const BROADCASTS: readonly (readonly [dims: readonly [number, number, number, number], a: string, b: string])[] = [
  ...COUNTS.map((n) => [[1, 1, 1, n], "3", "3"] as const),
  ...[1, 4, 9, 18].flatMap((n) => [[[1, 1, 3, n], "23", "2"] as const, [[1, 1, 3, n], "3", "23"] as const]),
  ...[1, 3, 31, 32].map((n) => [[2, 1, 300, n], "023", "3"] as const),
  [[2, 3, 1, 7], "013", "1"],
  [[2, 3, 2, 5], "02", "13"],
  [[2, 3, 2, 5], "", "0123"],
  [[3, 2, 4, 1], "0123", "03"],
  [[2, 0, 4, 3], "0123", "3"],
];

/** Strides of an operand of the axes `own` of `dims`. */
function strides(dims: readonly number[], own: string): number[] {
  return dims.map((_, axis) => (own.includes(`${axis}`) ? product(dims.filter((_, i) => i > axis && own.includes(`${i}`))) : 0));
}
const size = (dims: readonly number[], own: string): number => product(dims.filter((_, i) => own.includes(`${i}`)));

function* pairs(ops: readonly number[], y: (n: number) => Arg): Iterable<Case> {
  for (const op of ops) {
    for (const [dims, a, b] of BROADCASTS) {
      const [x, z] = [floats(size(dims, a), 1, 4), floats(size(dims, b), 2, 4)];
      // Some that are equal, and the powers that are taken as products.
      for (const i of z.keys()) if (i % 3 === 0) z[i] = i % 2 === 0 ? 2 : (x[i % x.length] ?? 3);
      if (z.length === 1) z[0] = dims[3] % 2 === 0 ? 3 : 2;
      const args = [op, input(x), input(z), y(product(dims)), ...dims, ...strides(dims, a), ...strides(dims, b)];
      yield { label: `${op} ${dims}: ${a} ${b}`, args };
    }
    const n = SPECIAL.length;
    const dims = [1, 1, n, n];
    const axes = [...strides(dims, "2"), ...strides(dims, "3")];
    yield { label: `${op} special`, args: [op, input(SPECIAL), input(SPECIAL), y(n * n), ...dims, ...axes] };
  }
}

function* choices(): Iterable<Case> {
  const conditions = (n: number) => Uint8Array.from({ length: n }, (_, i) => [0, 1, 255, 0, 0, 2][i % 6]!);
  for (const [dims, a, b] of BROADCASTS) {
    for (const [c, p, q] of [
      [a, b, "0123"],
      ["0123", a, b],
      [b, "", a],
    ] as const) {
      const operands = [input(conditions(size(dims, c))), input(floats(size(dims, p), 1)), input(floats(size(dims, q), 2))];
      const axes = [...strides(dims, c), ...strides(dims, p), ...strides(dims, q)];
      yield { label: `${dims}: ${c} ${p} ${q}`, args: [...operands, blank(product(dims)), ...dims, ...axes] };
    }
  }
}

const bytes = (n: number): Arg => output(new Uint8Array(n).fill(85));
const flat = (n: number): number[] => [
  1,
  1,
  1,
  n,
  ...Array<number>(n > 0 ? 8 : 0)
    .fill(0)
    .with(3, 1)
    .with(7, 1),
];

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "f32_activate",
    doc: "applies an activation",
    reference: reference.f32_activate,
    cases: activations,
    tolerance: 3e-7,
    // Functions that are small for negative arguments keep their digits of 1, not those of the result.
    absolute: 2e-7,
    bench: (n) => ({ args: [n, input(floats(n, 1)), blank(n), 4, 0, 0], bytes: n * 4 }),
  },
  {
    name: "f32_unary",
    doc: "applies a function",
    reference: reference.f32_unary,
    cases: functions,
    tolerance: 2e-7,
    absolute: 1e-43,
    bench: (n) => ({ args: [n, input(floats(n, 1)), blank(n), 8], bytes: n * 4 }),
  },
  {
    name: "f32_binary",
    doc: "combines two operands",
    reference: reference.f32_binary,
    cases: () => pairs([...reference.BINARY.keys()], blank),
    tolerance: 2e-7,
    absolute: 1e-44,
    bench: (n) => ({ args: [0, input(floats(n, 1)), input(floats(n, 2)), blank(n), ...flat(n)], bytes: n * 4 }),
  },
  {
    name: "f32_compare",
    doc: "compares two operands",
    reference: reference.f32_compare,
    cases: () => pairs([0, 1, 2], bytes),
    bench: (n) => ({ args: [1, input(floats(n, 1)), input(floats(n, 2)), bytes(n), ...flat(n)], bytes: n * 4 }),
  },
  {
    name: "f32_where",
    doc: "chooses between two operands",
    reference: reference.f32_where,
    cases: choices,
    bench: (n) => ({
      args: [input(new Uint8Array(n)), input(floats(n, 1)), input(floats(n, 2)), blank(n), ...flat(n), 0, 0, 0, 1],
      bytes: n * 4,
    }),
  },
];
