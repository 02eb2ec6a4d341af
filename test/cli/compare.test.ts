import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Comparison } from "../../src/engine/compare.ts";
import { writeNpy } from "../../src/io/npy.ts";
import { encoder, floats, mlp } from "../kit/models.ts";
import { DataType, encodeModel, f32, node, randn } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { edgeslim, folder, listing } from "./spawn.ts";

const SHAPE = [16, 16];
/** x → MatMul w1 → h → MatMul w2 → y, the weights as they are said. */
const chain = (w1: Float32Array, w2: Float32Array): Uint8Array =>
  encodeModel({
    opsets: { "": 13 },
    graph: {
      nodes: [node("MatMul", ["x", "w1"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "w2"], ["y"])],
      inputs: [{ name: "x", data_type: DataType.FLOAT, dims: ["n", 16] }],
      outputs: [{ name: "y", data_type: DataType.FLOAT, dims: ["n", 16] }],
      initializers: [f32("w1", SHAPE, w1), f32("w2", SHAPE, w2)],
    },
  });
const [W1, W2] = [randn(256, 1), randn(256, 2)];
const scaled = (w: Float32Array, by: number): Float32Array => w.map((x) => x * by);

function models(files: Record<string, Uint8Array>): string {
  const cwd = folder();
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(cwd, name), bytes);
  return cwd;
}
const compared = async (cwd: string, ...args: string[]): Promise<Comparison> => {
  const { code, out, err } = await edgeslim(["compare", ...args, "--json"], { cwd });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as Comparison;
};

describe("edgeslim compare", () => {
  test("tells the error that was made, and the layer in which it was made", async () => {
    const cwd = models({
      "a.onnx": chain(W1, W2),
      "b.onnx": chain(W1, scaled(W2, 1.1)),
      "c.onnx": chain(scaled(W1, 1.01), scaled(W2, 1.1)),
    });
    const second = await compared(cwd, "a.onnx", "b.onnx", "--shape", "x=4,16");
    expect(second.outputs).toHaveLength(1);
    expect(second.outputs[0]).toMatchObject({ name: "y", dtype: "float32", shape: [4, 16], different: 1 });
    expect(second.outputs[0]?.relative_mse).toBeCloseTo(0.01, 6); // (1.1 - 1)²
    expect(second.outputs[0]?.sqnr_db).toBeCloseTo(20, 3);
    expect(second.layers.map(({ name, different }) => [name, different])).toEqual([
      ["h", 0],
      ["r", 0],
      ["y", 1],
    ]);
    expect([second.first, second.most]).toEqual(["y", "y"]);

    const both = await compared(cwd, "a.onnx", "c.onnx");
    expect([both.first, both.most]).toEqual(["h", "y"]);
    expect(both.layers[0]?.relative_mse).toBeCloseTo(1e-4, 7);
    expect(both.layers[1]?.added).toBeCloseTo(0, 7);
    expect(both.layers[2]?.added).toBeCloseTo(0.111 ** 2 - 1e-4, 5);
    for (const { bytes, load_ms, latency, memory_bytes } of both.models) {
      expect(bytes).toBe(readFileSync(join(cwd, "a.onnx")).length);
      expect(latency).toMatchObject({ runs: 20 });
      for (const figure of [load_ms, latency.first_ms, latency.median_ms, memory_bytes]) expect(figure).toBeGreaterThan(0);
    }
  });

  test("measures a compressed model as onnxruntime does", async () => {
    const { bytes, inputs } = mlp();
    const cwd = models({
      "model.onnx": bytes,
      "x.npy": writeNpy({ dtype: "float32", shape: [4, 64], data: inputs.x?.data as Float32Array }),
    });
    expect((await edgeslim(["compress", "model.onnx", "-o", "w4.onnx", "-q", "w4"], { cwd })).code).toBe(0);
    const { outputs, models: figures } = await compared(cwd, "model.onnx", "w4.onnx", "--input", "x=x.npy");
    const [wanted, given] = [await runNode(bytes, inputs), await runNode(readFileSync(join(cwd, "w4.onnx")), inputs)];
    const [p, q] = [wanted.y?.data as Float32Array, given.y?.data as Float32Array];
    const [noise, signal] = [p.reduce((n, x, i) => n + (x - (q[i] as number)) ** 2, 0), p.reduce((n, x) => n + x * x, 0)];
    expect(Math.abs((outputs[0]?.relative_mse as number) / (noise / signal) - 1)).toBeLessThan(0.05); // which rounds activations, too
    expect(figures[1].bytes).toBe(readFileSync(join(cwd, "w4.onnx")).length);
  });

  test("says it to people", async () => {
    const cwd = models({ "a.onnx": chain(W1, W2), "b.onnx": chain(W1, scaled(W2, 1.1)) });
    const { code, out, err } = await edgeslim(["compare", "a.onnx", "b.onnx"], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const line of [
      /^ +a\.onnx +b\.onnx$/m,
      /^ +size +\S+ kB +\S+ kB \(100\.0 %\)$/m,
      /^Outputs for random inputs/m,
      /^ +y +float32 +1×16 +20\.0 dB +0\.01 /m,
      /^3 values stand under one name in both graphs\. The error arises at y \(MatMul .*\), and grows most at y/m,
    ])
      expect(out).toMatch(line);
    expect((await edgeslim(["compare", "a.onnx", "a.onnx"], { cwd })).out).toMatch(/3 values .*; none differs$/m);
  });

  test("draws integers that are indices", async () => {
    const cwd = models({ "a.onnx": encoder().bytes });
    const { outputs, first } = await compared(cwd, "a.onnx", "a.onnx");
    expect(outputs.every(({ different }) => different === 0)).toBe(true);
    expect(first).toBeUndefined();
  });

  test.each<[number, string, string[], RegExp]>([
    [2, "one model", ["a.onnx"], /missing required argument 'b'/],
    [2, "a missing model", ["a.onnx", "gone.onnx"], /Cannot read the model gone\.onnx/],
    [2, "a shape that is none", ["a.onnx", "a.onnx", "--shape", "x=1,-2"], /'x=1,-2' is invalid/],
    [2, "a shape beside an input", ["a.onnx", "a.onnx", "--shape", "x=1", "--input", "x=x.npy"], /--input gives them/],
    [2, "standard input twice", ["-", "-"], /cannot both be standard input/],
    [3, "a shape of no input", ["a.onnx", "a.onnx", "--shape", "z=1"], /no input 'z'/],
    [3, "a shape that does not fit", ["a.onnx", "a.onnx", "--shape", "x=1,17"], /a\.onnx: Input 'x' has the shape \[1,17\]/],
    [3, "a huge shape", ["a.onnx", "a.onnx", "--shape", "x=999999999,16"], /too large to be drawn/],
    [3, "other inputs", ["a.onnx", "other.onnx"], /other\.onnx: The model has no input 'x'/],
    [3, "what is no model", ["a.onnx", "text.onnx"], /text\.onnx: The leading bytes/],
  ])("%i for %s", async (expected, _, args, message) => {
    const cwd = models({ "a.onnx": chain(W1, W2), "other.onnx": encoder().bytes, "text.onnx": new Uint8Array(Buffer.from("no model")) });
    const { code, out, err } = await edgeslim(["compare", ...args], { cwd });
    expect(err).toMatch(message);
    expect({ code, out }).toEqual({ code: expected, out: "" });
  });
});

describe("edgeslim compress --calibrate", () => {
  const samples = Array.from({ length: 4 }, (_, i) => floats([1, 16], i + 10).data as Float32Array);
  const all = writeNpy({ dtype: "float32", shape: [4, 16], data: Float32Array.from(samples.flatMap((x) => [...x])) });

  function samplesFolder(): string {
    const cwd = models({ "a.onnx": chain(W1, W2), "all.npy": all });
    mkdirSync(join(cwd, "samples"));
    samples.forEach((data, i) => {
      writeFileSync(join(cwd, "samples", `${i}.npy`), writeNpy({ dtype: "float32", shape: [1, 16], data }));
    });
    return cwd;
  }

  test("gives the same by a folder and by one file, and a model that is near", async () => {
    const cwd = samplesFolder();
    for (const [from, to] of [
      ["samples", "folder.onnx"],
      ["all.npy", "file.onnx"],
    ] as const) {
      const { code, err } = await edgeslim(["compress", "a.onnx", "-o", to, "-q", "w8a8", "--calibrate", from], { cwd });
      expect({ code, err }).toEqual({ code: 0, err: expect.not.stringMatching(/^edgeslim: [^w]/) });
    }
    expect(readFileSync(join(cwd, "folder.onnx")).equals(readFileSync(join(cwd, "file.onnx")))).toBe(true);
    const { outputs } = await compared(cwd, "a.onnx", "folder.onnx", "--input", "x=all.npy");
    expect(outputs[0]?.sqnr_db).toBeGreaterThan(25);
    expect(outputs[0]?.different).toBeGreaterThan(0.5);
  });

  test("takes a model from standard input, and puts one into a folder", async () => {
    const cwd = samplesFolder();
    const input = chain(W1, W2);
    const flags = ["-q", "w8a8", "--calibrate", "samples"];
    expect((await edgeslim(["compress", "-", "-o", "piped.onnx", ...flags], { cwd, input })).code).toBe(0);
    expect((await edgeslim(["compress", "a.onnx", "-o", "out/", ...flags], { cwd })).code).toBe(0);
    expect(readFileSync(join(cwd, "piped.onnx")).equals(readFileSync(join(cwd, "out/onnx/a_w8a8.onnx")))).toBe(true);
  });

  test.each<[number, string, string[], RegExp]>([
    [3, "no samples", ["a.onnx", "-o", "b.onnx", "-q", "w8a8"], /give samples .*--calibrate SAMPLES/],
    [
      3,
      "samples for a recipe that needs none",
      ["a.onnx", "-o", "b.onnx", "-q", "w8", "--calibrate", "samples"],
      /Nothing in the recipe looks at samples/,
    ],
    [2, "samples that are missing", ["a.onnx", "-o", "b.onnx", "-q", "w8a8", "--calibrate", "gone"], /Cannot read the samples gone/],
    [3, "a folder without samples", ["a.onnx", "-o", "b.onnx", "-q", "w8a8", "--calibrate", "empty"], /empty: There are no samples/],
    [3, "samples of another shape", ["a.onnx", "-o", "b.onnx", "-q", "w8a8", "--calibrate", "wrong.npy"], /\[4,15\]/],
  ])("%i for %s", async (expected, _, args, message) => {
    const cwd = samplesFolder();
    mkdirSync(join(cwd, "empty"));
    writeFileSync(join(cwd, "wrong.npy"), writeNpy({ dtype: "float32", shape: [4, 15], data: new Float32Array(60) }));
    const before = listing(cwd);
    const { code, out, err } = await edgeslim(["compress", ...args], { cwd, input: chain(W1, W2) });
    expect(err).toMatch(message);
    expect({ code, out }).toEqual({ code: expected, out: "" });
    expect(listing(cwd)).toEqual(before);
  });
});
