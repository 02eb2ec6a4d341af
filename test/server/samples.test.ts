/** Stored samples: POST /v1/compress and /v1/compare run stored models on them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate/browser";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Comparison } from "../../src/engine/compare.ts";
import * as engine from "../../src/index.ts";
import { writeNpy } from "../../src/io/npy.ts";
import { createApp } from "../../src/server/app.ts";
import { folderStore } from "../../src/store/folder.ts";
import { floats, mlp } from "../kit/models.ts";
import { runNode, sqnr } from "../kit/ort.ts";

let folder: string;
let app: ReturnType<typeof createApp>;
const logged: unknown[] = [];
const model = mlp();
const put = async (path: string, body: Uint8Array): Promise<void> =>
  expect((await app.request(`/v1/${path}`, { method: "PUT", body: body as Uint8Array<ArrayBuffer> })).status).toBe(201);
const post = (path: string) => app.request(path, { method: "POST" });
const x = (n: number, seed: number): Uint8Array =>
  writeNpy({ dtype: "float32", shape: [n, 64], data: floats([n, 64], seed).data as Float32Array });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-samples-"));
  app = createApp({ engine, store: folderStore(folder), log: (error) => logged.push(error) });
  await put("models/m/model.onnx", model.bytes);
  await put("models/m/tokenizer.json", new Uint8Array(2));
  await put("data/s/all.npy", x(6, 1));
  await put("data/folder/a/0.npy", x(1, 2));
  await put("data/folder/a/1.npz", zipSync({ "x.npy": x(2, 3) }));
  await put("data/text/readme.txt", new Uint8Array(3));
  await put("data/wrong/0.npz", zipSync({ "z.npy": x(2, 3) }));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  expect(logged).toEqual([]);
});

test("samples calibrate a stored model, and the result is near the model and runs", async () => {
  const created = await post("/v1/compress?model=m&samples=s&output=m8&quantize=w8a8");
  expect([created.status, created.headers.get("location")]).toEqual([201, "/v1/models/m8/model.onnx"]);
  expect(await created.json()).toMatchObject({ calibration: { samples: 6 } });
  const bytes = await (await app.request("/v1/models/m8/model.onnx")).bytes();
  const [wanted, given] = [await runNode(model.bytes, model.inputs), await runNode(bytes, model.inputs)];
  expect(sqnr(wanted.y?.data as Float32Array, given.y?.data as Float32Array)).toBeGreaterThan(20);

  const streamed = await post("/v1/compress?model=m&samples=s&quantize=w8a8");
  expect(streamed.status).toBe(200);
  expect(await streamed.bytes()).toEqual(bytes);

  const compared = (await (await post("/v1/compare?a=m&b=m8&samples=folder")).json()) as Comparison;
  expect(compared).toMatchObject({ samples: 2, models: [{ name: "m" }, { name: "m8", bytes: bytes.length }] });
  expect(compared.outputs[0]?.sqnr_db).toBeGreaterThan(20);
  expect(compared.layers.length).toBeGreaterThan(0);
});

test("two models are compared on random inputs where no samples are named", async () => {
  const compared = (await (await post("/v1/compare?a=m&b=m")).json()) as Comparison;
  expect(compared).toMatchObject({ samples: 1, outputs: [{ name: "y", max_abs: 0, different: 0 }] });
});

test.each([
  [404, "/v1/compress?model=m&samples=none&quantize=w8a8", /no data 'none'; PUT/],
  [422, "/v1/compress?model=m&samples=text&quantize=w8a8", /no samples/],
  [422, "/v1/compress?model=m&samples=wrong&quantize=w8a8", /wrong|no input 'z'/],
  [422, "/v1/compress?model=m&quantize=w8a8", /samples/],
  [422, "/v1/compress?model=m&samples=s&quantize=w8", /Nothing in the recipe looks at samples/],
  [422, "/v1/compress?model=m&samples=s&output=o&quantize=all-web", /makes several/],
  [422, "/v1/compress?samples=s&quantize=w8a8", /PUT it to \/v1\/models\/NAME/],
  [400, "/v1/compress?model=m&samples=a/b&quantize=w8a8", /samples must be one segment/],
  [400, "/v1/compare?a=m", /a=NAME&b=NAME/],
  [400, "/v1/compare?a=m&b=m&c=m", /"c" is unknown/],
  [400, "/v1/compare?a=m&b=m&b=m", /"b" is unknown or there twice/],
  [404, "/v1/compare?a=m&b=none", /no model 'none'/],
  [404, "/v1/compare?a=m&b=m&samples=none", /no data 'none'/],
  [422, "/v1/compare?a=m&b=m&samples=wrong", /no input 'z'/],
])("%i for %s", async (status, path, detail) => {
  const response = await post(path);
  const problem = (await response.json()) as { detail: string };
  expect(problem.detail).toMatch(detail);
  expect(response.status).toBe(status);
});

test("413 where the models do not fit side by side", async () => {
  const small = createApp({ engine, store: folderStore(folder), limits: { MAX_HOT_BYTES: 900_000 } });
  const response = await small.request("/v1/compare?a=m&b=m", { method: "POST" });
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ limit: "MAX_HOT_BYTES", detail: expect.stringContaining("edgeslim serve") });
});
