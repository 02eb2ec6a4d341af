/** The tools of Python that are measured against: a virtual environment of their own, and runs of whole processes. */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FOLDER = fileURLToPath(new URL("../.venv", import.meta.url));
const REQUIREMENTS = fileURLToPath(new URL("requirements.txt", import.meta.url));

/** The path of a script in this folder. */
export const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The Python of an environment with the packages of requirements.txt, made or renewed where it is not there. */
export async function environment(): Promise<string> {
  const python = join(FOLDER, "bin", "python");
  const stamp = join(FOLDER, ".requirements");
  const wanted = createHash("sha256")
    .update(await readFile(REQUIREMENTS))
    .digest("hex");
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return python;
  await rm(FOLDER, { recursive: true, force: true });
  console.log(`Making ${FOLDER} …`);
  run("python3", ["-m", "venv", FOLDER], "install Python 3.11 or newer with its module venv (Debian: python3-venv)");
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS], "is a package index reachable?");
  await writeFile(stamp, wanted);
  return python;
}

function run(command: string, args: readonly string[], advice: string): void {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed (${error?.message ?? `status ${status}`}): ${advice}`);
}

/** A process, from its start to its end. */
export interface Measured {
  seconds: number;
  /** Most bytes resident. */
  peak: number;
  /** The last line of what it wrote to standard error, where it failed. */
  error?: string;
}

/** Runs a command in a process of its own, measured from outside. */
export async function measured(python: string, command: readonly string[]): Promise<Measured> {
  const { stdout } = await promisify(execFile)(python, [script("measure.py"), ...command]);
  return JSON.parse(stdout) as Measured;
}
