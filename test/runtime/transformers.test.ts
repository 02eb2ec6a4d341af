/** Transformers.js loads what comes out of the store, by the names and in the forms that it knows: in Node and in Chromium. */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { AutoModelForMaskedLM, AutoTokenizer, env } from "@huggingface/transformers";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serve } from "../../src/serve.ts";
import { bert } from "../kit/models/bert.ts";
import { runNode, sqnr } from "../kit/ort.ts";
import { wordpiece } from "../kit/wordpiece.ts";
import { hasChromium, launchChromium } from "./chromium.ts";

const VOCABULARY = 96;
const SENTENCE = "The small model runs at the edge, and says what it did.";
const CONFIG = {
  model_type: "bert",
  architectures: ["BertForMaskedLM"],
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 64,
  type_vocab_size: 2,
  vocab_size: VOCABULARY,
  pad_token_id: 0,
};
/** Signal to noise that the logits keep of the original's, of random weights; the 4-bit forms lose more. */
const LEAST_DB = { fp16: 50, q8: 15, int8: 15, uint8: 15, q4: 8, q4f16: 8, bnb4: 8 } as const;
type Dtype = keyof typeof LEAST_DB;

let folder: string;
let serving: Serving;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-transformers-"));
  serving = await serve({ port: 0, models: folder });
  const files = { ...wordpiece(VOCABULARY), "config.json": JSON.stringify(CONFIG), "onnx/model.onnx": bert().bytes };
  for (const [name, body] of Object.entries(files)) {
    const { status } = await fetch(`${serving.url}/v1/models/bert/${name}`, { method: "PUT", body });
    expect(status, name).toBe(201);
  }
  const made = await fetch(`${serving.url}/v1/compress?model=bert&output=bert-web&quantize=all-web`, { method: "POST" });
  expect(made.status, await made.clone().text()).toBe(201);
  Object.assign(env, {
    remoteHost: serving.url,
    remotePathTemplate: "v1/models/{model}/",
    allowLocalModels: false,
    cacheDir: join(folder, ".cache"),
  });
}, 60_000);
afterAll(async () => {
  await serving?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Logits of the sentence by the original, as onnxruntime gives them. */
async function original(ids: BigInt64Array): Promise<Float32Array> {
  const dims = [1, ids.length];
  const filled = (value: bigint) => ({ type: "int64" as const, dims, data: new BigInt64Array(ids.length).fill(value) });
  const feeds = { input_ids: { type: "int64" as const, dims, data: ids }, attention_mask: filled(1n), token_type_ids: filled(0n) };
  return (await runNode(bert().bytes, feeds)).logits?.data as Float32Array;
}

describe("in Node", () => {
  test("the tokenizer came along", async () => {
    const tokenizer = await AutoTokenizer.from_pretrained("bert-web");
    expect(tokenizer.decode(tokenizer.encode(SENTENCE), { skip_special_tokens: true })).toMatch(/^the small model runs at the edge/);
  });

  test.each(Object.entries(LEAST_DB) as [Dtype, number][])("dtype %s keeps %i dB of the logits", async (dtype, least) => {
    const tokenizer = await AutoTokenizer.from_pretrained("bert-web");
    const model = await AutoModelForMaskedLM.from_pretrained("bert-web", { dtype });
    const inputs = await tokenizer(SENTENCE);
    const { logits } = await model(inputs);
    expect(sqnr(await original(BigInt64Array.from(inputs.input_ids.data as BigInt64Array)), logits.data as Float32Array)).toBeGreaterThan(
      least,
    );
    await model.dispose();
  });
});

describe.skipIf(!hasChromium())("in Chromium (Debian package chromium)", () => {
  const require = createRequire(import.meta.url);
  const transformers = dirname(require.resolve("@huggingface/transformers"));
  const ort = dirname(createRequire(join(transformers, "x.js")).resolve("onnxruntime-web"));
  let browser: { page: Page; close(): Promise<void> };
  beforeAll(async () => {
    browser = await launchChromium();
    // Under the server's own origin: the packages' files, as a site would carry them.
    await browser.page.route("**/static/**", (route) => {
      const name = basename(new URL(route.request().url()).pathname);
      return route.fulfill({ path: join(name.startsWith("ort-") ? ort : transformers, name) });
    });
    await browser.page.goto(serving.url);
  });
  afterAll(() => browser?.close());

  test.each(["q8", "q4"] as const)("dtype %s", async (dtype) => {
    const { ids, logits } = (await browser.page.evaluate(`(async () => {
      const { AutoModelForMaskedLM, AutoTokenizer, env } = await import("/static/transformers.min.js");
      Object.assign(env, { remoteHost: location.origin, remotePathTemplate: "v1/models/{model}/", allowLocalModels: false, useBrowserCache: false });
      env.backends.onnx.wasm.wasmPaths = "/static/";
      env.backends.onnx.wasm.numThreads = 1;
      const tokenizer = await AutoTokenizer.from_pretrained("bert-web");
      const model = await AutoModelForMaskedLM.from_pretrained("bert-web", { dtype: ${JSON.stringify(dtype)}, device: "wasm" });
      const inputs = await tokenizer(${JSON.stringify(SENTENCE)});
      const { logits } = await model(inputs);
      return { ids: Array.from(inputs.input_ids.data, Number), logits: Array.from(logits.data) };
    })()`)) as { ids: number[]; logits: number[] };
    expect(sqnr(await original(BigInt64Array.from(ids, BigInt)), Float32Array.from(logits))).toBeGreaterThan(LEAST_DB[dtype]);
  });
});
