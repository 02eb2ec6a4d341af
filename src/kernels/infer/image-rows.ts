import { type Arg, type Case, input, output, type Row, random } from "../row.ts";
import type { VectorKernels } from "./vector.ts";

const floats = (n: number, seed: number): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => next() * 4 - 2);
};
const blank = (n: number): Arg => output(new Float32Array(n).fill(85));

interface Pool {
  h: number;
  w: number;
  c: number;
  kernel: [h: number, w: number];
  strides?: [h: number, w: number];
  dilations?: [h: number, w: number];
  /** Top, left, bottom, right. */
  pads?: [top: number, left: number, bottom: number, right: number];
  ceil?: boolean;
}

const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33];
const POOLS: readonly Pool[] = [
  ...CHANNELS.map((c): Pool => ({ h: 5, w: 6, c, kernel: [3, 2], pads: [1, 0, 1, 1] })),
  { h: 7, w: 8, c: 6, kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  { h: 7, w: 8, c: 18, kernel: [2, 3], strides: [3, 1], ceil: true },
  { h: 8, w: 6, c: 4, kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], ceil: true },
  { h: 9, w: 9, c: 3, kernel: [3, 2], dilations: [2, 3], pads: [2, 1, 1, 2] },
  { h: 1, w: 1, c: 5, kernel: [1, 1] },
];

interface Windows {
  args: number[];
  size: number;
}

function windows({ h, w, c, kernel: [kh, kw], strides: [sh, sw] = [1, 1], dilations: [dh, dw] = [1, 1], pads, ceil }: Pool, all: boolean) {
  const [top, left, bottom, right] = pads ?? [0, 0, 0, 0];
  const count = (size: number, before: number, after: number, taps: number, dilation: number, stride: number) => {
    const free = size + before + after - (taps - 1) * dilation - 1;
    const found = (ceil ? Math.ceil(free / stride) : Math.floor(free / stride)) + 1;
    return (found - 1) * stride >= size + before ? found - 1 : found;
  };
  const [oh, ow] = [count(h, top, bottom, kh, dh, sh), count(w, left, right, kw, dw, sw)];
  const sides = all ? [top, left, bottom, right] : [top, left];
  return { args: [h, w, c, kh, kw, sh, sw, dh, dw, ...sides, oh, ow], size: oh * ow * c } satisfies Windows;
}

/** For each output pixel the pixels of its window that lie in the image, and how many of it do not lie behind the padding. */
function* windowsOf(numbers: readonly number[], all: boolean): Iterable<{ pixels: number[]; padded: number }> {
  const [h, w, , kh, kw, sh, sw, dh, dw, top, left] = numbers as [...Array<number>] & { [i: number]: number };
  const [bottom, right] = all ? [numbers[11]!, numbers[12]!] : [0, 0];
  const [oh, ow] = numbers.slice(-2) as [number, number];
  for (let i = 0; i < oh; i++)
    for (let j = 0; j < ow; j++) {
      const pixels: number[] = [];
      let padded = 0;
      for (let ky = 0; ky < kh!; ky++)
        for (let kx = 0; kx < kw!; kx++) {
          const [row, column] = [i * sh! - top! + ky * dh!, j * sw! - left! + kx * dw!];
          if (row < h! + bottom && column < w! + right) padded++;
          if (row >= 0 && row < h! && column >= 0 && column < w!) pixels.push(row * w! + column);
        }
      yield { pixels, padded };
    }
}

function max_pool(...args: unknown[]): void {
  const [x, y] = args.slice(-2) as [Float32Array, Float32Array];
  const numbers = args.slice(0, -2) as number[];
  const c = numbers[2]!;
  let at = 0;
  for (const { pixels } of windowsOf(numbers, false))
    for (let k = 0; k < c; k++) y[at++] = Math.max(...pixels.map((pixel) => x[pixel * c + k]!));
}

function average_pool(...args: unknown[]): void {
  const [x, y] = args.slice(-2) as [Float32Array, Float32Array];
  const includePad = args.at(-3) as number;
  const numbers = args.slice(0, -3) as number[];
  const c = numbers[2]!;
  let at = 0;
  for (const { pixels, padded } of windowsOf(numbers, true))
    for (let k = 0; k < c; k++) y[at++] = pixels.reduce((sum, pixel) => sum + x[pixel * c + k]!, 0) / (includePad ? padded : pixels.length);
}

function* maxPools(): Iterable<Case> {
  for (const pool of POOLS)
    for (const value of [0, Number.NaN, -Infinity]) {
      const { args, size } = windows(pool, false);
      const x = floats(pool.h * pool.w * pool.c, 1).map((v, i) => (i % 11 === 3 ? value : v));
      yield { label: JSON.stringify(pool), args: [...args, input(x), blank(size)] };
    }
}

function* averagePools(): Iterable<Case> {
  for (const pool of POOLS)
    for (const includePad of [0, 1]) {
      const { args, size } = windows(pool, true);
      yield { label: JSON.stringify(pool), args: [...args, includePad, input(floats(pool.h * pool.w * pool.c, 1)), blank(size)] };
    }
}

type Nearest = [w: number, n: number, oh: number, ow: number, x: Uint8Array, y: Uint8Array, rows: Int32Array, columns: Int32Array];

function resize_nearest(...[w, n, oh, ow, x, y, rows, columns]: Nearest): void {
  for (let i = 0; i < oh; i++)
    for (let j = 0; j < ow; j++) {
      const from = (rows[i]! * w + columns[j]!) * n;
      y.set(x.subarray(from, from + n), (i * ow + j) * n);
    }
}

function* nearest(): Iterable<Case> {
  const [rows, columns] = [Int32Array.of(0, 0, 2, 1, 1, 1), Int32Array.of(3, 0, 1, 1)];
  for (const n of [1, 3, 4, 5, 8, 16, 17, 36, 70]) {
    const x = Uint8Array.from({ length: 3 * 4 * n }, (_, i) => i);
    const y = output(new Uint8Array(6 * 4 * n).fill(85));
    yield { label: `${n}`, args: [4, n, 6, 4, input(x), y, input(rows), input(columns)] };
  }
}

type Resize = [
  ...[w: number, c: number, oh: number, ow: number, taps_h: number, taps_w: number, x: Float32Array, y: Float32Array],
  ...[rows: Int32Array, row_weights: Float32Array, columns: Int32Array, column_weights: Float32Array],
];

function resize(...[w, c, oh, ow, taps_h, taps_w, x, y, rows, row_weights, columns, column_weights]: Resize): void {
  for (let at = 0; at < oh * ow * c; at++) {
    const [i, j, k] = [Math.floor(at / (ow * c)), Math.floor(at / c) % ow, at % c];
    let sum = 0;
    for (let a = i * taps_h; a < (i + 1) * taps_h; a++)
      for (let b = j * taps_w; b < (j + 1) * taps_w; b++)
        sum += row_weights[a]! * column_weights[b]! * x[(rows[a]! * w + columns[b]!) * c + k]!;
    y[at] = sum;
  }
}

function resizing(w: number, c: number, oh: number, ow: number, taps_h: number, taps_w: number): Case {
  const next = random(c);
  const table = (n: number, size: number) => input(Int32Array.from({ length: n }, () => Math.floor(next() * size)));
  const args = [
    ...[w, c, oh, ow, taps_h, taps_w, input(floats(w * w * c, 1)), blank(oh * ow * c)],
    ...[table(oh * taps_h, w), input(floats(oh * taps_h, 2)), table(ow * taps_w, w), input(floats(ow * taps_w, 3))],
  ];
  return { label: `${w} ${c} ${oh} ${ow} ${taps_h} ${taps_w}`, args };
}

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "f32_max_pool",
    doc: "the greatest of each window",
    reference: max_pool,
    cases: maxPools,
    bench: (n) => {
      const { args, size } = windows({ h: 32, w: n / 2048, c: 64, kernel: [3, 3], strides: [2, 2] }, false);
      return { args: [...args, input(floats(n, 1)), blank(size)], bytes: n * 4 };
    },
  },
  {
    name: "f32_average_pool",
    doc: "the mean of each window",
    reference: average_pool,
    cases: averagePools,
    tolerance: 1e-6,
    absolute: 1e-6,
    bench: (n) => {
      const { args, size } = windows({ h: 32, w: n / 2048, c: 64, kernel: [3, 3], strides: [2, 2] }, true);
      return { args: [...args, 0, input(floats(n, 1)), blank(size)], bytes: n * 4 };
    },
  },
  {
    name: "resize_nearest",
    doc: "repeats pixels",
    reference: resize_nearest,
    cases: nearest,
    bench: (n) => {
      const twice = (size: number) => input(Int32Array.from({ length: size }, (_, i) => i >> 1));
      const args = [n / 8192, 256, 32, n / 2048, input(floats(n / 4, 1)), blank(n), twice(32), twice(n / 2048)];
      return { args, bytes: n * 4 };
    },
  },
  {
    name: "f32_resize",
    doc: "interpolates between pixels",
    reference: resize,
    cases: function* () {
      for (const c of CHANNELS) yield* [resizing(4, c, 3, 5, 2, 2), resizing(3, c, 2, 3, 4, 1)];
    },
    tolerance: 1e-6,
    absolute: 4e-6,
    bench: (n) => ({ args: resizing(16, 64, 32, n / 2048, 2, 2).args, bytes: n * 4 }),
  },
];
