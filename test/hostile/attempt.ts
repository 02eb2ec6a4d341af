/** Runs the product on hostile bytes through every door of the module, and judges how it ends. */
import {
  compress,
  compressInto,
  FormatError,
  inspect,
  LimitError,
  type RecipeInput,
  type Sink,
  UnsupportedError,
} from "../../src/index.ts";
import { concat } from "../kit/wire.ts";

/** How a run ended: with output, or refused. */
export type Outcome =
  | { output: Uint8Array; refusal?: undefined }
  | { refusal: FormatError | UnsupportedError | LimitError; output?: undefined };

/** `source` is read again, `stream` once; `pipe` goes through `compress()`, `inspect` and `inspect-stream` give no output. */
export const DOORS = ["source", "stream", "pipe", "inspect", "inspect-stream"] as const;
export type Door = (typeof DOORS)[number];

/** A run that ended as none may: another error, a partial output, an output that is no model. */
export class Breach extends Error {
  override readonly name = "Breach";
}

/** A sink that remembers how it ended. */
export class WatchedSink implements Sink {
  readonly chunks: Uint8Array[] = [];
  closed = 0;
  aborted = 0;

  async write(bytes: Uint8Array): Promise<void> {
    if (this.closed + this.aborted > 0) throw new Breach("Bytes came after the end.");
    this.chunks.push(bytes.slice());
  }

  async close(): Promise<void> {
    this.closed++;
  }

  async abort(): Promise<void> {
    this.aborted++;
  }
}

export const isRefusal = (error: unknown): error is FormatError | UnsupportedError | LimitError =>
  error instanceof FormatError || error instanceof UnsupportedError || error instanceof LimitError;

/** Bytes as a stream of chunks of `size`, each in a buffer of its own. */
export function streamOf(bytes: Uint8Array, size = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const end = Math.min(bytes.length, at + size);
      controller.enqueue(bytes.slice(at, end));
      at = end;
    },
  });
}

/** Everything a stream gives. */
export async function drain(readable: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return concat(chunks);
}

async function through(door: Door, bytes: Uint8Array, recipe: RecipeInput): Promise<Uint8Array> {
  if (door === "inspect" || door === "inspect-stream") {
    await inspect(door === "inspect" ? bytes : streamOf(bytes));
    return new Uint8Array(0);
  }
  if (door === "pipe") {
    const { readable, report } = compress(bytes, recipe);
    const [piped, reported] = await Promise.allSettled([drain(readable), report]);
    if (piped.status !== reported.status) throw new Breach(`The stream is ${piped.status}, the report ${reported.status}.`);
    if (piped.status === "fulfilled") return piped.value;
    if (reported.status === "rejected" && piped.reason !== reported.reason) throw new Breach("Stream and report tell different errors.");
    throw piped.reason;
  }
  const sink = new WatchedSink();
  try {
    const report = await compressInto(door === "source" ? bytes : streamOf(bytes), recipe, sink);
    const output = concat(sink.chunks);
    if (sink.closed !== 1 || sink.aborted !== 0) throw new Breach(`A sink was closed ${sink.closed} times, aborted ${sink.aborted} times.`);
    if (report.output.bytes !== output.length) throw new Breach(`${report.output.bytes} bytes reported, ${output.length} written.`);
    return output;
  } catch (error) {
    if (sink.closed > 0 && !(error instanceof Breach)) throw new Breach(`A failed run closed its sink: ${error}`);
    if (sink.aborted !== 1 && !(error instanceof Breach)) throw new Breach(`A failed run aborted its sink ${sink.aborted} times: ${error}`);
    throw error;
  }
}

/** Runs through one door. Anything but success or one of the three refusals is a {@link Breach}, and so is an output that does not read. */
export async function attempt(door: Door, bytes: Uint8Array, recipe: RecipeInput = { quantize: "w8" }): Promise<Outcome> {
  let output: Uint8Array;
  try {
    output = await through(door, bytes, recipe);
  } catch (error) {
    if (isRefusal(error)) return { refusal: error };
    throw error instanceof Breach ? error : new Breach(`${door}: ${error instanceof Error ? (error.stack ?? error) : error}`);
  }
  if (output.length > 0) {
    await inspect(output).catch((error: unknown) => {
      throw new Breach(`${door}: the output does not read: ${error}`);
    });
  }
  return { output };
}
