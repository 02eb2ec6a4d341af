import { stat } from "node:fs/promises";
import { UsageError } from "./exit.ts";
import { writeErr, writeOut } from "./streams.ts";

/** Serves until a signal comes. */
export async function serveCommand(flags: { port: number; models?: string }, signal: AbortSignal): Promise<void> {
  const models = flags.models === undefined ? undefined : await stat(flags.models).catch(() => undefined);
  if (models && !models.isDirectory())
    throw new UsageError(`--models ${flags.models} is no folder; name the folder that holds the models, or one that is to be made`);
  const { serve } = await import("../serve.ts"); // the server's packages load only here
  const server = await serve({ port: flags.port, signal, ...(flags.models === undefined ? {} : { models: flags.models }) });
  await writeOut(`${server.url}\n`);
  if (process.stderr.isTTY) await writeErr("Serving; stop with Ctrl-C.\n");
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await server.close();
  signal.throwIfAborted();
}
