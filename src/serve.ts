import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as engine from "./index.ts";
import { pipeSink } from "./io/sink.ts";
import { createApp, HOST_LIMITS, type Limits, type OpenPipe } from "./server/app.ts";
import { folderStore } from "./store/folder.ts";

export interface ServeOptions {
  /** 0 takes a free one. */
  port: number;
  /** The loopback interface unless said: there is no access control. */
  hostname?: string;
  /** Folder of the model store; without it models only pass through. */
  models?: string;
  /** Closes the server. */
  signal?: AbortSignal;
  limits?: Partial<Limits>;
}

export interface Serving {
  url: string;
  /** Ends every connection and waits until what they left has been cleaned up. */
  close(): Promise<void>;
}

/** A recipe of 16 KB in the query takes up to three times as much, percent-encoded. */
const MAX_HEADER_BYTES = 1 << 16;

type Handler = (request: Request) => Response | Promise<Response>;
type Listen = (handler: Handler, address: { port: number; hostname: string }) => Promise<{ port: number; stop: () => Promise<void> }>;

/** What is used here of the globals of Deno and Bun. */
interface Runtimes {
  Deno?: {
    serve(options: { port: number; hostname: string; signal: AbortSignal; onListen(): void }, handler: Handler): { addr: { port: number } };
  };
  Bun?: {
    serve(options: { port: number; hostname: string; idleTimeout: number; maxRequestBodySize: number; fetch: Handler }): {
      port: number;
      stop(closeActiveConnections: boolean): Promise<void>;
    };
  };
}

/** The HTTP door on Node, Deno or Bun. */
export async function serve({ port, hostname = "127.0.0.1", models, signal, limits }: ServeOptions): Promise<Serving> {
  const app = createApp({
    engine,
    ...(models === undefined ? {} : { store: folderStore(models) }),
    openPipe,
    log: (error) => console.error(error),
    limits: { ...HOST_LIMITS, ...limits },
  });
  const pending = new Set<Promise<unknown>>();
  const track = (work: Promise<unknown>): void => {
    const done = (): void => void pending.delete(work);
    pending.add(work);
    work.then(done, done);
  };
  const context = { waitUntil: track, passThroughOnException() {}, props: {} };
  const handler: Handler = (request) => app.fetch(request, {}, context);

  const { Deno, Bun } = globalThis as Runtimes;
  const listen = Deno ? denoListen(Deno) : Bun ? bunListen(Bun) : nodeListen;
  const { port: bound, stop } = await listen(handler, { port, hostname });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= stop().then(async () => void (await Promise.allSettled(pending)));
    return closing;
  };
  signal?.addEventListener("abort", () => void close(), { once: true });
  if (signal?.aborted) await close();
  return { url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${bound}`, close };
}

/** Runtimes print the error that a response breaks off with, as if it were the server's: a line will do. */
const openPipe: OpenPipe = () => {
  const { sink, readable } = pipeSink();
  const abort = (reason: unknown): Promise<void> => {
    const error = new Error(`A response was broken off: ${reason instanceof Error ? reason.message : reason}`);
    error.stack = `${error.name}: ${error.message}`;
    return sink.abort(error);
  };
  return { readable, sink: { write: (bytes) => sink.write(bytes), close: () => sink.close(), abort } };
};

const nodeListen: Listen = async (handler, { port, hostname }) => {
  const { createAdaptorServer } = await import("@hono/node-server");
  const server = createAdaptorServer({
    fetch: handler,
    overrideGlobalObjects: false,
    serverOptions: { maxHeaderSize: MAX_HEADER_BYTES },
  }) as Server;
  server.requestTimeout = 0; // a large model may take long; a client that stalls is dropped by the application
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
};

const denoListen =
  (deno: NonNullable<Runtimes["Deno"]>): Listen =>
  async (handler, address) => {
    const stopping = new AbortController();
    const server = deno.serve({ ...address, onListen() {}, signal: stopping.signal }, handler);
    return {
      port: server.addr.port,
      stop: async () => stopping.abort(),
    };
  };

const bunListen =
  (bun: NonNullable<Runtimes["Bun"]>): Listen =>
  async (handler, address) => {
    const server = bun.serve({ ...address, idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER, fetch: handler });
    return { port: server.port, stop: () => server.stop(true) };
  };
