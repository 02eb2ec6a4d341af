import type { Kernels } from "../../kernels/kernels.ts";
import { elements } from "../../tensor.ts";
import type { Axes, Mask } from "./mask.ts";

/** A block as our runtime skips it: outputs by inputs, at one tap of a kernel. */
const [ROWS, COLUMNS] = [8, 4];

/** The sides of a block along a weight's first and second axis. */
export const blockOf = ({ output }: Axes): readonly [number, number] => (output === 0 ? [ROWS, COLUMNS] : [COLUMNS, ROWS]);

/** A weight seen as [n, k, inner], with the floats from one to the next along n and k. */
interface View {
  n: number;
  k: number;
  inner: number;
  n_stride: number;
  k_stride: number;
  /** Elements that hold whole blocks. */
  unit: number;
}

/** The view of a weight; undefined where something lies around or between its axes, or it is smaller than a block. */
function viewOf(shape: readonly number[], { output, input }: Axes): View | undefined {
  const [n, k] = [shape[output] as number, shape[input] as number];
  const [first, second] = [Math.min(output, input), Math.max(output, input)];
  if (first !== 0 || second !== 1 || n < ROWS || k < COLUMNS) return undefined;
  const inner = elements(shape.slice(2));
  const [n_stride, k_stride] = output === 0 ? [k * inner, inner] : [inner, n * inner];
  return { n, k, inner, n_stride, k_stride, unit: output === 0 ? ROWS * k * inner : COLUMNS * n * inner };
}

const blocksOf = ({ n, k, inner }: View): { rows: number; columns: number; count: number } => {
  const [rows, columns] = [Math.ceil(n / ROWS), Math.ceil(k / COLUMNS)];
  return { rows, columns, count: rows * columns * inner };
};

/** Whether a weight has blocks. */
export const hasBlocks = (shape: readonly number[], axes: Axes): boolean => viewOf(shape, axes) !== undefined;

/** Sums up the squares of a weight's blocks, slab after slab; `energies` are in the order of the kernels, [rows, columns, inner]. */
export class Blocks {
  readonly view: View;
  readonly energies: Float32Array;
  readonly #isByRows: boolean;
  #at = 0;

  constructor(shape: readonly number[], axes: Axes) {
    this.view = viewOf(shape, axes) as View;
    this.energies = new Float32Array(blocksOf(this.view).count);
    this.#isByRows = axes.output === 0;
  }

  /** Takes `size` elements at pointer `x`: whole units, but the last. */
  take({ arena, fn }: Kernels, x: number, size: number): void {
    const { n, k, inner, n_stride, k_stride } = this.view;
    const { columns } = blocksOf(this.view);
    const mark = arena.mark();
    const lines = size / (this.#isByRows ? k * inner : n * inner);
    const [rows, depth] = this.#isByRows ? [lines, k] : [n, lines];
    const part = { rows: Math.ceil(rows / ROWS), columns: Math.ceil(depth / COLUMNS) };
    const y = arena.alloc(part.rows * part.columns * inner * 4);
    fn.f32_block_l2(rows, depth, inner, n_stride, k_stride, x, y);
    const sums = arena.f32(y, part.rows * part.columns * inner);
    if (this.#isByRows) this.energies.set(sums, this.#at * columns * inner);
    else
      for (let row = 0; row < part.rows; row++)
        this.energies.set(sums.subarray(row * part.columns * inner, (row + 1) * part.columns * inner), (row * columns + this.#at) * inner);
    this.#at += this.#isByRows ? part.rows : part.columns;
    arena.reset(mark);
  }

  /** The mask that leaves the blocks for which `keep`, in their order, has a 1. */
  mask(keep: Uint8Array): Mask {
    const { view } = this;
    const { n, k, inner, n_stride, k_stride, unit } = view;
    const { columns } = blocksOf(view);
    const isByRows = this.#isByRows;
    return {
      unit,
      dropped: droppedOf(view, keep),
      begin({ arena, fn }) {
        let at = 0;
        return {
          apply(x, size) {
            const mark = arena.mark();
            const lines = size / (isByRows ? k * inner : n * inner);
            const [rows, depth] = isByRows ? [lines, k] : [n, lines];
            const part = { rows: Math.ceil(rows / ROWS), columns: Math.ceil(depth / COLUMNS) };
            const bytes = arena.alloc(part.rows * part.columns * inner);
            const own = arena.u8(bytes, part.rows * part.columns * inner);
            if (isByRows) own.set(keep.subarray(at * columns * inner, (at + part.rows) * columns * inner));
            else
              for (let row = 0; row < part.rows; row++)
                own.set(
                  keep.subarray((row * columns + at) * inner, (row * columns + at + part.columns) * inner),
                  row * part.columns * inner,
                );
            fn.f32_block_mask(rows, depth, inner, n_stride, k_stride, x, x, bytes);
            at += isByRows ? part.rows : part.columns;
            arena.reset(mark);
          },
        };
      },
    };
  }
}

/** Elements in the blocks that go; those at the ends are smaller. */
function droppedOf({ n, k, inner }: View, keep: Uint8Array): number {
  const columns = Math.ceil(k / COLUMNS);
  let dropped = 0;
  keep.forEach((stays, i) => {
    if (stays) return;
    const block = Math.floor(i / inner);
    const [row, column] = [Math.floor(block / columns) * ROWS, (block % columns) * COLUMNS];
    dropped += Math.min(ROWS, n - row) * Math.min(COLUMNS, k - column);
  });
  return dropped;
}
