import { expect, test } from "vitest";
import { parseBytes } from "../../src/io/bytes.ts";

test.each([
  ["500000", 500_000],
  ["25MiB", 25 << 20],
  ["2GB", 2e9],
  ["2gb", 2e9],
  ["1.5 kB", 1500],
  ["1KiB", 1024],
  ["0.1B", undefined],
  ["0", undefined],
  ["-1", undefined],
  ["", undefined],
  ["MiB", undefined],
  ["12x", undefined],
  ["1e3", undefined],
  ["1 2", undefined],
  [" 1", undefined],
  ["1constructor", undefined],
  ["999999999999999GB", undefined],
])("parseBytes(%j) is %s", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});
