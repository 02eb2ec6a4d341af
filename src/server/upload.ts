import { type Input, streamInput } from "../io/input.ts";
import { HttpProblem } from "./problem.ts";

/**
 * What is still read, and dropped, of an upload that was refused. A server that closes on a client that is still sending makes its
 * system reset the connection, and the client then never sees why.
 */
const MAX_DRAINED_BYTES = 64 << 20;
const MAX_DRAIN_SECONDS = 5;

async function drain(input: Input): Promise<void> {
  const timer = setTimeout(() => void input.cancel("refused"), MAX_DRAIN_SECONDS * 1000); // ends a pull that waits
  try {
    for (let bytes = 0; bytes < MAX_DRAINED_BYTES; ) {
      const chunk = await input.pull();
      if (!chunk) return;
      bytes += chunk.byteLength;
    }
    await input.cancel("refused");
  } catch {
    // the client has gone
  } finally {
    clearTimeout(timer);
  }
}

/** Drops a body that nobody has begun to read. */
export async function dropBody({ body, bodyUsed }: Request): Promise<void> {
  if (body && !bodyUsed && !body.locked) await drain(streamInput(body));
}

export interface UploadOptions {
  signal: AbortSignal;
  /** Whether the client may still get an answer that says why its upload is refused. */
  canAnswer: () => boolean;
  waitUntil: (work: Promise<unknown>) => void;
}

/** The body of a request as an Input. */
export function uploadInput(body: ReadableStream<Uint8Array>, { signal, canAnswer, waitUntil }: UploadOptions): Input {
  const input = streamInput(body);
  let last: Promise<unknown> = Promise.resolve();
  let cancelled = false;
  return {
    size: undefined,
    async pull() {
      const next = input.pull();
      last = next;
      try {
        return await next;
      } catch (cause) {
        throw Object.assign(new HttpProblem(400, "The upload broke off"), { cause });
      }
    },
    async cancel(reason) {
      if (signal.aborted || !canAnswer()) return input.cancel(reason);
      if (cancelled) return;
      cancelled = true;
      waitUntil(last.then(() => drain(input)).catch(() => {}));
    },
  };
}
