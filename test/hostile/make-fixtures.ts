/** Writes the hostile files to test/fixtures/hostile: `node test/hostile/make-fixtures.ts`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { externalFixtures } from "./fixtures-external.ts";
import { onnxFixtures } from "./fixtures-onnx.ts";
import { otherFixtures } from "./fixtures-other.ts";
import { safetensorsFixtures } from "./fixtures-safetensors.ts";
import { wireFixtures } from "./fixtures-wire.ts";

export interface Fixture {
  name: string;
  bytes: Uint8Array;
  error: "FormatError" | "UnsupportedError" | "LimitError";
  /** What the message must tell: which tensor or node, or where. */
  says: RegExp;
  /** Whether `inspect` may take it: it reads no data, and makes nothing of what is there. */
  inspects?: boolean;
}

export const FOLDER = fileURLToPath(new URL("../fixtures/hostile/", import.meta.url));
export const fixtures: readonly Fixture[] = [
  ...onnxFixtures,
  ...externalFixtures,
  ...wireFixtures,
  ...safetensorsFixtures,
  ...otherFixtures,
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(FOLDER, { recursive: true });
  for (const file of readdirSync(FOLDER)) rmSync(FOLDER + file);
  for (const { name, bytes } of fixtures) writeFileSync(`${FOLDER}${name}.bin`, bytes);
}
