// What the rows of the compression kernels are made from: floats on which a kernel may go wrong, and shapes around every step.
import { type Arg, type Case, output, type Row, random } from "./row.ts";

export const bytes = (n: number): Arg => output(new Uint8Array(n).fill(85));
export const words = (n: number): Arg => output(new Uint32Array(n).fill(0x55555555));
export const scales = (n: number): Arg => output(new Float32Array(n).fill(85));

/** Around every width that a kernel steps by: 4, 8, 16, 32, 128 and the page of 512. */
export const COUNTS = [
  0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 159, 160, 161, 255, 511, 512, 513, 1030,
];

/** Floats on which a kernel may go wrong: zeros, subnormal, least normal, the edges of int8, half and float, infinities, NaN of both kinds. */
const EDGES = Uint32Array.of(
  ...[0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x0d7fffff, 0x0d800000, 0x33000000, 0x33000001, 0x387fc000],
  ...[0x387fe000, 0x387fffff, 0x38800000, 0x477fe000, 0x477fefff, 0x477ff000, 0x477fffff, 0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0xff7fffff],
  ...[0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fffffff, 0x42fe0000, 0xc2ff0000, 0x4b000000, 0xcbc00001],
);

/** Kinds of test data: floats of `n` values. */
export const FILLS: Record<string, (n: number, next: () => number) => Float32Array> = {
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
export function* each<S>(
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
export const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const vector = (args: (n: number, x: Float32Array, next: () => number) => readonly Arg[]) => () => each(COUNTS, (n) => n, args);

/** [outer, c, inner] */
export const CHANNELS: readonly [number, number, number][] = [
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

export const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

let cached: Float32Array = new Float32Array(0);
/** Weights for a benchmark; one array serves all. */
export function weights(n: number): Float32Array {
  if (cached.length < n) cached = FILLS.weights!(n, random(7));
  return cached.subarray(0, n);
}
export const EDGE = 1024;
export const bench =
  (args: (n: number) => readonly Arg[], width = 4): Row["bench"] =>
  (n) => ({ args: args(n), bytes: n * width });
