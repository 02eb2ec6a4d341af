import { LimitError } from "../errors.ts";
import { memoryPayload, type Payload } from "../payload.ts";

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

/** Keeps passing tensor data within MAX_LOOKAHEAD, and beyond it in the spool where there is one. */
export class Lookahead {
  readonly #spool: Spool | undefined;
  #held = 0;
  #spare: Uint8Array | undefined;
  peak = 0;

  constructor(spool: Spool | undefined) {
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
    const buffer = this.#spare && this.#spare.byteLength >= payload.length ? this.#spare : new Uint8Array(payload.length);
    this.#spare = undefined;
    let fill = 0;
    for await (const chunk of payload.chunks()) {
      buffer.set(chunk, fill);
      fill += chunk.byteLength;
    }
    this.#held += payload.length;
    this.peak = Math.max(this.peak, this.#held);
    return {
      payload: memoryPayload(buffer.subarray(0, payload.length)),
      release: () => {
        this.#held -= payload.length;
        this.#spare = buffer; // one buffer serves the tensors that are held in turn
      },
    };
  }

  async clear(): Promise<void> {
    await this.#spool?.clear();
  }
}
