import type { Input } from "../io/input.ts";
import type { Sink } from "../io/sink.ts";
import type { PutOptions } from "../server/ports.ts";

/** Copies an input into a sink and closes it; on failure, or when the signal aborts, both ends are let go. Gives the bytes copied. */
export async function pump(input: Input, sink: Sink, { signal, moved }: PutOptions): Promise<number> {
  const stop = (): void => void input.cancel(signal?.reason); // a pending pull then ends
  signal?.addEventListener("abort", stop, { once: true });
  let bytes = 0;
  try {
    for (let chunk = await input.pull(); chunk; chunk = await input.pull()) {
      signal?.throwIfAborted();
      await sink.write(chunk);
      bytes += chunk.byteLength;
      moved?.();
    }
    signal?.throwIfAborted(); // a pull then ends as if all had been read
    await sink.close();
    return bytes;
  } catch (error) {
    const reason: unknown = signal?.aborted ? signal.reason : error;
    await Promise.all([input.cancel(reason), sink.abort(reason)]);
    throw reason;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
