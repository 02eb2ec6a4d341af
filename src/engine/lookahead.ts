import { LimitError } from "../errors.ts";
import type { BlockPool } from "../io/blocks.ts";
import { concat } from "../io/protobuf.ts";
import type { Reader } from "../io/reader.ts";
import { memorySource, type Source } from "../io/source.ts";
import { type Payload, viewsPayload } from "../payload.ts";

/**
 * Tensor data that a one-pass run may hold while it cannot be encoded yet: because its use is not known, or because its scales
 * need all of it. 32 MiB leave room for the rest within a Worker's 128 MB.
 */
export const MAX_LOOKAHEAD = 32 << 20;

/** A place for tensor data that does not fit: a temporary file, objects in a store. */
export interface Spool {
  /** Keeps a payload; the one returned can be read again until `clear`. */
  write(payload: Payload): Promise<Payload>;
  /** Drops everything. */
  clear(): Promise<void>;
}

/** Data held for later; `release` gives its room back. */
export interface Held {
  payload: Payload;
  release(): void;
}

/** Part of a block; a block goes back to the pool when none of its parts is held. */
interface Slot {
  block: Uint8Array;
  fill: number;
  users: number;
}

/** Keeps passing tensor data within MAX_LOOKAHEAD, and beyond it in the spool where there is one. */
export class Lookahead {
  readonly #blocks: BlockPool;
  readonly #spool: Spool | undefined;
  readonly #slots = new Set<Slot>();
  #open: Slot | undefined;
  #held = 0;
  /** Most bytes that were held at once. */
  peak = 0;

  constructor(blocks: BlockPool, spool: Spool | undefined) {
    this.#blocks = blocks;
    this.#spool = spool;
  }

  /** Whether `bytes` more would fit. */
  fits(bytes: number): boolean {
    return this.#held + bytes <= MAX_LOOKAHEAD;
  }

  /** Takes a payload in. `why` ends the sentence "Tensor … must be held, since …". */
  async hold(payload: Payload, tensor: string, why: string): Promise<Held> {
    if (payload.again) return { payload, release() {} };
    if (!this.fits(payload.length)) {
      if (this.#spool) return { payload: await this.#spool.write(payload), release() {} };
      throw new LimitError(
        "MAX_LOOKAHEAD",
        `Tensor '${tensor}' (${payload.length} bytes) must be held, since ${why}, and more than ${MAX_LOOKAHEAD} bytes would be. ` +
          "Give the model as a source that can be read again: a file, a Blob, or PUT it to /v1/models and compress it there",
        { tensor },
      );
    }
    this.#held += payload.length;
    this.peak = Math.max(this.peak, this.#held);
    const parts: [Slot, Uint8Array][] = [];
    for await (const chunk of payload.chunks()) {
      for (let at = 0; at < chunk.byteLength; ) {
        const slot = this.#slot();
        const view = slot.block.subarray(slot.fill, slot.fill + chunk.byteLength - at);
        view.set(chunk.subarray(at, at + view.byteLength));
        slot.fill += view.byteLength;
        slot.users++;
        at += view.byteLength;
        parts.push([slot, view]);
      }
    }
    return {
      payload: viewsPayload(parts.map(([, view]) => view)),
      release: () => {
        this.#held -= payload.length;
        for (const [slot] of parts) if (--slot.users === 0 && slot !== this.#open) this.#free(slot);
      },
    };
  }

  /** Takes in all that a reader has left, and gives it as a source. */
  async whole(reader: Reader): Promise<Source> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    let more = true;
    const next = async (): Promise<Uint8Array | undefined> => {
      const view = await reader.view(MAX_LOOKAHEAD);
      more = view !== undefined;
      length += view?.byteLength ?? 0;
      return view;
    };
    while (length <= MAX_LOOKAHEAD && more) {
      const view = await next();
      if (view) chunks.push(view.slice());
    }
    this.peak = Math.max(this.peak, length);
    if (!more) return memorySource(concat(chunks));
    if (!this.#spool)
      throw new LimitError(
        "MAX_LOOKAHEAD",
        `To be optimized or split the model must be read again, and as a stream it is longer than the ${MAX_LOOKAHEAD} bytes that are held. ` +
          "Give it as a source that can be read again: a file, a Blob, or PUT it to /v1/models and compress it there",
      );
    const { range } = await this.#spool.write({
      get length() {
        return length;
      },
      again: false,
      async *chunks() {
        for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) yield chunk;
        for (let view = await next(); view; view = await next()) yield view;
      },
    });
    if (!range) throw new TypeError("A spool gives payloads that lie in a source.");
    return { size: length, read: (offset, n) => range.source.read(range.offset + offset, n) };
  }

  /** Gives everything back. */
  async clear(): Promise<void> {
    for (const slot of this.#slots) this.#free(slot);
    await this.#spool?.clear();
  }

  /** A block with room in it. */
  #slot(): Slot {
    if (this.#open && this.#open.fill < this.#open.block.byteLength) return this.#open;
    if (this.#open?.users === 0) this.#free(this.#open);
    this.#open = { block: this.#blocks.take(), fill: 0, users: 0 };
    this.#slots.add(this.#open);
    return this.#open;
  }

  #free(slot: Slot): void {
    if (this.#slots.delete(slot)) this.#blocks.give(slot.block);
  }
}
