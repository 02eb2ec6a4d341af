/** Prints the hashes of the models in a folder: `deno run -A hashes-main.ts FOLDER`, `bun hashes-main.ts FOLDER`. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as engine from "../../src/index.ts";
import { hashes } from "./hashes.ts";

const folder = process.argv[2] as string;
const models: Record<string, Uint8Array> = {};
for (const name of (await readdir(folder)).sort()) models[name] = new Uint8Array(await readFile(join(folder, name)));
console.log(JSON.stringify(await hashes(engine, models)));
