import type { Source } from "./source.ts";

/** Ends a wait when the signal aborts, with its reason; what was waited for may go on, unheard. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
  });
  // Not one promise for the whole run: every race would stay attached to it.
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A source that gives nothing more once the signal has aborted. */
export const abortableSource = (source: Source, signal: AbortSignal | undefined): Source =>
  signal ? { size: source.size, read: (...range) => orAborted(source.read(...range), signal) } : source;
