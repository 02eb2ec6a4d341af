/** The Worker as it is deployed, and beside it the pass-through that it is measured against. */
import type { ExecutionContext } from "@cloudflare/workers-types";
import worker, { type Env } from "../../src/worker.ts";

const CHUNK = 1 << 18;

interface AtLeastReader {
  readAtLeast(bytes: number, view: Uint8Array): Promise<{ done: boolean; value?: Uint8Array<ArrayBuffer> }>;
}

/** Hands the body on: a BYOB reader, 256 KiB at a time, an IdentityTransformStream. The least that a Worker can do with bytes it looks at. */
function passThrough(request: Request, context: ExecutionContext): Response {
  const { readable, writable } = new IdentityTransformStream();
  const reader = (request.body as ReadableStream<Uint8Array>).getReader({ mode: "byob" }) as unknown as AtLeastReader;
  const writer = writable.getWriter();
  const pump = async (): Promise<void> => {
    let buffer = new ArrayBuffer(CHUNK);
    for (;;) {
      const { done, value } = await reader.readAtLeast(CHUNK, new Uint8Array(buffer));
      if (value?.byteLength) {
        await writer.write(value);
        buffer = value.buffer;
      }
      if (done) break;
    }
    await writer.close();
  };
  context.waitUntil(pump());
  return new Response(readable, { headers: { "content-type": "application/octet-stream" } });
}

export default {
  fetch: (request: Request, env: Env, context: ExecutionContext) =>
    new URL(request.url).pathname === "/bench/pass-through" ? passThrough(request, context) : worker.fetch(request, env, context),
};
