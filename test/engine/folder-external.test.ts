import { describe, expect, test } from "vitest";
import { compress, FormatError, inspect } from "../../src/index.ts";
import { moveOut, rawData } from "../kit/external.ts";
import { bytesOf, json, text, textOf } from "../kit/folders.ts";
import { encoder, mlp } from "../kit/models.ts";
import { encodeModel } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { randomTensor, writeTensors } from "../kit/safetensors.ts";

const model = mlp();

/** The model with all its data in files of these names, in turn. */
function external(...locations: string[]) {
  const { model: spec, files } = moveOut(rawData(model.spec), (i) => ({ location: locations[i % locations.length] as string, gap: 0 }));
  return { own: encodeModel(spec), data: files };
}

describe("an ONNX model of a folder with external data", () => {
  test.each([
    ["at the top", "", "model.onnx_data"],
    ["in onnx/", "onnx/", "model.onnx_data"],
    ["under a name that tells nothing", "onnx/", "weights/all.bin"],
    ["under the name of other weights", "", "pytorch_model.bin"],
  ])("%s becomes what the model in one file becomes, and its data is not copied", async (_what, home, location) => {
    const { own, data } = external(location);
    const folder = { [`${home}model.onnx`]: own, [home + location]: data.get(location) as Uint8Array, "README.md": text("x") };
    const { files, report } = compress(folder, { quantize: "w8" });
    const made = await files;
    expect(Object.keys(made).sort()).toEqual(["README.md", "onnx/model_w8.onnx"]);
    expect((await report).source.files).toEqual([`${home}model.onnx`, home + location]);
    expect((await report).source.bytes).toBe(own.byteLength + (data.get(location)?.byteLength ?? 0));
    expect((await report).warnings).toEqual([]);
    const whole = await compress({ "model.onnx": model.bytes }, { quantize: "w8" }).files;
    const [a, b] = await Promise.all([made, whole].map(async (each) => runNode(await bytesOf(each["onnx/model_w8.onnx"]), model.inputs)));
    expect(a).toEqual(b);
  });

  test("is inspected with it", async () => {
    const { own, data } = external("model.onnx_data");
    const { models } = await inspect({ "model.onnx": own, "model.onnx_data": data.get("model.onnx_data") as Uint8Array });
    expect(models).toMatchObject([{ file: "model.onnx", external: { found: true, files: [{ location: "model.onnx_data" }] } }]);
  });

  test("that is missing, leaves the folder or is too short is an error that names the model", async () => {
    const { own } = external("model.onnx_data");
    const failure = (folder: Record<string, Uint8Array>) => compress(folder, { quantize: "w8" }).files.catch((error: unknown) => error);
    expect(await failure({ "model.onnx": own })).toBeInstanceOf(FormatError);
    expect(String(await failure({ "model.onnx": own }))).toMatch(/model\.onnx: .*'model\.onnx_data', which is not there/);
    expect(String(await failure({ "model.onnx": own, "model.onnx_data": new Uint8Array(9) }))).toMatch(/model\.onnx: .*which holds 9/);
    for (const location of ["../secret", "/etc/passwd", "a\\b"]) {
      expect(await failure({ "onnx/model.onnx": external(location).own, secret: text("x") }), location).toBeInstanceOf(FormatError);
    }
  });

  test("that no model keeps data in is left out, and said", async () => {
    const folder = { "onnx/model.onnx": model.bytes, "onnx/other.onnx_data": text("x"), "onnx/model_q4.onnx_data": text("x") };
    const { files, report } = compress(folder, { quantize: "w8" });
    expect(Object.keys(await files)).toEqual(["onnx/model_w8.onnx"]);
    expect((await report).warnings).toContainEqual({
      code: "no-model",
      message: expect.any(String),
      files: ["onnx/model_q4.onnx_data", "onnx/other.onnx_data"],
    });
  });
});

describe("an ONNX model that is split", () => {
  const config = { model_type: "x", "transformers.js_config": { dtype: "q4", use_external_data_format: { model: true } } };

  test("has data files as Transformers.js names them, and the config says how many of each", async () => {
    const bert = encoder();
    const folder = { "onnx/model.onnx": bert.bytes, "config.json": json(config) };
    const { files, report } = compress(folder, { quantize: "all-web" }, { shard: 6000 });
    const made = await files;
    const { use_external_data_format } = JSON.parse(await textOf(made["config.json"]))["transformers.js_config"];
    const variants = (await report).variants.filter((variant) => variant.report);
    expect(Object.keys(use_external_data_format)).toEqual(variants.map(({ files: [own = ""] }) => own.slice("onnx/".length)));
    for (const { files: own, bytes } of variants) {
      const [name = "", ...chunks] = own;
      expect(chunks.length).toBeGreaterThan(1);
      expect(chunks).toEqual(chunks.map((_, i) => `${name}_data${i === 0 ? "" : `_${i}`}`));
      expect(use_external_data_format[name.slice("onnx/".length)]).toBe(chunks.length);
      expect(own.reduce((n, file) => n + (made[file]?.size ?? 0), 0)).toBe(bytes);
      const beside = await Promise.all(chunks.map(async (file) => ({ path: file.slice("onnx/".length), data: await bytesOf(made[file]) })));
      const outputs = await runNode(await bytesOf(made[name]), bert.inputs, { externalData: beside });
      expect(Object.keys(outputs)).toEqual(bert.spec.graph.outputs.map((output) => output.name));
    }
    expect(JSON.parse(await textOf(made["config.json"]))).toMatchObject({ model_type: "x", "transformers.js_config": { dtype: "q4" } });
  });

  test("and is not any more says so to a config that said it was", async () => {
    const made = await compress({ "onnx/model.onnx": model.bytes, "config.json": json(config) }, { quantize: "q8" }).files;
    expect(JSON.parse(await textOf(made["config.json"]))).toEqual({ model_type: "x", "transformers.js_config": { dtype: "q4" } });
  });

  test("without a config warns of what a user has to say", async () => {
    const { report } = compress({ "model.onnx": model.bytes }, { quantize: "fp16" }, { shard: 9000 });
    expect((await report).warnings).toContainEqual({
      code: "no-config",
      message: expect.stringContaining("use_external_data_format"),
      files: ["model_fp16.onnx"],
    });
  });
});

test("a file named .onnx that holds safetensors is an error", async () => {
  const folder = { "model.onnx": writeTensors({ "a.weight": randomTensor([64, 64], 1) }) };
  await expect(compress(folder, { quantize: "w8" }).files).rejects.toThrow(/^model\.onnx: .*holds safetensors/);
});
