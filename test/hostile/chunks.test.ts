import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compress, inspect, type RecipeInput, type Source } from "../../src/index.ts";
import { drain, streamOf } from "./attempt.ts";
import { corpus } from "./corpus.ts";

/** A stream of chunks of these lengths, in turn; an empty chunk is a chunk too. */
function inChunks(bytes: Uint8Array, lengths: readonly number[]): ReadableStream<Uint8Array> {
  let [at, i] = [0, 0];
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const length = lengths[i++ % lengths.length] as number;
      controller.enqueue(bytes.slice(at, at + length));
      at += length;
    },
  });
}

const output = async (from: Parameters<typeof compress>[0], recipe: RecipeInput): Promise<Uint8Array> =>
  drain(compress(from, recipe).readable);

const schemes = ["fp16", "bf16", "w8", "w4", "q8", "q4f16", "bnb4"] as const;

describe.each(corpus)("$name", ({ bytes, recipe, format }) => {
  test("chunks of 0, 1, 3, 4096 and all bytes give the same bytes, under each scheme that does something", async () => {
    let done = 0;
    for (const quantize of schemes) {
      const whole = await output(streamOf(bytes), { quantize }).catch(() => undefined);
      if (!whole) continue;
      done++;
      for (const lengths of [[1], [3], [0, 7, 0], [4096], [1 << 20]])
        expect(await output(inChunks(bytes, lengths), { quantize })).toEqual(whole);
    }
    expect(done).toBeGreaterThan(1);
  });

  test("any chunks do", async () => {
    const whole = await output(streamOf(bytes), recipe);
    const told = await inspect(bytes);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(700), { minLength: 1, maxLength: 20 }), async (lengths) => {
        lengths.push(1); // some chunk is not empty
        expect(await output(inChunks(bytes, lengths), recipe)).toEqual(whole);
        expect(await inspect(inChunks(bytes, lengths))).toEqual(told);
      }),
      { seed: 7, numRuns: 25 },
    );
  });

  test("a Source, a Blob and a Uint8Array give the same bytes", async () => {
    const source: Source = { size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) };
    const canonical = await output(bytes, recipe);
    expect(await output(source, recipe)).toEqual(canonical);
    expect(await output(new Blob([bytes.slice()]), recipe)).toEqual(canonical);
    // What a source gave may be filled again once it is handed back.
    const spoilt: Source = {
      size: bytes.length,
      async read(offset, length, used) {
        used?.fill(0xaa);
        return bytes.slice(offset, offset + length);
      },
    };
    expect(await output(spoilt, recipe)).toEqual(canonical);
    if (format === "safetensors") expect(await output(streamOf(bytes), recipe)).toEqual(canonical);
  });
});
