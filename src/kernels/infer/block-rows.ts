import { type Arg, type Case, input, output, type Row, random, scratch } from "../row.ts";
import * as reference from "./block-reference.ts";
import type { IntegerKernels } from "./integer.ts";
import { bytes, floats } from "./integer-cases.ts";
import { QBW_WORK_BYTES, qbwPackedBytes } from "./integer-layout.ts";

interface Shape {
  readonly bits: 4 | 8;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly block: number;
  readonly signed?: boolean;
  readonly zeros?: boolean;
}

/** Around a word, a panel, a chunk of 64, a block, and what fits in the work area. */
const SHAPES: readonly Shape[] = [
  { bits: 4, m: 1, n: 1, k: 1, block: 16 },
  { bits: 4, m: 1, n: 8, k: 32, block: 32, zeros: true },
  { bits: 4, m: 1, n: 19, k: 70, block: 16, zeros: true },
  { bits: 4, m: 2, n: 9, k: 300, block: 128 },
  { bits: 4, m: 6, n: 9, k: 300, block: 128 },
  { bits: 4, m: 7, n: 21, k: 96, block: 32, signed: true, zeros: true },
  { bits: 4, m: 1, n: 5, k: 33000, block: 256 },
  { bits: 4, m: 0, n: 5, k: 32, block: 32 },
  { bits: 8, m: 1, n: 13, k: 37, block: 37, signed: true },
  { bits: 8, m: 1, n: 8, k: 200, block: 200, signed: true },
  { bits: 8, m: 5, n: 10, k: 131, block: 131, signed: true },
  { bits: 8, m: 9, n: 11, k: 128, block: 64, zeros: true },
  { bits: 8, m: 5, n: 9, k: 8200, block: 8200 },
  { bits: 8, m: 6, n: 300, k: 40, block: 40 },
  { bits: 8, m: 1, n: 9, k: 0, block: 8 },
];

interface Weights {
  readonly w: Uint8Array;
  /** The arguments from n_stride to scale_b. */
  readonly rest: readonly Arg[];
  readonly pack: (p: Uint8Array) => void;
}

/** Weights as MatMulNBits has them, or [k, n] with scales [blocks, n]. */
function weights({ bits, n, k, block, signed, zeros }: Shape, by_row: boolean, next: () => number): Weights {
  const blocks = Math.ceil(k / block);
  const depth = by_row ? k : blocks * block;
  const w = bytes(Math.ceil((n * depth * bits) / 8), next);
  const scale = Float32Array.from({ length: n * blocks }, () => 0.01 + next() / 20);
  const zero = zeros ? Float32Array.from({ length: n * blocks }, () => Math.floor(next() * 2 ** bits)) : undefined;
  const [n_stride, k_stride] = by_row ? [1, n] : [depth, 1];
  const [scale_n, scale_b] = by_row ? [1, n] : [blocks, 1];
  const all = signed ? 0 : 2 ** (bits - 1);
  return {
    w,
    rest: [n_stride, k_stride, signed ? 1 : 0, input(scale), zero ? input(zero) : 0, all, scale_n, scale_b],
    pack: (p) => reference.qbw_pack(bits, n, k, block, w, n_stride, k_stride, signed ? 1 : 0, scale, zero ?? 0, all, scale_n, scale_b, p),
  };
}

const packedBytes = ({ bits, n, k, block }: Shape): number => qbwPackedBytes(bits, n, k, block);

function* packs(): Iterable<Case> {
  for (const [i, shape] of SHAPES.entries())
    for (const by_row of [false, true]) {
      const { bits, n, k, block } = shape;
      const { w, rest } = weights(shape, by_row, random(i));
      yield {
        label: JSON.stringify(shape),
        args: [bits, n, k, block, input(w), ...rest, output(new Uint8Array(packedBytes(shape)).fill(85))],
      };
    }
}

function gemm(shape: Shape, i: number): Arg[] {
  const { bits, m, n, k, block } = shape;
  const next = random(i);
  const p = new Uint8Array(packedBytes(shape));
  weights(shape, false, next).pack(p);
  const [lda, ldy] = [k + (i % 3) * 2, n + (i % 2) * 3];
  const a = Float32Array.from({ length: m * lda }, () => (next() - 0.4) / Math.sqrt(k + 1));
  const y = output(new Float32Array(m === 0 ? 0 : (m - 1) * ldy + n).fill(85));
  return [
    bits,
    m,
    n,
    k,
    block,
    input(a),
    lda,
    input(p),
    y,
    ldy,
    i % 2 ? input(floats(n, next, 1)) : 0,
    i % 3,
    -0.3,
    0.4,
    scratch(QBW_WORK_BYTES),
  ];
}

function* gemms(): Iterable<Case> {
  for (const [i, shape] of SHAPES.entries()) yield { label: JSON.stringify(shape), args: gemm(shape, i) };
  for (const bits of [4, 8] as const) {
    const args = gemm({ bits, m: 1, n: 9, k: 40, block: 40 }, 3);
    const { data } = args[5] as { data: Float32Array };
    data[7] = Number.POSITIVE_INFINITY;
    yield { label: `infinity, ${bits} bits`, args };
  }
}

export const rows: readonly Row<string & keyof IntegerKernels>[] = [
  {
    name: "qbw_pack",
    doc: "packs int4 and int8 with scales of blocks",
    reference: reference.qbw_pack,
    cases: packs,
    bench: (n) => {
      const shape = { bits: 4, m: 1, n: 64, k: n / 64, block: 32 } as const;
      const { w, rest } = weights(shape, false, random(1));
      return { args: [4, 64, n / 64, 32, input(w), ...rest, output(new Uint8Array(packedBytes(shape)))], bytes: n / 2 };
    },
  },
  {
    name: "f32_qbw_gemm",
    doc: "multiplies floats and int4 or int8 with scales of blocks",
    reference: reference.f32_qbw_gemm,
    cases: gemms,
    tolerance: 1e-5,
    absolute: 1e-5,
    bench: (n) => ({ args: gemm({ bits: 4, m: 1, n: 64, k: n / 64, block: 32 }, 1), bytes: n / 2 }),
  },
];
