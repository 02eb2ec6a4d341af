import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/errors.ts";
import { checkShards, cutAt, parseIndex, shardName, writeIndex } from "../../src/formats/safetensors/shards.ts";

const entry = (name: string) => ({ name, dtype: "float32", shape: [2], offset: 0, bytes: 8 }) as const;
const index = (weight_map: Record<string, string>) => parseIndex(JSON.stringify({ weight_map }), "i.json");
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as Error).message;
  }
  return "nothing";
};

describe("parseIndex", () => {
  test.each([
    ["not JSON", "{", /'i\.json' is not JSON/],
    ["a list", "[]", /'i\.json' is not one: document/],
    ["null", "null", /document/],
    ["without a weight_map", '{"metadata":{}}', /weight_map/],
    ["a weight_map that is a list", '{"weight_map":[]}', /weight_map/],
    ["a file that is a number", '{"weight_map":{"a":1}}', /weight_map\.a/],
    ["no tensor", '{"weight_map":{}}', /names no tensor/],
    ["metadata that is a word", '{"metadata":"x","weight_map":{"a":"f"}}', /metadata/],
  ])("refuses %s", (_what, text, says) => {
    expect(refusal(() => parseIndex(text, "i.json"))).toMatch(says);
  });

  test("reads tensors of any name", () => {
    const { weight_map } = parseIndex('{"weight_map":{"__proto__":"f","toString":"g"}}', "i.json");
    expect([...weight_map]).toEqual([
      ["__proto__", "f"],
      ["toString", "g"],
    ]);
  });

  test("does not mind a total_size that is wrong, missing, or no number", () => {
    for (const total_size of [undefined, -1, "12 GB", null]) {
      const { rest } = parseIndex(JSON.stringify({ metadata: { total_size }, weight_map: { a: "f" } }), "i.json");
      const { metadata } = JSON.parse(writeIndex(rest, new Map([["f", [entry("a")]]])));
      expect(metadata).toEqual({ total_size: 8 });
    }
  });
});

describe("checkShards", () => {
  const shards = new Map([
    ["f", { tensors: [entry("a"), entry("b")] }],
    ["g", { tensors: [entry("c")] }],
  ]);

  test("takes an index that says what is there", () => {
    expect(() => checkShards(index({ c: "g", a: "f", b: "f" }), "i.json", shards)).not.toThrow();
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ["a tensor that no file has", { a: "f", b: "f", c: "g", d: "g" }, /places the tensor 'd' in 'g', and no file has it/],
    ["a tensor that another file has", { a: "f", b: "g", c: "g" }, /places the tensor 'b' in 'g', and 'f' has it/],
    ["a tensor that the index does not name", { a: "f", c: "g" }, /'f' holds the tensor 'b', which the index 'i\.json' does not name/],
  ])("refuses %s", (_what, weight_map, says) => {
    expect(refusal(() => checkShards(index(weight_map), "i.json", shards))).toMatch(says);
  });

  test("refuses a tensor in two files", () => {
    const twice = new Map([...shards, ["h", { tensors: [entry("a")] }]]);
    expect(refusal(() => checkShards(index({ a: "f", b: "f", c: "g" }), "i.json", twice))).toMatch(/'a' stands in 'f' and in 'h'/);
  });
});

describe("writeIndex", () => {
  test("sorts tensors, counts their bytes and keeps what else the index said", () => {
    const { rest } = parseIndex('{"metadata":{"total_size":1,"total_parameters":4},"weight_map":{"z":"f"},"note":"x"}', "i.json");
    const files = new Map([
      ["f", [entry("z"), { name: "half", dtype: "float16" as const, shape: [3] }]],
      ["g", [entry("a")]],
    ]);
    expect(writeIndex(rest, files)).toBe(
      `${JSON.stringify(
        { metadata: { total_size: 22, total_parameters: 4 }, note: "x", weight_map: { a: "g", half: "f", z: "f" } },
        null,
        2,
      )}\n`,
    );
  });
});

describe("cutAt", () => {
  test.each<[number[], number, number[]]>([
    [[], 10, []],
    [[5, 5], 12, [2]],
    [[5, 6], 12, [1, 1]],
    [[20], 12, [1]],
    [[1, 20, 1, 1], 12, [1, 1, 2]],
    [[3, 3, 3, 3], 8, [2, 2]],
  ])("%j within %i bytes, of which each run costs 2", (sizes, limit, runs) => {
    expect(cutAt(sizes, limit, 2)).toEqual(runs);
  });
});

test("shardName counts from one, and a lone shard is no shard", () => {
  expect([shardName("model", 1, 12), shardName("model", 12, 12), shardName("m", 1, 1)]).toEqual([
    "model-00001-of-00012.safetensors",
    "model-00012-of-00012.safetensors",
    "m.safetensors",
  ]);
});
