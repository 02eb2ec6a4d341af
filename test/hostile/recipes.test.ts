import { describe, expect, test } from "vitest";
import { compress, FormatError, parseRecipe, type RecipeInput, UnsupportedError } from "../../src/index.ts";
import { f32, randn } from "../kit/onnx.ts";
import { bytesOf } from "../kit/wire.ts";
import { drain } from "./attempt.ts";
import { branches, dense, dictionary, safetensors } from "./corpus.ts";

const run = async (bytes: Uint8Array, recipe: unknown): Promise<Uint8Array> => {
  const { readable, report } = compress(bytes, recipe as RecipeInput);
  report.catch(() => {});
  return drain(readable);
};

describe("a recipe that is broken", () => {
  test.each<[string, unknown, RegExp]>([
    ["no object", null, /recipe/],
    ["a number", 8, /recipe/],
    ["a list", ["w8"], /recipe/],
    ["an unknown key", { quantise: "w8" }, /quantise/],
    ["an unknown key within", { quantize: { scheme: "w8", blocks: 32 } }, /blocks/],
    ["__proto__", JSON.parse('{"__proto__": {"quantize": "w8"}}'), /__proto__|change nothing/],
    ["an unknown scheme", { quantize: "w7" }, /quantize/],
    ["a scheme of Object's", { quantize: "constructor" }, /quantize/],
    ["a scheme that is a number", { quantize: 8 }, /quantize/],
    ["a list of schemes", { quantize: ["w8", "w4"] }, /quantize/],
    ["an exclude that is text", { quantize: { scheme: "w8", exclude: "head" } }, /quantize/],
    ["an empty pattern", { quantize: { scheme: "w8", exclude: [""] } }, /exclude/],
    ["a pattern that does not compile", { quantize: { scheme: "w8", exclude: ["("] } }, /exclude/],
    ["a pattern of 257 characters", { quantize: { scheme: "w8", exclude: ["a".repeat(257)] } }, /exclude/],
    ["65 patterns", { quantize: { scheme: "w8", exclude: Array.from({ length: 65 }, () => "a") } }, /quantize/],
    ["(a+)+$", { quantize: { scheme: "w8", exclude: ["(a+)+$"] } }, /nested repetition/],
    ["(a*)*", { quantize: { scheme: "w8", overrides: [{ match: "(a*)*b", scheme: "fp16" }] } }, /nested repetition/],
    ["(a|a)*$", { quantize: { scheme: "w8", exclude: ["(a|a)*$"] } }, /repeated alternatives/],
    ["(?:a|aa)+$", { quantize: { scheme: "w8", exclude: ["^(?:x(a|aa))+$"] } }, /repeated alternatives/],
    ["a ratio of 1", { prune: { structure: "channel", sparsity: 1 } }, /sparsity/],
  ])("%s", async (_what, recipe, says) => {
    const error = await run(dense(), recipe).catch((error: unknown) => error);
    expect(error instanceof FormatError || error instanceof UnsupportedError, String(error)).toBe(true);
    expect(String(error)).toMatch(says);
  });

  test("patterns in use are taken", () => {
    for (const pattern of ["^layers\\.(0|1)\\.", "head.*", "(attn|mlp)\\.w[qkv]$", "[(|)]*", "\\(a\\|b\\)*", "(?:bias)?$"]) {
      expect(() => parseRecipe({ quantize: { scheme: "w8", exclude: [pattern] } }), pattern).not.toThrow();
    }
  });
});

describe("a pattern that may take long", () => {
  const name = `${"a".repeat(2000)}!`;
  const bytes = safetensors({ [name]: { dtype: "F32", shape: [32, 32], data_offsets: [0, 4096] } }, new Uint8Array(4096));

  test.each(["a*a*a*$", "a+.*a+a+$", ".*.*.*.*b", `${"a?".repeat(20)}${"a".repeat(20)}b.*`, "(a|aa)".repeat(36), "(a*)a\\1b"])(
    "%s",
    async (pattern) => {
      const error = await run(bytes, { quantize: { scheme: "w8", exclude: [pattern] } }).catch((error: unknown) => error);
      expect(String(error)).toMatch(/MAX_PATTERN_WORK|nothing|matches no tensor/);
    },
  );

  test("patterns in use do not, on a thousand names", async () => {
    const names = Array.from({ length: 1000 }, (_, i) => `model.decoder.layers.${i}.self_attention.query_key_value.weight`);
    const header = Object.fromEntries(
      names.map((each, i) => [each, { dtype: "F16", shape: [32, 32], data_offsets: [i * 2048, (i + 1) * 2048] }]),
    );
    const many = safetensors(header, new Uint8Array(2048 * names.length));
    const exclude = ["layers\\.(0|1|2)\\.", ".*attention.*query.*", "^model\\..*\\.9\\d\\..*weight$", names.slice(0, 3).join("|")];
    expect((await run(many, { quantize: { scheme: "w8", exclude: exclude.slice(0, 1).concat(exclude.slice(2)) } })).length).toBeGreaterThan(
      1 << 20,
    );
    await expect(run(many, { quantize: { scheme: "w8", exclude } })).rejects.toThrow(/excluded by the recipe/);
  });
});

describe("a recipe that would change nothing", () => {
  test.each<[string, RecipeInput, RegExp]>([
    ["no recipe", {}, /change nothing: name a scheme/],
    ["a pattern that matches nothing", { quantize: { scheme: "w8", exclude: ["ghost"] } }, /ghost.* matches no tensor/],
    [
      "an override that matches nothing",
      { quantize: { scheme: "w8", overrides: [{ match: "ghost", scheme: "fp16" }] } },
      /ghost.* matches no tensor/,
    ],
    ["all excluded", { quantize: { scheme: "w8", exclude: ["."] } }, /change nothing: .*excluded by the recipe/],
    ["a part for later", { distill: {} }, /'distill'/],
    ["a scheme for later", { quantize: "w8a8" }, /w8a8/],
  ])("%s", async (_what, recipe, says) => {
    for (const bytes of [dense(), dictionary()]) {
      const error = await run(bytes, recipe).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(String(error)).toMatch(says);
    }
  });
});

const single = f32("w", [32, 32], randn(1024, 6, 0.2));
const wide = safetensors(
  { "up.weight": { dtype: "F32", shape: [64, 1024], data_offsets: [0, 64 * 1024 * 4] } },
  bytesOf(randn(64 * 1024, 9, 0.1)),
);
const models: Record<string, Uint8Array> = {
  onnx: dense({}, [single]),
  "Constant nodes": dense({ weights: "constants" }, [single]),
  subgraphs: branches(),
  safetensors: wide,
};

describe.each(Object.entries(models))("%s", (_name, bytes) => {
  const halves = _name === "subgraphs"; // its weights are halves already

  test.each(["fp16", "bf16", "w8", "w4"] as const)("%s twice is refused", async (quantize) => {
    if (halves && quantize.endsWith("16")) return;
    const once = await run(bytes, { quantize });
    const error = await run(once, { quantize }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(String(error)).toMatch(/change nothing/);
  });

  test.each([
    ["fp16", "w8"],
    ["fp16", "w4"],
    ["bf16", "w8"],
  ] as const)("%s, then %s", async (first, second) => {
    if (halves) return;
    const both = await run(await run(bytes, { quantize: first }), { quantize: second });
    expect(both.length).toBeLessThan(bytes.length);
  });

  test.each([
    ["w8", "fp16"],
    ["w8", "w4"],
    ["w4", "w8"],
    ["w4", "fp16"],
  ] as const)("%s, then %s: nothing is left to do", async (first, second) => {
    const error = await run(await run(bytes, { quantize: first }), { quantize: second }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(String(error)).toMatch(/change nothing: .*(not a float tensor|elements|one-dimensional|part of a quantized weight)/);
  });
});
