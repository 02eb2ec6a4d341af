import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Inspection } from "../../src/index.ts";
import { mlp } from "../kit/models.ts";
import { edgeslim, folder } from "./spawn.ts";

function modelFolder(): string {
  const cwd = folder();
  writeFileSync(join(cwd, "model.onnx"), mlp().bytes);
  return cwd;
}

test("prints what a model is, for people", async () => {
  const { code, out, err } = await edgeslim(["inspect", "model.onnx"], { cwd: modelFolder() });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const line of [
    /^model\.onnx$/m,
    /format +ONNX, opset 13/,
    /operators +Add ×2, MatMul ×2, Relu ×1/,
    /^ +w8 +\S+ kB +2\d\.\d %/m,
    /fc1\.weight +float32 +64×96/,
  ]) {
    expect(out).toMatch(line);
  }
  expect(out.includes("\u001b")).toBe(false);
});

test("prints JSON for programs, from standard input too", async () => {
  const file = await edgeslim(["inspect", "model.onnx", "--json"], { cwd: modelFolder() });
  const inspection = JSON.parse(file.out) as Inspection;
  expect(inspection).toMatchObject({ format: "onnx", opset: 13, operators: { MatMul: 2 } });
  const piped = await edgeslim(["inspect", "-", "--json"], { cwd: folder(), input: mlp().bytes });
  expect(JSON.parse(piped.out)).toEqual(inspection);
});
