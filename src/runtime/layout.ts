/** Where buffers lie that are not all in use at once. */

/** Bytes that are in use from one step to another. */
export interface Buffer {
  readonly bytes: number;
  /** The step that writes it first, and the last one that reads it. */
  first: number;
  last: number;
  /** From the start of the arena, once it has been placed. */
  address: number;
}

/** Addresses are multiples of this: a line of the cache. */
export const ALIGN = 64;

const aligned = (n: number): number => Math.ceil(n / ALIGN) * ALIGN;

/**
 * Places buffers so that no two that are in use at one step overlap, the largest first, each in the tightest gap that the ones placed
 * before leave; says how many bytes they take in all. https://arxiv.org/abs/2001.03288, "greedy by size"
 */
export function place(buffers: readonly Buffer[]): number {
  const placed: Buffer[] = []; // by address
  let end = 0;
  for (const buffer of buffers.toSorted((a, b) => b.bytes - a.bytes)) {
    const bytes = aligned(buffer.bytes);
    let [best, tightest, at] = [-1, Number.POSITIVE_INFINITY, 0];
    for (const other of placed) {
      if (other.first > buffer.last || other.last < buffer.first) continue;
      const gap = other.address - at;
      if (gap >= bytes && gap < tightest) [best, tightest] = [at, gap];
      at = Math.max(at, other.address + aligned(other.bytes));
    }
    buffer.address = best >= 0 ? best : at;
    end = Math.max(end, buffer.address + bytes);
    const index = placed.findIndex(({ address }) => address > buffer.address);
    placed.splice(index < 0 ? placed.length : index, 0, buffer);
  }
  return end;
}
