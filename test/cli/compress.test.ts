import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../../src/index.ts";
import { mlp } from "../kit/models.ts";
import { EXACT, runNode, sqnr } from "../kit/ort.ts";
import { edgeslim, folder, listing, nodes } from "./spawn.ts";

const MODEL = mlp();

function modelFolder(): string {
  const cwd = folder();
  writeFileSync(join(cwd, "model.onnx"), MODEL.bytes);
  return cwd;
}

describe.each(nodes())("edgeslim compress on Node $version", ({ path: node }) => {
  test("writes a model that computes the same within its rounding, and says so in one line", async () => {
    const cwd = modelFolder();
    const { code, out, err } = await edgeslim(["compress", "model.onnx", "-o", "small.onnx", "--quantize", "w8"], { cwd, node });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^model\.onnx 37\.7 kB → small\.onnx 1\d\.\d kB \(\d\d\.\d %\), 2 of 4 tensors w8, [\d.]+ s\n$/);
    const [expected, found] = await Promise.all(
      [MODEL.bytes, readFileSync(join(cwd, "small.onnx"))].map((bytes) => runNode(bytes, MODEL.inputs, EXACT)),
    );
    expect(sqnr(expected?.y?.data as Float32Array, found?.y?.data as Float32Array)).toBeGreaterThan(30);
    expect(listing(cwd)).toEqual(["model.onnx", "small.onnx"]);
  });

  test("gives the same model from a file to a file and to standard output", async () => {
    const cwd = modelFolder();
    await edgeslim(["compress", "model.onnx", "-o", "small.onnx", "-q", "w8"], { cwd, node });
    const { code, stdout, err } = await edgeslim(["compress", "model.onnx", "-o", "-", "-q", "w8"], { cwd, node });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(stdout.equals(readFileSync(join(cwd, "small.onnx")))).toBe(true);
  });

  test("reads standard input: patched into a file, pieced to standard output", async () => {
    const cwd = folder();
    const args = (out: string) => ["compress", "-", "-o", out, "-q", "w8", "--report", "report.json"];
    const layout = () => (JSON.parse(readFileSync(join(cwd, "report.json"), "utf8")) as Report).output;
    const file = await edgeslim(args("small.onnx"), { cwd, node, input: MODEL.bytes });
    expect(file.code).toBe(0);
    expect(file.out).toContain("standard input 37.7 kB → small.onnx");
    expect(layout()).toMatchObject({ layout: "patched", bytes: statSync(join(cwd, "small.onnx")).size });
    const piped = await edgeslim(args("-"), { cwd, node, input: MODEL.bytes });
    expect(piped.code).toBe(0);
    expect(layout()).toMatchObject({ layout: "pieced", bytes: piped.stdout.byteLength });
    await expect(runNode(piped.stdout, MODEL.inputs, EXACT)).resolves.toHaveProperty("y");
  });

  test("replaces the model it reads", async () => {
    const cwd = modelFolder();
    await edgeslim(["compress", "model.onnx", "-o", "other.onnx", "-q", "fp16"], { cwd, node });
    expect((await edgeslim(["compress", "model.onnx", "-o", "model.onnx", "-q", "fp16"], { cwd, node })).code).toBe(0);
    expect(readFileSync(join(cwd, "model.onnx")).equals(readFileSync(join(cwd, "other.onnx")))).toBe(true);
    expect(listing(cwd)).toEqual(["model.onnx", "other.onnx"]);
  });
});

test("writes the report as JSON, with every weight once", async () => {
  const cwd = modelFolder();
  await edgeslim(["compress", "model.onnx", "-o", "small.onnx", "-q", "w8", "--report", "report.json"], { cwd });
  const report = JSON.parse(readFileSync(join(cwd, "report.json"), "utf8")) as Report;
  expect(report.tensors.map(({ name }) => name).sort()).toEqual(["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]);
  expect(report.source.bytes).toBe(MODEL.bytes.byteLength);
});

test("writes the report as a page that needs nothing else, with names escaped", async () => {
  const cwd = folder();
  const name = "<img src=x onerror=alert(1)>";
  const bytes = Buffer.from(MODEL.bytes).toString("latin1").replaceAll("fc1.bias", "fc<b>&ia").replaceAll("fc1.weight", "fc1.we<i>t");
  writeFileSync(join(cwd, `${name}.onnx`), Buffer.from(bytes, "latin1"));
  const { code, err } = await edgeslim(["compress", `${name}.onnx`, "-o", "small.onnx", "-q", "w8", "--report", "report.html"], { cwd });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const page = readFileSync(join(cwd, "report.html"), "utf8");
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).toContain("fc1.we&lt;i&gt;t");
  expect(page).toContain("fc&lt;b&gt;&amp;ia");
  expect(page).not.toMatch(/<img|<script|<link|src=["']|https?:/);
});

test("prints the report to standard output", async () => {
  const cwd = modelFolder();
  const { out } = await edgeslim(["compress", "model.onnx", "-o", "small.onnx", "-q", "w8", "--report", "-"], { cwd });
  expect(JSON.parse(out)).toMatchObject({ edgeslim: "0.1.0", recipe: { quantize: { scheme: "w8" } } });
});

test("takes a recipe from a file, and flags override its parts", async () => {
  const cwd = modelFolder();
  writeFileSync(join(cwd, "recipe.json"), JSON.stringify({ quantize: { scheme: "w8", exclude: ["fc2.*"] } }));
  const args = ["compress", "model.onnx", "-o", "small.onnx", "--recipe", "recipe.json"];
  expect((await edgeslim(args, { cwd })).out).toContain("1 of 4 tensors w8");
  expect((await edgeslim([...args, "-q", "fp16"], { cwd })).out).toContain("1 of 4 tensors fp16");
  const piped = ["compress", "model.onnx", "-o", "small.onnx", "--recipe", "-"];
  expect((await edgeslim(piped, { cwd, input: '{"quantize":"bf16"}' })).out).toContain("2 of 4 tensors bf16");
});

test.skipIf(process.platform === "win32")("writes through a symbolic link and keeps the mode of the file it replaces", async () => {
  const cwd = modelFolder();
  writeFileSync(join(cwd, "real.onnx"), "old");
  chmodSync(join(cwd, "real.onnx"), 0o640);
  symlinkSync("real.onnx", join(cwd, "link.onnx"));
  expect((await edgeslim(["compress", "model.onnx", "-o", "link.onnx", "-q", "w8"], { cwd })).code).toBe(0);
  expect(lstatSync(join(cwd, "link.onnx")).isSymbolicLink()).toBe(true);
  expect(statSync(join(cwd, "real.onnx")).mode & 0o777).toBe(0o640);
  expect(statSync(join(cwd, "real.onnx")).size).toBeGreaterThan(1000);
});

test.skipIf(process.platform === "win32")("reads and writes pipes and devices as they stand", async () => {
  const cwd = modelFolder();
  mkdirSync(join(cwd, "out"));
  expect((await edgeslim(["compress", "model.onnx", "-o", "/dev/null", "-q", "w8"], { cwd })).code).toBe(0);
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  execFileSync("mkfifo", [join(cwd, "pipe")]);
  execFile("sh", ["-c", "cat model.onnx > pipe"], { cwd });
  const read = await edgeslim(["compress", "pipe", "-o", "out/small.onnx", "-q", "fp16"], { cwd });
  expect({ code: read.code, made: existsSync(join(cwd, "out/small.onnx")) }).toEqual({ code: 0, made: true });
});
