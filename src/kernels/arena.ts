import { LimitError } from "../errors.ts";

const ALIGN = 16;
const PAGE = 65536;

/**
 * Hands out addresses in a WebAssembly memory, stack-wise: `mark` the top, `alloc`, and `reset` to the mark.
 * Growing the memory detaches every view of it, so `u8` and `f32` make fresh ones: take them late and do not keep them.
 */
export class Arena {
  readonly #memory: WebAssembly.Memory;
  readonly #base: number;
  readonly #maxBytes: number;
  #top: number;
  #peak: number;

  /** An arena of at most `maxBytes` from address `base` on. */
  constructor(memory: WebAssembly.Memory, base: number, maxBytes: number) {
    this.#memory = memory;
    this.#base = align(base);
    this.#maxBytes = maxBytes;
    this.#top = this.#base;
    this.#peak = this.#base;
  }

  /** The address of `bytes` fresh bytes, a multiple of 16. They hold whatever was there before. `what` they are for is told in errors. */
  alloc(bytes: number, what = ""): number {
    const address = this.#top;
    const top = align(address + bytes);
    if (!(top - this.#base <= this.#maxBytes))
      throw new LimitError("MAX_ARENA", `Cannot allocate ${bytes} bytes${what}: ${address - this.#base} of ${this.#maxBytes} are in use`);
    const missing = top - this.#memory.buffer.byteLength;
    if (missing > 0) this.#grow(Math.ceil(missing / PAGE), bytes, what);
    this.#top = top;
    this.#peak = Math.max(this.#peak, top);
    return address;
  }

  /** The current top, for `reset`. */
  mark(): number {
    return this.#top;
  }

  /** Frees everything allocated since `mark` was taken. */
  reset(mark: number): void {
    this.#top = mark;
  }

  /** `n` bytes at `address`. */
  u8(address: number, n: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer as ArrayBuffer, address, n);
  }

  /** `n` half-words at `address`, a multiple of 2. */
  u16(address: number, n: number): Uint16Array<ArrayBuffer> {
    return new Uint16Array(this.#memory.buffer as ArrayBuffer, address, n);
  }

  /** `n` floats at `address`, a multiple of 4. */
  f32(address: number, n: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer as ArrayBuffer, address, n);
  }

  /** The most bytes that were ever in use at once. */
  get peak(): number {
    return this.#peak - this.#base;
  }

  #grow(pages: number, bytes: number, what: string): void {
    try {
      this.#memory.grow(pages);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new LimitError("MAX_ARENA", `Cannot allocate ${bytes} bytes${what}: the platform gives no more WebAssembly memory`);
    }
  }
}

// Not with bit operations: a WebAssembly memory may be larger than an int32 says.
const align = (n: number): number => Math.ceil(n / ALIGN) * ALIGN;
