/** The recipe in openapi.json is its schema, printed: what prints it is too large for a Worker to load. `npm run docs` prints it anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { toJSONSchema } from "zod/v4/core";
import { recipeSchema } from "../../src/engine/recipe.ts";
import { RECIPE } from "../../src/server/recipe-schema.ts";

const FILE = new URL("../../src/server/recipe-schema.ts", import.meta.url);
const printed = (): string =>
  `/** The JSON Schema of a recipe: printed by \`npm run docs\`, and held to engine/recipe.ts by a test. */\nexport const RECIPE = ${JSON.stringify(schema())};\n`;
const schema = () => toJSONSchema(recipeSchema, { io: "input", unrepresentable: "any" });

test("is that of the engine", () => {
  if (process.env.EDGESLIM_WRITE_DOCS) writeFileSync(FILE, printed());
  else expect(RECIPE).toEqual(JSON.parse(JSON.stringify(schema())));
  expect(readFileSync(FILE, "utf8")).toContain("RECIPE");
});
