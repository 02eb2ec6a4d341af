import type { Sink } from "../io/sink.ts";
import type { OpenPipe } from "./ports.ts";
import { GoneError } from "./problem.ts";

/** Output that is held back before the 200 goes out, so that a small bad model gets its problem document. */
export const HELD_BYTES = 1 << 20;

/** What a response is made of: all bytes, or a stream of them. */
export type Opened = { bytes: Uint8Array<ArrayBuffer> } | { readable: ReadableStream<Uint8Array> };

/**
 * A sink that opens the response late: when HELD_BYTES are there, or all of them. Before that a failure rejects `opened`,
 * after it breaks the stream off. A write also fails when `signal` aborts, however long the client lets it wait.
 */
export class Gate implements Sink {
  readonly opened: Promise<Opened>;
  readonly #open: (opened: Opened) => void;
  readonly #refuse: (reason: unknown) => void;
  readonly #openPipe: () => ReturnType<OpenPipe>;
  readonly #signal: AbortSignal;
  readonly #moved: () => void;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #taken = 0;
  #last: Uint8Array | undefined;
  readonly #total: () => number | undefined;
  #sink: Sink | undefined;
  #fail = (_reason: unknown): void => {};

  /** `total` tells the answer's length where it is known. */
  constructor(openPipe: () => ReturnType<OpenPipe>, total: () => number | undefined, signal: AbortSignal, moved: () => void) {
    this.#total = total;
    this.#openPipe = openPipe;
    this.#signal = signal;
    this.#moved = moved;
    let open!: (opened: Opened) => void;
    let refuse!: (reason: unknown) => void;
    this.opened = new Promise((resolve, reject) => {
      open = resolve;
      refuse = reject;
    });
    this.opened.catch(() => {}); // who asks for it later still gets the failure
    this.#open = open;
    this.#refuse = refuse;
    signal.addEventListener("abort", () => this.#fail(signal.reason), { once: true });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#taken += bytes.byteLength;
    if (this.#sink) {
      if (this.#taken !== this.#total()) return this.#orAborted(this.#sink.write(bytes));
      this.#last = bytes.slice();
      return;
    }
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.byteLength;
    if (this.#heldBytes < HELD_BYTES) return;
    const { sink, readable } = this.#openPipe();
    this.#sink = sink;
    this.#open({ readable });
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) await this.#orAborted(sink.write(chunk));
  }

  /** The engine has written all. The last bytes wait for `end`, so that the report can be read when the client has the answer. */
  async close(): Promise<void> {}

  async end(): Promise<void> {
    if (this.#sink) {
      if (this.#last) await this.#orAborted(this.#sink.write(this.#last));
      return this.#orAborted(this.#sink.close());
    }
    const bytes = new Uint8Array(this.#heldBytes);
    this.#held.reduce((at, chunk) => (bytes.set(chunk, at), at + chunk.byteLength), 0);
    this.#held = [];
    this.#open({ bytes });
  }

  async abort(reason: unknown): Promise<void> {
    this.#held = [];
    this.#refuse(reason);
    await this.#sink?.abort(reason);
  }

  /** Not a race with a promise that lives as long as the run: every race would stay attached to it. */
  #orAborted(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      if (this.#signal.aborted) reject(this.#signal.reason);
      work.then(
        () => {
          this.#moved();
          resolve();
        },
        (cause: unknown) => reject(cause instanceof TypeError ? cause : Object.assign(new GoneError(), { cause })), // nobody reads any more
      );
    });
  }
}
