/** Runs the built command line as a user does. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const COMMAND = fileURLToPath(new URL("../../bin/edgeslim.mjs", import.meta.url));

/** The Node that runs this, and the system's own where that is another one: users have either. */
export function nodes(): { version: string; path: string }[] {
  const own = { version: process.version, path: process.execPath };
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes(`node_modules${sep}.bin`));
  const { stdout, status } = spawnSync("node", ["-p", "process.version + ' ' + process.execPath"], {
    env: { ...process.env, PATH: path.join(delimiter) },
    encoding: "utf8",
  });
  const [version = "", file = ""] = status === 0 ? stdout.trim().split(" ") : [];
  return version && version !== own.version ? [own, { version, path: file }] : [own];
}

export interface Result {
  code: number | null;
  stdout: Buffer;
  out: string;
  err: string;
}

export interface RunOptions {
  cwd: string;
  node?: string;
  input?: Uint8Array | string;
  env?: Record<string, string>;
  /** Called when the process has started: to signal it, or to take its streams over. */
  started?: (child: ChildProcess) => void;
}

export function edgeslim(args: readonly string[], { cwd, node = process.execPath, input, env = {}, started }: RunOptions): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [COMMAND, ...args], { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => {}); // it may end before it has read everything
    child.on("error", reject);
    child.on("close", (code) => {
      const stdout = Buffer.concat(out);
      resolve({ code, stdout, out: stdout.toString("utf8"), err: Buffer.concat(err).toString("utf8") });
    });
    started?.(child);
    if (!started || input !== undefined) child.stdin.end(input);
  });
}

/** An empty folder that goes when the test ends. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "edgeslim-cli-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export const listing = (path: string): string[] => readdirSync(path).sort();
