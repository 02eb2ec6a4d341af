/** What runs refuse, and what they leave behind: nothing. */
import { describe, expect, test } from "vitest";
import { LimitError, UnsupportedError } from "../../src/errors.ts";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";

const floats = (shape: readonly number[], fill: (i: number) => number): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => fill(i)),
});
const wave = (shape: readonly number[]) => floats(shape, (i) => Math.sin(i / 7));
const recognizer = await readRealModel(realModels.recognizer);
const model = await load(recognizer);

describe("feeds that do not fit", () => {
  const image = wave([1, 3, 48, 64]);
  test.each([
    [
      "a name that the model has not",
      { y: image },
      /no input 'y'; it takes x: float32\[p2o\.DynamicDimension\.0,3,48,p2o\.DynamicDimension\.1\]/,
    ],
    ["no feeds", undefined, /takes its inputs by name: \{ x \}/],
    [
      "elements alone",
      { x: new Float32Array(4) },
      /Input 'x' is a bare Float32Array, expected \{ dtype, shape, data \}; the model takes float32/,
    ],
    ["a number", { x: 3 }, /'x' is a number, expected/],
    ["no shape", { x: { dtype: "float32", data: image.data } }, /'x' is an object of dtype,data, expected/],
    ["another runtime's tensor", { x: { type: "float32", dims: image.shape, data: image.data } }, /'x' is an object of type,dims,data/],
    [
      "a list",
      { x: { ...image, data: Array.from(image.data as Float32Array) } },
      /'x' has its elements in a Array, where float32 takes a Float32Array/,
    ],
    ["no input at all", {}, /Input 'x' is missing; the model takes x: float32/],
    [
      "another type",
      { x: { ...image, dtype: "float64", data: Float64Array.from(image.data as Float32Array) } },
      /'x' is float64; the model takes float32/,
    ],
    ["another rank", { x: { ...image, shape: [3, 48, 64] } }, /'x' has the shape \[3,48,64\]; the model takes float32/],
    ["another size", { x: { ...image, shape: [1, 3, 64, 48] } }, /'x' has the shape \[1,3,64,48\]/],
    ["a negative size", { x: { ...image, shape: [-1, 3, 48, 64] } }, /'x' has the shape \[-1,3,48,64\]/],
    ["a size that is no number", { x: { ...image, shape: [Number.NaN, 3, 48, 64] } }, /'x' has the shape \[NaN,3,48,64\]/],
    [
      "too few elements",
      { x: { ...image, data: (image.data as Float32Array).slice(1) } },
      /'x' has 9215 elements, and its shape \[1,3,48,64\] takes 9216/,
    ],
    [
      "elements in another array",
      { x: { ...image, data: Uint8Array.from(image.data as Float32Array) } },
      /in a Uint8Array, where float32 takes a Float32Array/,
    ],
  ] as const)("%s", async (_what, feeds, message) => {
    const refused = model.run(feeds as Record<string, Tensor>);
    await expect(refused).rejects.toBeInstanceOf(UnsupportedError);
    await expect(refused).rejects.toThrow(message);
  });

  test("an output that the model has not", async () => {
    await expect(model.run({ x: image }, { outputs: ["z"] })).rejects.toThrow(/no output 'z'; it gives softmax_11\.tmp_0/);
  });

  test("no image at all, where a -1 has nothing to be told from", async () => {
    await expect(model.run({ x: wave([0, 3, 48, 64]) })).rejects.toThrow(
      /^Reshape 'p2o\.Reshape\.\d+' cannot compute .*float32\[0,120,1,8\]/,
    );
  });

  test("an image beyond the memory", async () => {
    const small = await load(recognizer, { maxBytes: 24 << 20 });
    await expect(small.run({ x: wave([8, 3, 48, 640]) })).rejects.toBeInstanceOf(LimitError);
    await expect(small.run({ x: wave([1, 3, 48, 64]) })).resolves.toBeDefined();
  });
});

describe("models that do not fit", () => {
  test("the budget, before their weights are read", async () => {
    let bytes = 0;
    const source = {
      size: recognizer.byteLength,
      async read(offset: number, length: number) {
        bytes += length;
        return recognizer.subarray(offset, offset + length);
      },
    };
    await expect(load(source, { maxBytes: 4 << 20 })).rejects.toThrow(/take \d+ bytes in memory, of 4194304.*MAX_MODEL_MEMORY/);
    expect(bytes).toBeLessThan(recognizer.byteLength);
  });

  test("weights without a graph", async () => {
    const safetensors = new TextEncoder().encode(`${String.fromCharCode(2, 0, 0, 0, 0, 0, 0, 0)}{}`);
    await expect(load(safetensors)).rejects.toThrow(/weights without a graph/);
  });
});

describe("runs that are aborted", () => {
  test("before they start, and between steps", async () => {
    await expect(model.run({ x: wave([1, 3, 48, 64]) }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const abort = new AbortController();
    const large = model.run({ x: wave([4, 3, 48, 960]) }, { signal: abort.signal, onStep: () => abort.abort() });
    const outcome = await large.then(
      () => "done",
      (error: Error) => error.name,
    );
    expect(["AbortError", "done"]).toContain(outcome);
    // What follows is not disturbed.
    expect(await model.run({ x: wave([1, 3, 48, 64]) })).toBeDefined();
  });

  test("while the model is read", async () => {
    const abort = new AbortController();
    const source = {
      size: recognizer.byteLength,
      async read(offset: number, length: number) {
        abort.abort();
        return recognizer.subarray(offset, offset + length);
      },
    };
    await expect(load(source, { signal: abort.signal })).rejects.toThrow(/abort/i);
  });
});

const face = await readRealModel(realModels.faceFront);

describe("runs of one model", () => {
  test.each([
    ["PP-OCR rec", recognizer, "x", [1, 3, 48, 64], [1, 3, 48, 96]],
    ["PP-LCNet", lcnet({ height: 64, width: 64 })().bytes, "image", [1, 3, 64, 64], [1, 3, 64, 64]],
    ["BlazeFace", face, "input:0", [1, 128, 128, 3], [1, 128, 128, 3]],
  ] as const)("%s: nothing of one is in the next", async (_name, bytes, input, shape, other) => {
    const alone = await (await load(bytes)).run({ [input]: wave(shape) });
    const shared = await load(bytes);
    for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      await shared.run({ [input]: floats(other, () => poison) }).catch(() => {});
      expect(await shared.run({ [input]: wave(shape) })).toEqual(alone);
    }
  });

  test("take turns where they are started together", async () => {
    const widths = [64, 96, 64, 128, 96];
    const together = await Promise.all(widths.map((width) => model.run({ x: wave([1, 3, 48, width]) })));
    for (const [i, width] of widths.entries()) expect(together[i]).toEqual(await model.run({ x: wave([1, 3, 48, width]) }));
  });
});
