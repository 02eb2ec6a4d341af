/** w8a8 calibrated by our own runtime: what it shows is what onnxruntime computes, and the result is as near. */
import { describe, expect, test } from "vitest";
import { detectorInput, pageOf, recognizerInput, renderLine, textLines } from "../../demo/ocr.ts";
import { type Calibration, compress, LimitError, load, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { calibrating, tensorsOf } from "../kit/calibrating.ts";
import { bert } from "../kit/models/bert.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import { mobilenet } from "../kit/models/mobile.ts";
import { type Feeds, floats, type GeneratedModel, ifModel } from "../kit/models.ts";
import { type Output, type Outputs, openNode, runNode, runWeb, sqnr } from "../kit/ort.ts";
import { numbersOf, readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";

/** Kernels of x86 processors without VNNI saturate in sums of 8-bit products, unless nothing is optimized. */
const PLAIN = { graphOptimizationLevel: "disabled" } as const;

async function quantized(
  model: Uint8Array | ReadableStream<Uint8Array>,
  calibration: Calibration,
  recipe: RecipeInput = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; report: Report }> {
  const { readable, report } = compress(model as Uint8Array, { quantize: "w8a8", ...recipe }, { calibration });
  report.catch(() => {});
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), report: await report };
}

const others = (feeds: Feeds, seed: number): Feeds =>
  Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.type === "float32" ? floats(feed.dims, seed) : feed]));
const samplesOf = ({ inputs }: GeneratedModel): Feeds[] => [1, 2, 3].map((seed) => others(inputs, 10 * seed));
const worst = (reference: Outputs, actual: Outputs): number =>
  Math.min(...Object.entries(reference).map(([name, { data }]) => sqnr(data, actual[name]?.data ?? new Float32Array(0))));

/** Scales of activations by name, as a quantized model holds them. */
const scales = (bytes: Uint8Array): Map<string, number> =>
  new Map(
    [...readOnnx(bytes).initializers].flatMap(([name, tensor]) =>
      name.endsWith("_scale") && tensor.dims.length === 0 ? [[name, Number(numbersOf(tensor)[0])]] : [],
    ),
  );

describe.each([
  ["mobilenet", mobilenet()],
  ["mobilenet of opset 9", mobilenet({ opset: 9 })],
  ["lcnet", lcnet({ height: 64, width: 64 })()],
  ["bert", bert()],
  ["if", ifModel()],
])("%s", (_, model) => {
  test.each([false, true])("has the ranges that onnxruntime gives, optimized: %s", async (optimize) => {
    const samples = samplesOf(model);
    const ours = await quantized(model.bytes, { samples: samples.map(tensorsOf) }, { optimize });
    const theirs = await quantized(model.bytes, calibrating(model.bytes, samples), { optimize });
    const [expected, actual] = [scales(theirs.bytes), scales(ours.bytes)];
    expect(actual.size).toBeGreaterThan(0);
    for (const [name, scale] of expected) expect(Math.abs((actual.get(name) ?? 0) - scale) / scale, name).toBeLessThan(1e-4);
    if (!optimize) expect(ours.report.calibration).toEqual(theirs.report.calibration); // a source lacks what the optimizer makes
  });
});

describe("PP-OCR's recognizer", async () => {
  const bytes = await readRealModel(realModels.recognizer);
  const feedOf = async (line: string): Promise<Feeds> => ({ x: recognizerInput(await renderLine(line)) });
  const [first = "", ...lines] = textLines(4);

  /** Share of the steps at which the likeliest character is the same. */
  function agreement(a: Outputs, b: Outputs): number {
    const [x, y] = [a, b].map((outputs) => Object.values(outputs)[0]) as [Output, Output];
    const [, steps = 0, classes = 0] = x.dims;
    const likeliest = ({ data }: Output, t: number): number => {
      const row = (data as Float32Array).subarray(t * classes, (t + 1) * classes);
      return row.indexOf(row.reduce((most, p) => Math.max(most, p), 0));
    };
    return Array.from({ length: steps }, (_, t) => likeliest(x, t) === likeliest(y, t)).filter(Boolean).length / steps;
  }

  test.each([undefined, "edgeslim"])("comes near its outputs in float and runs everywhere, for %s", async (runtime) => {
    const samples = await Promise.all(lines.map(async (line) => tensorsOf(await feedOf(line))));
    const recipe: RecipeInput = { optimize: true, ...(runtime && { target: { runtime } }) };
    const result = await quantized(bytes, { samples }, recipe);
    expect(result.report.calibration).toMatchObject({ observer: "minmax", samples: 3 });
    expect(result.bytes.length).toBeLessThan(bytes.length / 3);
    const feeds = await feedOf(first);
    const float = await runNode(bytes, feeds);
    const exact = await runNode(result.bytes, feeds, PLAIN);
    const decibels = worst(float, exact);
    expect(decibels).toBeGreaterThan(6); // minmax is coarse for networks of HardSwish
    expect(agreement(float, exact)).toBeGreaterThan(0.85);
    expect(worst(float, await runWeb(result.bytes, feeds))).toBeGreaterThan(decibels - 1);
    const model = await load(result.bytes);
    const outputs = await model.run(tensorsOf(feeds));
    for (const [name, { data }] of Object.entries(float))
      expect(sqnr(data, outputs[name]?.data as Float32Array)).toBeGreaterThan(decibels - 1);
    await (await openNode(result.bytes)).release();
    if (!runtime) return;
    for (const { data_type, dims, ...weight } of readOnnx(result.bytes).initializers.values())
      if (data_type === 3 && dims.length > 1)
        expect(Array.from(numbersOf({ data_type, dims, ...weight }), Number).every((x) => Math.abs(x) <= 63)).toBe(true);
  });
});

test("PP-OCR's detector is calibrated within what a Worker has for models", async () => {
  const bytes = await readRealModel(realModels.detector);
  const x = detectorInput(pageOf(await Promise.all(textLines(2).map(renderLine))));
  const { report } = await quantized(bytes, { samples: [tensorsOf({ x })], maxBytes: 72 << 20 }, { optimize: true });
  expect(report.calibration?.samples).toBe(1);
});

describe("samples", () => {
  const model = mobilenet();
  const [sample] = samplesOf(model).map(tensorsOf);

  test("are opened by what the model takes", async () => {
    const { bytes } = await quantized(model.bytes, {
      samples: (inputs) => {
        expect(inputs.map(({ name }) => name)).toEqual(Object.keys(model.inputs));
        return [sample as NonNullable<typeof sample>];
      },
    });
    expect(bytes).toEqual((await quantized(model.bytes, { samples: [sample as NonNullable<typeof sample>] })).bytes);
  });

  test("calibrate a stream", async () => {
    const stream = new Blob([model.bytes as Uint8Array<ArrayBuffer>]).stream();
    const calibration = { samples: [sample as NonNullable<typeof sample>] };
    expect((await quantized(stream, calibration)).bytes).toEqual((await quantized(model.bytes, calibration)).bytes);
  });

  const input = Object.keys(model.inputs)[0] as string;
  const tensor = sample?.[input] as NonNullable<typeof sample>[string];
  const [n = 0, c = 0, h = 0, w = 0] = tensor.shape;
  const cut = { ...tensor, shape: [n, c, h - 1, w], data: (tensor.data as Float32Array).slice(0, n * c * (h - 1) * w) };
  const poisoned = { ...tensor, data: (tensor.data as Float32Array).map((x, i) => (i === 7 ? Number.POSITIVE_INFINITY : x)) };
  test.each<[string, Calibration["samples"], RegExp]>([
    ["there are none", [], /there are no samples/],
    [
      "one has another shape",
      [{ [input]: cut }],
      /sample 1: Input 'input' has the shape \[2,3,31,32\]; the model takes float32\[batch_size,3,32,32\]/,
    ],
    ["one has another name", [{ [input]: tensor }, { z: tensor }], /sample 2: The model has no input 'z'; it takes input: float32/],
    ["one lacks an input", [{}], /sample 1: Input 'input' is missing/],
    ["one holds infinity", [{ [input]: poisoned }], /sample 1: 'input' has elements that are NaN or infinite/],
  ])("are refused where %s", async (_, samples, message) => {
    const failed = quantized(model.bytes, { samples });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(UnsupportedError);
  });

  test("are refused where the model does not fit into memory", async () => {
    const failed = quantized(model.bytes, { samples: [sample as NonNullable<typeof sample>], maxBytes: 1 << 16 });
    await expect(failed).rejects.toThrow(/Calibration runs the model, which needs more memory .* smaller samples/);
    await expect(failed).rejects.toBeInstanceOf(LimitError);
  });
});
