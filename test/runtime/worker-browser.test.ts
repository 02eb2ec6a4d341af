/** A browser's fetch reads only after it has sent all: what it can do with the Worker, and that it is not left hanging. */
import type { Miniflare } from "miniflare";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { startWorker } from "./workerd.ts";

const STALL_SECONDS = 2;

/** In the page: a safetensors file with one float tensor of `megabytes`. */
const makeModel = `async (megabytes) => {
  const bytes = megabytes << 20;
  const json = JSON.stringify({ w: { dtype: "F32", shape: [bytes / 4096, 1024], data_offsets: [0, bytes] } }).padEnd(128);
  const head = new Uint8Array(8 + json.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true);
  head.set(new TextEncoder().encode(json), 8);
  const data = new Float32Array(bytes / 4).map((_, i) => Math.sin(i));
  return new Blob([head, data]);
}`;

describe.skipIf(!hasChromium())("Chromium (Debian package chromium)", () => {
  let mf: Miniflare;
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let page: Page;
  beforeAll(async () => {
    mf = await startWorker({ bindings: { STALL_SECONDS: String(STALL_SECONDS) } });
    browser = await launchChromium();
    page = browser.page;
    await page.goto((await mf.ready).origin);
  });
  afterAll(async () => {
    await browser?.close();
    await mf?.dispose();
  });

  test("reads the page", async () => {
    expect(await page.textContent("h1")).toContain("Edgeslim");
  });

  test("fetch with output=NAME gets the report, and the model from the store", async () => {
    const { status, location, report, bytes } = (await page.evaluate(`(async () => {
      const body = await (${makeModel})(48);
      const response = await fetch("/v1/compress?quantize=w8&output=browser", { method: "POST", body });
      const location = response.headers.get("location");
      const report = await response.json();
      const stored = await fetch(location);
      return { status: response.status, location, report, bytes: (await stored.arrayBuffer()).byteLength };
    })()`)) as { status: number; location: string; report: { output: { bytes: number } }; bytes: number };
    expect([status, location]).toEqual([201, "/v1/models/browser/model.safetensors"]);
    expect(bytes).toBe(report.output.bytes);
    expect(bytes).toBeLessThan(13 << 20);
  });

  test("fetch without output gets small models", async () => {
    const status = await page.evaluate(`(async () => {
      const response = await fetch("/v1/compress?quantize=w8", { method: "POST", body: await (${makeModel})(2) });
      await response.arrayBuffer();
      return response.status;
    })()`);
    expect(status).toBe(200);
  });

  test("fetch without output of a large one ends, in an error or whole, and does not hang", async () => {
    const [outcome, seconds] = (await page.evaluate(`(async () => {
      const started = performance.now();
      const outcome = await fetch("/v1/compress?quantize=fp16", { method: "POST", body: await (${makeModel})(96) })
        .then(async (response) => (await response.arrayBuffer()).byteLength, (error) => error.name)
        .catch((error) => error.name);
      return [outcome, (performance.now() - started) / 1000];
    })()`)) as [unknown, number];
    if (outcome !== "TypeError") expect(outcome).toBeGreaterThan(48 << 20);
    expect(seconds).toBeLessThan(STALL_SECONDS + 15);
  });
});
