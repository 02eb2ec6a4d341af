/**
 * Formats assembly/ with Prettier, or checks it with --check. Prettier reads AssemblyScript as TypeScript, all but decorators on
 * functions, which pass through as comments.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as prettier from "prettier";

const FOLDER = fileURLToPath(new URL("../assembly", import.meta.url));
const MARK = "//@decorator ";

const check = process.argv.includes("--check");
const files = (await readdir(FOLDER, { recursive: true })).filter((file) => file.endsWith(".ts")).sort();
const unformatted = [];
for (const file of files) {
  const path = join(FOLDER, file);
  const source = await readFile(path, "utf8");
  const options = { ...(await prettier.resolveConfig(path)), parser: "typescript" };
  const hidden = source.replace(/^(\s*)(@\w+(?:\(.*\))?)$/gm, `$1${MARK}$2`);
  const formatted = (await prettier.format(hidden, options)).replaceAll(MARK, "");
  if (formatted === source) continue;
  unformatted.push(file);
  if (!check) await writeFile(path, formatted);
}
if (check && unformatted.length > 0) {
  console.error(`Not formatted: ${unformatted.map((file) => `assembly/${file}`).join(", ")}; run \`npm run format\`.`);
  process.exit(1);
}
