import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attempt, DOORS } from "./attempt.ts";
import { FOLDER, fixtures } from "./make-fixtures.ts";

test("the files are what the generator makes", () => {
  expect(readdirSync(FOLDER).sort()).toEqual(fixtures.map(({ name }) => `${name}.bin`).sort());
  for (const { name, bytes } of fixtures) {
    expect(readFileSync(`${FOLDER}${name}.bin`).equals(bytes), `${name}: run test/hostile/make-fixtures.ts`).toBe(true);
    expect(bytes.length, name).toBeLessThan(20_000);
  }
});

describe.each(fixtures)("$name", ({ name, error, says, inspects }) => {
  const bytes = new Uint8Array(readFileSync(`${FOLDER}${name}.bin`));

  test.each(DOORS)("%s", async (door) => {
    const { refusal } = await attempt(door, bytes);
    if (!refusal && inspects && door.startsWith("inspect")) return;
    expect(refusal?.name, `${refusal?.message}`).toBe(error);
    expect(refusal?.message).toMatch(says);
  });
});
