import { describe, expect, test } from "vitest";
import { parseConfig, withDType, withExternalData, writeConfig } from "../../src/engine/config.ts";
import { compress, FormatError, type RecipeInput, UnsupportedError } from "../../src/index.ts";
import { CONFIG, json, SHARDS, shardedFolder, text, textOf, unshardedFolder } from "../kit/folders.ts";
import { randomTensor, type Tensor, writeTensors } from "../kit/safetensors.ts";

const configOf = async (folder: Record<string, Uint8Array>, recipe: RecipeInput): Promise<Record<string, never>> =>
  JSON.parse(await textOf((await compress(folder, recipe).files)["config.json"]));

const folderOf = (tensors: Record<string, Tensor>, config: unknown = {}) => ({
  "model.safetensors": writeTensors(tensors),
  "config.json": json(config),
});

describe("quantization_config", () => {
  const LAYERS = ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"];

  test("says for w8 what docs/safetensors.md says, and ignores what stayed in float", async () => {
    for (const folder of [shardedFolder(), unshardedFolder()]) {
      const { quantization_config } = await configOf(folder, { quantize: "w8" });
      expect(quantization_config).toEqual({
        quant_method: "compressed-tensors",
        format: "int-quantized",
        quantization_status: "compressed",
        config_groups: {
          group_0: { targets: ["Linear"], weights: { num_bits: 8, type: "int", symmetric: true, strategy: "channel" } },
        },
        ignore: ["model.embed_tokens", "lm_head"],
      });
    }
  });

  test("says for w4 what docs/safetensors.md says, with layers kept by the recipe", async () => {
    const recipe: RecipeInput = { quantize: { scheme: "w4", exclude: ["q_proj"], overrides: [{ match: "up_proj", scheme: "bf16" }] } };
    const { quantization_config } = await configOf(unshardedFolder(), recipe);
    expect(quantization_config).toEqual({
      quant_method: "compressed-tensors",
      format: "pack-quantized",
      quantization_status: "compressed",
      config_groups: {
        group_0: {
          targets: ["Linear"],
          weights: { num_bits: 4, type: "int", symmetric: true, strategy: "group", group_size: 32 },
        },
      },
      ignore: ["model.embed_tokens", LAYERS[0], LAYERS[1], "lm_head"],
    });
  });

  test("has a group for layers that w4 stores as w8, by their names", async () => {
    const tensors = {
      "a.weight": randomTensor([64, 64], 1),
      "b.weight": randomTensor([64, 32], 2),
      "odd.weight": randomTensor([64, 33], 3),
      "lm_head.weight": randomTensor([64, 32], 4),
    };
    const { quantization_config } = await configOf(folderOf(tensors), { quantize: "w4" });
    expect(quantization_config).toMatchObject({
      format: "mixed-precision",
      config_groups: {
        group_0: { format: "pack-quantized", targets: ["Linear"], weights: { num_bits: 4 } },
        group_1: { format: "int-quantized", targets: ["odd"], weights: { num_bits: 8, strategy: "channel" } },
      },
      ignore: [],
    });
  });

  test("names the kinds of convolutions, and a scale for all of a tensor", async () => {
    const tensors = {
      "conv.weight": randomTensor([32, 8, 3, 3], 1),
      "line.weight": randomTensor([32, 8, 5], 2),
      "fc.weight": randomTensor([64, 64], 3),
    };
    const channel = await configOf(folderOf(tensors), { quantize: "w8" });
    expect(channel.quantization_config).toMatchObject({ config_groups: { group_0: { targets: ["Conv1d", "Conv2d", "Linear"] } } });
    const tensor = await configOf(folderOf(tensors), { quantize: { scheme: "w8", granularity: "per_tensor" } });
    expect(tensor.quantization_config).toMatchObject({ config_groups: { group_0: { weights: { strategy: "tensor" } } } });
  });

  test("cannot tell weights that are not named so: the report warns of them", async () => {
    const tensors = { "fc.weight": randomTensor([64, 64], 1), "experts.up": randomTensor([64, 64], 2) };
    const { warnings } = await compress(folderOf(tensors), { quantize: "w8" }).report;
    expect(warnings).toContainEqual({ code: "no-layer", message: expect.any(String), tensors: ["experts.up"] });
  });

  test("has no place without a config.json: the report says where to find what to write", async () => {
    const { "config.json": _, ...folder } = unshardedFolder();
    const { report, files } = compress(folder, { quantize: "w8" });
    expect(Object.keys(await files)).toEqual(["model.safetensors"]);
    expect((await report).warnings).toContainEqual({
      code: "no-config",
      message: expect.stringContaining("docs/safetensors.md"),
      files: ["model.safetensors"],
    });
  });

  test("leaves the rest of the document as it was", async () => {
    const source = await compress(unshardedFolder(), { quantize: "w8" }).files;
    const made = await textOf(source["config.json"]);
    expect(made.startsWith(CONFIG.slice(0, -3))).toBe(true);
  });
});

describe("a config that has a quantization_config", () => {
  const quantized = (quantization_config: unknown, tensors: Record<string, Tensor> = SHARDS["model-00001-of-00002.safetensors"] ?? {}) =>
    folderOf(tensors, { quantization_config });
  const failure = (folder: Record<string, Uint8Array>, scheme = "w8") =>
    compress(folder, { quantize: scheme } as RecipeInput).report.then(
      () => undefined,
      (error: unknown) => error as Error,
    );

  test.each<[string, Record<string, unknown>, Record<string, Tensor>]>([
    [
      "compressed-tensors, pack-quantized",
      { quant_method: "compressed-tensors", format: "pack-quantized" },
      { "a.weight_packed": randomTensor([64, 32], 1) },
    ],
    ["gptq", { quant_method: "gptq", bits: 4 }, { "a.qweight": randomTensor([64, 32], 1) }],
    ["bitsandbytes", { quant_method: "bitsandbytes", load_in_4bit: true }, {}],
    ["of no named method", { bits: 4 }, {}],
  ])("is refused: %s", async (words, config, tensors) => {
    for (const scheme of ["w8", "fp16"]) {
      const error = await failure(quantized(config, { "b.weight": randomTensor([64, 64], 2), ...tensors }), scheme);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error?.message).toContain(words);
    }
  });

  test("that the tensors contradict is an error that names it", async () => {
    const error = await failure(quantized({ quant_method: "compressed-tensors", format: "pack-quantized" }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error?.message).toMatch(/config\.json says in quantization_config .*pack-quantized/);
  });

  test("missing where tensors are quantized is one too", async () => {
    const error = await failure(folderOf({ "a.weight_packed": randomTensor([64, 32], 1), "b.weight": randomTensor([64, 64], 2) }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error?.message).toMatch(/no quantization_config, and the tensor 'a\.weight_packed'/);
  });

  test("does not matter to the ONNX model beside it", async () => {
    const { mlp } = await import("../kit/models.ts");
    const folder = { "model.onnx": mlp().bytes, "config.json": json({ quantization_config: { quant_method: "gptq" } }) };
    expect(Object.keys(await compress(folder, { quantize: "q8" }).files)).toContain("onnx/model_quantized.onnx");
  });

  test.each([
    ["a quantization_config that is a word", { quantization_config: "int4" }, /quantization_config/],
    ["a quant_method that is a number", { quantization_config: { quant_method: 4 } }, /quant_method/],
    ["a transformers.js_config that is a list", { "transformers.js_config": [] }, /transformers\.js_config/],
  ])("of a wrong shape: %s", async (_what, config, says) => {
    const error = await failure(folderOf({ "b.weight": randomTensor([64, 64], 2) }, config));
    expect(error).toBeInstanceOf(FormatError);
    expect(error?.message).toMatch(says);
  });
});

describe("the text of a config", () => {
  test.each(["1e-05", "10000.0", "-0.0", "1E+2", "12345678901234567890", "0.1", "3"])("keeps the number %s", (number) => {
    expect(writeConfig(parseConfig(`{"a": [${number}], "b": "${number}"}`))).toContain(number);
    expect(JSON.parse(writeConfig(parseConfig(`{"a": ${number}, "b": "x \\" ${number}"}`)))).toEqual({
      a: Number(number),
      b: `x " ${number}`,
    });
  });

  test("keeps text that looks like a number in disguise", () => {
    const config = '{\n  "a": "\\u00001.0",\n  "\\u0000": "x\\"\\u00001.0",\n  "b": 1.0\n}\n';
    expect(writeConfig(parseConfig(config))).toBe(config);
  });
});

describe("withDType", () => {
  test("changes what is there, in the parts of a model too, and nothing else", () => {
    const config = {
      dtype: "float32",
      text_config: { torch_dtype: "float32", hidden: 1 },
      vision_config: {},
      "transformers.js_config": { dtype: "q8" },
      torch_dtype: null,
    };
    expect(withDType(parseConfig(JSON.stringify(config)), "float16")).toEqual({
      ...config,
      dtype: "float16",
      text_config: { torch_dtype: "float16", hidden: 1 },
    });
    expect(withDType({}, "float16")).toEqual({});
  });
});

describe("withExternalData", () => {
  const chunks = new Map([["model_q4.onnx", 3]]);
  test.each<[string, Record<string, unknown>, Map<string, number>, Record<string, unknown>]>([
    ["adds what each file has", { a: 1 }, chunks, { a: 1, "transformers.js_config": { use_external_data_format: { "model_q4.onnx": 3 } } }],
    [
      "keeps what is said of other files, and other settings",
      { "transformers.js_config": { dtype: "q4", use_external_data_format: { "model.onnx": 1, "model_q4.onnx": 9, model: 2 } } },
      chunks,
      { "transformers.js_config": { dtype: "q4", use_external_data_format: { "model.onnx": 1, "model_q4.onnx": 3 } } },
    ],
    [
      "takes away what is said of all",
      { "transformers.js_config": { dtype: "q4", use_external_data_format: true } },
      new Map(),
      { "transformers.js_config": { dtype: "q4" } },
    ],
    ["leaves a config alone where nothing is to say", { a: 1 }, new Map(), { a: 1 }],
  ])("%s", (_what, config, files, expected) => {
    expect(withExternalData(config, files)).toEqual(expected);
  });
});

test("a config may begin with a byte order mark", async () => {
  const folder = { ...unshardedFolder(), "config.json": text("\ufeff{}") };
  expect(await textOf((await compress(folder, { quantize: "w8" }).files)["config.json"])).toMatch(/^{\n {2}"quantization_config"/);
});
