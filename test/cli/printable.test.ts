import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { progressBar } from "../../src/cli/progress.ts";
import type { Inspection } from "../../src/index.ts";
import { randomTensor, writeTensors } from "../kit/safetensors.ts";
import { edgeslim, folder } from "./spawn.ts";

/** Clears the screen, sets the title, breaks the line, colours by a C1 character, and deletes. */
const EVIL = "\u001b[2J\u001b]0;t\u0007a\r\nb\t\u009b31m\u007f";
const SHOWN = "\\x1b[2J\\x1b]0;t\\x07a\\r\\nb\\t\\x9b31m\\x7f";
const raw = (text: string): string[] => [...text].filter((char) => /\p{Cc}/u.test(char) && char !== "\n");

const tensors = (name: string): Uint8Array => writeTensors({ [name]: randomTensor([64, 64], 1), other: randomTensor([8, 8], 2) });

describe.skipIf(process.platform === "win32")("control characters of names are shown, not sent", () => {
  /** A model and a folder, each with the name and each with a tensor of it. */
  function evilFolder(): string {
    const cwd = folder();
    mkdirSync(join(cwd, EVIL));
    writeFileSync(join(cwd, `${EVIL}.safetensors`), tensors(EVIL));
    writeFileSync(join(cwd, EVIL, `${EVIL}.safetensors`), tensors(EVIL));
    writeFileSync(join(cwd, EVIL, `${EVIL}.txt`), "");
    writeFileSync(join(cwd, EVIL, `${EVIL}.bin`), "");
    writeFileSync(join(cwd, EVIL, "back\\slash"), "");
    writeFileSync(join(cwd, EVIL, `\\${EVIL}`), "");
    return cwd;
  }

  test.each<[string, string[], number]>([
    ["an inspection", ["inspect", `${EVIL}.safetensors`], 0],
    ["an inspection of a folder", ["inspect", EVIL], 0],
    ["a summary", ["compress", `${EVIL}.safetensors`, "-o", `${EVIL}.small.safetensors`, "-q", "w8"], 0],
    ["a summary of a folder, with warnings", ["compress", EVIL, "-o", `out${EVIL}`, "-q", "w8"], 0],
    ["an error about a file", ["inspect", `${EVIL}.onnx`], 2],
    ["an error about a flag", ["compress", "m.onnx", "-o", "x", "-q", EVIL], 2],
  ])("in %s", async (_what, args, expected) => {
    const { code, out, err } = await edgeslim(args, { cwd: evilFolder() });
    expect(code, err).toBe(expected);
    expect(raw(out + err)).toEqual([]);
    expect(out + err).toContain(SHOWN.slice(0, 16));
  });

  test("in a table, whose rows stay whole", async () => {
    const { out } = await edgeslim(["inspect", `${EVIL}.safetensors`], { cwd: evilFolder() });
    expect(out.split("\n")).toContainEqual(expect.stringMatching(/^ {2}\\x1b\[2J.*\\x7f +float32 +64×64 +16\.4 kB/));
  });

  test("in warnings and errors about tensors, each on a line of its own", async () => {
    const cwd = folder();
    const tensor = randomTensor([64, 64], 1);
    new DataView(tensor.data.buffer, tensor.data.byteOffset).setFloat32(0, Number.NaN, true);
    const bytes = writeTensors({ [EVIL]: tensor });
    writeFileSync(join(cwd, "nan.safetensors"), bytes);
    const warned = await edgeslim(["compress", "nan.safetensors", "-o", "out.safetensors", "-q", "w8"], { cwd });
    expect(warned.err.split("\n")).toEqual([expect.stringMatching(/^edgeslim: warning: .*NaN/), ""]);
    writeFileSync(join(cwd, "cut.safetensors"), bytes.subarray(0, -9));
    for (const DEBUG of ["", "edgeslim"]) {
      const failed = await edgeslim(["inspect", "cut.safetensors"], { cwd, env: { DEBUG } });
      expect(failed.code).toBe(3);
      expect(failed.err.split("\n").filter(Boolean).length > 1).toBe(DEBUG !== "");
      expect(raw(failed.err)).toEqual([]);
    }
    expect(warned.err).toContain(SHOWN);
  });

  test("but not in JSON, which is for programs", async () => {
    const { out } = await edgeslim(["inspect", `${EVIL}.safetensors`, "--json"], { cwd: evilFolder() });
    expect((JSON.parse(out) as Inspection).tensors.map(({ name }) => name)).toContain(EVIL);
  });

  test("in the progress bar, which keeps its own", () => {
    const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 200, cursorTo() {}, clearLine() {}, moveCursor() {} });
    const bar = progressBar(terminal as unknown as NodeJS.WriteStream);
    bar.phase(EVIL, 100);
    bar.at(50);
    bar.stop();
    const shown = String(terminal.read());
    expect(shown).toContain(SHOWN);
    expect(shown).not.toContain("\u001b[2J");
    expect(shown).toContain("\u001b[");
  });
});
