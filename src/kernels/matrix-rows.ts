// The rows of the kernels that multiply rows with rows, for what pruning recovers. Only tests and benches import them; nothing here is shipped.
import { type Arg, type Case, input, output, type Row, random } from "./row.ts";

/** [m, n, k], around the tile of 2 × 4, the vector and the run of 512. */
const SHAPES: readonly [m: number, n: number, k: number][] = [
  ...[0, 1, 2, 3].flatMap((m) => [0, 1, 3, 4, 5, 8].map((n): [number, number, number] => [m, n, 12])),
  ...[0, 1, 2, 3, 4, 5, 7, 8, 511, 512, 513, 516, 1030].map((k): [number, number, number] => [3, 6, k]),
];

/** Rows lie further apart than they are long. */
const GAP = 3;
const floats = (n: number, next: () => number): Float32Array => Float32Array.from({ length: n }, () => next() - 0.5);
const doubles = (n: number, next: () => number): Float64Array => Float64Array.from({ length: n }, () => next() - 0.5);

function* cases(draw: (n: number, next: () => number) => Float32Array | Float64Array): Iterable<Case> {
  for (const [i, [m, n, k]] of SHAPES.entries()) {
    const next = random(i);
    const [ld, ldc] = [k + GAP, n + GAP];
    const args: Arg[] = [m, n, k, input(draw(m * ld, next)), ld, input(draw(n * ld, next)), ld, output(doubles(m * ldc, next)), ldc];
    yield { label: `${[m, n, k]}`, args };
  }
}

/** Adds `sign` times each product of rows. */
const dots =
  (sign: number) =>
  (
    m: number,
    n: number,
    k: number,
    a: ArrayLike<number>,
    lda: number,
    b: ArrayLike<number>,
    ldb: number,
    c: Float64Array,
    ldc: number,
  ): void => {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[i * lda + p]! * b[j * ldb + p]!;
        c[i * ldc + j]! += sign * sum;
      }
    }
  };

/** Both sides of a product of so many multiplications. */
const bench =
  (draw: (n: number, next: () => number) => Float32Array | Float64Array): Row["bench"] =>
  (n) => {
    const [k, side] = [512, Math.max(4, Math.round(n / 1024))];
    const all = draw(side * k, random(1));
    return { args: [side, side, k, input(all), k, input(all), k, output(new Float64Array(side * side)), side], bytes: all.byteLength * 2 };
  };

export const matrixRows: readonly Row<"f32_dots" | "f64_less_dots">[] = [
  {
    name: "f32_dots",
    doc: "sums over samples of products of rows, f32",
    reference: dots(1),
    cases: () => cases(floats),
    tolerance: 1e-5,
    absolute: 1e-5,
    bench: bench(floats),
  },
  {
    name: "f64_less_dots",
    doc: "products of rows, subtracted, f64",
    reference: dots(-1),
    cases: () => cases(doubles),
    tolerance: 1e-13,
    absolute: 1e-13,
    bench: bench(doubles),
  },
];
