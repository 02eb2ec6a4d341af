import { describe, expect, test } from "vitest";
import { compress, type FolderOptions, inspect, MemorySink, type RecipeInput, UnsupportedError } from "../../src/index.ts";
import { bytesOf, COMPANIONS, CONFIG, json, text, textOf, twoModels, unshardedFolder, webFolder } from "../kit/folders.ts";
import { conv, encoder, lstm, mlp } from "../kit/models.ts";
import { runNode, sqnr } from "../kit/ort.ts";

type Files = Record<string, Uint8Array>;

const run = async (folder: Files, recipe: RecipeInput, options: FolderOptions = {}) => {
  const { files, report } = compress(folder, recipe, options);
  return { files: await files, report: await report };
};
const single = async (model: Uint8Array, scheme: string): Promise<Uint8Array> =>
  new Uint8Array(await new Response(compress(model, { quantize: scheme } as RecipeInput).readable as never).arrayBuffer());
const refusal = async (folder: Files, recipe: RecipeInput): Promise<Error> => {
  const { files, report } = compress(folder, recipe);
  const [a, b] = await Promise.allSettled([files, report]);
  expect(a).toEqual(b);
  expect(a.status).toBe("rejected");
  return (a as PromiseRejectedResult).reason as Error;
};

describe("all-web", () => {
  test("makes every variant under the name that Transformers.js looks for, with the bytes of a run of its own", async () => {
    const folder = webFolder();
    const { files, report } = await run(folder, { quantize: "all-web" });
    const made = report.variants.filter((variant) => variant.report);
    const names: Record<string, string> = {
      fp16: "onnx/model_fp16.onnx",
      q8: "onnx/model_quantized.onnx",
      int8: "onnx/model_int8.onnx",
      uint8: "onnx/model_uint8.onnx",
      q4: "onnx/model_q4.onnx",
      q4f16: "onnx/model_q4f16.onnx",
      bnb4: "onnx/model_bnb4.onnx",
    };
    expect(report.variants.map(({ scheme }) => scheme)).toEqual(Object.keys(names));
    expect(made.length).toBeGreaterThanOrEqual(5);
    for (const { scheme = "", files: own, bytes } of made) {
      expect(own).toEqual([names[scheme]]);
      const expected = await single(folder["onnx/model.onnx"] as Uint8Array, scheme);
      expect(Buffer.compare(await bytesOf(files[own[0] as string]), expected), scheme).toBe(0);
      expect(bytes).toBe(expected.byteLength);
    }
    const expected = [...made.flatMap(({ files: own }) => own), "config.json", ...Object.keys(COMPANIONS)];
    expect(Object.keys(files).sort()).toEqual(expected.sort());
    expect(report.output.files).toEqual(Object.keys(files));
  });

  test("reports what a model does not allow, with the reason, and makes the rest", async () => {
    const { files, report } = await run({ "model.onnx": conv().bytes }, { quantize: "all-web" });
    const q4 = report.variants.find(({ scheme }) => scheme === "q4");
    expect(q4).toMatchObject({ files: [], bytes: 0, refused: expect.stringMatching(/would change nothing/) });
    expect(report.warnings).toContainEqual({
      code: "refused",
      message: expect.stringMatching(/^q4 cannot be used: .*change nothing/),
      files: ["model.onnx"],
    });
    expect(Object.keys(files)).toContain("onnx/model_quantized.onnx");
    expect(Object.keys(files)).not.toContain("onnx/model_q4.onnx");
  });

  test("fails where no scheme can be used, and says of each why", async () => {
    const tiny = lstm().bytes; // an LSTM's weights are no scheme's but those of 16 bits
    const error = await refusal({ "model.onnx": tiny }, { quantize: { scheme: "all-web", exclude: [".*"] } });
    expect(error).toBeInstanceOf(UnsupportedError);
    for (const scheme of ["fp16", "q8", "q4"]) expect(error.message).toContain(`${scheme}: `);
  });

  test("has every weight of the source once in its report, with what each scheme did and what all take", async () => {
    const { report } = await run(twoModels(), { quantize: "all-web" });
    const keys = report.tensors.map(({ file, name }) => `${file} ${name}`);
    expect(new Set(keys).size).toBe(keys.length);
    const made = report.variants.flatMap((variant) => (variant.report ? [{ model: variant.model, report: variant.report }] : []));
    for (const { file, name, action, actions, bytes } of report.tensors) {
      const rows = made.filter(({ model }) => model === file).map(({ report }) => report.tensors.find((row) => row.name === name));
      expect(bytes).toEqual([rows[0]?.bytes[0], rows.reduce((n, row) => n + (row?.bytes[1] ?? 0), 0)]);
      const distinct = [...new Set(rows.map((row) => row?.action))];
      if (distinct.length === 1) expect(action).toBe(distinct[0]);
      else expect({ action, actions }).toEqual({ action: "all-web", actions: distinct });
    }
    expect(report.source).toMatchObject({ format: "onnx", files: ["decoder_model_merged.onnx", "encoder_model.onnx"] });
    expect(report.recipe).toEqual({ quantize: { scheme: "all-web" } });
  });

  test("is refused where one file is to come out", async () => {
    const { readable, report } = compress(mlp().bytes, { quantize: "all-web" });
    await expect(report).rejects.toThrow(/all-web .*folder/);
    await expect(new Response(readable as never).arrayBuffer()).rejects.toThrow();
  });

  test("takes one model where a folder is given to go into; a File gives its name", async () => {
    const sinks = new Map<string, MemorySink>();
    const into = { open: async (name: string) => sinks.set(name, new MemorySink()).get(name) as MemorySink };
    const { files } = compress(new File([mlp().bytes], "mini.v2.onnx"), { quantize: "all-web" }, { into });
    const made = Object.keys(await files);
    expect(made).toContain("onnx/mini.v2_quantized.onnx");
    expect([...sinks.keys()]).toEqual(made);
    const one = compress(mlp().bytes, { quantize: "q8" }, { into });
    expect(Object.keys(await one.files)).toEqual(["onnx/model_quantized.onnx"]);
    const stream = compress(new Blob([mlp().bytes]).stream() as never, { quantize: "all-web" }, { into });
    await expect(stream.files).rejects.toThrow(/read once/);
  });

  test("gives models that compute the same within their rounding", async () => {
    const model = encoder();
    const { files } = await run({ "model.onnx": model.bytes }, { quantize: "all-web" });
    const expected = await runNode(model.bytes, model.inputs);
    for (const [name, source] of Object.entries(files)) {
      const got = await runNode(await bytesOf(source), model.inputs);
      for (const key of Object.keys(expected))
        expect(sqnr(expected[key]?.data as Float32Array, got[key]?.data as Float32Array), name).toBeGreaterThan(8);
    }
  });
});

describe("a folder", () => {
  test("has its companions and its config copied byte for byte", async () => {
    const folder = webFolder();
    const { files, report } = await run(folder, { quantize: "q8" });
    for (const name of [...Object.keys(COMPANIONS), "config.json"])
      expect(Buffer.compare(await bytesOf(files[name]), folder[name] as Uint8Array), name).toBe(0);
    expect(report.copied).toEqual([...Object.keys(COMPANIONS), "config.json"].sort());
    expect(report.source.bytes).toBe(folder["onnx/model.onnx"]?.byteLength);
    expect(report.output.bytes).toBe(files["onnx/model_quantized.onnx"]?.size);
  });

  test("has each of its ONNX models compressed, at the top or in onnx/, and all go to onnx/", async () => {
    const { files } = await run({ "a.onnx": mlp().bytes, "onnx/b.onnx": mlp().bytes }, { quantize: "w8" });
    expect(Object.keys(files).sort()).toEqual(["onnx/a_w8.onnx", "onnx/b_w8.onnx"]);
  });

  test.each([
    ["w8", "_w8"],
    ["w4", "_w4"],
    ["bf16", "_bf16"],
    ["fp16", "_fp16"],
    ["uint8", "_uint8"],
  ])("names what %s makes model%s.onnx", async (scheme, suffix) => {
    const { files } = await run({ "model.onnx": mlp().bytes }, { quantize: scheme } as RecipeInput);
    expect(Object.keys(files)).toEqual([`onnx/model${suffix}.onnx`]);
  });

  test("has its variants left alone, and says so", async () => {
    const own = ["model_quantized", "model_fp16", "model_q4f16", "model_O3", "model_qint8_avx512", "model_w8"];
    const variants = Object.fromEntries(own.map((stem) => [`onnx/${stem}.onnx`, mlp().bytes]));
    const { files, report } = await run({ "onnx/model.onnx": mlp().bytes, ...variants, "q4_model.onnx": mlp().bytes }, { quantize: "q8" });
    expect(Object.keys(files).sort()).toEqual(["onnx/model_quantized.onnx", "onnx/q4_model_quantized.onnx"]);
    expect(report.warnings).toContainEqual({ code: "variant", message: expect.any(String), files: Object.keys(variants).sort() });
  });

  test("has a model whose name only ends like a variant's compressed", async () => {
    const { files } = await run({ "model_quantized.onnx": mlp().bytes }, { quantize: "fp16" });
    expect(Object.keys(files)).toEqual(["onnx/model_quantized_fp16.onnx"]);
  });

  test("has weights in other formats left out, and says so", async () => {
    const others = [
      "pytorch_model.bin",
      "pytorch_model.bin.index.json",
      "tf_model.h5",
      "flax_model.msgpack",
      "model.Q4_K_M.gguf",
      "rust_model.ot",
    ];
    const folder = {
      ...Object.fromEntries(others.map((name) => [name, text("weights")])),
      "model.onnx": mlp().bytes,
      "merges.bin": text("x"),
    };
    const { files, report } = await run(folder, { quantize: "w8" });
    expect(Object.keys(files).sort()).toEqual(["merges.bin", "onnx/model_w8.onnx"]);
    expect(report.warnings).toContainEqual({ code: "other-weights", message: expect.any(String), files: others.sort() });
  });

  test("has models that lie deeper copied as they are, and says so", async () => {
    const { files, report } = await run({ "model.onnx": mlp().bytes, "2_Dense/model.safetensors": text("x") }, { quantize: "w8" });
    expect(await textOf(files["2_Dense/model.safetensors"])).toBe("x");
    expect(report.warnings).toContainEqual({ code: "deeper-model", message: expect.any(String), files: ["2_Dense/model.safetensors"] });
  });

  test("with ONNX and safetensors has the ONNX alone compressed by a scheme of graphs, and both by others", async () => {
    const folder = { ...unshardedFolder(), "onnx/model.onnx": mlp().bytes };
    for (const scheme of ["q8", "q4", "all-web"] as const) {
      const { files, report } = await run(folder, { quantize: scheme });
      expect(Object.keys(files)).not.toContain("model.safetensors");
      expect(report.warnings).toContainEqual({
        code: "safetensors-left",
        message: expect.stringContaining(scheme),
        files: ["model.safetensors"],
      });
      expect(await textOf(files["config.json"]), "the config of an ONNX model says nothing of it").toBe(CONFIG);
    }
    const { files, report } = await run(folder, { quantize: "w8" });
    expect(Object.keys(files)).toEqual(["onnx/model_w8.onnx", "model.safetensors", "config.json"]);
    expect(report.source.format).toBe("onnx+safetensors");
  });

  test("needs no order among its safetensors where they are left out", async () => {
    const shard = "model-00001-of-00002.safetensors";
    const folder = { "onnx/model.onnx": mlp().bytes, "a.safetensors": text("x"), "b.safetensors": text("x"), [shard]: text("x") };
    const { files, report } = await run(folder, { quantize: "q8" });
    expect(Object.keys(files)).toEqual(["onnx/model_quantized.onnx"]);
    expect(report.warnings).toMatchObject([{ code: "safetensors-left", files: ["a.safetensors", "b.safetensors", shard] }]);
  });

  test("may have a model that a scheme cannot serve, as long as another can", async () => {
    const folder = { "embed.onnx": conv().bytes, "decoder.onnx": mlp().bytes };
    const { files, report } = await run(folder, { quantize: "q4" });
    expect(Object.keys(files)).toEqual(["onnx/decoder_q4.onnx"]);
    expect(report.variants.map(({ model, refused }) => [model, refused !== undefined])).toEqual([
      ["decoder.onnx", false],
      ["embed.onnx", true],
    ]);
    expect((await refusal({ "embed.onnx": conv().bytes }, { quantize: "q4" })).message).toMatch(/^embed\.onnx: .*change nothing/);
  });

  test("takes patterns that match in one of its models", async () => {
    const folder = { "a.onnx": encoder().bytes, "b.onnx": mlp().bytes };
    const recipe = (pattern: string): RecipeInput => ({ quantize: { scheme: "w8", exclude: [pattern] } });
    const { report } = await run(folder, recipe("fc1\\.weight"));
    expect(report.tensors.filter(({ reason }) => reason === "excluded by the recipe").map(({ file, name }) => [file, name])).toEqual([
      ["b.onnx", "fc1.weight"],
    ]);
    expect((await refusal(folder, recipe("ghost"))).message).toContain("'ghost' matches no tensor");
  });

  test("may keep the names of Object's prototype", async () => {
    const folder = JSON.parse('{"__proto__": 0, "constructor": 0}') as Files;
    for (const name of Object.keys(folder)) Object.defineProperty(folder, name, { value: text(name) });
    Object.assign(folder, { "model.onnx": mlp().bytes });
    const { files } = await run(folder, { quantize: "w8" });
    expect(Object.keys(files).sort()).toEqual(["__proto__", "constructor", "onnx/model_w8.onnx"]);
  });

  test("is inspected model by model", async () => {
    const folder = { ...webFolder(), ...unshardedFolder(), "pytorch_model.bin": text("x") };
    const inspection = await inspect(folder);
    expect(inspection.models.map(({ file, format }) => [file, format])).toEqual([
      ["onnx/model.onnx", "onnx"],
      ["model.safetensors", "safetensors"],
    ]);
    const { file: _, ...own } = inspection.models[0] as (typeof inspection.models)[0];
    expect(own).toEqual(await inspect(encoder().bytes));
    expect(inspection.files).toHaveLength(Object.keys(folder).length);
    expect(inspection.warnings.map(({ code }) => code)).toEqual(["other-weights"]);
  });

  test("tells its progress by file", async () => {
    const seen = new Map<string, number>();
    const plans: string[] = [];
    const onProgress = ({ file, bytes }: { file: string; bytes: number }) => void seen.set(file, bytes);
    const { files } = await run(webFolder(), { quantize: "q8" }, { onProgress, onPlan: ({ file }) => plans.push(file) });
    expect(plans).toEqual(["onnx/model_quantized.onnx"]);
    expect(seen.get("onnx/model_quantized.onnx")).toBe(webFolder()["onnx/model.onnx"]?.byteLength);
    expect(seen.get("tokenizer.json")).toBe(files["tokenizer.json"]?.size);
  });
});

describe("a folder that is refused", () => {
  test.each<[string, Files, RecipeInput, RegExp]>([
    ["empty", {}, { quantize: "w8" }, /holds no model/],
    ["without a model", { "README.md": text("") }, { quantize: "w8" }, /holds no model.*README\.md/],
    ["with other weights only", { "pytorch_model.bin": text("x") }, { quantize: "w8" }, /holds no model.*pytorch_model\.bin/],
    [
      "two models of one output",
      { "model.onnx": mlp().bytes, "onnx/model.onnx": mlp().bytes },
      { quantize: "w8" },
      /'model\.onnx' and 'onnx\/model\.onnx'/,
    ],
    ["a name that leaves it", { "../model.onnx": mlp().bytes }, { quantize: "w8" }, /\.\.\/model\.onnx/],
    ["an absolute name", { "/model.onnx": mlp().bytes }, { quantize: "w8" }, /names are relative/],
    ["a name with a backslash", { "onnx\\model.onnx": mlp().bytes }, { quantize: "w8" }, /names are relative/],
    ["a name of a drive", { "C:model.onnx": mlp().bytes }, { quantize: "w8" }, /names are relative/],
    ["safetensors alone for browsers", unshardedFolder(), { quantize: "all-web" }, /export the model to ONNX/],
    ["safetensors alone for a scheme of graphs", unshardedFolder(), { quantize: "q8" }, /q8 is for ONNX/],
    ["a config that is not JSON", { ...webFolder(), "config.json": text("{]") }, { quantize: "w8" }, /config\.json is not JSON/],
    ["a config that is a list", { ...webFolder(), "config.json": text("[]") }, { quantize: "w8" }, /config\.json is not a model's/],
    [
      "a broken model, by its name",
      { "a.onnx": mlp().bytes, "b.onnx": mlp().bytes.subarray(0, 9999) },
      { quantize: "w8" },
      /^b\.onnx: .*declares/,
    ],
    [
      "a file that is no model, by its name",
      { "model.onnx": text("version https://git-lfs") },
      { quantize: "w8" },
      /^model\.onnx: .*leading bytes/,
    ],
  ])("%s", async (_what, folder, recipe, says) => {
    expect((await refusal(folder, recipe)).message).toMatch(says);
  });

  test("something that is no source is a TypeError", async () => {
    await expect(compress({ "model.onnx": "text" as never }, { quantize: "w8" }).files).rejects.toThrow(TypeError);
    await expect(compress(webFolder(), { quantize: "w8" }, { shard: 0.5 }).files).rejects.toThrow(TypeError);
  });

  test("drops every file that was written, complete ones too", async () => {
    const dropped: string[] = [];
    const opened: string[] = [];
    const into = {
      async open(name: string) {
        opened.push(name);
        const sink = new MemorySink();
        return Object.assign(sink, { abort: async () => void dropped.push(name) });
      },
    };
    const folder = { "a.onnx": mlp().bytes, "b.onnx": mlp().bytes.subarray(0, 9999), "README.md": text("") };
    await expect(compress(folder, { quantize: "w8" }, { into }).files).rejects.toThrow(/b\.onnx/);
    expect(opened).toEqual(["onnx/a_w8.onnx"]);
    expect(dropped).toEqual(opened);
  });

  test("ends when it is aborted", async () => {
    const abort = new AbortController();
    const folder = { "model.onnx": { size: 1000, read: () => new Promise<Uint8Array>(() => {}) } };
    const { files } = compress(folder, { quantize: "w8" }, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(files).rejects.toThrow("enough");
  });

  test("a sink that fails ends the run with its error", async () => {
    const into = { open: async () => Promise.reject(new Error("disk full")) };
    await expect(compress(webFolder(), { quantize: "w8" }, { into }).report).rejects.toThrow("disk full");
  });
});

test("the result of a folder is a folder that a second, different scheme takes", async () => {
  const { files } = await run({ ...unshardedFolder(), "x.json": json({}) }, { quantize: "fp16" });
  const again = await compress(files, { quantize: "w8" }).files;
  expect(Object.keys(again).sort()).toEqual(["config.json", "model.safetensors", "x.json"]);
});
