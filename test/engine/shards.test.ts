import { describe, expect, test } from "vitest";
import { compress, type FolderOptions, FormatError, inspect, type RecipeInput } from "../../src/index.ts";
import { bytesOf, CONFIG, INDEX, indexOf, json, SHARDS, shardedFolder, text, textOf, unshardedFolder } from "../kit/folders.ts";
import { randomTensor, readTensors, type Tensor, writeTensors } from "../kit/safetensors.ts";

type Files = Record<string, Uint8Array>;

async function run(folder: Files, recipe: RecipeInput, options: FolderOptions = {}) {
  const { files, report } = compress(folder, recipe, options);
  const sources = await files;
  const tensors = new Map<string, Tensor & { file: string }>();
  const orders = new Map<string, string[]>();
  for (const [file, source] of Object.entries(sources)) {
    if (!file.endsWith(".safetensors")) continue;
    const read = readTensors(await bytesOf(source));
    orders.set(file, Object.keys(read.tensors));
    for (const [name, tensor] of Object.entries(read.tensors)) tensors.set(name, { ...tensor, file });
  }
  return { sources, tensors, orders, report: await report };
}

const whole = async (scheme: string): Promise<Record<string, Tensor>> => {
  const { readable } = compress(unshardedFolder()["model.safetensors"] as Uint8Array, { quantize: scheme } as RecipeInput);
  return readTensors(new Uint8Array(await new Response(readable as never).arrayBuffer())).tensors;
};

describe("a sharded model", () => {
  test.each(["fp16", "bf16", "w8", "w4"])("keeps its shards under %s, and holds what the model in one file becomes", async (scheme) => {
    const { sources, tensors, report } = await run(shardedFolder(), { quantize: scheme } as RecipeInput);
    const expected = await whole(scheme);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [name, { file: _, ...tensor }] of tensors) expect(tensor, name).toEqual(expected[name]);
    for (const [name, { file }] of tensors)
      expect(Object.keys(SHARDS[file] ?? {}), name).toContain(name.replace(/_(packed|scale|shape)$/, ""));
    const index = JSON.parse(await textOf(sources[INDEX]));
    expect(index.weight_map).toEqual(Object.fromEntries([...tensors].map(([name, { file }]) => [name, file])));
    expect(index.metadata).toEqual({
      total_size: [...tensors.values()].reduce((n, { data }) => n + data.byteLength, 0),
      total_parameters: 30848,
    });
    expect(report.tensors.map(({ name }) => name).sort()).toEqual(Object.values(SHARDS).flatMap(Object.keys).sort());
    expect(report.source.files).toEqual([INDEX, ...Object.keys(SHARDS)]);
    expect(report.variants).toHaveLength(1);
  });

  test("keeps the order of tensors, and says in each file what it is", async () => {
    const { sources, orders } = await run(shardedFolder(), { quantize: "w8" });
    for (const [file, names] of orders) {
      const own = names.filter((name) => !name.endsWith("_scale"));
      expect(own).toEqual(Object.keys(SHARDS[file] ?? {}));
      const { metadata } = readTensors(await bytesOf(sources[file]));
      expect(metadata).toMatchObject({ format: "pt", "edgeslim.recipe": '{"quantize":{"scheme":"w8"}}' });
      const kept = own.filter((name) => SHARDS[file]?.[name]?.shape.length === 1 || name.includes("embed"));
      expect(JSON.parse(metadata["edgeslim.kept"] as string)).toEqual(kept);
    }
  });

  test("is cut anew, or for the first time, at --shard: parts of a weight stay together, and files stay below it", async () => {
    for (const folder of [shardedFolder(), unshardedFolder()]) {
      const { sources, tensors, orders, report } = await run(folder, { quantize: "w4" }, { shard: 8000 });
      const expected = await whole("w4");
      expect(Object.fromEntries([...tensors].map(([name, { file: _, ...tensor }]) => [name, tensor]))).toEqual(expected);
      expect([...orders.values()].flat(), "in the order of one file").toEqual(Object.keys(expected));
      for (const [name, { file }] of tensors) {
        const weight = name.replace(/_(packed|scale|shape)$/, "");
        for (const part of ["_packed", "_scale", "_shape"])
          if (tensors.has(weight + part)) expect(tensors.get(weight + part)?.file).toBe(file);
      }
      const files = Object.keys(sources).filter((name) => name.endsWith(".safetensors"));
      expect(files.length).toBeGreaterThan(2);
      for (const [i, name] of files.entries())
        expect(name).toBe(`model-${String(i + 1).padStart(5, "0")}-of-${String(files.length).padStart(5, "0")}.safetensors`);
      const over = files.filter((name) => (sources[name]?.size ?? 0) > 8000);
      expect(
        over.flatMap((name) => orders.get(name)),
        "only what no shard could hold",
      ).toEqual(["model.embed_tokens.weight"]);
      expect(report.warnings).toContainEqual({ code: "over-shard", message: expect.any(String), tensors: ["model.embed_tokens.weight"] });
      const index = JSON.parse(await textOf(sources[INDEX]));
      expect(index.weight_map).toEqual(Object.fromEntries([...tensors].map(([name, { file }]) => [name, file])));
    }
  });

  test("becomes one file without an index where a shard has room for all", async () => {
    const { sources } = await run(shardedFolder(), { quantize: "w8" }, { shard: 1 << 20 });
    expect(Object.keys(sources).filter((name) => /safetensors/.test(name))).toEqual(["model.safetensors"]);
  });

  test("is decided about by the names of all its files", async () => {
    const shards = {
      "model-00001-of-00002.safetensors": { "a.weight_scale": randomTensor([64, 32], 1), "b.weight": randomTensor([64, 64], 2) },
      "model-00002-of-00002.safetensors": { "a.weight": randomTensor([64, 64], 3) },
    };
    const { "config.json": _, ...folder } = shardedFolder(shards);
    const { report } = await run(folder, { quantize: "w8" });
    const row = (name: string) => report.tensors.find((tensor) => tensor.name === name);
    expect(row("a.weight_scale")).toMatchObject({ action: "kept", reason: "part of a quantized weight" });
    expect(row("a.weight")).toMatchObject({ action: "kept", reason: expect.stringContaining("'a.weight_scale' stands beside it already") });
    expect(row("b.weight")).toMatchObject({ action: "w8" });
  });

  test("may have a shard in which nothing changes, and a pattern that matches in one", async () => {
    const exclude = ["layers\\.1\\."];
    const { tensors } = await run(shardedFolder(), { quantize: { scheme: "w8", exclude } });
    expect(tensors.get("model.layers.1.mlp.up_proj.weight")?.dtype).toBe("F32");
    expect(tensors.get("model.layers.0.self_attn.q_proj.weight")?.dtype).toBe("I8");
  });

  test("is inspected as one model", async () => {
    const { models } = await inspect(shardedFolder());
    const one = await inspect(unshardedFolder()["model.safetensors"] as Uint8Array);
    expect(models).toHaveLength(1);
    expect({ ...models[0], bytes: 0, schemes: [] }).toEqual({ file: INDEX, ...one, bytes: 0, schemes: [] });
  });

  test("has safetensors that its index does not name left out, as loaders leave them", async () => {
    const { sources, report } = await run({ ...shardedFolder(), "consolidated.safetensors": writeTensors({}) }, { quantize: "w8" });
    expect(Object.keys(sources)).not.toContain("consolidated.safetensors");
    expect(report.warnings).toContainEqual({ code: "extra-file", message: expect.any(String), files: ["consolidated.safetensors"] });
  });

  test("is aborted by name of what is wrong", async () => {
    const broken = shardedFolder();
    const file = "model-00002-of-00002.safetensors";
    broken[file] = (broken[file] as Uint8Array<ArrayBuffer>).slice(0, -4);
    await expect(compress(broken, { quantize: "w8" }).files).rejects.toThrow(/^model-00002-of-00002\.safetensors: .*bytes of data/);
  });
});

describe("an index that is wrong", () => {
  const first = "model-00001-of-00002.safetensors";
  const second = "model-00002-of-00002.safetensors";
  const withIndex = (weight_map: Record<string, string>): Files => ({ ...shardedFolder(), [INDEX]: json({ weight_map }) });
  const without = (name: string): Files => {
    const { [name]: _, ...rest } = shardedFolder();
    return rest;
  };
  const norm = "model.norm.weight";

  test.each<[string, Files, RegExp]>([
    ["a missing shard", without(second), /names the file 'model-00002-of-00002\.safetensors', which is missing/],
    ["a missing index", without(INDEX), /'model-00001-of-00002\.safetensors' is a part of a model, and its index is missing/],
    ["not JSON", { ...shardedFolder(), [INDEX]: text("<html>") }, /is not JSON/],
    ["of a wrong shape", { ...shardedFolder(), [INDEX]: json({ weights: {} }) }, /weight_map/],
    ["a tensor in the wrong file", withIndex({ ...indexOf(), [norm]: first }), /places the tensor 'model\.norm\.weight'/],
    ["a tensor that is nowhere", withIndex({ ...indexOf(), ghost: first }), /'ghost'.*no file has it/],
    ["a tensor left out", withIndex(Object.fromEntries(Object.entries(indexOf()).filter(([name]) => name !== norm))), /does not name/],
    ["a path that leaves the folder", withIndex({ ...indexOf(), [norm]: "../secret.safetensors" }), /names the file "\.\.\/secret/],
    ["an absolute path", withIndex({ ...indexOf(), [norm]: "/etc/passwd" }), /names the file "\/etc\/passwd"/],
    [
      "a tensor in two files",
      { ...shardedFolder(), [second]: writeTensors({ ...SHARDS[second], "model.embed_tokens.weight": randomTensor([2, 2], 1) }) },
      /stands in 'model-00001-of-00002\.safetensors' and in 'model-00002/,
    ],
  ])("%s", async (_what, folder, says) => {
    const error = await compress(folder, { quantize: "w8" }).report.catch((reason: unknown) => reason);
    expect(String(error)).toMatch(says);
    if (_what !== "a missing index") expect(error).toBeInstanceOf(FormatError);
  });

  test("a total_size that lies is written anew", async () => {
    const { sources, tensors } = await run(
      { ...shardedFolder(), [INDEX]: json({ metadata: { total_size: 1e15 }, weight_map: indexOf() }) },
      { quantize: "fp16" },
    );
    const sum = [...tensors.values()].reduce((n, { data }) => n + data.byteLength, 0);
    expect(JSON.parse(await textOf(sources[INDEX])).metadata.total_size).toBe(sum);
  });
});

describe("safetensors in one file", () => {
  test("keep their name, beside the config", async () => {
    const { sources, tensors } = await run(unshardedFolder(), { quantize: "fp16" });
    expect(Object.keys(sources)).toEqual(["model.safetensors", "config.json"]);
    expect(Object.fromEntries([...tensors].map(([name, { file: _, ...tensor }]) => [name, tensor]))).toEqual(await whole("fp16"));
  });

  test("several without an index are not one model", async () => {
    const folder = { "a.safetensors": writeTensors({}), "b.safetensors": writeTensors({}) };
    await expect(compress(folder, { quantize: "w8" }).files).rejects.toThrow(
      /several safetensors files \(a\.safetensors, b\.safetensors\)/,
    );
  });

  test("beside model.safetensors others are left out, shards and their index too", async () => {
    const others = { "model.fp16.safetensors": writeTensors({}), [INDEX]: json({}), "model-00001-of-00002.safetensors": text("") };
    const { sources, report } = await run({ ...others, ...unshardedFolder() }, { quantize: "w8" });
    expect(Object.keys(sources)).toEqual(["model.safetensors", "config.json"]);
    const [extra] = report.warnings.filter(({ code }) => code === "extra-file");
    expect(extra?.files?.sort()).toEqual(Object.keys(others).sort());
  });

  test("whose config tells no type have it copied byte for byte", async () => {
    const config = text('{"a":1.0}');
    const { sources } = await run({ ...unshardedFolder(), "config.json": config }, { quantize: "fp16" });
    expect(await textOf(sources["config.json"])).toBe('{"a":1.0}');
  });
});

test("the config of a model that becomes 16 bits tells the type, its other numbers as they were", async () => {
  const { sources } = await run(unshardedFolder(), { quantize: "bf16" });
  expect(await textOf(sources["config.json"])).toBe(CONFIG.replace('"torch_dtype": "float32"', '"torch_dtype": "bfloat16"'));
});
