import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mlp } from "../kit/models.ts";
import { type Door, doorSuite, STALL_SECONDS } from "../server/door.ts";
import { openUploads, startWorker } from "./workerd.ts";

describe("the Worker, with a bucket", () => {
  let mf: Miniflare;
  let door: Door;
  let persist: string;
  beforeAll(async () => {
    persist = await mkdtemp(join(tmpdir(), "edgeslim-r2-"));
    mf = await startWorker({ persist, bindings: { STALL_SECONDS: String(STALL_SECONDS) } });
    const url = (await mf.ready).origin;
    const bucket = await mf.getR2Bucket("MODELS");
    const leftovers = async () => [
      ...(await bucket.list()).objects.map(({ key }) => key).filter((key) => !key.startsWith("reports/")),
      ...openUploads(persist),
    ];
    door = { url, tellsLength: true, leftovers };
  });
  afterAll(async () => {
    await mf?.dispose();
    await rm(persist, { recursive: true, force: true });
  });

  doorSuite(() => door);
});

describe("the Worker, without a bucket", () => {
  let mf: Miniflare;
  beforeAll(async () => {
    mf = await startWorker({ r2: false });
  });
  afterAll(() => mf?.dispose());

  test("compresses and names no report", async () => {
    const response = await mf.dispatchFetch("http://localhost/v1/compress?quantize=w8", { method: "POST", body: mlp().bytes });
    expect(response.status).toBe(200);
    expect(response.headers.has("edgeslim-report")).toBe(false);
    await response.arrayBuffer();
  });

  test.each([
    ["POST", "/v1/compress?quantize=w8&output=x", 422],
    ["POST", "/v1/compress?quantize=w8&model=x", 404],
    ["GET", "/v1/models", 404],
    ["GET", "/v1/reports/x", 404],
  ])("refuses %s %s", async (method, path, status) => {
    const response = await mf.dispatchFetch(`http://localhost${path}`, { method, ...(method === "POST" ? { body: mlp().bytes } : {}) });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    await response.arrayBuffer();
  });
});
