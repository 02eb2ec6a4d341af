import type { ExecutionContext, R2Bucket } from "@cloudflare/workers-types";
import type { Hono } from "hono";
import * as engine from "./index.workerd.ts";
import { writableSink } from "./io/sink.ts";
import { createApp, type Limits, type OpenPipe } from "./server/app.ts";
import { r2Store } from "./store/r2.ts";

export interface Env {
  /** The model store; without it models only pass through. */
  MODELS?: R2Bucket;
  /** Override the limits of these names (server/ports.ts). */
  STALL_SECONDS?: string;
  MAX_HASHED_BYTES?: string;
  MAX_HOT_BYTES?: string;
  MAX_INFER_BYTES?: string;
}

const NAMES = ["STALL_SECONDS", "MAX_HASHED_BYTES", "MAX_HOT_BYTES", "MAX_INFER_BYTES"] as const;

/** Limits that the deployment's variables set. */
const overrides = (env: Env): Partial<Limits> =>
  Object.fromEntries(NAMES.flatMap((name) => (env[name] === undefined ? [] : [[name, Number(env[name])]])));

/** workerd's own streams: bytes between them and the socket pass no JavaScript. */
const openPipe: OpenPipe = (bytes) => {
  const { readable, writable } = bytes === undefined ? new IdentityTransformStream() : new FixedLengthStream(bytes);
  return { readable, sink: writableSink(writable) };
};

let app: Hono | undefined;

/** The Cloudflare door. One application for all requests of an isolate, since they share its memory. */
export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response> {
    app ??= createApp({
      engine,
      store: env.MODELS && r2Store(env.MODELS),
      openPipe,
      log: (error) => console.error(error),
      limits: overrides(env),
    });
    return app.fetch(request, env, context as never);
  },
};
