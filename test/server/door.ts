/** What every door must do over a real connection: one suite for workerd, Node, Deno and Bun. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { compress, compressInto, load, MemorySink } from "../../src/index.ts";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";
import { encoder, mlp } from "../kit/models.ts";
import { concat, eventually, open, read, send } from "./http.ts";

export interface Door {
  url: string;
  /** Whether it says the length of what it streams. Bun does not: https://github.com/oven-sh/bun/issues/10507 */
  tellsLength: boolean;
  /** What the store holds, partial things included. */
  leftovers(): Promise<string[]>;
}

/** For servers started with these. */
export const STALL_SECONDS = 1.5;
export const MAX_RUNNING = 2;

const MB = 1 << 20;
const bytesOf = async (stream: ReadableStream<Uint8Array>): Promise<Buffer> => Buffer.from(await new Response(stream).arrayBuffer());
const json = async (url: string, init?: RequestInit) => (await fetch(url, init)).json() as Promise<Record<string, unknown>>;

/** A safetensors stream whose last tensor is missing. */
function* cut(chunks: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array> {
  let left = bytes;
  for (const chunk of chunks) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.byteLength;
  }
}

export function doorSuite(door: () => Door): void {
  const at = (path: string): string => door().url + path;
  const settled = (): Promise<void> => eventually("nothing is left behind", async () => (await door().leftovers()).length === 0);

  describe("POST /v1/compress over a connection", () => {
    test("answers while the upload still runs", async () => {
      const model = bigSafetensors({ bytes: 32 * MB });
      const chunks = [...model.chunks()];
      const half = chunks.length / 2;
      const { request, response } = open(at("/v1/compress?quantize=fp16"));
      const sending = send(request, chunks.slice(0, half), false);
      const message = await response;
      expect(message.statusCode).toBe(200);
      let begun = (): void => {};
      const first = new Promise<void>((resolve) => (begun = resolve));
      const parts: Buffer[] = [];
      const reading = (async () => {
        for await (const part of message) {
          parts.push(part as Buffer);
          begun();
        }
      })();
      await first; // half of the upload has not been sent
      await sending;
      await send(request, chunks.slice(half));
      await reading;
      const got = Buffer.concat(parts);
      if (door().tellsLength) expect(message.headers["content-length"]).toBe(String(got.byteLength));
      expect(got.equals(await bytesOf(compress(concat(chunks), { quantize: "fp16" }).readable))).toBe(true);
    });

    test("gives what the engine gives for an ONNX stream, its length unknown", async () => {
      const model = bigOnnx({ bytes: 16 * MB });
      const { request, response } = open(at("/v1/compress?quantize=w8"));
      const sending = send(request, model.chunks());
      const message = await response;
      const got = await read(message);
      await sending;
      expect(message.headers["edgeslim-layout"]).toBe("pieced");
      expect(message.headers["content-length"]).toBeUndefined();
      expect(message.headers["content-type"]).toBe("application/octet-stream");
      const expected = compress(new Blob([concat(model.chunks())]).stream(), { quantize: "w8" });
      expect(got.equals(await bytesOf(expected.readable))).toBe(true);
      const report = await json(at(String(message.headers["edgeslim-report"])));
      const { output, source } = await expected.report;
      expect(report).toMatchObject({ source, output });
      expect(source.sha256).toMatch(/^[0-9a-f]{64}$/);
    });

    test("reads a form, recipe first, while it arrives", async () => {
      const model = concat(bigSafetensors({ bytes: 8 * MB }).chunks());
      const form = new FormData();
      form.set("recipe", JSON.stringify({ quantize: "w8" }));
      form.set("model", new Blob([model]), "model.safetensors");
      const response = await fetch(at("/v1/compress"), { method: "POST", body: form });
      expect(response.status).toBe(200);
      const got = Buffer.from(await response.arrayBuffer());
      expect(got.equals(await bytesOf(compress(model, { quantize: "w8" }).readable))).toBe(true);
    });

    test("breaks a response off when the model breaks late, and reports why", async () => {
      const model = bigSafetensors({ bytes: 16 * MB });
      for (const sent of [model.chunks(), bigOnnx({ bytes: 16 * MB }).chunks()]) {
        const { request, response } = open(at("/v1/compress?quantize=fp16"));
        const sending = send(request, cut(sent, 10 * MB));
        const message = await response;
        expect(message.statusCode).toBe(200);
        await expect(read(message)).rejects.toThrow();
        await sending;
        const path = at(String(message.headers["edgeslim-report"]));
        await eventually("the report is there", async () => (await fetch(path)).status === 200);
        expect(await json(path)).toMatchObject({ error: { status: 400, detail: expect.stringContaining("ends in the middle") } });
      }
    });

    test("tells a small bad model what is wrong", async () => {
      const { bytes } = mlp();
      const response = await fetch(at("/v1/compress?quantize=w8"), { method: "POST", body: bytes.subarray(0, bytes.length - 3000) });
      expect(response.status).toBe(400);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(await response.json()).toMatchObject({ status: 400, offset: expect.any(Number) });
    });

    test("gives a slow reader everything", async () => {
      const model = bigSafetensors({ bytes: 48 * MB });
      const { request, response } = open(at("/v1/compress?quantize=fp16"));
      const sending = send(request, model.chunks());
      const message = await response;
      let bytes = 0;
      let pauses = 0;
      for await (const chunk of message) {
        bytes += (chunk as Buffer).byteLength;
        if (bytes > (pauses + 1) * 6 * MB) {
          pauses++;
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      }
      await sending;
      expect(message.complete).toBe(true);
      expect(bytes).toBeGreaterThan(model.size / 2);
    });
  });

  describe("a client that goes", () => {
    test("in mid-upload leaves nothing behind, whatever it asked for", async () => {
      const model = bigOnnx({ bytes: 32 * MB });
      for (const path of ["/v1/compress?quantize=fp16", "/v1/compress?quantize=fp16&output=gone"]) {
        const { request } = open(at(path));
        void send(request, cut(model.chunks(), 20 * MB), false);
        await new Promise((resolve) => setTimeout(resolve, 300));
        request.destroy();
      }
      const put = open(at("/v1/models/gone/model.onnx"), { method: "PUT" });
      await send(put.request, cut(model.chunks(), 20 * MB), false);
      put.request.destroy();
      const sized = open(at("/v1/models/gone/model.onnx"), { method: "PUT", headers: { "content-length": String(model.size) } });
      await send(sized.request, cut(model.chunks(), 20 * MB), false);
      sized.request.destroy();
      await settled();
      expect((await fetch(at("/v1/models/gone"))).status).toBe(404);
    });

    test("in mid-download frees its place", async () => {
      for (let i = 0; i < MAX_RUNNING + 1; i++) {
        const { request, response } = open(at("/v1/compress?quantize=fp16"));
        const sending = send(request, bigSafetensors({ bytes: 32 * MB }).chunks());
        await once(await response, "data");
        request.destroy();
        await sending;
      }
      await free();
    });

    test("on stopping to read, is dropped after STALL_SECONDS", async () => {
      const { request, response } = open(at("/v1/compress?quantize=bf16"));
      const sending = send(request, bigSafetensors({ bytes: 96 * MB }).chunks());
      const message = await response; // and reads no further
      await new Promise((resolve) => setTimeout(resolve, STALL_SECONDS * 1000 + 1000));
      await free();
      await expect(read(message)).rejects.toThrow();
      request.destroy();
      await sending;
    });

    test("on stopping to send, is told so after STALL_SECONDS", async () => {
      const stalls = async (path: string): Promise<void> => {
        const { request, response } = open(at(path));
        request.write(mlp().bytes.subarray(0, 1000));
        const message = await response;
        expect(message.statusCode).toBe(408);
        expect(JSON.parse(String(await read(message)))).toMatchObject({ detail: expect.stringContaining("STALL_SECONDS") });
        request.destroy();
      };
      await Promise.all([stalls("/v1/compress?quantize=w8"), stalls("/v1/inspect")]);
      await stalls("/v1/compress?quantize=w8&output=gone");
      await free();
      await settled();
    });

    /** As many runs as are allowed can start. */
    async function free(): Promise<void> {
      await eventually("the places are free", async () => {
        const answers = await Promise.all(
          Array.from({ length: MAX_RUNNING }, () => fetch(at("/v1/compress?quantize=w8"), { method: "POST", body: mlp().bytes })),
        );
        for (const answer of answers) await answer.arrayBuffer();
        return answers.every(({ status }) => status === 200);
      });
    }
  });

  test("many requests at once: some are told to come back, the others are right", async () => {
    const model = concat(bigSafetensors({ bytes: 8 * MB }).chunks());
    const expected = await bytesOf(compress(model, { quantize: "w8" }).readable);
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const response = await fetch(at("/v1/compress?quantize=w8"), { method: "POST", body: model });
        return { status: response.status, retry: response.headers.get("retry-after"), body: Buffer.from(await response.arrayBuffer()) };
      }),
    );
    const busy = answers.filter(({ status }) => status === 503);
    expect(busy.length).toBeGreaterThan(0);
    for (const { retry } of busy) expect(Number(retry)).toBeGreaterThan(0);
    const right = answers.filter(({ status }) => status === 200);
    expect(right.length).toBe(8 - busy.length);
    expect(right.length).toBeGreaterThan(0);
    for (const { body } of right) expect(body.equals(expected)).toBe(true);
  });

  test("output=NAME stores one graph, which can be compressed again from there", async () => {
    const model = bigOnnx({ bytes: 24 * MB });
    const bytes = concat(model.chunks());
    const created = await fetch(at("/v1/compress?quantize=fp16&output=kept"), { method: "POST", body: bytes });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe("/v1/models/kept/model.onnx");
    const report = (await created.json()) as { output: { layout: string; bytes: number; sha256: string } };
    expect(report.output.layout).toBe("patched");
    const stored = Buffer.from(await (await fetch(at("/v1/models/kept/model.onnx"))).arrayBuffer());
    const sink = new MemorySink();
    const expected = await compressInto(new Blob([bytes]).stream(), { quantize: "fp16" }, sink);
    expect(stored.equals(sink.bytes())).toBe(true);
    expect(report.output).toEqual({ ...expected.output, files: ["/v1/models/kept/model.onnx"] });

    const again = await fetch(at("/v1/compress?quantize=w8&model=kept"), { method: "POST" });
    expect(again.headers.get("edgeslim-layout")).toBe("canonical");
    const canonical = Buffer.from(await again.arrayBuffer());
    if (door().tellsLength) expect(again.headers.get("content-length")).toBe(String(canonical.byteLength));
    expect(canonical.equals(await bytesOf(compress(stored, { quantize: "w8" }).readable))).toBe(true);
    const self = await fetch(at("/v1/compress?quantize=w8&model=kept&output=kept"), { method: "POST" });
    expect(self.status).toBe(409);
    expect((await fetch(at("/v1/models/kept"), { method: "DELETE" })).status).toBe(204);
    await settled();
  });

  test("a folder in the store becomes a folder, or nothing", async () => {
    const files = { "onnx/model.onnx": concat(bigOnnx({ bytes: 12 * MB }).chunks()), "tokenizer.json": Buffer.from("{}") };
    const put = async (name: string, body: Buffer<ArrayBuffer>): Promise<void> =>
      void (await fetch(at(`/v1/models/repo/${name}`), { method: "PUT", body })).arrayBuffer();
    for (const [name, bytes] of Object.entries(files)) await put(name, bytes);
    const created = await fetch(at("/v1/compress?quantize=all-web&model=repo&output=web&shard=1MiB"), { method: "POST" });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe("/v1/models/web");
    const { output } = (await created.json()) as { output: { files: string[] } };
    const expected = await compress(files, { quantize: "all-web" }, { shard: MB }).files;
    expect(output.files).toEqual(Object.keys(expected).map((name) => `/v1/models/web/${name}`));
    for (const [name, source] of Object.entries(expected)) {
      const got = Buffer.from(await (await fetch(at(`/v1/models/web/${name}`))).arrayBuffer());
      expect(got.equals(await source.read(0, source.size)), name).toBe(true);
    }
    expect((await fetch(at("/v1/models/web"), { method: "DELETE" })).status).toBe(204);

    await put("z.onnx", files["onnx/model.onnx"].subarray(0, 9 * MB));
    expect((await fetch(at("/v1/compress?quantize=w8&model=repo&output=web"), { method: "POST" })).status).toBe(400);
    expect((await fetch(at("/v1/models/web"))).status).toBe(404);
    expect((await fetch(at("/v1/models/repo"), { method: "DELETE" })).status).toBe(204);
    await settled();
  });

  test("a file in the store: PUT of any length, ranges, HEAD", async () => {
    const bytes = concat(bigSafetensors({ bytes: 12 * MB }).chunks());
    const { request, response } = open(at("/v1/data/samples/x/y.npy"), { method: "PUT" });
    await send(request, [bytes]); // chunked: no length
    expect((await response).statusCode).toBe(201);
    const replaced = await fetch(at("/v1/data/samples/x/y.npy"), { method: "PUT", body: bytes });
    expect(replaced.status).toBe(200);
    const head = await fetch(at("/v1/data/samples/x/y.npy"), { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(bytes.byteLength));
    const range = async (value: string) => fetch(at("/v1/data/samples/x/y.npy"), { headers: { range: value } });
    for (const [value, from, to] of [
      ["bytes=0-0", 0, 1],
      ["bytes=5-1048580", 5, 1048581],
      ["bytes=-100", bytes.length - 100, bytes.length],
      [`bytes=${bytes.length - 3}-`, bytes.length - 3, bytes.length],
    ] as const) {
      const part = await range(value);
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/${bytes.length}`);
      expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(from, to))).toBe(true);
    }
    expect((await range(`bytes=${bytes.length}-`)).status).toBe(416);
    expect((await fetch(at("/v1/data/samples"), { method: "DELETE" })).status).toBe(204);
    await settled();
  });

  test("runs a stored model, fed by JSON and by bytes, until another stands in its place", async () => {
    const { bytes, inputs } = mlp();
    const x = inputs.x as (typeof inputs)[string];
    const put = async (body: Uint8Array<ArrayBuffer>): Promise<void> =>
      void (await (await fetch(at("/v1/models/run/model.onnx"), { method: "PUT", body })).arrayBuffer());
    await put(bytes);
    expect(await json(at("/v2/models/run"))).toMatchObject({ inputs: [{ name: "x", datatype: "FP32", shape: [-1, 64] }] });
    const expected = (await (await load(bytes)).run({ x: { dtype: "float32", shape: x.dims, data: x.data as Float32Array } })).y
      ?.data as Float32Array;

    const same = (got: ArrayLike<number>): void => {
      expect(got.length).toBe(expected.length);
      // To rounding: builds of the kernels fuse multiplications and additions of floats, or do not.
      for (let i = 0; i < got.length; i++) expect(got[i]).toBeCloseTo(expected[i] as number, 5);
    };

    const input = { name: "x", datatype: "FP32", shape: x.dims };
    const infer = (body: BodyInit, headers: Record<string, string> = {}) =>
      fetch(at("/v2/models/run/infer"), { method: "POST", body, headers });
    const plain = JSON.stringify({ inputs: [{ ...input, data: Array.from(x.data as Float32Array) }] });
    const answers = await Promise.all([infer(plain), infer(plain), infer(plain)]);
    for (const answer of answers) {
      const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] };
      same(outputs[0]?.data ?? []);
    }
    const head = Buffer.from(
      JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: 1024 } }], parameters: { binary_data_output: true } }),
    );
    const data = Buffer.from(x.data.buffer as ArrayBuffer, x.data.byteOffset, 1024);
    const answer = await infer(Buffer.concat([head, data]), { "inference-header-content-length": String(head.length) });
    const body = Buffer.from(await answer.arrayBuffer());
    const length = Number(answer.headers.get("inference-header-content-length"));
    same(new Float32Array(new Uint8Array(body.subarray(length)).buffer));

    await put(encoder().bytes);
    const refused = await infer(plain);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining("no input 'x'; it takes ids: int64") });
    expect((await fetch(at("/v1/models/run"), { method: "DELETE" })).status).toBe(204);
    expect((await infer(plain)).status).toBe(404);
    await settled();
  });

  test("lives on", async () => {
    expect(await json(at("/v2/health/live"))).toEqual({ live: true });
  });
}
