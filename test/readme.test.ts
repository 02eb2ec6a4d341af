/** The examples of README.md, run as they stand there. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeNpy } from "../src/io/npy.ts";
import { serve } from "../src/serve.ts";
import { bigSafetensors } from "./kit/big.ts";
import { mlp } from "./kit/models.ts";
import { runNode } from "./kit/ort.ts";
import { concat } from "./server/http.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
const readme = await readFile(join(repository, "README.md"), "utf8");
/** Fenced blocks of a language; `sh` and `ts` are run, others are not. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, code]) => code as string);

let folder: string;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-readme-"));
  await writeFile(join(folder, "model.onnx"), mlp().bytes);
  await writeFile(join(folder, "model.safetensors"), concat(bigSafetensors({ bytes: 1 << 20 }).chunks()));
  const x = mlp().inputs.x?.data as Float32Array;
  await writeFile(join(folder, "x.npy"), writeNpy({ dtype: "float32", shape: [4, 64], data: x }));
  const request = { inputs: [{ name: "x", datatype: "FP32", shape: [4, 64], data: Array.from(x) }] };
  await writeFile(join(folder, "request.json"), JSON.stringify(request));
  await mkdir(join(folder, "my-model"));
  await writeFile(join(folder, "my-model", "model.onnx"), mlp().bytes);
  await writeFile(join(folder, "my-model", "tokenizer.json"), "{}");
  await mkdir(join(folder, "bin"));
  await symlink(join(repository, "bin", "edgeslim.mjs"), join(folder, "bin", "edgeslim"));
  await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "stranger", type: "module" }));
  server = await serve({ port: 0, models: join(folder, "models") });
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const run = (command: string, args: string[]) =>
  promisify(execFile)(command, args, {
    cwd: folder,
    env: {
      ...process.env,
      EDGESLIM: server.url.replace(/\/$/, ""),
      PATH: [join(folder, "bin"), join(repository, "node_modules", ".bin"), process.env.PATH].join(delimiter),
    },
  });

describe("the README's", () => {
  const commands = blocks("sh")
    .flatMap((block) => block.trim().split("\n"))
    .filter((line) => !line.includes(" serve ") && !line.startsWith("EDGESLIM="));

  test.each(commands)("%s", async (line) => {
    await run("bash", ["-euo", "pipefail", "-c", line.replaceAll("npx edgeslim", "edgeslim").replaceAll("curl ", "curl --fail -sS ")]);
  });

  test.each(blocks("ts"))("module example %#", async (code) => {
    // The repository stands for the installed package: it imports itself by name.
    const file = join(repository, "build", "readme-example.mjs");
    await writeFile(file, code);
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout).toMatch(/scheme|observer|Float32Array/);
    await rm(file);
  });

  test("commands and examples leave models that run", async () => {
    const { bytes, inputs } = mlp();
    const made = (await readdir(folder)).filter((name) => /^(model-w8|small)\.onnx$/.test(name));
    expect(made.sort()).toEqual(["model-w8.onnx", "small.onnx"]);
    for (const name of made) {
      const model = await readFile(join(folder, name));
      expect(model.byteLength).toBeLessThan(bytes.byteLength / 2);
      expect(Object.keys(await runNode(model, inputs))).toEqual(Object.keys(await runNode(bytes, inputs)));
    }
    expect((await stat(join(folder, "report.html"))).size).toBeGreaterThan(1000);
    const variants = ["fp16", "quantized", "int8", "uint8", "q4", "q4f16", "bnb4"].map((word) => `model_${word}.onnx`);
    expect((await readdir(join(folder, "out", "onnx"))).sort()).toEqual(variants.sort());
    expect(await readdir(join(folder, "out"))).toContain("tokenizer.json");
  });
});
