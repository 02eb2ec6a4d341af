/**
 * Makes a clone ready: installs the packages of the lock file where they are not what it says, then builds what has changed.
 * Every npm script calls it first, so that `npm test` is all that a fresh clone needs. Nothing but Node's own modules in here.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build, link, node, ROOT } from "./build.mjs";

/** The least Node that wrangler and vitest run on, and that runs TypeScript by itself. */
const DEVELOPMENT_NODE = [22, 18];

const read = (file) => JSON.parse(readFileSync(join(ROOT, file), "utf8")).packages;

/** Whether node_modules is what package-lock.json says, by the record that npm leaves there when an install is complete. */
function installed() {
  if (!existsSync(join(ROOT, "node_modules/.package-lock.json"))) return false;
  const there = read("node_modules/.package-lock.json");
  return Object.entries(read("package-lock.json")).every(([path, wanted]) => {
    const found = there[path];
    if (path === "" || wanted.link || !path.includes("node_modules/")) return true;
    if (!found) return wanted.optional === true; // another platform's
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

function install() {
  // Install scripts stay off (.npmrc): some would download, and none is needed.
  const npm = process.env.npm_execpath?.endsWith(".js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const shell = npm.length === 1 && process.platform === "win32";
  const { status } = spawnSync(npm[0], [...npm.slice(1), "ci", "--loglevel=error"], { cwd: ROOT, stdio: ["ignore", 2, 2], shell });
  if (status !== 0) throw new Error("`npm ci` failed; its message stands above");
}

function checkNode() {
  const { stdout } = spawnSync(node(), ["--version"], { encoding: "utf8" });
  const [major = 0, minor = 0] = (stdout ?? "").slice(1).split(".").map(Number);
  const [least, leastMinor] = DEVELOPMENT_NODE;
  if (major > least || (major === least && minor >= leastMinor)) return;
  throw new Error(
    `tests and the Worker need Node ${DEVELOPMENT_NODE.join(".")} or newer, and this is ${stdout?.trim()}. ` +
      `tools/node brings one for Linux on x64 and arm64; on ${process.platform}-${process.arch} install it and put it first on PATH`,
  );
}

try {
  if (!installed()) install();
  checkNode();
  build();
  link();
} catch (error) {
  console.error(`setup: ${error.message}.`);
  process.exit(1);
}
