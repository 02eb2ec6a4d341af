import { memorySource, type Source } from "./source.ts";

/** Where output goes. A sink only appends; one that can also mend what it has written offers `patch`. */
export interface Sink {
  /** Appends; `bytes` may be reused by the caller once the promise resolves. Rejects when the reader has gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes written before, once, before `close`. Present only where the medium can seek. */
  patch?(offset: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Reads what was written, once closed. Sinks that patch have it, so that the result can be hashed. */
  reopen?(): Promise<Source>;
  /** Drops everything written: no partial output may remain. After an abort signal it may come while a write waits. */
  abort(reason: unknown): Promise<void>;
}

/** A sink that keeps what it is given. */
export class MemorySink implements Sink {
  readonly chunks: Uint8Array[] = [];
  #length = 0;

  async write(bytes: Uint8Array): Promise<void> {
    this.chunks.push(bytes.slice());
    this.#length += bytes.byteLength;
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    let start = 0;
    for (const chunk of this.chunks) {
      for (let i = Math.max(offset, start); i < Math.min(offset + bytes.byteLength, start + chunk.byteLength); i++)
        chunk[i - start] = bytes[i - offset] as number;
      start += chunk.byteLength;
    }
  }

  async reopen(): Promise<Source> {
    return memorySource(this.bytes());
  }

  async close(): Promise<void> {}

  async abort(): Promise<void> {
    this.chunks.length = 0;
    this.#length = 0;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.byteLength;
    }
    return all;
  }
}

/** A sink over a WritableStream whose `write` promises settle when the bytes have been taken. */
export const writableSink = (writable: WritableStream<Uint8Array>): Sink => {
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // the failure reaches the caller through write() or close()
  return {
    write: (bytes) => writer.write(bytes),
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason).catch(() => {}),
  };
};

/**
 * A sink and the stream that reads from it. Backpressure: a write settles when the reader asks for more,
 * so no more than one chunk waits. Chunks are copied, since a reader may keep them.
 */
export function pipeSink(): { sink: Sink; readable: ReadableStream<Uint8Array> } {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let wake = (): void => {};
  let cancelled: { reason: unknown } | undefined;
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (c) => void (controller = c),
      pull: () => wake(),
      cancel: (reason) => {
        cancelled = { reason };
        wake();
      },
    },
    { highWaterMark: 1 },
  );
  const ready = async (): Promise<void> => {
    while (!cancelled && (controller.desiredSize ?? 0) <= 0) await new Promise<void>((resolve) => (wake = resolve));
    if (cancelled) throw cancelled.reason ?? new DOMException("The reader cancelled the stream.", "AbortError");
  };
  const sink: Sink = {
    async write(bytes) {
      await ready();
      controller.enqueue(bytes.slice());
    },
    async close() {
      if (!cancelled) controller.close();
    },
    async abort(reason) {
      if (cancelled) return;
      controller.error(reason);
      cancelled = { reason };
      wake();
    },
  };
  return { sink, readable };
}
