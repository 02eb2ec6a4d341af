import { type Input, streamInput } from "../io/input.ts";
import { HttpProblem, StallError } from "./problem.ts";

/**
 * An upload that is refused is still read, and dropped, while it keeps coming. A server that closes on a client that is still sending
 * makes its system reset the connection, and the client then never sees why; and a client that reads only after it has sent all, as a
 * browser's fetch does, would wait for ever where a platform (workerd) cannot close a connection that nobody reads from.
 */
const MAX_DRAIN_IDLE_SECONDS = 3;
/** The answer waits so long for the upload's end: workerd resets the connection when it has answered and the upload goes on. */
const MAX_DRAIN_WAIT_SECONDS = 2;
/** Twice what an ONNX file can have. */
const MAX_DRAINED_BYTES = 4 * 2 ** 30;

async function drain(input: Input, pending?: Promise<unknown>): Promise<void> {
  let moved = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - moved > MAX_DRAIN_IDLE_SECONDS * 1000) void input.cancel("refused"); // ends a pull that waits
  }, 250);
  try {
    await pending;
    for (let bytes = 0; bytes < MAX_DRAINED_BYTES; moved = performance.now()) {
      const chunk = await input.pull();
      if (!chunk) return;
      bytes += chunk.byteLength;
    }
    await input.cancel("refused");
  } catch {
    // the client has gone
  } finally {
    clearInterval(timer);
  }
}

/** What is being drained, by request. */
const drains = new WeakMap<Request, Promise<void>>();

/** Waits, for a while, until what a client sends of a refused upload has been dropped. Starts with it, if nobody has read the body. */
export async function dropped(request: Request, waitUntil: (work: Promise<unknown>) => void): Promise<void> {
  const { body, bodyUsed } = request;
  let draining = drains.get(request);
  if (!draining && body && !bodyUsed && !body.locked) {
    draining = drain(streamInput(body));
    waitUntil(draining);
  }
  if (!draining) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([draining, new Promise((resolve) => (timer = setTimeout(resolve, MAX_DRAIN_WAIT_SECONDS * 1000)))]);
  clearTimeout(timer);
}

export interface UploadOptions {
  signal: AbortSignal;
  /** Whether the client may still get an answer that says why its upload is refused. */
  canAnswer: () => boolean;
  waitUntil: (work: Promise<unknown>) => void;
}

/** The body of a request as an Input. */
export function uploadInput(request: Request, { signal, canAnswer, waitUntil }: UploadOptions): Input | undefined {
  if (!request.body) return undefined;
  const input = streamInput(request.body);
  const length = request.headers.get("content-length");
  let pending: Promise<unknown> = Promise.resolve();
  let fail = (_reason: unknown): void => {};
  let cancelled = false;
  return {
    size: length === null ? undefined : Number(length),
    pull: () =>
      new Promise((resolve, reject) => {
        fail = reject;
        const next = input.pull();
        pending = next;
        next.then(resolve, (cause: unknown) => reject(Object.assign(new HttpProblem(400, "The upload broke off"), { cause })));
      }),
    async cancel(reason) {
      if (cancelled) return;
      cancelled = true;
      fail(reason);
      const refused = signal.aborted ? signal.reason instanceof StallError : canAnswer();
      if (!refused) return input.cancel(reason);
      const draining = drain(input, pending);
      drains.set(request, draining);
      waitUntil(draining);
    },
  };
}
