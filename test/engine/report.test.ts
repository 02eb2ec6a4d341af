import { describe, expect, test } from "vitest";
import { writeHeader } from "../../src/formats/safetensors/header.ts";
import {
  type Calibration,
  compress,
  FormatError,
  inspect,
  LimitError,
  MAX_LOOKAHEAD,
  type RecipeInput,
  UnsupportedError,
} from "../../src/index.ts";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";
import { tensorsOf } from "../kit/calibrating.ts";
import { constants, conv, encoder, everyModel, ifModel, ir3, mlp } from "../kit/models.ts";
import { DataType, encodeModel, f32, type NodeSpec, node, randn, value } from "../kit/onnx.ts";
import { everyWeight, readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { concat } from "../server/http.ts";

const bytesOf = async (stream: ReadableStream<Uint8Array>) => new Uint8Array(await new Response(stream as never).arrayBuffer());

async function run(source: Uint8Array | ReadableStream<Uint8Array>, recipe: RecipeInput, calibration?: Calibration) {
  const { readable, report } = compress(source as Uint8Array, recipe, { calibration });
  const bytes = await bytesOf(readable).catch(() => new Uint8Array(0));
  return { bytes, report: await report };
}

const streamOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
const sha256 = async (bytes: Uint8Array) =>
  Buffer.from(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)).toString("hex");

/** y = x · W for one weight. */
const product = (weight: Float32Array, k: number, n: number) =>
  encodeModel({
    opsets: { "": 13 },
    graph: {
      name: "product",
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      initializers: [f32("w", [k, n], weight)],
      inputs: [value("x", 1, [1, k])],
      outputs: [value("y", 1, [1, n])],
    },
  });

describe("the report", () => {
  test.each(everyModel().map((m) => [`${m.name} @${m.opset}`, m] as const))(
    "of %s names every weight of the source once",
    async (_name, { bytes }) => {
      const names = everyWeight(readOnnx(bytes))
        .map(({ name }) => name)
        .sort();
      const { report } = await run(bytes, { quantize: "w8" });
      expect(report.tensors.map(({ name }) => name).sort()).toEqual(names);
      for (const tensor of report.tensors)
        expect(tensor.action === "kept" ? tensor.reason : tensor.bytes[1] < tensor.bytes[0], tensor.name).toBeTruthy();
    },
  );

  test("tells what went in and came out, the same for a stream and a source but for the layout", async () => {
    const { bytes } = encoder();
    const [source, stream] = [await run(bytes, { quantize: "w8" }), await run(streamOf(bytes), { quantize: "w8" })];
    expect(source.report.source).toEqual({ format: "onnx", opset: 13, bytes: bytes.byteLength, sha256: await sha256(bytes) });
    for (const { bytes: made, report } of [source, stream]) {
      expect(report.output).toMatchObject({ format: "onnx", bytes: made.byteLength, sha256: await sha256(made) });
      expect(report.timing.peak_memory_bytes).toBeGreaterThan(0);
    }
    expect([source.report.output.layout, stream.report.output.layout]).toEqual(["canonical", "pieced"]);
    const byName = (r: typeof source) => [...r.report.tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(byName(stream)).toEqual(byName(source));
    expect(stream.report.recipe).toEqual({ quantize: { scheme: "w8" } });
    const weights = (r: typeof source) =>
      Object.fromEntries(everyWeight(readOnnx(r.bytes)).map(({ name, data_type, bytes: raw }) => [name, [data_type, raw]]));
    const integers = Object.values(weights(source)).filter(([type, raw]) => type === DataType.INT8 && raw);
    expect(integers.length).toBeGreaterThan(4);
    expect(weights(stream)).toEqual(weights(source));
  });

  test("tells no hash where none is asked for", async () => {
    const { readable, report } = compress(encoder().bytes, { quantize: "w8" }, { hash: false });
    await bytesOf(readable);
    const { source, output } = await report;
    expect([source.sha256, output.sha256]).toEqual([undefined, undefined]);
  });

  test("gives the reason of each tensor that is kept", async () => {
    const { report } = await run(conv().bytes, { quantize: { scheme: "w8" } });
    const reasons = new Set(report.tensors.map(({ reason }) => reason).filter(Boolean));
    expect([...reasons]).toContain("fewer than 1024 elements");
    const { report: paddle } = await run(await readRealModel(realModels.recognizer), { quantize: "w8" });
    expect(paddle.tensors.find((t) => t.shape[0] === 6625 && t.shape.length === 1)?.reason).toContain("one-dimensional");
    expect(paddle.tensors.some(({ reason }) => reason?.startsWith("int64"))).toBe(true);
  });

  test("warns of w4 that becomes w8, of 16 bits that overflow and of NaN", async () => {
    const { report } = await run(conv().bytes, { quantize: "w4" });
    const [warning] = report.warnings.filter(({ code }) => code === "w4-as-w8");
    expect(warning?.tensors?.length).toBe(report.tensors.filter(({ action }) => action === "w8").length);
    const large = randn(4096, 1).map((x) => x * 1e5);
    expect((await run(product(large, 64, 64), { quantize: "fp16" })).report.warnings).toMatchObject([{ code: "overflow", tensors: ["w"] }]);
    expect((await run(product(large, 64, 64), { quantize: "bf16" })).report.warnings).toEqual([]);
    const tiny = await run(
      product(
        large.map((x) => x * 1e-16),
        64,
        64,
      ),
      { quantize: "fp16" },
    );
    expect(tiny.report.warnings).toMatchObject([{ code: "signal-lost", tensors: ["w"] }]);
    const broken = randn(4096, 1).map((x, i) => (i === 7 ? Number.NaN : i === 9 ? Number.POSITIVE_INFINITY : x));
    const { report: odd } = await run(product(broken, 64, 64), { quantize: "w8" });
    expect(odd.warnings).toMatchObject([{ code: "non-finite", tensors: ["w"] }]);
    expect(odd.tensors[0]?.sqnr_db).toBeGreaterThan(35);
  });

  test.each(["q4", "bnb4"] as const)(
    "says of a weight that stands twice under %s how much that is, whatever the layout",
    async (scheme) => {
      const [k, n] = [64, 96];
      const model = encodeModel({
        opsets: { "": 13 },
        graph: {
          name: "tied",
          nodes: [node("MatMul", ["x", "w"], ["y"]), node("Relu", ["w"], ["z"])],
          initializers: [f32("w", [k, n], randn(k * n, 1))],
          inputs: [value("x", 1, [1, k])],
          outputs: [value("y", 1, [1, n]), value("z", 1, [k, n])],
        },
      });
      const packed = { q4: n * 2 * (16 + 4), bnb4: (k * n) / 2 + n * 4 }[scheme];
      for (const source of [model, streamOf(model)]) {
        const { bytes, report } = await run(source, { quantize: scheme });
        expect(report.tensors).toMatchObject([{ name: "w", action: scheme, bytes: [k * n * 4, k * n * 4 + packed] }]);
        expect(report.warnings).toMatchObject([{ code: "kept-twice", tensors: ["w"] }]);
        const { initializers } = readOnnx(bytes);
        expect(initializers.get("w")?.bytes).toEqual(readOnnx(model).initializers.get("w")?.bytes);
        expect(initializers.size).toBe(3);
      }
      const estimate = (await inspect(model)).schemes.find((each) => each.scheme === scheme);
      expect(estimate).toMatchObject({ bytes: model.byteLength + packed, tensors: { [scheme]: 1 } });
    },
  );

  test("and the file's metadata tell the recipe, the version and what stayed in float", async () => {
    const { bytes, report } = await run(constants().bytes, { quantize: "w8" });
    const { metadata } = readOnnx(bytes);
    expect(JSON.parse(metadata.get("edgeslim.recipe") as string)).toEqual({ quantize: { scheme: "w8" } });
    expect(metadata.get("edgeslim.version")).toBe(report.edgeslim);
    const kept = report.tensors.filter((t) => t.action === "kept" && !t.reason?.includes("not a float")).map((t) => t.name);
    expect(JSON.parse(metadata.get("edgeslim.kept") as string)).toEqual(kept);
  });
});

test("q4f16 says so where nothing is int4", async () => {
  const codes = async (model: Uint8Array) => (await run(model, { quantize: "q4f16" })).report.warnings.map(({ code }) => code);
  expect(await codes(conv().bytes)).toContain("q4f16-as-fp16");
  expect(await codes(mlp().bytes)).not.toContain("q4f16-as-fp16");
});

describe("outlier channels", () => {
  const [k, n] = [64, 64];
  const plain = randn(k * n, 1);
  const outlier = plain.map((x, i) => (i % n === 5 ? 500 * x : x));
  const codes = async (weight: Float32Array, quantize: RecipeInput["quantize"]) =>
    (await run(product(weight, k, n), { quantize })).report.warnings.map(({ code }) => code);

  test.each(["int8", "uint8", "q8"] as const)("are warned of under %s, which has one scale for all", async (quantize) => {
    expect(await codes(outlier, quantize)).toContain("outlier-channels");
    expect(await codes(plain, quantize)).not.toContain("outlier-channels");
  });

  test("are warned of under w8 where it has one scale for all", async () => {
    expect(await codes(outlier, { scheme: "w8", granularity: "per_tensor" })).toContain("outlier-channels");
    expect(await codes(outlier, "w8")).not.toContain("outlier-channels");
  });

  test("do no harm with a scale a channel", async () => {
    expect(await codes(outlier, { scheme: "int8", granularity: "per_channel" })).not.toContain("outlier-channels");
  });
});

describe("sizes per layer", () => {
  test("add up to those of the tensors that a node uses, and name the node", async () => {
    const { report } = await run(encoder().bytes, { quantize: "w8" });
    const used = report.tensors.filter(({ name }) => report.layers.some(({ tensors }) => tensors.includes(name)));
    const sum = (rows: { bytes: [number, number] }[], i: 0 | 1) => rows.reduce((n, { bytes }) => n + bytes[i], 0);
    for (const i of [0, 1] as const) expect(sum(report.layers, i)).toBe(sum(used, i));
    expect(report.layers[0]).toMatchObject({ op_type: expect.stringMatching(/Gather|MatMul|Gemm/) });
    expect(report.layers.map(({ bytes }) => bytes[0])).toEqual(report.layers.map(({ bytes }) => bytes[0]).sort((a, b) => b - a));
  });

  test("are the same of a stream", async () => {
    const source = await run(encoder().bytes, { quantize: "w8" });
    const { readable, report } = compress(streamOf(encoder().bytes), { quantize: "w8" });
    await readable.pipeTo(new WritableStream());
    const byName = (layers: readonly { name: string }[]) => [...layers].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(byName((await report).layers)).toEqual(byName(source.report.layers));
  });

  test("are those of modules where there is no graph", async () => {
    const tensors = [
      { name: "encoder.0.weight", dtype: "float32" as const, shape: [64, 64] },
      { name: "encoder.0.bias", dtype: "float32" as const, shape: [64] },
    ];
    const bytes = concat([writeHeader(tensors, {}), new Uint8Array((4096 + 64) * 4)]);
    const { report } = await run(bytes, { quantize: "w8" });
    expect(report.layers).toEqual([
      { name: "encoder.0", tensors: ["encoder.0.bias", "encoder.0.weight"], bytes: [16640, 4096 + 256 + 256] },
    ]);
  });
});

describe("weights in other forms", () => {
  const spec = (nodes: NodeSpec[]) => ({
    opsets: { "": 13 },
    graph: {
      name: "g",
      nodes,
      initializers: [f32("w", [64, 64], randn(4096, 1))],
      inputs: [value("x", 1, [1, 64])],
      outputs: [value("y", 1, [1, 64])],
    },
  });

  test("a list in a Constant node is reported", async () => {
    const model = encodeModel(
      spec([
        node("Constant", [], ["c"], { value_floats: { floats: Array.from(randn(64, 2)) } }),
        node("MatMul", ["x", "w"], ["h"]),
        node("Add", ["h", "c"], ["y"]),
      ]),
    );
    for (const source of [model, streamOf(model)]) {
      const { report } = await run(source, { quantize: "w8" });
      expect(report.tensors.find(({ name }) => name === "c")).toMatchObject({
        shape: [64],
        action: "kept",
        reason: "a list of numbers in a Constant node",
      });
    }
  });

  test("a sparse initializer passes through and is reported", async () => {
    const model = encodeModel(spec([node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "s"], ["y"])]));
    // SparseTensorProto { values { dims 2, data_type FLOAT, name "s", raw_data }, indices { … }, dims 64, dims 64 } as GraphProto field 15
    const values = [0x08, 2, 0x10, 1, 0x42, 1, 0x73, 0x4a, 8, 0, 0, 128, 63, 0, 0, 0, 64];
    const indices = [0x08, 2, 0x10, 7, 0x4a, 16, ...new Uint8Array(new BigInt64Array([5n, 900n]).buffer)];
    const sparse = [0x0a, values.length, ...values, 0x12, indices.length, ...indices, 0x18, 64, 0x18, 64];
    const piece = [0x7a, sparse.length, ...sparse];
    const whole = new Uint8Array([...model, 0x3a, piece.length, ...piece]);
    for (const source of [whole, streamOf(whole)]) {
      const { bytes, report } = await run(source, { quantize: "w8" });
      expect(report.tensors.find(({ name }) => name === "s")).toMatchObject({ shape: [64, 64], action: "kept", reason: "sparse" });
      expect(Buffer.from(bytes).includes(Buffer.from(sparse))).toBe(true);
    }
  });
});

describe("a recipe", () => {
  test.each([
    ["twice the same", "fp16", "fp16"],
    ["twice the same", "w8", "w8"],
    ["two of 16 bits", "fp16", "bf16"],
  ] as const)("%s (%s, %s) would change nothing and is refused", async (_what, first, second) => {
    const { bytes } = await run(encoder().bytes, { quantize: first });
    for (const source of [bytes, streamOf(bytes)]) {
      await expect(run(source, { quantize: second })).rejects.toThrow(UnsupportedError);
      await expect(run(source instanceof Uint8Array ? source : streamOf(bytes), { quantize: second })).rejects.toThrow(
        "would change nothing",
      );
    }
  });

  test.each(["w8", "w4"] as const)("of %s works on what fp16 made, from every layout", async (scheme) => {
    const original = encoder().bytes;
    for (const first of [original, streamOf(original)]) {
      const { bytes: half } = await run(first, { quantize: "fp16" });
      const { report } = await run(half, { quantize: scheme });
      expect(report.tensors.filter((t) => t.action !== "kept").length).toBeGreaterThan(8);
      expect((await run(streamOf(half), { quantize: scheme })).report.output.bytes).toBeLessThan(original.byteLength / 2);
    }
  });

  test("excludes and overrides by pattern", async () => {
    const { report } = await run(mlp().bytes, { quantize: { scheme: "w8", overrides: [{ match: ".", scheme: "fp16" }] } });
    expect(new Set(report.tensors.map((t) => t.action))).toEqual(new Set(["fp16", "kept"]));
    await expect(run(mlp().bytes, { quantize: { scheme: "w8", exclude: ["."] } })).rejects.toThrow("excluded by the recipe");
    await expect(run(mlp().bytes, { quantize: { scheme: "w8", exclude: ["nowhere"] } })).rejects.toThrow("'nowhere' matches no tensor");
  });

  test("that leaves one of an LSTM's weights in float is refused under dynamic quantization, and one that leaves both is not", async () => {
    const model = encodeModel({
      opsets: { "": 14 },
      graph: {
        name: "lstm",
        nodes: [node("LSTM", ["x", "W", "R"], ["y"], { hidden_size: 16 }), node("MatMul", ["x", "m"], ["z"])],
        initializers: [f32("W", [1, 64, 8], randn(512, 1)), f32("R", [1, 64, 16], randn(1024, 2)), f32("m", [8, 8], randn(64, 3))],
        inputs: [value("x", 1, [3, 1, 8])],
        outputs: [value("y", 1, [3, 1, 1, 16]), value("z", 1, [3, 1, 8])],
      },
    });
    for (const source of [model, streamOf(model)])
      await expect(run(source, { quantize: { scheme: "q8", exclude: ["^R$"] } })).rejects.toThrow("'W' in 8 bits and 'R' in float");
    const { report } = await run(model, { quantize: { scheme: "q8", exclude: ["^[WR]$"] } });
    expect(report.tensors.map(({ action }) => action)).toEqual(["kept", "kept", "int8"]);
  });

  test("of q4 upgrades a model whose product has more axes than what it multiplies, and no other", async () => {
    const batched = (declared: number[]) =>
      encodeModel({
        opsets: { "": 11 },
        graph: {
          name: "batched",
          nodes: [node("MatMul", ["x", "w"], ["y"])],
          initializers: [f32("w", [1, 32, 8], randn(256, 1))],
          inputs: [value("x", 1, declared)],
          outputs: [value("y", 1, [1, 3, 8])],
        },
      });
    const codes = async (model: Uint8Array) => (await run(model, { quantize: "q4" })).report.warnings.map(({ code }) => code);
    expect(await codes(batched([3, 32]))).toEqual(["opset-upgraded"]);
    expect(await codes(batched([1, 3, 32]))).toEqual([]);
  });

  test("takes one scale for a tensor where asked", async () => {
    const { bytes } = await run(mlp().bytes, { quantize: { scheme: "w8", granularity: "per_tensor" } });
    expect([...readOnnx(bytes).initializers.values()].filter((t) => t.name.endsWith("_scale")).every((t) => t.dims.length === 0)).toBe(
      true,
    );
  });

  test.each(["q8", "int8", "uint8"] as const)(
    "gives the products of %s a scale a channel where asked, and says which have one",
    async (scheme) => {
      const { bytes, report } = await run(encoder().bytes, { quantize: { scheme, granularity: "per_channel" } });
      const scales = [...readOnnx(bytes).initializers.values()].filter((t) => t.name.endsWith("_scale"));
      const of = (rank: number) => scales.filter((t) => t.dims.length === rank).map((t) => t.name.replace(/_scale$/, ""));
      expect(of(1).length).toBeGreaterThan(0);
      expect(report.warnings.find(({ code }) => code === "per-tensor")?.tensors).toEqual(of(0));
    },
  );

  test.each([
    [{}, UnsupportedError, "would change nothing: name a scheme"],
    [{ quantize: "w8", distill: {} }, UnsupportedError, "'distill'"],
    [{ quantize: "w9" }, FormatError, "fails its schema"],
    [{ quantise: "w8" }, FormatError, "quantise"],
    [{ quantize: { scheme: "w8", exclude: ["(a+)+$"] } }, FormatError, "regular expression"],
    [{ quantize: { scheme: "fp16", granularity: "per_tensor" } }, UnsupportedError, "granularity"],
  ] as const)("%j is refused", async (recipe, error, words) => {
    const promise = run(mlp().bytes, recipe as RecipeInput);
    await expect(promise).rejects.toThrow(error);
    await expect(run(mlp().bytes, recipe as RecipeInput)).rejects.toThrow(words);
  });
});

describe("what must be held", () => {
  test("beyond MAX_LOOKAHEAD is refused with the tensor's name and the way out, or goes to the spool", async () => {
    const side = Math.ceil(Math.sqrt(MAX_LOOKAHEAD / 4)) + 8;
    const large = product(new Float32Array(side * side).fill(0.5), side, side); // its columns' scales need all of it
    await expect(run(streamOf(large), { quantize: "w8" })).rejects.toMatchObject({ limit: "MAX_LOOKAHEAD", place: { tensor: "w" } });
    await expect(run(streamOf(large), { quantize: "w8" })).rejects.toThrow(LimitError);
    expect((await run(large, { quantize: "w8" })).report.tensors[0]).toMatchObject({ action: "w8" });
    const spooled: Uint8Array[] = [];
    const { readable, report } = compress(
      streamOf(large),
      { quantize: "w8" },
      {
        spool: {
          async write(payload) {
            const parts: Uint8Array[] = [];
            for await (const chunk of payload.chunks()) parts.push(chunk.slice());
            spooled.push(...parts);
            return {
              length: payload.length,
              again: true,
              async *chunks() {
                yield* parts;
              },
            };
          },
          async clear() {
            spooled.length = 0;
          },
        },
      },
    );
    await bytesOf(readable);
    expect((await report).tensors[0]).toMatchObject({ action: "w8" });
    expect(spooled).toEqual([]);
  });

  test("is a weight that stands twice: beyond MAX_LOOKAHEAD a stream is refused", async () => {
    const side = Math.ceil(Math.sqrt(MAX_LOOKAHEAD / 4)) + 8;
    const large = encodeModel({
      opsets: { "": 13 },
      graph: {
        name: "tied",
        nodes: [node("MatMul", ["x", "w"], ["y"]), node("Relu", ["w"], ["z"])],
        initializers: [f32("w", [side, side], new Float32Array(side * side).fill(0.5))],
        inputs: [value("x", 1, [1, side])],
        outputs: [value("y", 1, [1, side])],
      },
    });
    await expect(run(streamOf(large), { quantize: "q4" })).rejects.toMatchObject({ limit: "MAX_LOOKAHEAD", place: { tensor: "w" } });
    expect((await run(large, { quantize: "q4" })).report.tensors[0]).toMatchObject({ action: "q4" });
  });

  test("is encoded early where its use is known, so that files of Constants larger than MAX_LOOKAHEAD pass", async () => {
    const layers = 12;
    const side = 1024;
    const model = encodeModel(
      {
        opsets: { "": 13 },
        graph: {
          name: "constants",
          nodes: Array.from({ length: layers }, (_, i) => node("MatMul", [i ? `h${i - 1}` : "x", `w${i}`], [`h${i}`])),
          initializers: Array.from({ length: layers }, (_, i) => f32(`w${i}`, [side, side], randn(side * side, i))),
          inputs: [value("x", 1, [1, side])],
          outputs: [value(`h${layers - 1}`, 1, [1, side])],
        },
      },
      { weights: "constants" },
    );
    expect(model.byteLength).toBeGreaterThan(MAX_LOOKAHEAD);
    for (const source of [model, streamOf(model)]) {
      const { report } = await run(source, { quantize: "w8" });
      expect(report.tensors.map(({ action }) => action)).toEqual(Array.from({ length: layers }, () => "w8"));
    }
  });
});

describe("inspect", () => {
  test("estimates what compress gives, to within the nodes that are added", async () => {
    for (const { bytes, inputs } of [encoder(), conv(), ifModel(), ir3()]) {
      const { schemes, tensors } = await inspect(bytes);
      for (const { scheme, bytes: estimate, reason, needs } of schemes) {
        expect(needs).toBe(scheme === "w8a8" && !reason ? "samples" : undefined);
        if (reason) continue;
        const { report } = await run(bytes, { quantize: scheme as "w8" }, needs && { samples: [tensorsOf(inputs)] });
        expect(Math.abs(report.output.bytes - (estimate as number))).toBeLessThan((needs ? 800 : 600) * tensors.length + 400); // five nodes a product under dynamic quantization, a pair an activation under static
      }
    }
  });

  test("tells why a scheme cannot be used", async () => {
    const old = encodeModel({ ...mlp().spec, opsets: { "": 6 } });
    expect((await inspect(old)).schemes.find(({ scheme }) => scheme === "bf16")?.reason).toContain("opset 13");
  });

  test("reads a stream as it reads a source", async () => {
    for (const model of [bigOnnx({ bytes: 4 << 20 }), bigSafetensors({ bytes: 4 << 20 })]) {
      const bytes = concat(model.chunks());
      expect(await inspect(streamOf(bytes))).toEqual(await inspect(bytes));
      expect((await inspect(bytes)).bytes).toBe(bytes.byteLength);
    }
  });
});
