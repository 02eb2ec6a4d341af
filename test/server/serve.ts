import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Door, doorSuite, MAX_RUNNING, STALL_SECONDS } from "./door.ts";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const START = path("start.ts");

/** The binary of a package: bun's own launcher needs a post-install script, so the platform's package is asked. */
function bunBinary(): string | undefined {
  const scope = path("../../node_modules/@oven");
  const names = existsSync(scope) ? readdirSync(scope) : [];
  return names.map((name) => join(scope, name, "bin", process.platform === "win32" ? "bun.exe" : "bun")).find(existsSync);
}

export interface Runtime {
  name: string;
  /** The package that brings it; without it the tests are skipped. */
  package: string;
  command: string | undefined;
  args: string[];
  tellsLength: boolean;
}

export const NODE: Runtime = { name: "Node", package: "node", command: process.execPath, args: [], tellsLength: true };
export const DENO: Runtime = {
  name: "Deno",
  package: "deno",
  command: path("../../node_modules/.bin/deno"),
  args: ["run", "--allow-all", "--no-check", "--quiet"],
  tellsLength: true,
};
export const BUN: Runtime = { name: "Bun", package: "bun", command: bunBinary(), args: ["run"], tellsLength: false };

/** `edgeslim serve` as a process of one runtime. */
export const serveSuite = ({ name, package: needed, command, args, tellsLength }: Runtime): void => {
  describe(`serve on ${name}`, () => {
    if (!command || !existsSync(command)) {
      test.skip(`needs the package ${needed}`, () => {});
      return;
    }
    let folder: string;
    let child: ChildProcess;
    let door: Door;
    let said: AsyncIterator<string>;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "edgeslim-serve-"));
      child = spawn(command, [...args, START, folder, String(STALL_SECONDS), String(MAX_RUNNING)], { stdio: ["pipe", "pipe", "inherit"] });
      said = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
      const { value: url } = await said.next();
      const leftovers = async () =>
        readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
          (file) => file !== ".edgeslim~" && !file.startsWith(`.edgeslim~${sep}reports`),
        );
      door = { url, tellsLength, leftovers };
    });
    afterAll(async () => {
      if (child && child.exitCode === null) child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    });

    doorSuite(() => door);

    test("close ends it, and what clients left is cleaned up", async () => {
      const exit = once(child, "exit");
      child.stdin?.end();
      expect((await said.next()).value).toBe("closed");
      expect((await exit)[0]).toBe(0);
      expect(await door.leftovers()).toEqual([]);
    });
  });
};
