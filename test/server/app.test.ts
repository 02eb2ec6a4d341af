import { readdirSync, symlinkSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import type { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as engine from "../../src/index.ts";
import { createApp } from "../../src/server/app.ts";
import type { Problem } from "../../src/server/problem.ts";
import { folderStore } from "../../src/store/folder.ts";
import { bigSafetensors } from "../kit/big.ts";
import { mlp } from "../kit/models.ts";
import { DataType, encodeModel, f32, node, randn, value } from "../kit/onnx.ts";
import { concat } from "./http.ts";

let folder: string;
let app: Hono;
const logged: unknown[] = [];
const model = mlp().bytes;
const MB = 1 << 20;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-app-"));
  app = createApp({ engine, store: folderStore(folder), log: (error) => logged.push(error), limits: { MAX_RUNNING: 4 } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const post = (path: string, body: BodyInit | null = model, headers: Record<string, string> = {}) =>
  app.request(path, { method: "POST", body, headers, ...(body instanceof ReadableStream ? { duplex: "half" } : {}) } as RequestInit);
const put = (path: string, body: BodyInit = "0123456789", headers: Record<string, string> = {}) =>
  app.request(path, { method: "PUT", body, headers });
const files = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, "/"),
    )
    .filter((file) => !file.startsWith(".edgeslim~/reports"));

async function problem(response: Response): Promise<Problem> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const document = (await response.json()) as Problem;
  expect(document).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    status: response.status,
    detail: expect.any(String),
  });
  return document;
}

function form(parts: [name: string, value: string | Blob][]): FormData {
  const data = new FormData();
  for (const [name, part] of parts) typeof part === "string" ? data.append(name, part) : data.append(name, part, "m.onnx");
  return data;
}
const blob = new Blob([model]);

test("GET /metrics counts runs and bytes", async () => {
  const app = createApp({ engine });
  const post = (body: Uint8Array) => app.request("/v1/compress?quantize=w8", { method: "POST", body: body as Uint8Array<ArrayBuffer> });
  const { bytes } = mlp();
  const made = await (await post(bytes)).arrayBuffer();
  await post(bytes.subarray(0, 999));
  const response = await app.request("/metrics");
  expect(response.headers.get("content-type")).toContain("application/openmetrics-text");
  const text = await response.text();
  expect(text).toContain('edgeslim_runs_total{outcome="done"} 1');
  expect(text).toContain('edgeslim_runs_total{outcome="failed"} 1');
  expect(text).toContain(`edgeslim_source_bytes_total ${bytes.byteLength}`);
  expect(text).toContain(`edgeslim_output_bytes_total ${made.byteLength}`);
  expect(text.endsWith("# EOF\n")).toBe(true);
});

describe("POST /v1/compress", () => {
  test("answers with the model, and its report can be read at once", async () => {
    const response = await post("/v1/compress?quantize=w8");
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": 'attachment; filename="model-w8.onnx"',
      "cache-control": "no-store, no-transform",
      "edgeslim-layout": "pieced",
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.headers.get("content-length")).toBe(String(bytes.length));
    const report = await (await app.request(response.headers.get("edgeslim-report") as string)).json();
    expect(report).toMatchObject({ edgeslim: engine.VERSION, recipe: { quantize: { scheme: "w8" } }, output: { bytes: bytes.length } });
  });

  test("takes a recipe in the query, and short forms over it", async () => {
    const recipe = encodeURIComponent(JSON.stringify({ quantize: { scheme: "fp16", exclude: ["fc2"] } }));
    const response = await post(`/v1/compress?recipe=${recipe}&quantize=w8`);
    expect(response.status).toBe(200);
    const report = await (await app.request(response.headers.get("edgeslim-report") as string)).json();
    expect(report).toMatchObject({ recipe: { quantize: { scheme: "w8", exclude: ["fc2"] } } });
  });

  test("takes a form with the recipe before the model", async () => {
    const response = await post(
      "/v1/compress",
      form([
        ["recipe", '{"quantize":"w8"}'],
        ["model", blob],
      ]),
    );
    expect(response.status).toBe(200);
    const plain = await post("/v1/compress?quantize=w8");
    expect(await response.bytes()).toEqual(await plain.bytes());
  });

  test.each<[string, number, string, BodyInit | null, Record<string, string>?]>([
    ["no body", 415, "?quantize=w8", null],
    ["an empty body", 415, "?quantize=w8", ""],
    ["no known format", 415, "?quantize=w8", "hello, world"],
    ["a zip archive", 415, "?quantize=w8", new Uint8Array([0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0])],
    ["a cut model", 400, "?quantize=w8", model.subarray(0, 9000)],
    ["an unknown scheme", 400, "?quantize=w9", model],
    ["an unknown parameter", 400, "?quantise=w8", model],
    ["a parameter twice", 400, "?quantize=w8&quantize=w4", model],
    ["a recipe that is not JSON", 400, "?recipe=%7B", model],
    ["a recipe against its schema", 400, "?recipe=%7B%22x%22:1%7D", model],
    ["a flag with a value", 400, "?optimize=perhaps", model],
    ["a long recipe in the query", 413, `?recipe=${JSON.stringify({ quantize: { scheme: "w8", exclude: ["x".repeat(17000)] } })}`, model],
    ["no recipe", 422, "", model],
    ["a scheme of another version", 422, "?quantize=w8a8", model],
    ["samples for a model that is read once", 422, "?quantize=w8a8&samples=s", model],
    ["a bad output name", 400, "?quantize=w8&output=a/b", model],
    ["a model that is not there", 404, "?quantize=w8&model=none", null],
    ["a form without a boundary", 400, "", "x", { "content-type": "multipart/form-data" }],
    [
      "a form that ends early",
      400,
      "?quantize=w8",
      "--b\r\ncontent-disposition: form-data; name=model\r\n\r\n",
      { "content-type": "multipart/form-data; boundary=b" },
    ],
    ["a form without a model", 400, "", form([["recipe", "{}"]])],
    [
      "a form with the model first",
      400,
      "?quantize=w8",
      form([
        ["model", blob],
        ["recipe", "{}"],
      ]),
    ],
    [
      "a form with another part",
      400,
      "?quantize=w8",
      form([
        ["extra", "x"],
        ["model", blob],
      ]),
    ],
    [
      "a form with two models",
      400,
      "?quantize=w8",
      form([
        ["model", blob],
        ["model", blob],
      ]),
    ],
    [
      "a form with a bad recipe",
      400,
      "",
      form([
        ["recipe", "{"],
        ["model", blob],
      ]),
    ],
    [
      "a form with a huge recipe",
      413,
      "",
      form([
        ["recipe", " ".repeat(300_000)],
        ["model", blob],
      ]),
    ],
    ["a form that says nothing", 422, "", form([["model", blob]])],
    [
      "a malformed file name",
      400,
      "?quantize=w8",
      "--b\r\ncontent-disposition: form-data; name=model; filename*=utf-8''%zz\r\n\r\nx\r\n--b--",
      { "content-type": "multipart/form-data; boundary=b" },
    ],
  ])("refuses %s with %i", async (_, status, query, body, headers) => {
    const response = await post(`/v1/compress${query}`, body, headers);
    const document = await problem(response);
    expect(document).toMatchObject({ status });
    expect(document.limit !== undefined).toBe(status === 413);
  });

  test("says where a model is broken", async () => {
    expect(await problem(await post("/v1/compress?quantize=w8", model.subarray(0, 9000)))).toMatchObject({ offset: expect.any(Number) });
  });

  test("answers no broken model with 500, wherever it is cut or changed", async () => {
    for (let i = 0; i < 300; i++) {
      const bytes = model.slice(0, i % 3 === 0 ? (i * 131) % model.length : model.length);
      for (let k = 0; k < i % 4; k++) bytes[(i * 7919 + k * 104729) % bytes.length || 0] = (i * 31 + k) & 255;
      const response = await post("/v1/compress?quantize=w8", bytes);
      expect([200, 400, 413, 415, 422]).toContain(response.status);
      await response.arrayBuffer();
    }
    expect(logged).toEqual([]);
  });

  test("hides what went wrong inside, and logs it", async () => {
    const broken = { ...engine, compressInto: async () => Promise.reject(new Error("the secret path")) };
    const errors: unknown[] = [];
    const bad = createApp({ engine: broken, log: (error) => errors.push(error), limits: { MAX_RUNNING: 1 } });
    for (let i = 0; i < 3; i++) {
      const document = await problem(await bad.request("/v1/compress?quantize=w8", { method: "POST", body: model }));
      expect(document.status).toBe(500);
      expect(document.detail).not.toContain("secret");
    }
    expect(errors).toHaveLength(3);
  });

  test("spools what it cannot hold, and clears it", async () => {
    const weight = f32("w", [2048, 5120], randn(2048 * 5120, 1, 0.05)); // 40 MiB before the node that uses it
    const graph = {
      name: "g",
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      initializers: [weight],
      inputs: [value("x", DataType.FLOAT, ["n", 2048])],
      outputs: [value("y", DataType.FLOAT, ["n", 5120])],
    };
    const bytes = encodeModel({ graph, opsets: { "": 13 } }, { weights: "before" });
    const response = await post("/v1/compress?quantize=w8", bytes);
    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(11 * MB);
    await expect.poll(files).toEqual([]);
    const without = createApp({ engine });
    const refused = await problem(await without.request("/v1/compress?quantize=w8", { method: "POST", body: bytes }));
    expect(refused).toMatchObject({ status: 413, limit: "MAX_LOOKAHEAD", tensor: "w" });
  });

  test("compresses a stored model, to the response or back into the store", async () => {
    expect((await put("/v1/models/m/model.onnx", model)).status).toBe(201);
    const direct = await post("/v1/compress?quantize=w8&model=m", null);
    expect(direct.headers.get("content-disposition")).toBe('attachment; filename="m-w8.onnx"');
    expect(direct.headers.get("edgeslim-layout")).toBe("canonical");
    const created = await post("/v1/compress?quantize=w8&model=m&output=m8", null);
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe("/v1/models/m8/model.onnx");
    const stored = await app.request("/v1/models/m8/model.onnx");
    expect(await stored.bytes()).toEqual(await direct.bytes());
    expect((await problem(await post("/v1/compress?quantize=w8&model=m&output=m", null))).status).toBe(409);
    await put("/v1/models/m/model.safetensors", "x");
    expect((await problem(await post("/v1/compress?quantize=w8&model=m", null))).status).toBe(409);
    await app.request("/v1/models/m", { method: "DELETE" });
    await app.request("/v1/models/m8", { method: "DELETE" });
    expect(files()).toEqual([]);
  });

  test("leaves nothing in the store when the model breaks", async () => {
    const big = concat(bigSafetensors({ bytes: 8 * MB }).chunks());
    expect((await problem(await post("/v1/compress?quantize=w8&output=x", big.subarray(0, 6 * MB)))).status).toBe(400);
    expect(files()).toEqual([]);
  });
});

describe("POST /v1/inspect", () => {
  test("tells what a model is", async () => {
    const response = await post("/v1/inspect");
    expect(await response.json()).toMatchObject({ format: "onnx", opset: 13, operators: { MatMul: 2 } });
  });

  test.each([
    ["", "", 415],
    ["", "garbage!", 415],
    ["?x=1", "x", 400],
    ["?model=none", "", 404],
  ])("refuses '%s' with the body '%s'", async (query, body, status) => {
    expect((await problem(await post(`/v1/inspect${query}`, body))).status).toBe(status);
  });
});

describe.each(["models", "data"])("/v1/%s", (room) => {
  const at = (file: string) => `/v1/${room}/${file}`;

  test("stores, lists, reads and deletes files", async () => {
    const created = await put(at("n/dir/a b%2B.bin"));
    expect(created.status).toBe(201);
    expect(await created.json()).toMatchObject({ name: "n", file: "dir/a b+.bin", bytes: 10, etag: created.headers.get("etag") });
    expect((await put(at("n/dir/a%20b+.bin"))).status).toBe(200);
    expect(await (await app.request(`/v1/${room}`)).json()).toEqual({ [room]: [{ name: "n", files: 1, bytes: 10 }] });
    expect(await (await app.request(at("n"))).json()).toMatchObject({ name: "n", files: [{ file: "dir/a b+.bin", bytes: 10 }] });
    expect((await app.request(at("n/dir/a%20b+.bin"), { method: "DELETE" })).status).toBe(204);
    for (const method of ["GET", "HEAD", "DELETE"]) expect((await app.request(at("n/dir/a%20b+.bin"), { method })).status).toBe(404);
    for (const method of ["GET", "DELETE"]) expect((await app.request(at("n"), { method })).status).toBe(404);
    expect(files()).toEqual([]);
  });

  test("answers ranges and conditions", async () => {
    const etag = (await put(at("r/f"))).headers.get("etag") as string;
    const get = (headers: Record<string, string>) => app.request(at("r/f"), { headers });
    for (const [range, status, content, text] of [
      ["bytes=2-4", 206, "bytes 2-4/10", "234"],
      ["bytes=7-", 206, "bytes 7-9/10", "789"],
      ["bytes=-3", 206, "bytes 7-9/10", "789"],
      ["bytes=-99", 206, "bytes 0-9/10", "0123456789"],
      ["bytes=5-99", 206, "bytes 5-9/10", "56789"],
      ["bytes=4-2", 200, null, "0123456789"],
      ["bytes=0-1,3-4", 200, null, "0123456789"],
      ["lines=1-2", 200, null, "0123456789"],
    ] as const) {
      const response = await get({ range });
      expect([response.status, response.headers.get("content-range"), await response.text()]).toEqual([status, content, text]);
      expect(response.headers.get("content-length")).toBe(String(text.length));
    }
    for (const range of ["bytes=10-", "bytes=-0"]) {
      const response = await get({ range });
      expect((await problem(response)).status).toBe(416);
      expect(response.headers.get("content-range")).toBe("bytes */10");
    }
    for (const [headers, status] of [
      [{ "if-none-match": etag }, 304],
      [{ "if-none-match": `"x", W/${etag}` }, 304],
      [{ "if-none-match": '"x"' }, 200],
      [{ "if-match": '"x"' }, 412],
      [{ "if-match": etag }, 200],
      [{ "if-range": '"x"', range: "bytes=0-0" }, 200],
      [{ "if-range": etag, range: "bytes=0-0" }, 206],
    ] as const) {
      const response = await get(headers);
      expect([headers, response.status]).toEqual([headers, status]);
      await response.text();
    }
    expect((await put(at("r/f"), "x", { "if-none-match": "*" })).status).toBe(412);
    expect((await put(at("r/f"), "x", { "if-match": '"x"' })).status).toBe(412);
    const replaced = await put(at("r/f"), "0123456780", { "if-match": etag });
    expect(replaced.status).toBe(200);
    expect(replaced.headers.get("etag")).not.toBe(etag);
    const head = await app.request(at("r/f"), { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
    await put(at("r/empty"), "");
    expect(await (await app.request(at("r/empty"))).text()).toBe("");
    await app.request(at("r"), { method: "DELETE" });
  });

  test.each([
    ["a%2Fb/f"],
    ["n/%2e%2e%2fx"],
    ["n/a%5Cb"],
    ["n/a%00b"],
    ["n/a//b"],
    ["n/a%1Fb"],
    ["na%20me/f"],
    ["n/%zz"],
    ["129 characters", `${"x".repeat(129)}/f`],
    ["300 characters", `n/${"x".repeat(300)}`],
  ])("refuses the path %s", async (shown, path = shown) => {
    for (const method of ["PUT", "GET", "DELETE"]) {
      const response = await app.request(at(path), { method, ...(method === "PUT" ? { body: "x" } : {}) });
      expect((await problem(response)).status).toBe(400);
    }
    expect(files()).toEqual([]);
  });
});

describe("a folder store", () => {
  test("does not follow a link out of the folder", async () => {
    const outside = await mkdtemp(join(tmpdir(), "edgeslim-outside-"));
    try {
      await writeFile(join(outside, "secret"), "secret");
      symlinkSync(outside, join(folder, "link"));
      symlinkSync(join(outside, "secret"), join(folder, "file"));
      for (const path of ["/v1/models/link/secret", "/v1/models/link"]) expect((await app.request(path)).status).toBe(404);
      expect((await app.request("/v1/models/link/secret", { method: "DELETE" })).status).toBe(404);
      expect((await put("/v1/models/link/new")).status).toBe(409);
      expect(await readFile(join(outside, "secret"), "utf8")).toBe("secret");
      expect(readdirSync(outside)).toEqual(["secret"]);
    } finally {
      await rm(outside, { recursive: true });
      await rm(join(folder, "link"));
      await rm(join(folder, "file"));
    }
  });

  test("tells when a file and a folder have the same name", async () => {
    await put("/v1/models/n/a/b");
    expect((await problem(await put("/v1/models/n/a"))).status).toBe(409);
    expect((await problem(await put("/v1/models/n/a/b/c"))).status).toBe(409);
    expect((await app.request("/v1/models/n/a")).status).toBe(404);
    expect(files()).toEqual(["n/a/b"]);
    await app.request("/v1/models/n", { method: "DELETE" });
    expect(logged).toEqual([]);
  });

  test("keeps its own things out of reach", async () => {
    await put("/v1/data/d/f");
    expect((await app.request("/v1/models/.edgeslim~/data/d/f")).status).toBe(400);
    expect(await (await app.request("/v1/models")).json()).toEqual({ models: [] });
    await app.request("/v1/data/d", { method: "DELETE" });
  });
});

describe("GET /v1/reports/ID", () => {
  test("is 202 while the run is under way, and the run is called lost when it is not heard of", async () => {
    const slow = createApp({ engine, store: folderStore(folder), limits: { LOST_SECONDS: 1, STALL_SECONDS: 60 } });
    const chunks = [...bigSafetensors({ bytes: 16 * MB }).chunks()];
    let goOn = (): void => {};
    const waiting = new Promise<void>((resolve) => (goOn = resolve));
    const upload = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (chunks.length === 4) await waiting;
        const chunk = chunks.shift();
        chunk ? controller.enqueue(chunk) : controller.close();
      },
    });
    const response = await slow.request("/v1/compress?quantize=fp16", { method: "POST", body: upload, duplex: "half" } as RequestInit);
    const path = response.headers.get("edgeslim-report") as string;
    const running = await slow.request(path);
    expect([running.status, running.headers.has("retry-after")]).toEqual([202, true]);
    expect(await running.json()).toMatchObject({ status: "running" });
    goOn();
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(8 * MB);
    await expect.poll(async () => (await slow.request(path)).status).toBe(200);

    const file = join(folder, ".edgeslim~", `${path.replace("/v1/", "")}.json`);
    await writeFile(file, JSON.stringify({ state: "running", recipe: {}, beat: Date.now() - 2000 }));
    const lost = await slow.request(path);
    expect(lost.status).toBe(200);
    expect(await lost.json()).toMatchObject({ error: { status: 500, detail: expect.stringContaining("LOST_SECONDS") } });
  });

  test.each(["x", "00000000-0000-0000-0000-000000000000", "..%2f..%2fx"])("knows no report %s", async (id) => {
    expect((await problem(await app.request(`/v1/reports/${id}`))).status).toBe(404);
  });
});

describe("the rest", () => {
  test("tells of itself", async () => {
    expect(await (await app.request("/v2")).json()).toMatchObject({ name: "edgeslim", version: engine.VERSION });
    expect(await (await app.request("/v2/health/live")).json()).toEqual({ live: true });
    expect(await (await app.request("/v2/health/ready")).json()).toEqual({ ready: true });
    const page = await app.request("/");
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(await page.text()).toContain("/v1/compress");
  });

  test("describes every route in openapi.json, by the recipe's own schema", async () => {
    const document = (await (await app.request("/openapi.json")).json()) as {
      paths: object;
      components: { schemas: Record<string, { properties: object }> };
    };
    const paths = Object.keys(document.paths).map((path) => path.replaceAll(/\{(\w+)\}/g, (_, name) => `:${name.toLowerCase()}`));
    const routes = new Set(
      app.routes.map(({ path }) => path.replace("{.+}", "")).filter((path) => !["/", "/openapi.json", "/*"].includes(path)),
    );
    expect(new Set(paths)).toEqual(routes);
    expect(Object.keys(document.components.schemas.Recipe?.properties ?? {})).toEqual([
      "optimize",
      "prune",
      "distill",
      "quantize",
      "target",
    ]);
    const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name as string);
    for (const name of names) expect(document.components.schemas).toHaveProperty(name);
  });

  test.each([
    ["GET", "/v1/compress", "POST"],
    ["OPTIONS", "/v1/compress", "POST"],
    ["POST", "/", "GET, HEAD"],
    ["PUT", "/v1/models", "GET, HEAD"],
    ["PATCH", "/v1/models/n", "GET, HEAD, DELETE"],
    ["POST", "/v1/data/n/f", "GET, HEAD, PUT, DELETE"],
    ["POST", "/v2", "GET, HEAD"],
  ])("refuses %s %s and tells what is allowed", async (method, path, allow) => {
    const response = await app.request(path, { method });
    expect((await problem(response)).status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
  });

  test.each(["/v1", "/nothing", "/v1/jobs", "/v1/models/n/"])("finds nothing at %s", async (path) => {
    expect((await problem(await app.request(path))).status).toBe(404);
  });

  test("is busy when MAX_RUNNING are under way, and frees every place", async () => {
    const small = createApp({ engine, limits: { MAX_RUNNING: 1 } });
    const once = (body: BodyInit) => small.request("/v1/compress?quantize=w8", { method: "POST", body, duplex: "half" } as RequestInit);
    let end = (): void => {};
    const held = once(new ReadableStream({ start: (controller) => void (end = () => controller.close()) }));
    const refused = await once(model);
    expect((await problem(refused)).status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    end();
    expect((await held).status).toBe(415);
    for (const body of ["", "x", model, new Uint8Array(model.subarray(0, 500))]) await once(body);
    expect((await once(model)).status).toBe(200);
  });
});
