import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { FolderInspection, FolderReport } from "../../src/index.ts";
import { bigOnnx } from "../kit/big.ts";
import { moveOut, rawData } from "../kit/external.ts";
import { COMPANIONS, INDEX, shardedFolder, text, unshardedFolder, webFolder } from "../kit/folders.ts";
import { conv, mlp } from "../kit/models.ts";
import { encodeModel } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { edgeslim, folder, listing, nodes } from "./spawn.ts";

type Files = Record<string, Uint8Array>;

function put(cwd: string, files: Files): void {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), bytes);
  }
}

/** A folder for a test, with a model of these files in it. */
function withModel(files: Files): string {
  const cwd = folder();
  put(join(cwd, "my-model"), files);
  return cwd;
}

const filesOf = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(path, name)).isFile())
    .sort();

const WEB = ["fp16", "quantized", "int8", "uint8", "q4"].map((word) => `onnx/model_${word}.onnx`);

describe.each(nodes())("edgeslim compress DIR on Node $version", ({ path: node }) => {
  test("makes a folder that can be published, with a row for each file and each refusal", async () => {
    const cwd = withModel(webFolder());
    const { code, out, err } = await edgeslim(["compress", "my-model/", "-o", "out/", "--quantize", "all-web"], { cwd, node });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(filesOf(join(cwd, "out"))).toEqual(expect.arrayContaining([...WEB, ...Object.keys(COMPANIONS), "config.json"]));
    expect(listing(cwd)).toEqual(["my-model", "out"]);
    const lines = out.split("\n");
    expect(lines[0]).toMatch(/^my-model 127 kB → out [\d.]+ kB, [\d.]+ s$/);
    const column = lines[1]?.indexOf(" kB") ?? 0;
    for (const name of WEB)
      expect(out).toMatch(new RegExp(`^  ${name.replaceAll(".", "\\.")} +[\\d.]+ kB +\\d\\d\\.\\d % {2}\\d+ .*of 46 tensors`, "m"));
    expect(lines[2]?.indexOf(" kB")).toBe(column);
    expect(out).toMatch(/^ {2}copied: README\.md, config\.json, /m);
  });

  test("writes the report, as JSON and as a page", async () => {
    const cwd = withModel({ ...webFolder(), "pytorch_model.bin": text("x") });
    const run = (out: string, report: string) =>
      edgeslim(["compress", "my-model", "-o", out, "-q", "all-web", "--report", report], { cwd, node });
    const { code, err } = await run("a", "report.json");
    expect(code).toBe(0);
    expect(err).toBe(
      "edgeslim: warning: Weights in these formats are not read, and not copied since they would only make the result larger: pytorch_model.bin\n",
    );
    const report = JSON.parse(readFileSync(join(cwd, "report.json"), "utf8")) as FolderReport;
    expect(report.output.files?.filter((name) => name.startsWith("onnx/")).slice(0, 5)).toEqual(WEB);
    expect(report.variants.map(({ scheme }) => scheme)).toEqual(["fp16", "q8", "int8", "uint8", "q4", "q4f16", "bnb4"]);
    await run("b", "report.html");
    const page = readFileSync(join(cwd, "report.html"), "utf8");
    for (const name of WEB) expect(page).toContain(name);
  });
});

describe("the output folder", () => {
  const args = ["compress", "my-model", "-o", "out", "-q", "q8"];

  test("may be there, empty; and is one that its owner and others can read as usual", async () => {
    const cwd = withModel(webFolder());
    mkdirSync(join(cwd, "out"));
    mkdirSync(join(cwd, "usual"));
    expect((await edgeslim(args, { cwd })).code).toBe(0);
    expect((await edgeslim([...args.slice(0, 3), "new", "-q", "q8"], { cwd })).code).toBe(0);
    expect(filesOf(join(cwd, "new"))).toEqual(filesOf(join(cwd, "out")));
    for (const name of ["out", "new"]) expect(statSync(join(cwd, name)).mode).toBe(statSync(join(cwd, "usual")).mode);
  });

  test("that is not empty keeps what it has, and takes nothing of a folder", async () => {
    const cwd = withModel(webFolder());
    put(join(cwd, "out"), { "mine.txt": text("mine") });
    expect((await edgeslim(args, { cwd })).code).toBe(2);
    expect(filesOf(join(cwd, "out"))).toEqual(["mine.txt"]);
  });

  test("takes the variants of one model beside what it has, and replaces nothing", async () => {
    const cwd = folder();
    put(cwd, { "nets/tiny.onnx": mlp().bytes, "out/tokenizer.json": text("{}") });
    const run = (...flags: string[]) => edgeslim(["compress", "nets/tiny.onnx", "-o", ...flags], { cwd });
    expect((await run("out", "-q", "q8")).code).toBe(0);
    expect((await run("out/", "-q", "w4")).code).toBe(0);
    expect((await run("new/", "-q", "fp16")).code).toBe(0);
    expect(filesOf(join(cwd, "out"))).toEqual(["onnx/tiny_quantized.onnx", "onnx/tiny_w4.onnx", "tokenizer.json"]);
    expect(filesOf(join(cwd, "new"))).toEqual(["onnx/tiny_fp16.onnx"]);
    writeFileSync(join(cwd, "out/onnx/tiny_quantized.onnx"), "mine");
    const { code, err } = await run("out", "-q", "all-web");
    expect({ code, err }).toEqual({
      code: 2,
      err: "edgeslim: Cannot write out/onnx/tiny_quantized.onnx: it is there already; remove it, or name another folder\n",
    });
    expect(filesOf(join(cwd, "out"))).toEqual(["onnx/tiny_quantized.onnx", "onnx/tiny_w4.onnx", "tokenizer.json"]);
    expect(readFileSync(join(cwd, "out/onnx/tiny_quantized.onnx"), "utf8")).toBe("mine");
    expect(listing(join(cwd, "out"))).toEqual(["onnx", "tokenizer.json"]);
  });

  test("may be told without a slash where all-web needs one", async () => {
    const cwd = folder();
    put(cwd, { "tiny.onnx": mlp().bytes });
    expect((await edgeslim(["compress", "tiny.onnx", "-o", "out", "-q", "all-web"], { cwd })).code).toBe(0);
    expect(listing(join(cwd, "out"))).toEqual(["onnx"]);
  });

  test("is not there when the run fails", async () => {
    const cwd = withModel({ "a.onnx": mlp().bytes, "b.onnx": mlp().bytes.subarray(0, 9999) });
    const { code } = await edgeslim(args, { cwd });
    expect(code).toBe(3);
    expect(listing(cwd)).toEqual(["my-model"]);
    mkdirSync(join(cwd, "out"));
    await edgeslim(args, { cwd });
    expect(listing(join(cwd, "out"))).toEqual([]);
  });

  test("is not there when a report cannot be written", async () => {
    const cwd = withModel({ "a.onnx": mlp().bytes });
    const { code } = await edgeslim([...args, "--report", "nowhere/r.json"], { cwd });
    expect(code).toBe(1);
    expect(listing(cwd)).toEqual(["my-model"]);
  });

  test.skipIf(process.platform === "win32")("is not there after an interruption", async () => {
    const cwd = withModel({ "a.onnx": mlp().bytes });
    const { writeFile } = await import("node:fs/promises");
    await writeFile(join(cwd, "my-model", "big.onnx"), bigOnnx({ bytes: 150e6 }).chunks());
    const { code } = await edgeslim(args, {
      cwd,
      started: (child) => {
        const wait = setInterval(() => {
          if (!listing(cwd).some((name) => name.endsWith(".part"))) return;
          clearInterval(wait);
          child.kill("SIGINT");
        }, 2);
      },
    });
    expect(code).toBe(130);
    expect(listing(cwd)).toEqual(["my-model"]);
  });
});

describe("a model folder", () => {
  test("of shards is cut at --shard", async () => {
    const cwd = withModel(shardedFolder());
    const { code, out } = await edgeslim(["compress", "my-model", "-o", "out", "-q", "w8", "--shard", "20kB"], { cwd });
    expect(code).toBe(0);
    const shards = filesOf(join(cwd, "out")).filter((name) => name.endsWith(".safetensors"));
    expect(shards).toEqual(shards.map((_, i) => `model-0000${i + 1}-of-0000${shards.length}.safetensors`));
    const { weight_map } = JSON.parse(readFileSync(join(cwd, "out", INDEX), "utf8"));
    expect(new Set(Object.values(weight_map))).toEqual(new Set(shards));
    expect(out).toContain(`  ${shards[0]} and ${shards.length} files more`);
  });

  test("with one model refused says so, and exits 0 for the others", async () => {
    const cwd = withModel({ "a.onnx": mlp().bytes, "b.onnx": conv().bytes });
    const { code, out } = await edgeslim(["compress", "my-model", "-o", "out", "-q", "q4"], { cwd });
    expect(code).toBe(0);
    expect(out).toMatch(/^ {2}q4 of b\.onnx +– +– +refused: .*change nothing/m);
    const none = await edgeslim(["compress", "my-model/b.onnx", "-o", "none", "-q", "q4"], { cwd });
    expect(none.code).toBe(3);
  });

  test("may be where reports and results of this and other runs are being made: none of it is copied", async () => {
    const cwd = withModel({ "a.onnx": mlp().bytes, "notes.part": text("mine"), ".hidden.part": text("mine") });
    put(join(cwd, "my-model"), { "sub/.b.onnx.4f2kq81x.part": text("half"), ".out.4f2kq81x.part/b.onnx": text("half") });
    const args = ["compress", "my-model", "-o", "my-model/out", "-q", "q8", "--report", "my-model/report.html"];
    const { code, err } = await edgeslim(args, { cwd });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(filesOf(join(cwd, "my-model/out"))).toEqual([".hidden.part", "notes.part", "onnx/a_quantized.onnx"]);
    expect(existsSync(join(cwd, "my-model/report.html"))).toBe(true);
  });

  test.skipIf(process.platform === "win32")("has links within it followed, and those that leave it not, which is said", async () => {
    const cwd = withModel({ ...webFolder(), "weights/real.onnx": mlp().bytes });
    put(cwd, { "secret.txt": text("secret"), "elsewhere/x.json": text("{}") });
    const model = join(cwd, "my-model");
    symlinkSync("weights/real.onnx", join(model, "other.onnx"));
    symlinkSync("../secret.txt", join(model, "notes.txt"));
    symlinkSync(join(cwd, "elsewhere"), join(model, "more"));
    symlinkSync("gone", join(model, "dangling"));
    mkdirSync(join(model, ".git"));
    writeFileSync(join(model, ".git", "HEAD"), "ref");
    execFileSync("mkfifo", [join(model, "pipe")]);
    const { code, err } = await edgeslim(["compress", "my-model", "-o", "out", "-q", "q8"], { cwd });
    expect(code).toBe(0);
    expect(err).toMatch(/Links are followed .*\(cp -L\): dangling, more, notes\.txt$/m);
    expect(err).toMatch(/Hidden folders .*: \.git$/m);
    expect(err).toMatch(/no files of a name .*: pipe$/m);
    const made = filesOf(join(cwd, "out"));
    expect(made).toContain("onnx/other_quantized.onnx");
    for (const name of ["notes.txt", "more", "dangling", ".git", "pipe"]) expect(existsSync(join(cwd, "out", name)), name).toBe(false);
  });

  test.skipIf(process.platform === "win32")("whose model is a link out of it is refused with the way out", async () => {
    const cwd = withModel({ "config.json": text("{}") });
    put(cwd, { "blobs/abc": mlp().bytes });
    symlinkSync("../blobs/abc", join(cwd, "my-model", "model.onnx"));
    const { code, err } = await edgeslim(["compress", "my-model", "-o", "out", "-q", "q8"], { cwd });
    expect(code).toBe(3);
    expect(err).toMatch(/warning: Links .*cp -L\): model\.onnx\nedgeslim: my-model: The folder holds no model/);
  });

  test("is inspected, for people and for programs", async () => {
    const cwd = withModel({ ...webFolder(), ...unshardedFolder() });
    const { out } = await edgeslim(["inspect", "my-model"], { cwd });
    expect(out).toMatch(/^my-model: 8 files, /);
    for (const line of [/^onnx\/model\.onnx$/m, /^model\.safetensors$/m, /format +safetensors/]) expect(out).toMatch(line);
    const inspection = JSON.parse((await edgeslim(["inspect", "my-model", "--json"], { cwd })).out) as FolderInspection;
    expect(inspection.models.map(({ file }) => file)).toEqual(["onnx/model.onnx", "model.safetensors"]);
  });
});

describe("one model with external data", () => {
  const model = mlp();
  const { model: spec, files } = moveOut(rawData(model.spec), () => ({ location: "model.onnx_data", gap: 0 }));
  const beside = (): string => {
    const cwd = folder();
    put(cwd, { "in/model.onnx": encodeModel(spec), "in/model.onnx_data": files.get("model.onnx_data") as Uint8Array });
    return cwd;
  };

  test("is read with the files beside it, into a file or a folder", async () => {
    const cwd = beside();
    expect((await edgeslim(["compress", "in/model.onnx", "-o", "small.onnx", "-q", "w8"], { cwd })).code).toBe(0);
    expect((await edgeslim(["compress", "in/model.onnx", "-o", "out/", "-q", "w8"], { cwd })).code).toBe(0);
    const small = readFileSync(join(cwd, "small.onnx"));
    expect(readFileSync(join(cwd, "out/onnx/model_w8.onnx")).equals(small)).toBe(true);
    expect(Object.keys(await runNode(small, model.inputs))).toEqual(["y"]);
    expect((await edgeslim(["inspect", "in/model.onnx"], { cwd })).code).toBe(0);
  });

  test("is written with its data beside it where --shard asks for it", async () => {
    const cwd = beside();
    const { code, out } = await edgeslim(["compress", "in/model.onnx", "-o", "small.onnx", "-q", "fp16", "--shard", "13kB"], { cwd });
    expect(code).toBe(0);
    expect(listing(cwd)).toEqual(["in", "small.onnx", "small.onnx_data", "small.onnx_data_1"]);
    expect(out).toMatch(/→ small\.onnx with 2 files of data 19\.\d kB/);
    const data = ["small.onnx_data", "small.onnx_data_1"].map((path) => ({ path, data: readFileSync(join(cwd, path)) }));
    expect(Object.keys(await runNode(readFileSync(join(cwd, "small.onnx")), model.inputs, { externalData: data }))).toEqual(["y"]);
  });

  test("leaves no data behind when it fails", async () => {
    const cwd = beside();
    writeFileSync(join(cwd, "in/model.onnx"), encodeModel(spec).subarray(0, -3));
    expect((await edgeslim(["compress", "in/model.onnx", "-o", "small.onnx", "-q", "fp16", "--shard", "13kB"], { cwd })).code).toBe(3);
    expect(listing(cwd)).toEqual(["in"]);
  });

  test.skipIf(process.platform === "win32")("that is a link out of its folder is refused", async () => {
    const cwd = beside();
    put(cwd, { secret: files.get("model.onnx_data") as Uint8Array });
    execFileSync("ln", ["-sf", "../secret", join(cwd, "in/model.onnx_data")]);
    const { code, err } = await edgeslim(["compress", "in/model.onnx", "-o", "small.onnx", "-q", "w8"], { cwd });
    expect(code).toBe(3);
    expect(err).toMatch(/in\/model\.onnx: 'model\.onnx_data' is a link out of the model's folder/);
  });
});
