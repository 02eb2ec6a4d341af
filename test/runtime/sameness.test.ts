/** The same source, recipe and layout give the same bytes in every runtime and from both builds of the kernels. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/engine/engine.ts";
import { load } from "../../src/index.ts";
import { supportsRelaxed } from "../../src/kernels/relaxed.ts";
import { bigSafetensors } from "../kit/big.ts";
import { conv, doubleModel, encoder, halfModel, ifModel, oddValues } from "../kit/models.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { concat } from "../server/http.ts";
import { hasChromium, launchChromium } from "./chromium.ts";
import { hashes, SCHEMES } from "./hashes.ts";
import { startWorker } from "./workerd.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const wasm = (variant: string) => readFile(here(`../../build/compress.${variant}.wasm`));

const models: Record<string, Uint8Array> = {};
let expected: Record<string, string>;
let folder: string;

beforeAll(async () => {
  for (const { name, bytes } of [conv(), doubleModel(), encoder(), halfModel(), ifModel(), oddValues()]) models[`${name}.onnx`] = bytes;
  models["recognizer.onnx"] = await readRealModel(realModels.recognizer);
  models["layers.safetensors"] = concat(bigSafetensors({ bytes: 3 << 20, rows: 300, cols: 384 }).chunks());
  folder = await mkdtemp(join(tmpdir(), "edgeslim-sameness-"));
  for (const [name, bytes] of Object.entries(models)) await writeFile(join(folder, name), bytes);
  const simd = await WebAssembly.compile(await wasm("simd"));
  expected = await hashes(
    createEngine(async () => ({ simd }), load),
    models,
  );
});

afterAll(() => rm(folder, { recursive: true }));

describe("the bytes that come out are those of Node's SIMD build", () => {
  test("whatever the model: they say something", () => {
    expect(new Set(Object.values(expected)).size).toBeGreaterThan(Object.keys(models).length * SCHEMES.length);
    expect(Object.values(expected).filter((value) => !/^[0-9a-f]{64}$|^UnsupportedError$/.test(value))).toEqual([]);
  });

  test.skipIf(!supportsRelaxed())("in Node's relaxed build", async () => {
    const relaxed = await WebAssembly.compile(await wasm("relaxed"));
    expect(
      await hashes(
        createEngine(async () => ({ relaxed }), load),
        models,
      ),
    ).toEqual(expected);
  });

  test.each([
    ["Deno", "deno", ["run", "-A"]],
    ["Bun", "bun", []],
  ])("in %s", async (_name, command, args) => {
    const binary = here(`../../node_modules/.bin/${command}`);
    const { stdout } = await promisify(execFile)(binary, [...args, here("hashes-main.ts"), folder], { maxBuffer: 1 << 24 });
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  test("in workerd", async () => {
    const worker = await startWorker();
    try {
      const url = (await worker.ready).href;
      for (const [name, bytes] of Object.entries(models)) {
        for (const scheme of SCHEMES) {
          const want = expected[`${name} ${scheme} stream`];
          const response = await fetch(new URL(`/v1/compress?quantize=${scheme}`, url), {
            method: "POST",
            body: bytes as Uint8Array<ArrayBuffer>,
          });
          const body = await response.arrayBuffer().catch(() => undefined); // a late refusal breaks the answer off
          const got = response.ok && body ? createHash("sha256").update(new Uint8Array(body)).digest("hex") : "UnsupportedError";
          expect(got, `${name} ${scheme}`).toBe(want);
        }
      }
    } finally {
      await worker.dispose();
    }
  });

  test.skipIf(!hasChromium())("in Chromium", async () => {
    const server = await servePage();
    const { page, close } = await launchChromium();
    try {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect(await page.evaluate(`window.run(${JSON.stringify(Object.keys(models))})`)).toEqual(expected);
    } finally {
      await close();
      server.closeAllConnections();
      server.close();
    }
  });
});

/** The module as a bundler for browsers makes it, the kernels beside it, and the models. */
async function servePage(): Promise<Server> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import * as engine from "../../src/index.ts";
        import { hashes } from "./hashes.ts";
        window.run = async (names) => {
          const models = {};
          for (const name of names) models[name] = new Uint8Array(await (await fetch("/models/" + encodeURIComponent(name))).arrayBuffer());
          return hashes(engine, models);
        };`,
      resolveDir: here("."),
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    external: ["node:fs/promises"],
  });
  const script = outputFiles[0]?.text ?? "";
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? "/");
    const send = (type: string, body: string | Uint8Array): void => void response.setHeader("content-type", type).end(body);
    if (path === "/")
      send("text/html", '<!doctype html><title>Edgeslim</title><script type="module" src="/src/kernels/bundle.js"></script>');
    else if (path.endsWith("bundle.js")) send("text/javascript", script);
    else if (path.endsWith(".wasm")) send("application/wasm", await readFile(here(`../../build/${path.split("/").at(-1)}`)));
    else if (path.startsWith("/models/")) send("application/octet-stream", models[path.slice("/models/".length)] ?? "");
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
