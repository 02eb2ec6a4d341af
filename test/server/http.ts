/** An HTTP client that reads while it sends, and that can misbehave on purpose. */
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";

export interface Exchange {
  request: ClientRequest;
  /** The head of the answer; its body flows only when it is read. */
  response: Promise<IncomingMessage>;
}

/** Opens a request whose body is sent by hand: chunked, unless a Content-Length is given. */
export function open(url: string, { method = "POST", headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Exchange {
  const req = request(url, { method, headers: { "content-type": "application/octet-stream", ...headers }, agent: false });
  const response = once(req, "response").then(([message]) => message as IncomingMessage);
  response.catch(() => {}); // tests that expect a failure await it themselves
  req.on("error", () => {});
  return { request: req, response };
}

/** Sends chunks as fast as they are taken. Stops in silence when the server has hung up. */
export async function send(req: ClientRequest, chunks: Iterable<Uint8Array>, end = true): Promise<void> {
  for (const chunk of chunks) {
    if (req.destroyed) return;
    if (req.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        req.off("drain", go).off("close", go);
        resolve();
      };
      req.on("drain", go).on("close", go);
    });
  }
  if (end) req.end();
}

/** The whole body; rejects when the transfer breaks off. */
export async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  if (!message.complete) throw new Error("The transfer broke off.");
  return Buffer.concat(chunks);
}

/** Waits until something holds. */
export async function eventually(what: string, holds: () => Promise<boolean>, seconds = 15): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Not after ${seconds} seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const concat = (chunks: Iterable<Uint8Array>): Buffer<ArrayBuffer> => Buffer.concat([...chunks]) as Buffer<ArrayBuffer>;
