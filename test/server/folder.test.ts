import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FolderReport } from "../../src/index.ts";
import * as engine from "../../src/index.ts";
import { createApp } from "../../src/server/app.ts";
import type { StoreSink } from "../../src/server/ports.ts";
import { folderStore } from "../../src/store/folder.ts";
import { moveOut, rawData } from "../kit/external.ts";
import { COMPANIONS, INDEX, shardedFolder, text, twoModels, unshardedFolder, webFolder } from "../kit/folders.ts";
import { conv, mlp } from "../kit/models.ts";
import { encodeModel } from "../kit/onnx.ts";

type Files = Record<string, Uint8Array>;

let folder: string;
let app: Hono;
/** Files that are open in the store. */
let opened: Set<string>;
/** Keys whose sinks fail when they are closed. */
let failing: RegExp | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-folder-"));
  failing = undefined;
  opened = new Set();
  const store = folderStore(folder);
  const watched = {
    ...store,
    async open(key: string) {
      const object = await store.open(key);
      if (!object) return undefined;
      opened.add(key);
      return { ...object, close: async () => (opened.delete(key), object.close()) };
    },
    sink(key: string): StoreSink {
      const sink = store.sink(key);
      const fail = failing?.test(key);
      return { ...sink, close: () => (fail ? Promise.reject(new Error("disk full")) : sink.close()) };
    },
  };
  app = createApp({ engine, store: watched, limits: { MAX_RUNNING: 4 } });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const post = (path: string, body: BodyInit | null = null) => app.request(path, { method: "POST", body });
async function put(name: string, files: Files): Promise<void> {
  for (const [file, bytes] of Object.entries(files)) {
    const { status } = await app.request(`/v1/models/${name}/${file}`, { method: "PUT", body: bytes as Uint8Array<ArrayBuffer> });
    expect(status).toBe(201);
  }
}
const get = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await app.request(path)).arrayBuffer());
const filesOf = async (name: string): Promise<string[]> => {
  const response = await app.request(`/v1/models/${name}`);
  if (response.status === 404) return [];
  return ((await response.json()) as { files: { file: string }[] }).files.map(({ file }) => file);
};
const problem = async (response: Response) => ({ status: response.status, ...((await response.json()) as { detail: string }) });

describe("POST /v1/compress?model=NAME&output=NAME2 of several files", () => {
  test("puts a folder into the store, and tells its files", async () => {
    const model = webFolder();
    await put("m", model);
    const response = await post("/v1/compress?model=m&output=m2&quantize=all-web");
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe("/v1/models/m2");
    const report = (await response.json()) as FolderReport;
    const paths = (await filesOf("m2")).map((file) => `/v1/models/m2/${file}`);
    expect([...(report.output.files ?? [])].sort()).toEqual(paths.sort());
    expect(paths).toEqual(expect.arrayContaining([...Object.keys(COMPANIONS), "config.json"].map((file) => `/v1/models/m2/${file}`)));
    const expected = await engine.compress(model, { quantize: "all-web" }).files;
    for (const path of paths) {
      const source = expected[path.slice("/v1/models/m2/".length)];
      expect(Buffer.compare(await get(path), (await source?.read(0, source.size)) as Uint8Array), path).toBe(0);
    }
    for (const variant of report.variants) for (const file of variant.files) expect(paths).toContain(file);
    const stored = await app.request(response.headers.get("edgeslim-report") as string);
    expect(await stored.json()).toEqual(report);
    expect([...opened].filter((key) => key.startsWith("models/"))).toEqual([]);
    const metrics = await (await app.request("/metrics")).text();
    expect(metrics).toContain('edgeslim_runs_total{outcome="done"} 1');
  });

  test("compresses all models, shards and external data of it", async () => {
    const { model: spec, files: data } = moveOut(rawData(mlp().spec), () => ({ location: "d.bin", gap: 0 }));
    await put("m", { ...shardedFolder(), ...twoModels(), "external.onnx": encodeModel(spec), "d.bin": data.get("d.bin") as Uint8Array });
    const response = await post("/v1/compress?model=m&output=m2&quantize=w8&shard=20kB");
    expect(response.status).toBe(201);
    const names = await filesOf("m2");
    expect(names).toEqual(
      expect.arrayContaining([INDEX, "onnx/decoder_model_merged_w8.onnx", "onnx/encoder_model_w8.onnx", "onnx/external_w8.onnx"]),
    );
    expect(names).toContain("onnx/encoder_model_w8.onnx_data");
    expect(names.filter((name) => /^model-\d+-of/.test(name)).length).toBeGreaterThan(1);
    expect(names).not.toContain("d.bin");
    expect(JSON.parse(Buffer.from(await get("/v1/models/m2/config.json")).toString())).toMatchObject({
      quantization_config: { format: "int-quantized" },
    });
  });

  test("makes several files of one, where all-web or shards are asked for", async () => {
    await put("m", { "model.onnx": mlp().bytes });
    expect((await post("/v1/compress?model=m&output=a&quantize=all-web")).status).toBe(201);
    expect(await filesOf("a")).toEqual(
      expect.arrayContaining(["fp16", "int8", "q4", "quantized", "uint8"].map((word) => `onnx/model_${word}.onnx`)),
    );
    await put("s", { "model.safetensors": unshardedFolder()["model.safetensors"] as Uint8Array });
    expect((await post("/v1/compress?model=s&output=b&quantize=w8&shard=20kB")).status).toBe(201);
    expect(await filesOf("b")).toContain(INDEX);
  });

  test("of one file stays a file", async () => {
    await put("m", { "model.onnx": mlp().bytes });
    const response = await post("/v1/compress?model=m&output=m2&quantize=w8");
    expect(response.headers.get("location")).toBe("/v1/models/m2/model.onnx");
    expect(await response.json()).toMatchObject({ output: { files: ["/v1/models/m2/model.onnx"] } });
    expect(await filesOf("m2")).toEqual(["model.onnx"]);
  });

  test("without an output answers with the only model there is, read with its data", async () => {
    const { model: spec, files: data } = moveOut(rawData(mlp().spec), () => ({ location: "model.onnx_data", gap: 0 }));
    await put("m", {
      "onnx/model.onnx": encodeModel(spec),
      "onnx/model.onnx_data": data.get("model.onnx_data") as Uint8Array,
      ...COMPANIONS,
    });
    const response = await post("/v1/compress?model=m&quantize=w8");
    expect(response.status).toBe(200);
    const inspection = await engine.inspect(await response.bytes());
    expect(inspection.tensors.some(({ name }) => name.startsWith("fc1.weight"))).toBe(true);
    await put("n", twoModels());
    expect(await problem(await post("/v1/compress?model=n&quantize=w8"))).toMatchObject({
      status: 409,
      detail: expect.stringContaining("name an output"),
    });
  });

  test.each<[string, number, string, Files, RegExp]>([
    ["no model", 404, "quantize=w8&output=o", { "README.md": text("x") }, /no model 'm'/],
    ["a broken model", 400, "quantize=w8&output=o", { "a.onnx": mlp().bytes, "b.onnx": mlp().bytes.subarray(0, 9000) }, /^b\.onnx: /],
    [
      "a file that is no model",
      415,
      "quantize=w8&output=o",
      { "a.onnx": mlp().bytes, "b.onnx": text("hello, world") },
      /^b\.onnx: .*leading bytes/,
    ],
    [
      "a missing shard",
      400,
      "quantize=w8&output=o",
      { [INDEX]: shardedFolder()[INDEX] as Uint8Array, "x.safetensors": text("x") },
      /which is missing/,
    ],
    ["a config that is not JSON", 400, "quantize=w8&output=o", { ...webFolder(), "config.json": text("{") }, /config\.json is not JSON/],
    [
      "a model that is quantized already",
      422,
      "quantize=w8&output=o",
      { ...unshardedFolder(), "config.json": text('{"quantization_config":{"quant_method":"bitsandbytes"}}') },
      /quantized already.*bitsandbytes/,
    ],
    [
      "schemes that the model does not allow",
      422,
      "quantize=q4&output=o",
      { "a.onnx": conv().bytes, "b.txt": text("") },
      /would change nothing/,
    ],
    ["all-web for safetensors", 422, "quantize=all-web&output=o", unshardedFolder(), /export the model to ONNX/],
    [
      "two models of one output",
      422,
      "quantize=w8&output=o",
      { "model.onnx": mlp().bytes, "onnx/model.onnx": mlp().bytes },
      /would both be written/,
    ],
    ["its own name", 409, "quantize=w8&output=m", webFolder(), /choose another output/],
    ["a shard that is no size", 400, "quantize=w8&output=o&shard=1x", webFolder(), /'shard' is a number of bytes/],
    ["all-web without an output", 422, "quantize=all-web", webFolder(), /model=m&output=OUTPUT/],
    ["shards without an output", 422, "quantize=w8&shard=1MB", webFolder(), /'shard' makes several files/],
  ])("refuses %s: %i, and leaves nothing in the store", async (_what, status, query, files, says) => {
    await put("m", files);
    const refused = await problem(await post(`/v1/compress?model=m&${query}`));
    expect(refused).toMatchObject({ status, detail: expect.stringMatching(says) });
    expect(await filesOf("o")).toEqual([]);
    expect(await filesOf("m")).toEqual(Object.keys(files).sort());
  });

  test("refuses to mix with what is there", async () => {
    await put("m", webFolder());
    await put("o", { "onnx/model_q4.onnx": text("old") });
    expect(await problem(await post("/v1/compress?model=m&output=o&quantize=w8"))).toMatchObject({
      status: 409,
      detail: expect.stringContaining("DELETE it"),
    });
    expect(await filesOf("o")).toEqual(["onnx/model_q4.onnx"]);
  });

  test("into one output twice at once: one is stored whole, the other refused", async () => {
    await put("m", webFolder());
    await put("n", twoModels());
    const paths = { m: "/v1/compress?model=m&output=o&quantize=all-web", n: "/v1/compress?model=n&output=o&quantize=w8" };
    const answers = await Promise.all([post(paths.m), post(paths.n)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    const [done, refused] = answers[0]?.status === 201 ? answers : [...answers].reverse();
    expect((await problem(refused as Response)).detail).toMatch(/Another run is writing to \/v1\/models\/o;/);
    const { output } = (await (done as Response).json()) as FolderReport;
    expect((await filesOf("o")).map((file) => `/v1/models/o/${file}`)).toEqual([...(output.files ?? [])].sort());
    for (const path of Object.values(paths))
      expect(await problem(await post(path))).toMatchObject({ status: 409, detail: expect.stringContaining("DELETE it") });
  });

  test("gives the output's name back when it fails", async () => {
    await put("m", webFolder());
    failing = /o\/vocab\.txt$/;
    expect((await post("/v1/compress?model=m&output=o&quantize=all-web")).status).toBe(500);
    failing = undefined;
    expect((await post("/v1/compress?model=m&output=o&quantize=all-web")).status).toBe(201);
    expect((await app.request("/v1/models/o", { method: "DELETE" })).status).toBe(204);
    expect((await post("/v1/compress?model=m&output=o&quantize=all-web")).status).toBe(201);
  });

  test("leaves nothing when the store fails at the last file", async () => {
    await put("m", webFolder());
    failing = /o\/vocab\.txt$/;
    expect((await post("/v1/compress?model=m&output=o&quantize=all-web")).status).toBe(500);
    expect(await filesOf("o")).toEqual([]);
  });

  test("leaves nothing when the client goes", async () => {
    await put("m", webFolder());
    const abort = new AbortController();
    const request = new Request("http://x/v1/compress?model=m&output=o&quantize=all-web", { method: "POST", signal: abort.signal });
    const response = Promise.resolve(app.fetch(request));
    setTimeout(() => abort.abort(), 5);
    await response.catch(() => {});
    await expect.poll(() => filesOf("o")).toEqual([]);
    expect([...opened]).toEqual([]);
  });
});

describe("an upload that would become several files", () => {
  test.each([
    ["all-web into the store", "?quantize=all-web&output=o"],
    ["all-web into the answer", "?quantize=all-web"],
    ["all-web in a document", `?recipe=${encodeURIComponent('{"quantize":{"scheme":"all-web"}}')}&output=o`],
    ["shards", "?quantize=w8&shard=1MB&output=o"],
  ])("is refused with the way out: %s", async (_what, query) => {
    const refused = await problem(await post(`/v1/compress${query}`, mlp().bytes));
    expect(refused).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/PUT the model to \/v1\/models\/NAME\/model\.onnx, then POST \/v1\/compress\?model=NAME/),
    });
  });

  test("in a form too", async () => {
    const form = new FormData();
    form.set("recipe", '{"quantize":"all-web"}');
    form.set("model", new Blob([mlp().bytes]), "m.onnx");
    expect((await problem(await post("/v1/compress?output=o", form))).detail).toMatch(/all-web makes several files/);
    expect(await filesOf("o")).toEqual([]);
  });
});

test("POST /v1/inspect tells of a stored model of several files what each of its models is", async () => {
  await put("m", { ...twoModels(), ...COMPANIONS });
  const response = await post("/v1/inspect?model=m");
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(await engine.inspect({ ...twoModels(), ...COMPANIONS }))));
  await put("one", { "model.onnx": mlp().bytes, ...COMPANIONS });
  expect(await (await post("/v1/inspect?model=one")).json()).toEqual(JSON.parse(JSON.stringify(await engine.inspect(mlp().bytes))));
});

test("openapi.json names all that a report on a folder says", async () => {
  interface Schema {
    $ref?: string;
    allOf?: Schema[];
    properties?: Record<string, Schema>;
    items?: Schema;
  }
  const document = (await (await app.request("/openapi.json")).json()) as {
    paths: Record<string, { post: { parameters: { name: string; schema: { enum?: string[] } }[] } }>;
    components: { schemas: Record<string, Schema> };
  };
  const { parameters } = document.paths["/v1/compress"]?.post ?? { parameters: [] };
  expect(parameters.map(({ name }) => name)).toContain("shard");
  expect(parameters.find(({ name }) => name === "quantize")?.schema.enum).toContain("all-web");
  const { schemas } = document.components;
  const propertiesOf = ({ $ref, allOf = [], properties = {} }: Schema): Record<string, Schema> =>
    Object.assign(
      {},
      properties,
      ...allOf.map(propertiesOf),
      $ref ? propertiesOf(schemas[$ref.slice($ref.lastIndexOf("/") + 1)] as Schema) : {},
    );
  const unknown = (value: unknown, schema: Schema, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((each) => unknown(each, schema.items ?? {}, `${path}[]`));
    if (typeof value !== "object" || value === null || /recipe$/.test(path)) return [];
    const properties = propertiesOf(schema);
    return Object.entries(value).flatMap(([key, inner]) =>
      properties[key] ? unknown(inner, properties[key], `${path}.${key}`) : [`${path}.${key}`],
    );
  };
  await put("m", { ...webFolder(), ...twoModels() });
  const report = await (await post("/v1/compress?model=m&output=o&quantize=all-web&shard=20kB")).json();
  expect([...new Set(unknown(report, { $ref: "#/FolderReport" }, ""))]).toEqual([]);
});
