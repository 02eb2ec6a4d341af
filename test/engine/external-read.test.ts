import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compress,
  type FindSibling,
  FormatError,
  inspect,
  memorySource,
  type RecipeInput,
  type Source,
  UnsupportedError,
} from "../../src/index.ts";
import { drain, streamOf } from "../hostile/attempt.ts";
import { type Files, moveOut, rawData, withTensors } from "../kit/external.ts";
import { generators, ifModel, loopModel, mlp } from "../kit/models.ts";
import { encodeModel, f32, type Layout, type ModelSpec, node, value } from "../kit/onnx.ts";

/** The files as a source's siblings, and what was asked for. */
function folder(files: Files): { siblings: FindSibling; asked: string[] } {
  const asked: string[] = [];
  const siblings: FindSibling = async (location) => {
    asked.push(location);
    const bytes = files.get(location);
    return bytes && memorySource(bytes);
  };
  return { siblings, asked };
}

const LOCATIONS = ["model.onnx_data", "model.onnx_data_1", "weights/a b%20é.bin"];
/** Every tensor in one of three files, one in four in the model itself. */
const scattered = (model: ModelSpec) =>
  moveOut(rawData(model), (i) => (i % 4 === 3 ? undefined : { location: LOCATIONS[i % 3] as string, gap: (i * 37) % 70 }));

const from = (door: string, bytes: Uint8Array) => (door === "stream" ? streamOf(bytes) : bytes);

describe("a model with external data is compressed as if it were in one file", () => {
  const recipes: RecipeInput[] = [
    { quantize: "w8" },
    { quantize: "fp16" },
    { quantize: "q4" },
    { quantize: "int8" },
    { quantize: "fp16", optimize: true },
  ];
  const layouts: Layout[] = [{}, { weights: "before" }, { weights: "constants" }];

  test.each(generators)("$name", async ({ generate, opsets }) => {
    const { spec } = generate({ opset: opsets.at(-1) as number });
    const { model, files } = scattered(spec);
    for (const layout of layouts) {
      for (const recipe of recipes) {
        for (const door of ["source", "stream"]) {
          const wanted = await drain(compress(from(door, encodeModel(rawData(spec), layout)), recipe).readable).catch(
            (error: Error) => error.name,
          );
          const { siblings } = folder(files);
          const found = await drain(compress(from(door, encodeModel(model, layout)), recipe, { siblings }).readable).catch(
            (error: Error) => error.name,
          );
          expect(found, `${JSON.stringify(layout)} ${JSON.stringify(recipe)} ${door}`).toEqual(wanted);
        }
      }
    }
  });

  test("wherever its tensors lie", async () => {
    const { spec } = ifModel();
    const whole = await drain(compress(encodeModel(rawData(spec)), { quantize: "w8" }).readable);
    const choice = fc.option(fc.record({ location: fc.constantFrom("a", "b/c", "d.data"), gap: fc.nat(10_000) }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.array(choice, { minLength: 1, maxLength: 8 }), async (choices) => {
        const { model, files } = moveOut(rawData(spec), (i) => choices[i % choices.length]);
        const { readable } = compress(encodeModel(model), { quantize: "w8" }, folder(files));
        expect(await drain(readable)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  test("where two tensors share their bytes", async () => {
    const { spec } = mlp();
    const shared = withTensors(rawData(spec), (tensor) => {
      const [bytes] = [(tensor.data as Float32Array).byteLength];
      return { ...tensor, external: { location: "data", offset: tensor.dims.length === 1 ? 64 : 0, length: bytes } };
    });
    const data = new Uint8Array(1 << 20).map((_, i) => (i % 4 === 3 ? 0x3d : i * 7));
    const merged = withTensors(rawData(spec), (tensor) => {
      const offset = tensor.dims.length === 1 ? 64 : 0;
      const length = (tensor.data as Float32Array).length;
      return { ...tensor, data: new Float32Array(data.buffer, offset, length) };
    });
    const { siblings, asked } = folder(new Map([["data", data]]));
    const { readable } = compress(encodeModel(shared), { quantize: "w8" }, { siblings });
    expect(await drain(readable)).toEqual(await drain(compress(encodeModel(merged), { quantize: "w8" }).readable));
    expect(asked, "each file is asked for once").toEqual(["data"]);
  });
});

test("the report counts the files that hold the source's data", async () => {
  const { model, files } = scattered(mlp().spec);
  const bytes = encodeModel(model);
  const { readable, report } = compress(bytes, { quantize: "w8" }, folder(files));
  await drain(readable);
  const total = [...files.values()].reduce((n, file) => n + file.length, bytes.length);
  expect((await report).source).toMatchObject({ bytes: total, files: [...files.keys()] });
});

describe("files that are not as the model says", () => {
  const { spec } = mlp();
  const { model, files } = moveOut(rawData(spec), () => ({ location: "model.onnx_data", gap: 0 }));
  const bytes = encodeModel(model);
  const doors = ["source", "stream", "inspect"] as const;
  const fails = async (door: (typeof doors)[number], siblings: FindSibling): Promise<unknown> => {
    const run = door === "inspect" ? inspect(bytes, { siblings }) : compress(from(door, bytes), { quantize: "w8" }, { siblings }).report;
    return run.then(
      () => expect.unreachable("it went well"),
      (error: unknown) => error,
    );
  };

  test.each(doors)("a file that is missing: %s", async (door) => {
    const error = await fails(door, async () => undefined);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toMatch(/Tensor '.+' keeps its data in 'model.onnx_data', which is not there \(at byte \d+\)/);
    expect((error as FormatError).place.tensor).toBeTruthy();
  });

  test.each(doors)("a file that is too short by a byte: %s", async (door) => {
    const whole = files.get("model.onnx_data") as Uint8Array;
    const error = await fails(door, async () => memorySource(whole.subarray(0, -1)));
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(/Tensor '.+' takes \d+ bytes at \d+ of 'model.onnx_data', which holds \d+/);
  });

  test.each(doors)("a finder that fails: %s", async (door) => {
    const reason = new Error("no permission");
    expect(await fails(door, () => Promise.reject(reason))).toBe(reason);
  });

  test("a file that shrinks while it is read", async () => {
    const whole = files.get("model.onnx_data") as Uint8Array;
    const shrunk: Source = { size: whole.length, read: async (offset, length) => whole.subarray(offset, offset + length - 1) };
    for (const door of ["source", "stream"] as const) expect(String(await fails(door, async () => shrunk))).toMatch(/did it change\?/);
  });

  test("an abort while a file gives nothing", async () => {
    const reason = new Error("enough");
    for (const door of ["source", "stream"] as const) {
      const controller = new AbortController();
      const { signal } = controller;
      const stuck: Source = { size: 1 << 30, read: () => new Promise(() => setTimeout(() => controller.abort(reason), 5)) };
      const { report } = compress(from(door, bytes), { quantize: "w8" }, { signal, siblings: async () => stuck });
      await expect(report).rejects.toBe(reason);
    }
  });
});

describe("inspect", () => {
  const { spec } = loopModel();
  const { model, files } = scattered(spec);
  const bytes = encodeModel(model);
  const total = [...files.values()].reduce((n, file) => n + file.length, 0);

  test("counts the bytes of the files", async () => {
    const padded = new Map([...files].map(([name, file]) => [name, new Uint8Array(file.length + 100)]));
    const found = await inspect(bytes, folder(padded));
    expect(found.bytes).toBe(bytes.length + total + 100 * files.size);
    expect(found.external?.found).toBe(true);
    expect(found.external?.files.map(({ location }) => location).sort()).toEqual([...files.keys()].sort());
  });

  test("without them tells how far tensors reach, and says so", async () => {
    for (const door of ["source", "stream"]) {
      const found = await inspect(from(door, bytes));
      expect(found.external).toEqual({
        found: false,
        files: expect.arrayContaining([...files].map(([location, file]) => ({ location, bytes: file.length }))),
      });
      expect(found.bytes).toBe(bytes.length + total);
    }
  });

  test("estimates what schemes give as for one file", async () => {
    const whole = await inspect(encodeModel(rawData(spec)));
    const found = await inspect(bytes, folder(files));
    expect(found.tensors).toEqual(whole.tensors);
    for (const [i, { bytes: wanted }] of whole.schemes.entries()) {
      if (wanted === undefined) expect(found.schemes[i]).toEqual(whole.schemes[i]);
      else expect(found.schemes[i]?.bytes).toBe(wanted - whole.bytes + found.bytes);
    }
    expect(whole.external).toBeUndefined();
  });
});

test("small tensors in other files count as part of the graph", async () => {
  const external = { location: "data", offset: 0 };
  const initializers = Array.from({ length: 20_000 }, (_, i) => ({ ...f32(`w${i}`, [500], []), external }));
  const graph = { nodes: [node("Add", ["x", "w0"], ["y"])], initializers, inputs: [value("x", 1)], outputs: [value("y", 1)] };
  const error: unknown = await compress(
    encodeModel({ graph, opsets: { "": 13 } }),
    { quantize: "q8" },
    folder(new Map([["data", new Uint8Array(2000)]])),
  ).report.catch((e: unknown) => e);
  expect(error).toMatchObject({ limit: "MAX_GRAPH_BYTES", message: expect.stringContaining("Small tensors in other files") });
});

test("without its other files a model is refused, and the error says what to give", async () => {
  const { model } = moveOut(rawData(mlp().spec), () => ({ location: "model.onnx_data", gap: 0 }));
  for (const door of ["source", "stream"]) {
    const error: unknown = await compress(from(door, encodeModel(model)), { quantize: "w8" }).report.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect((error as Error).message).toMatch(/'model.onnx_data'.*give the folder/);
  }
});
