import { orAborted } from "./abort.ts";
import { BLOCK, type BlockPool } from "./blocks.ts";
import { Sha256 } from "./sha256.ts";
import type { Sink } from "./sink.ts";

/** Gathers small writes into chunks, counts and hashes. `put` is synchronous; `drain` waits for the sink (backpressure). */
export class Output {
  readonly #sink: Sink;
  readonly #signal: AbortSignal | undefined;
  readonly #hash: Sha256 | undefined;
  readonly #full: Uint8Array[] = [];
  readonly #blocks: BlockPool;
  #chunk: Uint8Array;
  #fill = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Bytes put so far. */
  length = 0;
  /** Called when a chunk has been taken. */
  onWrite: () => void = () => {};
  /** Most bytes that waited at once. */
  peak = BLOCK;

  /** `hash`: whether to tell the SHA-256 of what was written. */
  constructor(sink: Sink, blocks: BlockPool, signal?: AbortSignal, hash = true) {
    this.#sink = sink;
    this.#signal = signal;
    this.#hash = hash ? new Sha256() : undefined;
    this.#blocks = blocks;
    this.#chunk = blocks.take();
  }

  put(bytes: Uint8Array): void {
    this.length += bytes.byteLength;
    for (let at = 0; at < bytes.byteLength; ) {
      const n = Math.min(BLOCK - this.#fill, bytes.byteLength - at);
      this.#chunk.set(at === 0 && n === bytes.byteLength ? bytes : bytes.subarray(at, at + n), this.#fill);
      this.#fill += n;
      at += n;
      if (this.#fill === BLOCK) {
        this.#full.push(this.#chunk);
        this.peak = Math.max(this.peak, (this.#full.length + 2) * BLOCK);
        this.#chunk = this.#blocks.take();
        this.#fill = 0;
      }
    }
  }

  /**
   * Hands full chunks to the sink, one at a time and without waiting for the last, so that reading and writing overlap.
   * Call it at least once for each chunk's worth put: memory stays bounded, and a slow sink slows the caller.
   */
  async drain(): Promise<void> {
    for (let chunk = this.#full.shift(); chunk; chunk = this.#full.shift()) {
      const taken = chunk;
      this.#hash?.update(taken);
      await this.#writing;
      const written = this.#sink.write(taken).then(() => {
        this.#blocks.give(taken);
        this.onWrite();
      });
      this.#writing = orAborted(written, this.#signal);
      this.#writing.catch(() => {}); // a failure surfaces where it is awaited
    }
  }

  /** Puts any number of bytes without holding more than a chunk of them. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += BLOCK) {
      this.put(bytes.subarray(at, at + BLOCK));
      await this.drain();
    }
  }

  /** Overwrites bytes put before; the hash then no longer holds and is left out. */
  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await this.flush();
    if (!this.#sink.patch) throw new TypeError("This sink cannot patch.");
    await this.#sink.patch(offset, bytes);
    this.#hash?.spoil();
  }

  async flush(): Promise<void> {
    await this.drain();
    await this.#writing;
    if (this.#fill === 0) return;
    const rest = this.#chunk.subarray(0, this.#fill);
    this.#hash?.update(rest);
    await orAborted(this.#sink.write(rest), this.#signal);
    this.#fill = 0;
    this.onWrite();
  }

  async close(): Promise<{ bytes: number; sha256: string | undefined }> {
    await this.flush();
    await this.#sink.close();
    this.#blocks.give(this.#chunk);
    return { bytes: this.length, sha256: this.#hash?.hex() };
  }

  async abort(reason: unknown): Promise<void> {
    await this.#sink.abort(reason);
  }
}
