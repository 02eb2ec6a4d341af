import { type Arg, type Case, type Data, input, output, type Row } from "../row.ts";
import type { VectorKernels } from "./vector.ts";

/** Elements of each width, all different as far as the width allows. */
const ELEMENTS: Record<number, (n: number) => Data> = {
  1: (n) => Uint8Array.from({ length: n }, (_, i) => i * 7 + 1),
  2: (n) => Uint16Array.from({ length: n }, (_, i) => i * 7 + 1),
  4: (n) => Uint32Array.from({ length: n }, (_, i) => i * 70001 + 1),
  8: (n) => BigInt64Array.from({ length: n }, (_, i) => BigInt(i) * 10n ** 12n + 1n),
};
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const blankLike = (x: Data, n: number): Arg => {
  if (x instanceof BigInt64Array) return output(new BigInt64Array(n).fill(85n));
  return output(new (x.constructor as Uint8ArrayConstructor)(n).fill(85));
};

function stridedCopy(_width: number, rank: number, axes: Int32Array, x: Data, y: Data): void {
  const [dims, strides] = [axes.subarray(0, rank), axes.subarray(rank)];
  for (let i = 0; i < y.length; i++) {
    let [rest, at] = [i, 0];
    for (let axis = rank - 1; axis >= 0; axis--) {
      at += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    (y as (number | bigint)[] & Data)[i] = x[at]!;
  }
}

/** The strides of a tensor of such a shape, its axes in another order. */
function permuted(dims: readonly number[], order: readonly number[]): [dims: number[], strides: number[]] {
  const strides = dims.map((_, axis) => product(dims.slice(axis + 1)));
  return [order.map((axis) => dims[axis]!), order.map((axis) => strides[axis]!)];
}

const PERMUTATIONS: readonly [dims: number[], order: number[]][] = [
  [[], []],
  [[7], [0]],
  [
    [2, 3, 4],
    [0, 1, 2],
  ],
  ...[1, 3, 4, 5, 7, 8, 9, 15, 16, 17].flatMap((n) => [
    [
      [n, 19],
      [1, 0],
    ] as [number[], number[]],
    [
      [17, n],
      [1, 0],
    ] as [number[], number[]],
  ]),
  [
    [2, 3, 5, 7],
    [0, 2, 3, 1],
  ],
  [
    [2, 5, 7, 3],
    [0, 3, 1, 2],
  ],
  [
    [2, 9, 3, 8],
    [0, 2, 1, 3],
  ],
  [
    [3, 2, 41],
    [0, 2, 1],
  ],
  [
    [3, 1, 4, 33],
    [2, 1, 0, 3],
  ],
  [
    [2, 3, 2, 3, 2, 3],
    [5, 0, 3, 2, 4, 1],
  ],
  [
    [2, 3, 2, 3, 2, 3],
    [4, 2, 0, 5, 3, 1],
  ],
];

function* stridedCopies(): Iterable<Case> {
  const views: [dims: number[], strides: number[], size: number][] = [
    ...PERMUTATIONS.map(([dims, order]): [number[], number[], number] => [...permuted(dims, order), product(dims)]),
    // Slices with steps, repeats, nothing.
    [[3, 4], [20, 2], 60],
    [[2, 5, 3], [0, 3, 1], 15],
    [[4, 6], [1, 0], 4],
    [[0, 6], [6, 1], 0],
  ];
  for (const [dims, strides, size] of views)
    for (const width of [1, 2, 4, 8]) {
      const x = ELEMENTS[width]!(size);
      const args = [width, dims.length, input(Int32Array.from([...dims, ...strides])), input(x), blankLike(x, product(dims))];
      yield { label: `${width} ${dims} by ${strides}`, args };
    }
}

function copy2d(rows: number, n: number, x: Uint8Array, ldx: number, y: Uint8Array, ldy: number): void {
  for (let i = 0; i < rows; i++) y.set(x.subarray(i * ldx, i * ldx + n), i * ldy);
}

function* copies(): Iterable<Case> {
  for (const n of [0, 1, 3, 4, 7, 12, 15, 16, 17, 28, 127, 128, 129])
    for (const [rows, x, y] of [
      [3, 5, 9],
      [2, 0, 0],
      [0, 1, 1],
    ] as const) {
      const data = ELEMENTS[1]!(rows * (n + x));
      yield { label: `${rows} ${n}`, args: [rows, n, input(data), n + x, blankLike(data, rows * (n + y)), n + y] };
    }
}

function gatherRows(count: number, n: number, x: Uint8Array, indices: Data, _wide: number, y: Uint8Array, limit: number): number {
  for (let i = 0; i < count; i++) {
    const row = Number(indices[i]) < 0 ? Number(indices[i]) + limit : Number(indices[i]);
    if (row < 0 || row >= limit) return i;
    y.set(x.subarray(row * n, row * n + n), i * n);
  }
  return -1;
}

function* gathers(): Iterable<Case> {
  for (const n of [1, 4, 20, 200])
    for (const numbers of [[], [0, 3, -1, -4, 2, 2], [1, 4, 0], [1, 0, -5], [2 ** 31 - 1]]) {
      const x = ELEMENTS[1]!(4 * n);
      for (const indices of [Int32Array.from(numbers), BigInt64Array.from(numbers, BigInt)]) {
        const wide = indices instanceof BigInt64Array ? 1 : 0;
        const y = blankLike(x, numbers.length * n);
        yield { label: `${n} ${numbers}`, args: [numbers.length, n, input(x), input(indices), wide, y, 4] };
      }
    }
}

function* fills(blank: Data): Iterable<Case> {
  for (const n of [0, 1, 3, 4, 5, 8, 17]) yield { label: `${n}`, args: [n, blankLike(blank, n), 7] };
}
const fill = (_n: number, y: Data, value: number): void => void y.fill(value as never);

const floats = (n: number): Data => new Float32Array(n).fill(1);

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "strided_copy",
    doc: "changes the order of axes",
    reference: stridedCopy,
    cases: stridedCopies,
    bench: (n) => ({ args: [4, 2, input(Int32Array.of(n / 64, 64, 1, n / 64)), input(floats(n)), blankLike(floats(0), n)], bytes: n * 4 }),
  },
  {
    name: "copy_2d",
    doc: "copies rows",
    reference: copy2d,
    cases: copies,
    bench: (n) => ({ args: [n / 64, 128, input(floats(n)), 256, blankLike(floats(0), n), 256], bytes: n * 2 }),
  },
  {
    name: "f32_fill",
    doc: "fills with a float",
    reference: fill,
    cases: () => fills(floats(0)),
    bench: (n) => ({ args: [n, blankLike(floats(0), n), 1], bytes: n * 4 }),
  },
  {
    name: "u8_fill",
    doc: "fills with a byte",
    reference: fill,
    cases: () => fills(new Uint8Array()),
    bench: (n) => ({ args: [4 * n, blankLike(new Uint8Array(), 4 * n), 1], bytes: n * 4 }),
  },
  {
    name: "gather_rows",
    doc: "gathers rows by their numbers",
    reference: gatherRows,
    cases: gathers,
    bench: (n) => {
      const indices = Int32Array.from({ length: n / 64 }, (_, i) => (i * 7) % (n / 64));
      return { args: [n / 64, 256, input(floats(n)), input(indices), 0, blankLike(floats(0), n), n / 64], bytes: n * 4 };
    },
  },
];
