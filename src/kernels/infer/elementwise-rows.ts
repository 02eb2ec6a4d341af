import { type Case, input, output, type Row, random } from "../row.ts";
import { ACTIVATIONS } from "./activation-reference.ts";
import * as reference from "./elementwise-reference.ts";
import type { VectorKernels } from "./vector.ts";

const COUNTS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100];

/** Where functions change their ways: around 0, where exponentials leave the range, and what is no number. */
const EDGES = [
  0, 1e-40, 1e-20, 1e-6, 0.3, 0.34657, 0.92773, 0.92774, 1, 3.9999, 5.5, 9, 20, 44.1, 87.3, 88.72, 88.8, 103, 104.5, 1e4, 3e38,
];
const SPECIAL = Float32Array.from([...EDGES, ...EDGES.map((x) => -x), Number.NaN, Infinity, -Infinity]);

const floats = (n: number, seed: number): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => (next() < 0.05 ? Number.NaN : (next() - 0.5) * 20));
};
const blank = (n: number) => output(new Float32Array(n).fill(85));

function* activations(): Iterable<Case> {
  for (const [kind, [name]] of ACTIVATIONS.entries()) {
    for (const n of COUNTS) yield { label: `${name} ${n}`, args: [n, input(floats(n, n)), blank(n), kind, 0.3, 0.7] };
    yield { label: `${name} special`, args: [SPECIAL.length, input(SPECIAL), blank(SPECIAL.length), kind, 0.3, 0.7] };
  }
}

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
];
