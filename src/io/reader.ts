import { FormatError } from "../errors.ts";
import type { Input } from "./input.ts";
import { concat } from "./protobuf.ts";
import { Sha256 } from "./sha256.ts";

const NO_BYTES: Uint8Array = new Uint8Array(0);

export interface ReaderOptions {
  /** Hash every byte, up to this many in all: `skip` then reads what it passes over. Beyond, there is no hash. */
  hash?: number;
  signal?: AbortSignal | undefined;
  /** Called with the position after each chunk. */
  onRead?: ((position: number) => void) | undefined;
}

/** Reads an Input field by field: small things copied, bulk data as views of the current chunk. */
export class Reader {
  readonly #input: Input;
  #hash: Sha256 | undefined;
  readonly #options: ReaderOptions;
  #chunk: Uint8Array = NO_BYTES;
  #at = 0;
  #base = 0; // position of the current chunk in the input
  #format = "model";
  readonly #varint = new Uint8Array(10);
  #varintLength = 0;

  constructor(input: Input, options: ReaderOptions = {}) {
    this.#input = input;
    this.#options = options;
    this.#hash = options.hash && (input.size ?? 0) <= options.hash ? new Sha256() : undefined;
  }

  /** Bytes consumed so far. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** The format's name, for messages. */
  set format(name: string) {
    this.#format = name;
  }

  /** Whether bulk data can be passed over and read again later. */
  get seekable(): boolean {
    return this.#input.skip !== undefined;
  }

  get size(): number | undefined {
    return this.#input.size;
  }

  /** True at the end of the input. */
  async atEnd(): Promise<boolean> {
    return this.#at === this.#chunk.byteLength && !(await this.#fill());
  }

  /** The next bytes, up to `n` of them, without consuming them: fewer only when the input ends. */
  async peek(n: number): Promise<Uint8Array> {
    for (let more = true; more && this.#chunk.byteLength - this.#at < n; ) {
      const ahead = this.#chunk.slice(this.#at);
      const position = this.position;
      more = await this.#fill();
      if (ahead.byteLength > 0) this.#chunk = concat([ahead, this.#chunk]);
      this.#base = position;
    }
    return this.#chunk.subarray(this.#at, this.#at + n);
  }

  /**
   * A base-128 varint of at most 10 bytes as an unsigned integer.
   * Values beyond 2^53 lose their low bits: callers check ranges, and negative int64 come out as ≥ 2^63.
   */
  async varint(): Promise<number> {
    const start = this.position;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at === this.#chunk.byteLength && !(await this.#fill())) throw this.truncated("a varint", start);
      const byte = this.#chunk[this.#at++] as number;
      this.#varint[i] = byte;
      this.#varintLength = i + 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new FormatError(`Cannot read the ${this.#format}: a varint is longer than 10 bytes`, { offset: start, format: this.#format });
  }

  /** The bytes of the varint read last: its exact 64-bit value. */
  lastVarint(): Uint8Array {
    return this.#varint.slice(0, this.#varintLength);
  }

  /** Exactly `n` bytes, copied. The caller bounds `n`. */
  async take(n: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(n);
    await this.into(bytes, what);
    return bytes;
  }

  /** The next bytes, copied to fill `target`. */
  async into(target: Uint8Array, what: string): Promise<void> {
    const start = this.position;
    for (let fill = 0; fill < target.byteLength; ) {
      const view = await this.view(target.byteLength - fill);
      if (!view) throw this.truncated(what, start, target.byteLength);
      target.set(view, fill);
      fill += view.byteLength;
    }
  }

  /** Up to `max` of the next bytes, consumed, as a view that is valid until the next call; undefined at the end. */
  async view(max: number): Promise<Uint8Array | undefined> {
    if (this.#at === this.#chunk.byteLength && !(await this.#fill())) return undefined;
    const view = this.#chunk.subarray(this.#at, this.#at + max);
    this.#at += view.byteLength;
    return view;
  }

  /** Passes over `n` bytes: jumps where the input can and no hash is wanted. */
  async skip(n: number, what: string): Promise<void> {
    const start = this.position;
    const buffered = this.#chunk.byteLength - this.#at;
    if (n > buffered && this.#input.skip && !this.#hash) {
      if (this.size !== undefined && start + n > this.size) throw this.truncated(what, start, n, this.size - start);
      this.#input.skip(n - buffered);
      this.#base += this.#chunk.byteLength + (n - buffered);
      this.#chunk = NO_BYTES;
      this.#at = 0;
      return;
    }
    for (let left = n; left > 0; ) {
      const view = await this.view(left);
      if (!view) throw this.truncated(what, start, n);
      left -= view.byteLength;
    }
  }

  /** Refuses bytes that remain. */
  async expectEnd(where: string): Promise<void> {
    if (!(await this.atEnd()))
      throw new FormatError(`The ${this.#format} goes on ${where}`, { offset: this.position, format: this.#format });
  }

  truncated(what: string, offset: number, needed?: number, there = this.position - offset): FormatError {
    const missing = needed === undefined ? "" : `: ${needed} bytes were declared, ${there} are there`;
    return new FormatError(`The ${this.#format} ends in the middle of ${what}${missing}`, { offset, format: this.#format });
  }

  /** SHA-256 of everything read; undefined unless asked for. */
  sha256(): string | undefined {
    return this.#hash?.hex();
  }

  cancel(reason: unknown): Promise<void> {
    return this.#input.cancel(reason);
  }

  async #fill(): Promise<boolean> {
    this.#options.signal?.throwIfAborted();
    this.#base += this.#chunk.byteLength; // before the pull: a chunk may be detached by it
    this.#chunk = NO_BYTES;
    this.#at = 0;
    const chunk = await this.#pull();
    if (!chunk) return false;
    if (this.#hash) {
      if (this.#base + chunk.byteLength <= (this.#options.hash as number)) this.#hash.update(chunk);
      else this.#hash = undefined;
    }
    this.#chunk = chunk;
    this.#options.onRead?.(this.#base + chunk.byteLength);
    return true;
  }

  /** After an abort a pull may end, or fail with what a platform makes of the reason: what counts is the reason. */
  async #pull(): Promise<Uint8Array | undefined> {
    try {
      return await this.#input.pull();
    } finally {
      this.#options.signal?.throwIfAborted();
    }
  }
}

/** Ends a pull that waits for bytes when the signal aborts. Call what it returns when the reader is done. */
export function cancelOnAbort(reader: Reader, signal: AbortSignal | undefined): () => void {
  const cancel = (): void => void reader.cancel(signal?.reason);
  signal?.addEventListener("abort", cancel, { once: true });
  return () => signal?.removeEventListener("abort", cancel);
}
