/**
 * Builds what a checkout or a package needs: the WebAssembly kernels into build/, the modules, their types and the command line into
 * dist/, and the links of node_modules/.bin. `node scripts/build.mjs` builds everything; scripts/setup.mjs only what has changed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundleCommand, bundleModule } from "./bundle.mjs";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules/.bin");

/** The Node that scripts run under: the one of tools/node where it exists for this platform, else the one that runs now. */
export const node = () => [join(BIN, "node"), join(BIN, "node.exe")].find(existsSync) ?? process.execPath;

/** Runs the command `name` of an installed package; its output goes to standard error, so that ours stays clean. */
function run(name, packageName, args) {
  const folder = join(ROOT, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const script = join(folder, typeof bin === "string" ? bin : bin[name]);
  const { status, error } = spawnSync(node(), [script, ...args], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${name} ${args.join(" ")} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
}

function filesUnder(path) {
  const files = readdirSync(path, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
}

/** A hash of the names and contents of files and of everything in folders. */
function hashOf(paths) {
  const hash = createHash("sha256").update(process.platform);
  for (const path of paths.map((p) => join(ROOT, p))) {
    const files = statSync(path).isDirectory() ? filesUnder(path) : [path];
    for (const file of files) hash.update(relative(ROOT, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

/** Names modules in a declaration file as its users find them: the compiler rewrites `.ts` in code only. */
function withJsImports(file) {
  writeFileSync(file, readFileSync(file, "utf8").replace(/((?:from|import)\s*\(?\s*"\.[^"]+)\.ts"/g, '$1.js"'));
}

/** What is built, from what, and what must be there afterwards. */
const STEPS = [
  {
    name: "kernels",
    from: ["assembly", "asconfig.json", "asconfig.infer.json", "package-lock.json"],
    makes: ["compress", "infer"].flatMap((name) => [`build/${name}.simd.wasm`, `build/${name}.relaxed.wasm`]),
    build() {
      for (const config of ["asconfig.json", "asconfig.infer.json"])
        for (const target of ["simd", "relaxed"]) run("asc", "assemblyscript", ["--config", config, "--target", target]);
      // `bindings: raw` writes loaders too; src/kernels has its own.
      for (const file of filesUnder(join(ROOT, "build"))) if (/\.(d\.ts|js)$/.test(file)) rmSync(file, { force: true });
    },
  },
  {
    name: "modules",
    from: ["src", "scripts/bundle.mjs", "tsconfig.json", "tsconfig.build.json", "package-lock.json"],
    makes: ["dist/module/index.js", "dist/module/index.workerd.js", "dist/index.d.ts", "dist/cli/main.js"],
    build() {
      const fresh = join(ROOT, `build/dist-${process.pid}`);
      const old = join(ROOT, `build/dist-old-${process.pid}`);
      try {
        run("tsc", "typescript", ["-p", "tsconfig.build.json", "--outDir", fresh]);
        bundleCommand(ROOT, join(fresh, "cli"));
        bundleModule(ROOT, join(fresh, "module"));
        for (const file of filesUnder(fresh).filter((name) => name.endsWith(".d.ts"))) withJsImports(file);
        if (existsSync(join(ROOT, "dist"))) renameSync(join(ROOT, "dist"), old);
        renameSync(fresh, join(ROOT, "dist"));
      } finally {
        for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
      }
    },
  },
];

/** Builds the steps whose sources have changed, or all of them. */
export function build({ always = false } = {}) {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  for (const { name, from, makes, build: make } of STEPS) {
    const stamp = join(ROOT, `build/.${name}`);
    const hash = hashOf(from);
    const current = existsSync(stamp) && readFileSync(stamp, "utf8") === hash && makes.every((file) => existsSync(join(ROOT, file)));
    if (current && !always) continue;
    rmSync(stamp, { force: true });
    make();
    const missing = makes.find((file) => !existsSync(join(ROOT, file)));
    if (missing) throw new Error(`the ${name} were built, but ${missing} is not there`);
    writeFileSync(stamp, hash);
  }
}

/** Commands that npm does not link by itself: our own, and Bun's binary, whose package asks for an install script. */
export function link() {
  const bun = join(ROOT, "node_modules/@oven");
  const binaries = existsSync(bun) ? readdirSync(bun).map((name) => join(bun, name, "bin/bun")) : [];
  const runs = binaries.find((path) => spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0);
  place("edgeslim", join(ROOT, "bin/edgeslim.mjs"));
  if (runs) place("bun", runs);
}

function place(name, target) {
  const path = join(BIN, name);
  if (process.platform === "win32") {
    if (name === "edgeslim") writeFileSync(`${path}.cmd`, `@node "%~dp0\\..\\..\\bin\\edgeslim.mjs" %*\r\n`);
    return;
  }
  const fresh = `${path}.${process.pid}`;
  chmodSync(target, 0o755);
  symlinkSync(relative(dirname(path), target), fresh);
  renameSync(fresh, path);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!existsSync(BIN)) {
    console.error("build: nothing is installed yet: run `npm ci` first, or `npm test`, which does both.");
    process.exit(1);
  }
  try {
    build({ always: true });
    link();
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exit(1);
  }
}
