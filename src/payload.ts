import { type Input, sourceInput } from "./io/input.ts";
import type { Reader } from "./io/reader.ts";
import type { Source } from "./io/source.ts";

/** The bytes of one tensor, wherever they are: in memory, in a range of a source, or passing by in a stream. */
export interface Payload {
  readonly length: number;
  /** Whether `chunks` can be called more than once. */
  readonly again: boolean;
  /** Where they lie, if that is one range of a source. */
  readonly range?: { source: Source; offset: number };
  /** The bytes in order; a chunk is valid until the next is asked for. */
  chunks(): AsyncIterable<Uint8Array>;
}

export const memoryPayload = (bytes: Uint8Array): Payload => viewsPayload([bytes]);

/** A payload in pieces. */
export const viewsPayload = (views: readonly Uint8Array[]): Payload => ({
  length: views.reduce((n, view) => n + view.byteLength, 0),
  again: true,
  async *chunks() {
    yield* views;
  },
});

export const rangePayload = (source: Source, offset: number, length: number): Payload => ({
  length,
  again: true,
  range: { source, offset },
  chunks: () => drain(sourceInput(source, offset, length)),
});

/** The next `length` bytes of a reader; `what` names them in errors. */
export const passingPayload = (reader: Reader, length: number, what: string): Payload => {
  const start = reader.position;
  const end = start + length;
  return {
    length,
    again: false,
    async *chunks() {
      while (reader.position < end) {
        const view = await reader.view(end - reader.position);
        if (!view) throw reader.truncated(what, start, length);
        yield view;
      }
    },
  };
};

async function* drain(input: Input): AsyncGenerator<Uint8Array> {
  let next = input.pull();
  for (let chunk = await next; chunk; chunk = await next) {
    next = input.pull(); // reads ahead while the consumer works
    next.catch(() => {}); // a failure surfaces where it is awaited
    yield chunk;
  }
  input.reuse?.();
}

/** All bytes of a payload, copied: for what is known to be small. */
export async function bytesIn(payload: Payload): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(payload.length);
  let fill = 0;
  for await (const chunk of payload.chunks()) {
    bytes.set(chunk, fill);
    fill += chunk.byteLength;
  }
  return bytes;
}
