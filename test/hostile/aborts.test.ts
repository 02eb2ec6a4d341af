import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compress, compressInto, FormatError, inspect, type ModelSource, type Source } from "../../src/index.ts";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";
import { concat } from "../kit/wire.ts";
import { drain, WatchedSink } from "./attempt.ts";
import { dense } from "./corpus.ts";
import { source, upload, WatchedSpool } from "./ends.ts";

const recipe = { quantize: "w8" } as const;
const onnx = concat([...bigOnnx({ bytes: 6 << 20, k: 512, n: 512 }).chunks()]);
const formats = { onnx, safetensors: concat([...bigSafetensors({ bytes: 6 << 20, rows: 512, cols: 512 }).chunks()]) };
const reason = new Error("enough");

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on("unhandledRejection", note));
afterAll(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** The engine's instances are as good as before: the same bytes as ever. */
async function usable(): Promise<void> {
  const first = await drain(compress(dense(), recipe).readable);
  expect(await drain(compress(dense(), recipe).readable)).toEqual(first);
}

async function fails(from: ModelSource, sink = new WatchedSink(), options: Parameters<typeof compressInto>[3] = {}): Promise<unknown> {
  const spool = new WatchedSpool();
  const error = await compressInto(from, recipe, sink, { spool, ...options }).then(
    () => expect.unreachable("it went well"),
    (error: unknown) => error,
  );
  expect(sink).toMatchObject({ closed: 0, aborted: 1 });
  expect(spool.cleared).toBe(1);
  await usable();
  return error;
}

describe.each(Object.entries(formats))("%s: a signal that aborts", (_format, bytes) => {
  test("before the run", async () => {
    const { stream, state } = upload(bytes);
    expect(await fails(stream, undefined, { signal: AbortSignal.abort(reason) })).toBe(reason);
    expect(state.cancelled).toEqual([reason]);
    expect(await fails(source(bytes), undefined, { signal: AbortSignal.abort(reason) })).toBe(reason);
    await expect(inspect(bytes, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("at once", async () => {
    for (const from of [upload(bytes).stream, source(bytes), bytes, new Blob([bytes])]) {
      const controller = new AbortController();
      const end = fails(from, undefined, { signal: controller.signal });
      controller.abort(reason);
      expect(await end).toBe(reason);
    }
  });

  test("in mid-stream, and while the stream gives nothing", async () => {
    const controller = new AbortController();
    const { stream, state } = upload(bytes);
    const onProgress = ({ bytes: read }: { bytes: number }) => void (read > 3 << 20 && controller.abort(reason));
    expect(await fails(stream, undefined, { signal: controller.signal, onProgress })).toBe(reason);
    expect(state.cancelled).toEqual([reason]);

    const slow = new AbortController();
    const { stream: hanging, state: left } = upload(bytes, { hang: true });
    const end = fails(hanging, undefined, { signal: slow.signal });
    setTimeout(() => slow.abort(reason), 20);
    expect(await end).toBe(reason);
    expect(left.cancelled).toEqual([reason]);
  });

  test("while a source is read, the second time too", async () => {
    for (const share of [0.2, 0.8, 1.2, 1.8]) {
      const controller = new AbortController();
      const from = source(bytes, (read) => void (read > share * bytes.length && controller.abort(reason)));
      const sink = new WatchedSink();
      const end = compressInto(from, recipe, sink, { signal: controller.signal });
      if (share > 1 && _format === "safetensors")
        await end; // it is read once
      else await expect(end, `after ${share} of the source`).rejects.toBe(reason);
    }
  });

  test("while a source gives nothing", async () => {
    const controller = new AbortController();
    const from: Source = { size: bytes.length, read: () => new Promise(() => {}) };
    const end = fails(from, undefined, { signal: controller.signal });
    const inspected = expect(inspect(from, { signal: controller.signal })).rejects.toBe(reason);
    setTimeout(() => controller.abort(reason), 20);
    expect(await end).toBe(reason);
    await inspected;
  });

  test("while the output waits for its reader", async () => {
    for (const from of [upload(bytes).stream, source(bytes)]) {
      const controller = new AbortController();
      const { readable, report } = compress(from, recipe, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 100);
      await expect(report).rejects.toBe(reason);
      await expect(drain(readable)).rejects.toBe(reason);
    }
    await usable();
  });

  test("after the end", async () => {
    const controller = new AbortController();
    const sink = new WatchedSink();
    await compressInto(bytes, recipe, sink, { signal: controller.signal });
    controller.abort(reason);
    expect(sink).toMatchObject({ closed: 1, aborted: 0 });
  });
});

describe.each(Object.entries(formats))("%s: an end that fails", (_format, bytes) => {
  test("the stream's error comes through as it is", async () => {
    for (const fail of [new RangeError("wire cut"), "a string", null]) {
      expect(await fails(upload(bytes, { fail }).stream)).toBe(fail);
      const { readable, report } = compress(upload(bytes, { fail }).stream, recipe);
      await expect(drain(readable)).rejects.toBe(fail);
      await expect(report).rejects.toBe(fail);
    }
  });

  test("a sink whose write rejects", async () => {
    const full = new Error("disk full");
    class FullSink extends WatchedSink {
      override async write(chunk: Uint8Array): Promise<void> {
        await super.write(chunk);
        if (this.chunks.length > 2) throw full;
      }
    }
    const { stream, state } = upload(bytes);
    expect(await fails(stream, new FullSink())).toBe(full);
    expect(state.cancelled.length, "the upload has ended by then, or is cancelled").toBeLessThanOrEqual(1);
    expect(await fails(bytes, new FullSink())).toBe(full);
  });

  test("a sink whose abort rejects too does not hide the first error", async () => {
    class Hopeless extends WatchedSink {
      override async abort(): Promise<void> {
        await super.abort();
        throw new Error("cannot even abort");
      }
    }
    expect(await fails(bytes.subarray(0, bytes.length / 2), new Hopeless())).toBeInstanceOf(FormatError);
  });

  test("a reader that cancels", async () => {
    const { stream, state } = upload(bytes);
    const spool = new WatchedSpool();
    const { readable, report } = compress(stream, recipe, { spool });
    const reader = readable.getReader();
    await reader.read();
    await reader.cancel(reason);
    await expect(report).rejects.toBe(reason);
    expect(state.cancelled).toEqual([reason]);
    expect(spool.cleared).toBe(1);
    await usable();
  });

  test("a source that reads short", async () => {
    const short: Source = {
      size: bytes.length,
      read: async (offset, length) => bytes.subarray(offset, offset + length - (offset > 1 << 20 ? 1 : 0)),
    };
    expect(String(await fails(short))).toMatch(/\d+ of \d+ bytes came at offset \d+/);
  });

  test("a stream of anything but bytes", async () => {
    for (const chunk of ["text", 7, null, new ArrayBuffer(8), [8, 7]]) {
      const stream = new ReadableStream({ start: (controller) => controller.enqueue(chunk) });
      const error = await fails(stream as ReadableStream<Uint8Array>);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain("Uint8Array");
    }
    expect(() => compress("model.onnx" as unknown as Uint8Array, recipe)).toThrow(TypeError);
  });
});
