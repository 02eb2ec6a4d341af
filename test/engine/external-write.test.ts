import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CompressOptions,
  compressInto,
  type ExternalSink,
  inspect,
  LimitError,
  MemorySink,
  type ModelSource,
  memorySource,
  type Plan,
  type RecipeInput,
  type Report,
  type Sink,
  type Source,
  UnsupportedError,
} from "../../src/index.ts";
import { streamOf, WatchedSink } from "../hostile/attempt.ts";
import { dictionary } from "../hostile/corpus.ts";
import { type Files, inFolder, moveIn, moveOut, rawData } from "../kit/external.ts";
import { constants, encoder, type GeneratedModel, generators, ifModel, mlp } from "../kit/models.ts";
import { DataType, encodeModel, f32, i64, node, randn, value } from "../kit/onnx.ts";
import { type Outputs, openNode } from "../kit/ort.ts";
import { everyWeight, readOnnx } from "../kit/readonnx.ts";

interface Written {
  files: Files;
  report: Report;
  plan: Plan;
}

/** Compresses with external data into memory. */
async function write(
  source: ModelSource,
  recipe: RecipeInput,
  external: Partial<ExternalSink> = {},
  options: CompressOptions = {},
): Promise<Written> {
  const sinks = new Map<string, MemorySink>([["model.onnx", new MemorySink()]]);
  let plan: Plan | undefined;
  const open = async (name: string): Promise<Sink> => {
    expect(sinks.has(name), `${name} is opened once`).toBe(false);
    sinks.set(name, new MemorySink());
    return sinks.get(name) as Sink;
  };
  const report = await compressInto(source, recipe, sinks.get("model.onnx") as Sink, {
    ...options,
    external: { name: "model.onnx", open, ...external },
    onPlan: (found) => void (plan = found),
  });
  return { files: new Map([...sinks].map(([name, sink]) => [name, sink.bytes()])), report, plan: plan as Plan };
}

async function whole(source: ModelSource, recipe: RecipeInput): Promise<Uint8Array> {
  const sink = new MemorySink();
  await compressInto(source, recipe, sink);
  return sink.bytes();
}

/** The model of the files with its data in it, as an independent decoder reads it. */
const merged = (files: Files) => moveIn(readOnnx(files.get("model.onnx") as Uint8Array), files);

/** What must hold of any result in several files. */
function checkFiles({ files, report, plan }: Written, shard = Number.POSITIVE_INFINITY, threshold = 1024): void {
  const sizes = [...files].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  expect(plan.files).toEqual(sizes);
  expect(plan.bytes).toBe(sizes.reduce((n, { bytes }) => n + bytes, 0));
  expect(report.output).toMatchObject({ bytes: plan.bytes, files: sizes.map(({ name }) => name) });
  const data = sizes.slice(1).map(({ name }) => name);
  expect(data).toEqual(data.map((_, i) => (i === 0 ? "model.onnx_data" : `model.onnx_data_${i}`)));

  const ends = new Map(data.map((name) => [name, 0]));
  const tensors = new Map<string, number[]>();
  for (const { name, external, bytes } of everyWeight(readOnnx(files.get("model.onnx") as Uint8Array))) {
    if (!external) {
      expect(bytes?.length ?? 0, name).toBeLessThan(threshold);
      continue;
    }
    const { location, offset, length } = external as Record<"location" | "offset" | "length", string>;
    expect(Number(length), name).toBeGreaterThanOrEqual(threshold);
    expect(Number(offset) % (Number(length) < 4096 ? 64 : 4096), name).toBe(0);
    expect(Number(offset), `${name} overlaps`).toBeGreaterThanOrEqual(ends.get(location) as number);
    expect(Number(offset) - (ends.get(location) as number), `${name} leaves room`).toBeLessThan(4096);
    ends.set(location, Number(offset) + Number(length));
    tensors.set(location, [...(tensors.get(location) ?? []), Number(length)]);
  }
  for (const name of data) {
    expect(ends.get(name), "files end with their last tensor").toBe(files.get(name)?.length);
    if ((files.get(name)?.length as number) > shard) expect(tensors.get(name)?.length, `${name} is larger than a shard`).toBe(1);
  }
}

/** A chain of products with weights of these names, [64, 64] in f32: 16 KiB each. */
function products(...names: string[]): Uint8Array {
  const initializers = names.map((name, i) => f32(name, [64, 64], randn(4096, i + 1, 0.1)));
  const nodes = names.map((name, i) => node("MatMul", [i === 0 ? "x" : `h${i}`, name], [i === names.length - 1 ? "y" : `h${i + 1}`]));
  const [x, y] = [value("x", DataType.FLOAT, ["rows", 64]), value("y", DataType.FLOAT, ["rows", 64])];
  return encodeModel({ graph: { nodes, initializers, inputs: [x], outputs: [y] }, opsets: { "": 17 } });
}

const latest = ({ generate, opsets }: (typeof generators)[number]): GeneratedModel => generate({ opset: opsets.at(-1) as number });
const recipes: RecipeInput[] = [
  { quantize: "w8" },
  { quantize: "fp16" },
  { quantize: "q4" },
  { quantize: "uint8" },
  { quantize: "fp16", optimize: true },
];

describe("a result in several files holds the tensors and nodes of the one in one file", () => {
  test.each(generators)("$name", async (entry) => {
    const { bytes, spec } = latest(entry);
    for (const source of [bytes, encodeModel(rawData(spec), { weights: "constants" })]) {
      for (const recipe of recipes) {
        const wanted = await whole(source, recipe).catch((error: Error) => error.message);
        const written = await write(source, recipe, { always: true }).catch((error: Error) => error.message);
        if (typeof wanted === "string" || typeof written === "string") {
          expect(written).toBe(wanted);
          continue;
        }
        expect(merged(written.files)).toEqual(readOnnx(wanted));
      }
    }
  });

  test("at any shard size, from external data or not", async () => {
    const { spec } = encoder();
    const { model, files } = moveOut(rawData(spec), (i) => ({ location: `in/${i % 3}`, gap: i }));
    const siblings = async (name: string) => memorySource(files.get(name) as Uint8Array);
    for (const recipe of recipes) {
      const wanted = readOnnx(await whole(encodeModel(rawData(spec)), recipe));
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 1024, max: 6000 }), async (shard, threshold) => {
          const written = await write(encodeModel(model), recipe, { shard, threshold }, { siblings });
          checkFiles(written, shard, threshold);
          expect(merged(written.files)).toEqual(wanted);
        }),
        { numRuns: 25 },
      );
    }
  });

  test("and is compressed again to the same bytes", async () => {
    const { bytes } = encoder();
    const { files } = await write(bytes, { quantize: "fp16" }, { shard: 10_000 });
    const sink = new MemorySink();
    const siblings = async (name: string) => memorySource(files.get(name) as Uint8Array);
    await compressInto(files.get("model.onnx") as Uint8Array, { quantize: "w8" }, sink, { siblings });
    expect(sink.bytes()).toEqual(await whole(await whole(bytes, { quantize: "fp16" }), { quantize: "w8" }));
  });
});

describe("onnxruntime gives the outputs of the one file", () => {
  test.each(generators)("$name", async (entry) => {
    const model = latest(entry);
    for (const recipe of recipes.slice(0, 3)) {
      for (const weights of ["after", "constants"] as const) {
        const source = encodeModel(rawData(model.spec), { weights });
        const written = await write(source, recipe, { shard: 3000 }).catch((error: unknown) => error);
        if (written instanceof UnsupportedError) continue; // the recipe does nothing for it
        const { files, report } = written as Written;
        const outputs = async (from: Uint8Array | string): Promise<Outputs[]> => {
          await using runner = await openNode(from);
          return [await runner.run(model.inputs), ...(await Promise.all(model.more.map((feeds) => runner.run(feeds))))];
        };
        const found = await inFolder(files, (folder) => outputs(join(folder, "model.onnx")));
        expect(found, report.output.files?.join()).toEqual(await outputs(await whole(source, recipe)));
      }
    }
  });

  test("of a model in three data files, kept and compressed tensors among them", async () => {
    const model = products("a", "b", "c");
    const recipe: RecipeInput = { quantize: { scheme: "w8", exclude: ["b"] } };
    const written = await write(model, recipe, { shard: 16_384 });
    expect([...written.files.keys()]).toEqual(["model.onnx", "model.onnx_data", "model.onnx_data_1", "model.onnx_data_2"]);
    checkFiles(written, 16_384);
    const feeds = { x: { type: "float32" as const, dims: [3, 64], data: randn(192, 9) } };
    const run = async (from: Uint8Array | string) => {
      await using runner = await openNode(from);
      return await runner.run(feeds);
    };
    const one = await run(await whole(model, recipe));
    expect(await inFolder(written.files, (folder) => run(join(folder, "model.onnx")))).toEqual(one);
  });
});

describe("one file or several", () => {
  const { bytes, spec } = mlp();
  const { model, files: beside } = moveOut(rawData(spec), () => ({ location: "data", gap: 0 }));
  const siblings = async (name: string) => memorySource(beside.get(name) as Uint8Array);

  test("what fits into one file is one file, from external data too", async () => {
    for (const shard of [undefined, 1 << 20]) {
      for (const source of [bytes, encodeModel(model)]) {
        const { files, report, plan } = await write(source, { quantize: "w8" }, { shard }, { siblings });
        expect([...files.keys()]).toEqual(["model.onnx"]);
        expect(files.get("model.onnx")).toEqual(await whole(encodeModel(rawData(spec)), { quantize: "w8" }));
        expect(report.output.files).toEqual(["model.onnx"]);
        expect(plan.files).toEqual([{ name: "model.onnx", bytes: report.output.bytes }]);
      }
    }
  });

  test("the shard is the size from which a result is split", async () => {
    const { length } = await whole(bytes, { quantize: "w8" });
    expect((await write(bytes, { quantize: "w8" }, { shard: length })).files.size).toBe(1);
    expect((await write(bytes, { quantize: "w8" }, { shard: length - 1 })).files.size).toBeGreaterThan(1);
  });

  test("a shard is filled to its last byte", async () => {
    const dataFiles = async (shard: number) =>
      (await write(products("a", "b", "c", "d"), { quantize: "fp16" }, { shard })).plan.files?.slice(1).map(({ bytes }) => bytes);
    expect(await dataFiles(16_384)).toEqual([16_384, 16_384]);
    expect(await dataFiles(16_383)).toEqual([8192, 8192, 8192, 8192]);
  });

  /** A source of any size that holds zeros after its head. */
  const vast = (gibibytes: number) => {
    const columns = 1 << 18;
    const rows = gibibytes << 10; // MiB each
    const names = ["a", "b"];
    const external = { location: "vast", offset: 0, length: (rows / 2) * columns * 4 };
    const weights = names.map((name) => ({ ...f32(name, [rows / 2, columns], []), external }));
    const nodes = names.map((name) => node("MatMul", ["x", name], [`y${name}`]));
    const graph = { nodes, initializers: weights, inputs: [value("x", DataType.FLOAT)], outputs: [] };
    const siblings = async (): Promise<Source> => ({ size: 2 ** 40, read: async (_offset, n) => new Uint8Array(n) });
    return { source: encodeModel({ graph, opsets: { "": 13 } }), siblings };
  };

  test("what is larger than 2 GiB goes to data files, known before the first byte", async () => {
    const { source, siblings } = vast(6);
    const stop = new Error("planned");
    let plan: Plan | undefined;
    const open = () => expect.unreachable("a file is opened before the plan is told");
    const onPlan = (found: Plan): void => {
      plan = found;
      throw stop;
    };
    const sink = new WatchedSink();
    const end = compressInto(source, { quantize: "fp16" }, sink, { siblings, onPlan, external: { name: "big.onnx", open } });
    await expect(end).rejects.toBe(stop);
    expect(plan?.files).toEqual([
      { name: "big.onnx", bytes: expect.any(Number) },
      { name: "big.onnx_data", bytes: 3 * 2 ** 30 },
    ]);
    expect(sink).toMatchObject({ closed: 0, aborted: 1, chunks: [] });
  });

  test("and without a place for them is refused with the way out", async () => {
    const { source, siblings } = vast(6);
    const error: unknown = await compressInto(source, { quantize: "fp16" }, new WatchedSink(), { siblings }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ limit: "MAX_MODEL_BYTES", message: expect.stringMatching(/2 GiB.*-o a folder, or --shard/) });
  });

  test("a tensor larger than a shard has a file of its own, and a warning", async () => {
    const written = await write(bytes, { quantize: "w8" }, { shard: 2000 });
    checkFiles(written, 2000);
    const [warning] = written.report.warnings.filter(({ code }) => code === "shard-exceeded");
    const large = everyWeight(readOnnx(written.files.get("model.onnx") as Uint8Array)).filter(
      ({ external }) => Number(external?.length) > 2000,
    );
    expect(warning?.tensors).toEqual(large.map(({ name }) => name));
    expect(large.length).toBeGreaterThan(0);
  });

  test("tensors below the threshold stay in the model's file, as do numbers in a typed field", async () => {
    const typed = {
      ...i64(
        "typed",
        Array.from({ length: 2000 }, (_, i) => i * i),
      ),
      storage: "packed" as const,
    };
    const { files } = await write(
      encodeModel({ ...spec, graph: { ...spec.graph, initializers: [...(spec.graph.initializers ?? []), typed] } }),
      { quantize: "w8" },
      { always: true, threshold: 1 },
    );
    const tensors = everyWeight(readOnnx(files.get("model.onnx") as Uint8Array));
    expect(tensors.filter(({ external }) => !external).map(({ name }) => name)).toEqual(["typed"]);
  });

  test("a stream comes out as one file, and as several where they are asked for", async () => {
    expect((await write(streamOf(bytes), { quantize: "w8" })).files.size).toBe(1);
    for (const external of [{ shard: 2000 }, { always: true }])
      expect((await write(streamOf(bytes), { quantize: "w8" }, external)).files).toEqual(
        (await write(bytes, { quantize: "w8" }, external)).files,
      );
  });

  test("a stream that is too long to be split is refused with the way out", async () => {
    const long = new ReadableStream({
      start: (controller) => controller.enqueue(bytes),
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 22)),
    });
    await expect(write(long, { quantize: "w8" }, { always: true })).rejects.toThrow(/To be optimized or split .*read again: a file/);
  });

  test("safetensors are not split", async () => {
    expect((await write(dictionary(), { quantize: "w8" })).files.size).toBe(1);
    await expect(write(dictionary(), { quantize: "w8" }, { shard: 100 })).rejects.toThrow(UnsupportedError);
  });
});

describe("a run that fails", () => {
  const { bytes } = constants();
  const failing = async (breaks: (name: string, sink: WatchedSink) => Sink | Promise<Sink>) => {
    const sinks = new Map<string, WatchedSink>([["model.onnx", new WatchedSink()]]);
    const open = async (name: string): Promise<Sink> => {
      const sink = new WatchedSink();
      sinks.set(name, sink);
      return breaks(name, sink);
    };
    const main = sinks.get("model.onnx") as WatchedSink;
    const external = { name: "model.onnx", open, shard: 1024, threshold: 64 };
    const error: unknown = await compressInto(bytes, { quantize: "w8" }, main, { external }).catch((e: unknown) => e);
    return { error, sinks };
  };
  const full = new Error("disk full");

  test("aborts every file, those that were closed before too", async () => {
    const { error, sinks } = await failing((name, sink) => {
      if (name.endsWith("_1")) sink.write = () => Promise.reject(full);
      return sink;
    });
    expect(error).toBe(full);
    expect([...sinks.keys()]).toEqual(["model.onnx", "model.onnx_data", "model.onnx_data_1"]);
    expect([...sinks.values()].map(({ closed, aborted }) => [closed, aborted])).toEqual([
      [0, 1],
      [1, 1],
      [0, 1],
    ]);
  });

  test("by a file that cannot be opened, tells its error", async () => {
    const { error, sinks } = await failing((name, sink) => (name.endsWith("_1") ? Promise.reject(full) : sink));
    expect(error).toBe(full);
    expect([...sinks.values()].slice(0, 2).map(({ aborted }) => aborted)).toEqual([1, 1]);
  });

  test("closes the model's own file last", async () => {
    const order: string[] = [];
    const closing = (name: string): Sink => {
      const sink = new MemorySink();
      sink.close = async () => void order.push(name);
      return sink;
    };
    const external = { name: "model.onnx", open: async (name: string) => closing(name), shard: 1024 };
    await compressInto(bytes, { quantize: "w8" }, closing("model.onnx"), { external });
    expect(order.length).toBeGreaterThan(2);
    expect(order.at(-1)).toBe("model.onnx");
  });
});

test("progress counts the bytes of all files", async () => {
  let written = 0;
  const { report } = await write(
    ifModel().bytes,
    { quantize: "w8" },
    { always: true },
    { onProgress: (progress) => void (written = progress.written) },
  );
  expect(written).toBe(report.output.bytes);
});

test("inspect reads what was written", async () => {
  const { bytes } = mlp();
  const { files, report } = await write(bytes, { quantize: "w8" }, { shard: 2000 });
  const found = await inspect(files.get("model.onnx") as Uint8Array, {
    siblings: async (name) => memorySource(files.get(name) as Uint8Array),
  });
  expect(found.bytes).toBe(report.output.bytes);
  expect(found.external?.files.map(({ location }) => location)).toEqual(report.output.files?.slice(1));
});
