/** Sources and spools that tell what became of them. */
import type { Source, Spool } from "../../src/index.ts";
import type { Payload } from "../../src/payload.ts";

/** Chunks of a model, and what became of the stream. `fail` ends it with that error instead of its last chunk. */
export function upload(bytes: Uint8Array, { size = 65536, fail, hang }: { size?: number; fail?: unknown; hang?: boolean } = {}) {
  const state = { pulled: 0, cancelled: [] as unknown[] };
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      state.pulled++;
      if (at > bytes.length / 2 && fail !== undefined) return controller.error(fail);
      if (at > bytes.length / 2 && hang) return new Promise<void>(() => {});
      controller.enqueue(bytes.slice(at, (at += size)));
      if (at >= bytes.length) controller.close();
    },
    cancel: (why) => void state.cancelled.push(why),
  });
  return { stream, state };
}

export const source = (bytes: Uint8Array, onRead = (_read: number): void => {}): Source => {
  let read = 0;
  return { size: bytes.length, read: async (offset, length) => (onRead((read += length)), bytes.slice(offset, offset + length)) };
};

/** A spool in memory that counts. */
export class WatchedSpool implements Spool {
  written = 0;
  cleared = 0;
  async write(payload: Payload): Promise<Payload> {
    this.written++;
    const chunks: Uint8Array[] = [];
    for await (const chunk of payload.chunks()) chunks.push(chunk.slice());
    return {
      length: payload.length,
      again: true,
      chunks: async function* () {
        yield* chunks;
      },
    };
  }
  async clear(): Promise<void> {
    this.cleared++;
  }
}
