/**
 * Equal to what the Python tools write. `fixtures/golden/make.py` wrote the models and the references; golden.json names the file of
 * each kind and scheme, or why the tools made none.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AVAILABLE } from "../../src/engine/decide.ts";
import { compress, type Recipe, UnsupportedError } from "../../src/index.ts";
import { type Feeds, floats, type TensorValue, tokens } from "../kit/models.ts";
import { DataType } from "../kit/onnx.ts";
import { type Outputs, runNode, runWeb, sqnr } from "../kit/ort.ts";
import { type DecodedValue, readOnnx } from "../kit/readonnx.ts";
import { difference, SAME } from "./isomorphic.ts";

const FOLDER = new URL("../fixtures/golden/", import.meta.url);
const read = (file: string) => new Uint8Array(readFileSync(new URL(file, FOLDER)));

type Reference = { file: string } | { refused: string };
const index = JSON.parse(readFileSync(new URL("golden.json", FOLDER), "utf8")) as Record<string, Record<string, Reference>>;
const cells = Object.entries(index).flatMap(([kind, schemes]) =>
  Object.entries(schemes).map(([variant, reference]) => {
    const [scheme, granularity] = variant.split("-") as [string, string?];
    return { kind, variant, scheme, quantize: { scheme, ...(granularity && { granularity }) } as Recipe["quantize"], reference };
  }),
);
const withFile = cells.flatMap((cell) => ("file" in cell.reference ? [{ ...cell, file: cell.reference.file }] : []));
const without = cells.flatMap((cell) => ("refused" in cell.reference ? [{ ...cell, refused: cell.reference.refused }] : []));

const compressed = async (kind: string, quantize: Recipe["quantize"]): Promise<Uint8Array> =>
  new Uint8Array(await new Response(compress(read(`${kind}.onnx`), { quantize }).readable).arrayBuffer());

/** Rows of the shortest table that a token looks up. */
const TOKENS = 12;

function feed({ data_type, dims = [] }: DecodedValue, seed: number): TensorValue {
  const shape = dims.map((dim) => (typeof dim === "number" ? dim : 3));
  if (data_type === DataType.BOOL) return { type: "bool", dims: shape, data: Uint8Array.of(seed % 2) };
  return data_type === DataType.INT64 ? tokens(shape, TOKENS, seed) : floats(shape, seed);
}

/** Two of them, which together take both branches of an If. */
const feeds = (kind: string): Feeds[] =>
  [1, 2].map((seed) => Object.fromEntries(readOnnx(read(`${kind}.onnx`)).inputs.map((value) => [value.name, feed(value, seed)])));

/** The largest difference of any output, relative to its largest element. */
function furthest(actual: Outputs, expected: Outputs): number {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  return Math.max(
    ...Object.entries(expected).map(([name, { data, dims }]) => {
      const got = actual[name];
      expect(got?.dims).toEqual(dims);
      const values = Array.from(data as Float32Array);
      const largest = Math.max(...values.map(Math.abs), Number.MIN_VALUE);
      return Math.max(...values.map((x, i) => Math.abs(x - Number(got?.data[i])) / largest));
    }),
  );
}

describe.each(withFile)("$kind under $variant", ({ kind, quantize, file }) => {
  test("is the same graph with the same weights", async () => {
    expect(difference(readOnnx(await compressed(kind, quantize)), readOnnx(read(file)))).toEqual(SAME);
  });

  test("computes the same", async () => {
    const ours = await compressed(kind, quantize);
    for (const each of feeds(kind)) expect(furthest(await runNode(ours, each), await runNode(read(file), each))).toBeLessThan(1e-5);
  });
});

test("every scheme of the references is there", () => {
  for (const { scheme } of cells) expect(AVAILABLE).toContain(scheme);
});

/** A weight that is the graph's output, which stands behind the weights in a file: a stream cannot know it in time. */
const LATE = /^other-uses/;

test.each(withFile)("$kind under $variant as a stream is the same graph, or refused", async ({ kind, quantize }) => {
  const { readable } = compress(new Blob([read(`${kind}.onnx`)]).stream(), { quantize });
  const streamed = await new Response(readable as never).arrayBuffer().catch((error: unknown) => error);
  if (LATE.test(kind) && !(streamed instanceof ArrayBuffer)) return void expect(streamed).toMatchObject({ message: /read again/ });
  expect(difference(readOnnx(new Uint8Array(streamed as ArrayBuffer)), readOnnx(await compressed(kind, quantize)))).toEqual(SAME);
});

describe.each(without)("$kind under $variant, for which the tools have no model", ({ kind, quantize, refused }) => {
  test(`is right or refused: ${refused}`, async () => {
    const ours = await compressed(kind, quantize).catch((error: unknown) => error);
    if (refused === "nothing to do" || !(ours instanceof Uint8Array)) return void expect(ours).toBeInstanceOf(UnsupportedError);
    for (const each of feeds(kind)) {
      // The native kernels for u8×s8 saturate at 16 bits on processors without VNNI; those in WebAssembly are exact everywhere.
      const [original, actual] = [await runNode(read(`${kind}.onnx`), each), await runWeb(ours, each)];
      for (const [name, { data }] of Object.entries(original)) {
        expect(sqnr(data as Float32Array, actual[name]?.data as Float32Array)).toBeGreaterThan(20);
      }
    }
  });
});

test("the references are there, for every scheme", () => {
  expect(new Set(withFile.map(({ scheme }) => scheme))).toEqual(new Set(["int8", "uint8", "q8", "q4", "bnb4"]));
  expect(withFile.length).toBeGreaterThan(150);
});
