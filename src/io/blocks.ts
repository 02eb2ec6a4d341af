/** Bytes of a block: what is read and written at a time. */
export const BLOCK = 1 << 18;

/** Blocks kept for later runs, at most: what one run may hold, so that runs in turn do not leave garbage behind that outgrows a Worker. */
const MAX_SPARE = (32 << 20) / BLOCK;

/** Buffers that runs share one after the other. Garbage collectors are slow to see that buffers are large. */
export class BlockPool {
  readonly #spare: Uint8Array[] = [];

  /** A block with anything in it. */
  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(BLOCK);
  }

  /** Takes a block back; the giver must not use it any more. */
  give(block: Uint8Array): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(block);
  }
}
