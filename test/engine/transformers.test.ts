import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AutoModel, type DataType, env, Tensor } from "@huggingface/transformers";
import { afterAll, describe, expect, test } from "vitest";
import { compress } from "../../src/index.ts";
import { bytesOf, json } from "../kit/folders.ts";
import { encoder } from "../kit/models.ts";
import { sqnr } from "../kit/reference.ts";

const home = mkdtempSync(join(tmpdir(), "edgeslim-transformers-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
env.allowRemoteModels = false;
env.localModelPath = home;

const model = encoder();
const feeds = Object.fromEntries(
  Object.entries(model.inputs).map(([name, { type, data, dims }]) => [name, new Tensor(type, data as never, dims as number[])]),
);

async function run(name: string, dtype: DataType): Promise<Float32Array> {
  const loaded = await AutoModel.from_pretrained(name, { dtype, local_files_only: true });
  const { logits } = (await loaded(feeds)) as { logits: { data: Float32Array } };
  await loaded.dispose();
  return logits.data;
}

function write(name: string, files: Record<string, Uint8Array>): void {
  for (const [file, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name, file)), { recursive: true });
    writeFileSync(join(home, name, file), bytes);
  }
}

describe.each([
  ["in one file each", undefined],
  ["with their data in files beside them", 6000],
])("Transformers.js loads what all-web makes, %s", (_what, shard) => {
  const config = json({ model_type: "bert", architectures: ["BertModel"] });
  const source = { "onnx/model.onnx": model.bytes, "config.json": config };
  const ready = (async () => {
    write("source", source);
    const { files } = compress(source, { quantize: "all-web" }, { shard });
    for (const [name, file] of Object.entries(await files)) write(`all-web-${shard}`, { [name]: await bytesOf(file) });
    return run("source", "fp32");
  })();

  test.each<[DataType, number]>([
    ["fp16", 40],
    ["q8", 25],
    ["int8", 25],
    ["uint8", 25],
    ["q4", 10],
    ["q4f16", 10],
    ["bnb4", 10],
  ])("dtype %s, within %i dB", async (dtype, db) => {
    expect(sqnr(await ready, await run(`all-web-${shard}`, dtype))).toBeGreaterThan(db);
  });
});
