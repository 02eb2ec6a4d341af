import { streamInput } from "../io/input.ts";
import type { Sink } from "../io/sink.ts";
import type { PutOptions } from "../server/ports.ts";

/** Copies a stream into a sink and closes it; on failure, or when the signal aborts, both ends are let go. Gives the bytes copied. */
export async function pump(body: ReadableStream<Uint8Array>, sink: Sink, { signal, moved }: PutOptions): Promise<number> {
  const input = streamInput(body);
  const stop = (): void => void input.cancel(signal?.reason); // a pending pull then ends
  signal?.addEventListener("abort", stop, { once: true });
  let bytes = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await input.pull();
      signal?.throwIfAborted();
      if (!chunk) break;
      await sink.write(chunk);
      bytes += chunk.byteLength;
      moved?.();
    }
    await sink.close();
    return bytes;
  } catch (error) {
    await Promise.all([input.cancel(error), sink.abort(error)]);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
