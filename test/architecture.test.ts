import { readdirSync, readFileSync } from "node:fs";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { importsOf, violations } from "./kit/imports.ts";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll(sep, "/"));
const read = (file: string): string => readFileSync(join(SRC, file), "utf8");
const lines = (file: string): number => read(file).split("\n").length - 1;

describe("src/", () => {
  test("imports go down only", () => {
    expect(files.flatMap((file) => violations(file, read(file)))).toEqual([]);
  });

  test("no file is over 500 lines, and most are under 200", () => {
    expect(files.filter((file) => lines(file) > 500)).toEqual([]);
    expect(files.filter((file) => lines(file) >= 200).length / files.length).toBeLessThan(0.15);
  });

  test("no file is named after nothing in particular", () => {
    expect(
      files.filter(
        (file) => /^(utils?|helpers?|managers?|common|misc)\b/.test(basename(file)) || /-(utils?|helpers?|manager)\.ts$/.test(file),
      ),
    ).toEqual([]);
  });
});

describe("the check of imports", () => {
  test.each([
    ["io/source.ts", 'import { compressInto } from "../engine/compress.ts";', "above"],
    ["io/source.ts", 'import type { Encoding } from "../encoding.ts";', "not for io/"],
    ["formats/onnx/parse.ts", 'import { w8 } from "../../quantize/int8.ts";', "another room"],
    ["quantize/int8.ts", 'export * from "../formats/onnx/proto.ts";', "another room"],
    ["engine/compress.ts", 'import { createHash } from "node:crypto";', "runs without it"],
    ["engine/compress.ts", 'import { fileSource } from "../io/file.ts";', "doors that have files"],
    ["engine/compress.ts", 'const { app } = await import("../server/app.ts");', "above"],
    ["server/app.ts", 'import { serve } from "@hono/node-server";', "no platform"],
    ["server/app.ts", 'import { env } from "cloudflare:workers";', "no platform"],
    ["ops/linear.ts", 'import { Reader } from "../io/reader.ts";', "not for ops/"],
    ["errors.ts", 'import {\n  type DType,\n} from "./tensor.ts";', "another room"],
    ["plumbing/pipe.ts", "", "no room"],
  ])("refuses in %s: %s", (file, source, reason) => {
    expect(violations(file, source)).toEqual([expect.stringContaining(reason)]);
  });

  test.each([
    ["engine/compress.ts", 'import { FormatError } from "../errors.ts";\nimport * as z from "zod/v4/mini";'],
    ["kernels/wasm.ts", 'const { readFile } = await import("node:fs/promises");'],
    ["cli/serve.ts", 'const { serve } = await import("../serve.ts");'],
    ["io/source.ts", '// import { x } from "../engine/compress.ts";\n/* import "../cli/main.ts" */'],
  ])("lets pass in %s: %s", (file, source) => {
    expect(violations(file, source)).toEqual([]);
  });

  test("sees every form of import", () => {
    const source =
      'import "a";\nimport b from "b";\nimport type { C } from "c";\nexport { d } from "d";\nexport * from "e";\nawait import("f");';
    expect(importsOf(source).map(({ specifier }) => specifier)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });
});
