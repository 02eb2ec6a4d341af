import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";
import { unshardedFolder } from "../kit/folders.ts";
import { mlp } from "../kit/models.ts";
import { edgeslim, folder, listing, nodes } from "./spawn.ts";

const MODEL = mlp().bytes;
const BIG = bigOnnx({ bytes: 150e6 });

function modelFolder(): string {
  const cwd = folder();
  writeFileSync(join(cwd, "model.onnx"), MODEL);
  writeFileSync(join(cwd, "broken.onnx"), MODEL.subarray(0, MODEL.byteLength - 5000));
  writeFileSync(join(cwd, "model.safetensors"), unshardedFolder()["model.safetensors"] as Uint8Array);
  writeFileSync(join(cwd, "text.onnx"), "This is no model.\n");
  writeFileSync(join(cwd, "empty.onnx"), "");
  writeFileSync(join(cwd, "bad.json"), "{");
  writeFileSync(join(cwd, "wrong.json"), '{"quantise":"w8"}');
  mkdirSync(join(cwd, "folder"));
  mkdirSync(join(cwd, "web"));
  writeFileSync(join(cwd, "web", "model.onnx"), MODEL);
  writeFileSync(join(cwd, "web", "broken.onnx"), MODEL.subarray(0, MODEL.byteLength - 5000));
  return cwd;
}

const w8 = (model: string, output = "out.onnx") => ["compress", model, "-o", output, "--quantize", "w8"];

describe.each(nodes())("exit codes on Node $version", ({ path: node }) => {
  test.each<[number, string, string[], RegExp]>([
    [2, "no command", [], /Usage: edgeslim/],
    [2, "an unknown command", ["squash", "model.onnx"], /unknown command 'squash'/],
    [2, "an unknown flag", [...w8("model.onnx"), "--fast"], /unknown option '--fast'/],
    [2, "an unknown scheme word", ["compress", "model.onnx", "-o", "out.onnx", "-q", "w7"], /'w7' is invalid\. Expected one of fp16/],
    [2, "an unknown way to prune", ["compress", "model.onnx", "-o", "out.onnx", "--prune", "half"], /'half' is invalid/],
    [2, "no output", ["compress", "model.onnx", "-q", "w8"], /'-o, --output <file>' not specified/],
    [2, "no model", ["compress", "-o", "out.onnx", "-q", "w8"], /missing required argument 'model'/],
    [2, "two models", [...w8("model.onnx"), "another.onnx"], /too many arguments/],
    [2, "a missing model", w8("gone.onnx"), /Cannot read the model gone\.onnx: there is no such file/],
    [2, "a missing recipe", ["compress", "model.onnx", "-o", "out.onnx", "--recipe", "gone.json"], /Cannot read the recipe gone\.json/],
    [2, "a folder into a file", w8("web", "model.onnx"), /Cannot write model\.onnx: web is a folder, and so is its result/],
    [2, "a folder into standard output", w8("web", "-"), /Cannot write to standard output: web is a folder/],
    [2, "a folder into one that is not empty", w8("web", "web"), /Cannot write web: the folder is not empty/],
    [2, "a missing folder", w8("gone/", "out"), /Cannot read the model gone\/: there is no such file/],
    [
      2,
      "several files into one",
      ["compress", "model.onnx", "-o", "out.onnx", "-q", "all-web"],
      /all-web makes several files; name a folder/,
    ],
    [2, "several files into standard output", ["compress", "model.onnx", "-o", "-", "-q", "all-web"], /all-web makes several files/],
    [2, "standard input into a folder", w8("-", "out/"), /Cannot compress standard input into a folder/],
    ...["1x", "0", "-5", "", "MiB", "1e3", "1.5.5MB", "9999999GB"].map((size): [number, string, string[], RegExp] => [
      2,
      `a shard of '${size}'`,
      [...w8("model.onnx"), `--shard=${size}`],
      /is invalid\. Expected a number of bytes/,
    ]),
    [2, "a report of an unknown kind", [...w8("model.onnx"), "--report", "report.pdf"], /\.json or \.html/],
    [2, "a report over the model", [...w8("model.onnx", "out.json"), "--report", "./out.json"], /--report would overwrite/],
    [2, "two results on one standard output", [...w8("model.onnx", "-"), "--report", "-"], /cannot both be standard output/],
    [2, "a port out of range", ["serve", "--port", "70000"], /'70000' is invalid/],
    [
      1,
      "an output that cannot be made",
      w8("model.onnx", "nowhere/out.onnx"),
      /Cannot write nowhere\/out\.onnx: its folder does not exist/,
    ],
    [1, "an output folder that cannot be made", w8("web", "nowhere/out"), /Cannot write nowhere\/out: its folder does not exist/],
    [1, "a report that cannot be made", [...w8("model.onnx"), "--report", "nowhere/report.json"], /Cannot write nowhere\/report\.json/],
    [3, "a truncated model", w8("broken.onnx"), /broken\.onnx: .*32687 are left \(at byte 17\)/],
    [3, "a file that is no model", w8("text.onnx"), /text\.onnx: The leading bytes/],
    [3, "an empty file", w8("empty.onnx"), /empty\.onnx: The model is empty/],
    [3, "an empty folder", w8("folder", "out"), /folder: The folder holds no model/],
    [3, "a folder with a broken model", w8("web", "out"), /web: broken\.onnx: .*are left \(at byte 17\)/],
    [3, "an empty folder to inspect", ["inspect", "folder"], /folder: The folder holds no model/],
    [3, "what no scheme can do", ["compress", "text.onnx", "-o", "out", "-q", "all-web"], /text\.onnx: The leading bytes/],
    [3, "no recipe", ["compress", "model.onnx", "-o", "out.onnx"], /The recipe would change nothing/],
    [3, "a recipe that is not JSON", ["compress", "model.onnx", "-o", "out.onnx", "--recipe", "bad.json"], /bad\.json: it is not JSON/],
    [3, "a recipe with an unknown key", ["compress", "model.onnx", "-o", "out.onnx", "--recipe", "wrong.json"], /quantise/],
    [2, "missing samples", [...w8("model.onnx"), "--calibrate", "samples.npz"], /Cannot read the samples samples\.npz/],
    [
      3,
      "safetensors in shards that are to be one file",
      [...w8("model.safetensors", "out.safetensors"), "--shard", "1MB"],
      /one file; give a folder/,
    ],
    [3, "a broken model to inspect", ["inspect", "text.onnx"], /text\.onnx: The leading bytes/],
    [2, "a missing model to inspect", ["inspect", "gone.onnx"], /Cannot read the model gone\.onnx/],
  ])("%i for %s", async (expected, _, args, message) => {
    const cwd = modelFolder();
    const before = listing(cwd);
    const { code, out, err } = await edgeslim(args, { cwd, node });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: expected, out: "" });
    expect(listing(cwd)).toEqual(before);
  });

  test.each([
    [["--version"], /^0\.1\.0\n$/],
    [["--help"], /Examples:/],
    [["compress", "--help"], /--quantize/],
  ])("0 for %j", async (args, text) => {
    const { code, out, err } = await edgeslim(args, { cwd: folder(), node });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(text);
  });

  test("1 and no word when the reader of standard output has gone", async () => {
    const cwd = folder();
    writeFileSync(join(cwd, "big.safetensors"), Buffer.concat([...bigSafetensors({ bytes: 20e6 }).chunks()]));
    const started = (child: { stdout: NodeJS.ReadableStream | null }): void =>
      void child.stdout?.once("data", () => (child.stdout as unknown as { destroy(): void }).destroy());
    const { code, err } = await edgeslim(["compress", "big.safetensors", "-o", "-", "-q", "fp16"], { cwd, node, started });
    expect({ code, err }).toEqual({ code: 1, err: "" });
  });
});

describe.skipIf(process.platform === "win32").each(nodes())("an interruption on Node $version", ({ path: node }) => {
  const part = (cwd: string): boolean => listing(cwd).some((file) => file.endsWith(".part"));

  test("leaves nothing behind while a model is read", async () => {
    const cwd = folder();
    const { writeFile } = await import("node:fs/promises");
    await writeFile(join(cwd, "big.onnx"), BIG.chunks());
    const { code, err } = await edgeslim(w8("big.onnx"), {
      cwd,
      node,
      started: (child) => {
        const wait = setInterval(() => {
          if (!part(cwd)) return;
          clearInterval(wait);
          child.kill("SIGINT");
        }, 2);
      },
    });
    expect({ code, err }).toEqual({ code: 130, err: "edgeslim: interrupted\n" });
    expect(listing(cwd)).toEqual(["big.onnx"]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ends a wait for standard input: %s", async (signal) => {
    const cwd = folder();
    const { code } = await edgeslim([...w8("-"), "--report", "report.html"], {
      cwd,
      node,
      started: (child) => {
        child.stdin?.write(MODEL.subarray(0, 20_000));
        const wait = setInterval(() => {
          if (!part(cwd)) return;
          clearInterval(wait);
          setTimeout(() => child.kill(signal), 100);
        }, 5);
      },
    });
    expect(code).toBe(signal === "SIGINT" ? 130 : 143);
    expect(listing(cwd)).toEqual([]);
  });
});

test("DEBUG=edgeslim shows where an error comes from", async () => {
  const { code, err } = await edgeslim(w8("text.onnx"), { cwd: modelFolder(), env: { DEBUG: "edgeslim" } });
  expect(code).toBe(3);
  expect(err).toMatch(/\n\s+at /);
});
