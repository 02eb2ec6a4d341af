import { Sha256 } from "./sha256.ts";
import type { Sink } from "./sink.ts";

/** Bytes gathered before they go to the sink: large enough that the cost of a write in workerd (about 1 ms/MB at 4 KiB) disappears. */
const CHUNK = 1 << 18;

/** Gathers small writes into chunks, counts and hashes. `put` is synchronous; `drain` waits for the sink (backpressure). */
export class Output {
  readonly #sink: Sink;
  readonly #hash = new Sha256();
  readonly #full: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(CHUNK);
  #fill = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Bytes put so far. */
  length = 0;
  /** Most bytes that waited at once. */
  peak = CHUNK;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  put(bytes: Uint8Array): void {
    this.length += bytes.byteLength;
    for (let at = 0; at < bytes.byteLength; ) {
      const n = Math.min(CHUNK - this.#fill, bytes.byteLength - at);
      this.#chunk.set(at === 0 && n === bytes.byteLength ? bytes : bytes.subarray(at, at + n), this.#fill);
      this.#fill += n;
      at += n;
      if (this.#fill === CHUNK) {
        this.#full.push(this.#chunk);
        this.peak = Math.max(this.peak, (this.#full.length + this.#spare.length + 1) * CHUNK);
        this.#chunk = this.#spare.pop() ?? new Uint8Array(CHUNK);
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
      this.#hash.update(taken);
      await this.#writing;
      this.#writing = this.#sink.write(taken).then(() => void this.#spare.push(taken));
      this.#writing.catch(() => {}); // a failure surfaces where it is awaited
    }
  }

  /** Puts any number of bytes without holding more than a chunk of them. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += CHUNK) {
      this.put(bytes.subarray(at, at + CHUNK));
      await this.drain();
    }
  }

  /** Overwrites bytes put before; the hash then no longer holds and is left out. */
  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await this.flush();
    if (!this.#sink.patch) throw new TypeError("This sink cannot patch.");
    await this.#sink.patch(offset, bytes);
    this.#hash.spoil();
  }

  async flush(): Promise<void> {
    await this.drain();
    await this.#writing;
    if (this.#fill === 0) return;
    const rest = this.#chunk.subarray(0, this.#fill);
    this.#hash.update(rest);
    await this.#sink.write(rest);
    this.#fill = 0;
  }

  async close(): Promise<{ bytes: number; sha256: string | undefined }> {
    await this.flush();
    await this.#sink.close();
    return { bytes: this.length, sha256: this.#hash.hex() };
  }

  async abort(reason: unknown): Promise<void> {
    await this.#sink.abort(reason);
  }
}
