/**
 * Bundles the command line and the module: one file loads in a quarter of the time, and in less memory, that some three hundred modules take.
 * What only some commands need stays in files of its own.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const OPTIONS = {
  bundle: true,
  splitting: true,
  format: "esm",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
};

/** Writes `main.js`, what it imports, and the licences of the packages that are in them, to `out`, which is emptied first. */
export const bundleCommand = (root, out) =>
  bundle(root, out, {
    entryPoints: ["src/cli/main.ts"],
    minifySyntax: true,
    minifyWhitespace: true,
    platform: "node",
    target: "node20.9",
    // Some packages are CommonJS, and require Node's own modules.
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  });

/** Writes the module's entries likewise. They name the kernels by paths from a folder two below the root, as their sources do. */
export const bundleModule = (root, out) =>
  bundle(root, out, {
    entryPoints: ["src/index.ts", "src/index.workerd.ts"],
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    external: ["node:*", "*.wasm"],
  });

function bundle(root, out, options) {
  const { buildSync } = createRequire(import.meta.url)("esbuild"); // not there before the install
  rmSync(out, { recursive: true, force: true });
  const { metafile } = buildSync({ ...OPTIONS, absWorkingDir: root, outdir: out, ...options });
  writeFileSync(join(out, "LICENSES.txt"), licences(root, Object.keys(metafile.inputs)));
}

/** The licence of each package among the files of a bundle. */
function licences(root, inputs) {
  const folders = inputs.flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/) ?? []);
  const texts = [...new Set(folders)].sort().map((path) => {
    const folder = join(root, path);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = existsSync(folder) && readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${name} ${version} (${license}) is in a bundle, and has no file with its licence`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
