import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mlp } from "../kit/models.ts";
import { edgeslim, folder } from "./spawn.ts";

test.skipIf(process.platform === "win32")("edgeslim serve says where it listens, compresses, and ends with 130 on SIGINT", async () => {
  let answer: Promise<Response> | undefined;
  const { code, out } = await edgeslim(["serve", "--port", "0"], {
    cwd: folder(),
    started: (child) => {
      child.stdout?.once("data", (line: Buffer) => {
        answer = fetch(new URL("/v1/compress?quantize=w8", line.toString().trim()), { method: "POST", body: mlp().bytes });
        answer.then((response) => response.arrayBuffer()).finally(() => child.kill("SIGINT"));
      });
    },
  });
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
  expect((await answer)?.status).toBe(200);
  expect(code).toBe(130);
});

test("edgeslim serve refuses a file where models are to be", async () => {
  const cwd = folder();
  writeFileSync(join(cwd, "model.onnx"), mlp().bytes);
  const { code, err } = await edgeslim(["serve", "--port", "0", "--models", "model.onnx"], { cwd });
  expect([code, err]).toEqual([2, expect.stringMatching(/--models model\.onnx is no folder/)]);
});
