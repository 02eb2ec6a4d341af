/** The process's own streams, as the engine's streams and sinks. */
import { orAborted } from "../io/abort.ts";
import type { Sink } from "../io/sink.ts";
import { UsageError } from "./exit.ts";

/** Reads `stream`, standard input or a pipe, until it ends or `signal` aborts, even while no bytes come. */
export function readableStream(stream: AsyncIterable<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await orAborted(chunks.next(), signal);
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        chunks.return?.().catch(() => {}); // not awaited: it waits for a read that may never end
      },
    },
    { highWaterMark: 0 },
  );
}

export function standardInput(signal: AbortSignal): ReadableStream<Uint8Array> {
  if (process.stdin.isTTY) throw new UsageError("Cannot read from a terminal: name a file, or pipe one in");
  return readableStream(process.stdin, signal);
}

/** Writes to standard output and resolves when the bytes are out of our hands. */
export const writeOut = (bytes: Uint8Array | string): Promise<void> => written(process.stdout, bytes);
export const writeErr = (text: string): Promise<void> => written(process.stderr, text).catch(() => {});

function written(stream: NodeJS.WriteStream, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Standard output as a sink; what was written cannot be taken back, so a failure shows in the exit code. */
export function standardOutput(signal: AbortSignal): Sink {
  if (process.stdout.isTTY) throw new UsageError("Cannot write a model to a terminal: redirect standard output, or name a file with -o");
  return {
    write: (bytes) => orAborted(writeOut(bytes), signal),
    async close() {},
    async abort() {},
  };
}
