import { LimitError } from "../errors.ts";
import { isSource, type Source } from "./source.ts";

/** Bytes asked of a stream or source at a time: the size at which workerd passes bytes fastest. */
export const WINDOW = 1 << 18;

/** Bytes in order. A chunk is valid until the next `pull`. */
export interface Input {
  /** Total bytes, where known. */
  readonly size: number | undefined;
  pull(): Promise<Uint8Array | undefined>;
  /** Jumps over bytes without reading them; only inputs over a Source can. */
  skip?(bytes: number): void;
  /** Lets what the chunks lie in be filled again, once all have been read and none is needed any more. */
  reuse?(): void;
  /** Lets go of the bytes that were not read. */
  cancel(reason: unknown): Promise<void>;
}

export const isInput = (value: unknown): value is Input =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as Input).pull === "function" &&
  typeof (value as Input).cancel === "function";

/** workerd's reader, which fills a caller's buffer instead of handing out 4 KiB pieces. */
interface AtLeastReader extends ReadableStreamBYOBReader {
  readAtLeast(bytes: number, view: Uint8Array): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
}

/** An input over a stream that is read once. */
export function streamInput(stream: ReadableStream<Uint8Array>): Input {
  const reader = byobReader(stream);
  if (reader) {
    let buffer = new ArrayBuffer(WINDOW);
    let ended = false;
    return {
      size: undefined,
      async pull() {
        if (ended) return undefined;
        const { done, value } = await reader.readAtLeast(WINDOW, new Uint8Array(buffer));
        ended = done;
        if (!value?.byteLength) return undefined;
        buffer = value.buffer;
        return value;
      },
      cancel: (reason) => reader.cancel(reason).catch(() => {}),
    };
  }
  const chunks = stream.getReader();
  let empty = 0;
  return {
    size: undefined,
    async pull() {
      for (;;) {
        const { done, value } = await chunks.read();
        if (done) return undefined;
        if (!(value instanceof Uint8Array))
          throw new TypeError(`Cannot read the model: the stream gave ${typeof value}, expected Uint8Array chunks.`);
        if (value.byteLength > 0) return value;
        if (++empty % 1000 === 0) await new Promise((resolve) => setTimeout(resolve)); // a stream of nothing must not keep timers waiting
      }
    },
    cancel: (reason) => chunks.cancel(reason).catch(() => {}),
  };
}

function byobReader(stream: ReadableStream<Uint8Array>): AtLeastReader | undefined {
  if (!("ReadableStreamBYOBReader" in globalThis) || !("readAtLeast" in ReadableStreamBYOBReader.prototype)) return undefined;
  try {
    return stream.getReader({ mode: "byob" }) as AtLeastReader;
  } catch {
    return undefined; // not a byte stream
  }
}

/** What an input over a source has filled, and the next may fill again: a model has hundreds of tensors, each read by an input of its own. */
const filled = new WeakMap<Source, (Uint8Array | undefined)[]>();

/** An input over `length` bytes of a source from `offset`. A chunk is valid while the next is pulled, too: so one can read ahead. */
export function sourceInput(source: Source, offset = 0, length = source.size - offset): Input {
  let at = offset;
  const end = offset + length;
  let [last, used] = filled.get(source) ?? [];
  filled.delete(source);
  return {
    size: length,
    async pull() {
      if (at >= end) return undefined;
      const n = Math.min(WINDOW, end - at);
      const bytes = await source.read(at, n, used);
      if (bytes.byteLength !== n)
        throw new Error(`Cannot read the model: ${bytes.byteLength} of ${n} bytes came at offset ${at}; did it change?`);
      at += n;
      [last, used] = [bytes, last];
      return bytes;
    },
    skip(bytes) {
      at += bytes;
    },
    reuse() {
      filled.set(source, [used, last]);
    },
    async cancel() {},
  };
}

/** Whatever bytes come from, as an input. */
export const inputOf = (from: ReadableStream<Uint8Array> | Source | Input): Input =>
  isSource(from) ? sourceInput(from) : isInput(from) ? from : streamInput(from);

/** Reads everything; more than `limit` bytes is an error. */
export async function readAll(input: Input, limit: number, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let chunk = await input.pull(); chunk; chunk = await input.pull()) {
    length += chunk.byteLength;
    if (length > limit) throw new LimitError(name, `The document is larger than ${limit} bytes.`);
    chunks.push(chunk.slice());
  }
  const all = new Uint8Array(length);
  chunks.reduce((at, chunk) => (all.set(chunk, at), at + chunk.byteLength), 0);
  return all;
}
