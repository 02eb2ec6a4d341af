import { type Case, input, type Row, scratch } from "../row.ts";
import { type FloatKernels, winogradTiles, winogradWorkBytes } from "./float.ts";
import { blank, ENDINGS, type Ending, exact, label } from "./float-rows.ts";
import * as reference from "./winograd-reference.ts";

/** Height, width, channels in and out, pads above, left, below, right; tiles at once if not as many as is advised. */
type Shape = readonly [h: number, wd: number, c: number, n: number, pads: readonly [number, number, number, number], tiles?: number];

const SHAPES: readonly Shape[] = [
  [4, 4, 4, 4, [1, 1, 1, 1]],
  [8, 12, 8, 8, [1, 1, 1, 1]],
  [7, 9, 12, 20, [1, 1, 1, 1]],
  [3, 3, 4, 12, [0, 0, 0, 0]],
  [5, 6, 4, 8, [0, 1, 2, 0]],
  [2, 1, 4, 4, [4, 4, 4, 4]],
  [17, 33, 4, 8, [1, 1, 1, 1], 12],
  [5, 5, 516, 4, [1, 1, 1, 1]],
];

const packedLength = (c: number, n: number): number => 36 * c * Math.ceil(n / 8) * 8;

function conv([h, wd, c, n, pads, some]: Shape, { bias, z, kind = 0, beyond = 0 }: Ending): Case {
  const [oh, ow] = [h + pads[0] + pads[2] - 2, wd + pads[1] + pads[3] - 2];
  const [ldx, ldy] = [c + beyond, n + beyond];
  const w = new Float32Array(packedLength(c, n));
  reference.f32_winograd_pack(n, c, exact(n * c * 9, 2), w);
  const tiles = some ?? winogradTiles(c, n, oh, ow);
  const args = [
    ...[
      input(exact(h * wd * ldx, 1).map((v) => v / 8)),
      input(w),
      blank(oh * ow * ldy),
      bias ? input(exact(n, 3)) : 0,
      z ? input(exact(oh * ow * ldy, 4)) : 0,
    ],
    ...[h, wd, c, oh, ow, n, pads[0], pads[1], ldx, ldy, ldy, z === "first" ? 1 : 0, kind, -0.5, 1.25],
    ...[tiles, scratch(winogradWorkBytes(c, n, tiles))],
  ];
  return { label: label(h, wd, c, n, pads, tiles), args };
}

export const rows: readonly Row<string & keyof FloatKernels>[] = [
  {
    name: "f32_winograd_pack",
    doc: "transforms convolution weights",
    reference: reference.f32_winograd_pack,
    cases: () =>
      [
        [1, 1],
        [8, 3],
        [9, 4],
        [20, 2],
      ].map(([n = 0, c = 0]) => ({
        label: label(n, c),
        args: [n, c, input(exact(n * c * 9, 1)), blank(packedLength(c, n))],
      })),
    tolerance: 1e-7,
    absolute: 1e-7,
    bench: (n) => ({ args: [n >> 5, 32, input(exact(n * 9, 1)), blank(packedLength(32, n >> 5))], bytes: n * 36 }),
  },
  {
    name: "f32_winograd_conv",
    doc: "3×3 convolution by Winograd's method",
    reference: reference.f32_winograd_conv,
    cases: () => SHAPES.flatMap((shape, i) => [0, 1].map((j) => conv(shape, ENDINGS[(i + j) % 4]!))),
    // Of outputs as large as thirty.
    tolerance: 1e-5,
    absolute: 2e-4,
    bench: (n) => {
      const side = Math.max(1, Math.round(Math.sqrt(n / 64)));
      return { args: conv([side, side, 64, 64, [1, 1, 1, 1]], {}).args, bytes: n * 4 };
    },
  },
];
