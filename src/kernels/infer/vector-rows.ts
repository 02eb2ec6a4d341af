import { type Case, input, output, type Row, random } from "../row.ts";
import type { VectorKernels } from "./vector.ts";
import * as reference from "./vector-reference.ts";

const COUNTS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100];

const floats = (n: number, seed: number): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => (next() < 0.05 ? Number.NaN : (next() - 0.5) * 8));
};

function* vectors(...rest: number[]): Iterable<Case> {
  for (const n of COUNTS) yield { label: `${n}`, args: [n, input(floats(n, n)), output(new Float32Array(n).fill(85)), ...rest] };
}

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "f32_clip",
    doc: "clips to a range",
    reference: reference.f32_clip,
    cases: () => vectors(-1.5, 2),
    bench: (n) => ({ args: [n, input(floats(n, 1)), output(new Float32Array(n)), -1, 1], bytes: n * 4 }),
  },
];
