import { type Case, input, output, type Row, random } from "../row.ts";
import { label } from "./float-rows.ts";
import { Q8_FORMS } from "./integer-layout.ts";
import { blocksOf, FLOAT_FORM, type SparseKernels, sparseForm, sparseLayout } from "./sparse.ts";
import { DENSITIES, withBlocks } from "./sparse-cases.ts";
import * as reference from "./sparse-reference.ts";

const SHAPES = [
  [1, 1, 1],
  [3, 5, 1],
  [8, 16, 1],
  [17, 12, 9],
  [33, 8, 4],
  [20, 63, 1],
] as const;

function* packs(): Iterable<Case> {
  for (const [n, c, taps] of SHAPES)
    for (const density of DENSITIES)
      for (const [form, w_signed, zeros] of [
        [Q8_FORMS.wide, 0, true],
        [Q8_FORMS.wide, 1, true],
        [Q8_FORMS.wide, 0, false],
        [Q8_FORMS.bytes, 1, false],
        [FLOAT_FORM, 0, false],
      ] as const) {
        const next = random(n + c);
        const draw = (length: number) => Uint8Array.from({ length }, () => next() * 256);
        const zero = zeros ? draw(n) : 0;
        const drawn = draw(n * c * taps);
        const w = withBlocks(form === FLOAT_FORM ? Float32Array.from(drawn) : drawn, n, c, taps, density, zero);
        const own = sparseForm(form);
        const args = [w_signed, zero && input(zero), own] as const;
        const p = new Uint8Array(sparseLayout(n, blocksOf(n, c, taps), own).end).fill(85);
        for (const to of [0, output(p)])
          yield { label: label(n, c, taps, form, density), args: [n, c, taps, input(w), c * taps, taps, 1, ...args, to] };
        const turned = w.map((_, i) => w[(i % n) * c + Math.floor(i / n)]!);
        if (taps === 1) yield { label: label("B", n, c, form, density), args: [n, c, 1, input(turned), 1, n, 0, ...args, output(p)] };
      }
}

export const rows: readonly Row<string & keyof SparseKernels>[] = [
  {
    name: "sparse_pack",
    doc: "packs weights without their zero blocks",
    reference: reference.sparse_pack,
    cases: packs,
    bench: (n) => {
      const form = sparseForm(FLOAT_FORM);
      const p = new Uint8Array(sparseLayout(64, blocksOf(64, n / 64, 1), form).end);
      const w = withBlocks(new Float32Array(n).fill(1), 64, n / 64, 1, 0.5);
      return { args: [64, n / 64, 1, input(w), n / 64, 1, 0, 0, 0, form, output(p)], bytes: n * 4 };
    },
  },
];
