import { f32_conv } from "./float-reference.ts";

/** The points of F(4×4, 3×3), and infinity. */
const POINTS = [0, 0.75, -0.75, 1.5, -1.5];

/** The product of a point's distances from the others. */
const distances = (p: number): number => POINTS.reduce((all, q) => (q === p ? all : all * (p - q)), 1);

/** Rows of the transform of weights: a polynomial's value at each point over its distances, and its highest coefficient. */
const G = [...POINTS.map((p) => [1, p, p * p].map((v) => v / distances(p))), [0, 0, 1]];

const place = (f: number, j: number, i: number, n: number, c: number): number => ((f * Math.ceil(n / 8) + (j >> 3)) * c + i) * 8 + (j & 7);

export function f32_winograd_pack(n: number, c: number, w: Float32Array, y: Float32Array): void {
  y.fill(0);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < c; i++)
      for (let f = 0; f < 36; f++) {
        let sum = 0;
        for (let tap = 0; tap < 9; tap++)
          sum += G[Math.floor(f / 6)]![Math.floor(tap / 3)]! * G[f % 6]![tap % 3]! * w[(j * c + i) * 9 + tap]!;
        y[place(f, j, i, n, c)] = sum;
      }
}

/** The three weights whose transform is `u`. */
function weights(u: readonly number[]): [number, number, number] {
  const p = POINTS[1]!;
  const odd = (u[1]! - u[2]!) * distances(p);
  return [u[0]! * distances(0), odd / (2 * p), u[5]!];
}

/** The plain convolution with the weights that `w` was made from. */
export function f32_winograd_conv(
  x: Float32Array,
  w: Float32Array,
  y: Float32Array,
  bias: Float32Array | 0,
  z: Float32Array | 0,
  h: number,
  wd: number,
  c: number,
  oh: number,
  ow: number,
  n: number,
  pt: number,
  pl: number,
  ...rest: [ldx: number, ldy: number, ldz: number, z_first: number, kind: number, alpha: number, beta: number]
): void {
  const packed = new Float32Array(9 * c * Math.ceil(n / 8) * 8);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < c; i++) {
      const columns = Array.from({ length: 6 }, (_, a) => weights(Array.from({ length: 6 }, (_, b) => w[place(6 * a + b, j, i, n, c)]!)));
      for (let s = 0; s < 3; s++)
        for (const [r, value] of weights(columns.map((row) => row[s]!)).entries())
          packed[((j >> 3) * 9 * c + (r * 3 + s) * c + i) * 8 + (j & 7)] = value;
    }
  f32_conv(x, packed, 0, y, bias, z, h, wd, c, oh, ow, n, 3, 3, 1, 1, 1, 1, pt, pl, ...rest);
}
