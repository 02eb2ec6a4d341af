import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bigOnnx } from "../kit/big.ts";
import { mlp } from "../kit/models.ts";
import { COMMAND, edgeslim, folder } from "./spawn.ts";

describe.skipIf(process.platform !== "linux")("edgeslim compress", () => {
  test("holds no more of standard input than of a file", async () => {
    const model = bigOnnx({ bytes: 300e6 });
    let resident = 0;
    const { code } = await edgeslim(["compress", "-", "-o", "/dev/null", "-q", "w8"], {
      cwd: folder(),
      started(child) {
        const chunks = model.chunks()[Symbol.iterator]();
        const feed = async (): Promise<void> => {
          for (let next = chunks.next(); !next.done; next = chunks.next()) {
            if (!child.stdin?.write(next.value.slice())) await new Promise((resolve) => child.stdin?.once("drain", resolve));
          }
          const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
          resident = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
          child.stdin?.end();
        };
        void feed();
      },
    });
    expect(code).toBe(0);
    expect(resident).toBeGreaterThan(20e6);
    expect(resident).toBeLessThan(200e6);
  });

  test("keeps its line about the result out of a model that goes to standard output by another name", async () => {
    const cwd = folder();
    const dash = await edgeslim(["compress", "-", "-o", "-", "-q", "w8"], { cwd, input: mlp().bytes });
    writeFileSync(join(cwd, "model.onnx"), mlp().bytes);
    const command = `cat model.onnx | '${process.execPath}' '${COMMAND}' compress - -o /dev/stdout -q w8 | cat`; // a pipe: a socket cannot be opened by name
    const named = execFileSync("bash", ["-c", command], { cwd });
    expect(named.equals(dash.stdout)).toBe(true);
  });
});
