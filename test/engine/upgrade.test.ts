/** Schemes that need a newer opset than a model has: the model is upgraded, and all else is as if it had come so. */
import { describe, expect, test } from "vitest";
import { compress, inspect, type Recipe, UnsupportedError } from "../../src/index.ts";
import { expectSame } from "../graph/upgrade/same.ts";
import { upgraded } from "../graph/upgrade/upgraded.ts";
import { encoder, type Feeds, floats, ifModel, ir3, lstm, mlp } from "../kit/models.ts";
import { type AttributeSpec, DataType, encodeModel, f32, type Layout, node, randn, value } from "../kit/onnx.ts";
import { openWeb, runNode } from "../kit/ort.ts";
import { countOperators, type DecodedModel, readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { concat } from "../kit/wire.ts";
import { difference, SAME } from "./isomorphic.ts";

const NEEDS = { q8: 11, int8: 11, uint8: 11, bf16: 13 } as const;
type Scheme = keyof typeof NEEDS;
const SCHEMES = Object.keys(NEEDS) as Scheme[];

const streamOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();

async function run(source: Uint8Array | ReadableStream<Uint8Array>, quantize: Recipe["quantize"] | Scheme | "w8") {
  const { readable, report } = compress(source, { quantize } as never);
  report.catch(() => {});
  const bytes = new Uint8Array(await new Response(readable as never).arrayBuffer());
  return { bytes, report: await report };
}

/** The model, whose inputs are those that a caller gives: files of IR 3 list initializers too, in any order. */
function decoded(bytes: Uint8Array): DecodedModel {
  const model = readOnnx(bytes);
  return { ...model, inputs: model.inputs.filter(({ name }) => !model.initializers.has(name)) };
}

const float = (v: number): AttributeSpec => ({ float: v });
const weight = (name: string, k: number, n: number, seed: number) => f32(name, [k, n], randn(k * n, seed, 0.1));

/** Operators of opset 7 that are others at 11 and at 13, between two weights. */
const old = (layout: Layout = {}, ir_version = 8) =>
  encodeModel(
    {
      ir_version,
      opsets: { "": 7, custom: 1 },
      graph: {
        nodes: [
          node("MatMul", ["x", "w1"], ["a"], {}, { name: "first" }),
          node("Clip", ["a"], ["b"], { min: float(-1), max: float(1) }, { name: "bounds" }),
          node("Pad", ["b"], ["c"], { pads: [0, 0, 0, 2], value: float(0.5) }, { name: "frame" }),
          node("Slice", ["c"], ["d"], { axes: [1], starts: [2], ends: [1000] }, { name: "crop" }),
          node("Softmax", ["d"], ["e"], { axis: 0 }, { name: "all" }),
          node("MatMul", ["e", "w2"], ["y"], {}, { name: "last" }),
        ],
        initializers: [weight("w1", 32, 64, 1), weight("w2", 64, 48, 2)],
        inputs: [value("x", DataType.FLOAT, [3, 32])],
        outputs: [value("y", DataType.FLOAT, [3, 48])],
      },
    },
    layout,
  );
const feeds: Feeds = { x: floats([3, 32], 3) };

interface Subject {
  name: string;
  opset: number;
  read: () => Promise<Uint8Array>;
  inputs: Feeds;
  schemes?: readonly Scheme[];
}
const subjects: Subject[] = [
  { name: "operators that change", opset: 7, read: async () => old(), inputs: feeds },
  { name: "operators that change, IR 3", opset: 7, read: async () => old({ list_initializers: true }, 3), inputs: feeds },
  { name: "operators that change, weights first", opset: 7, read: async () => old({ weights: "before" }), inputs: feeds },
  { name: "operators that change, Constant nodes", opset: 7, read: async () => old({ weights: "constants" }), inputs: feeds },
  ...[mlp({ opset: 9 }), encoder({ opset: 9 }), lstm({ opset: 9 }), ifModel({ opset: 9 }), ir3({ opset: 8 })].map(
    ({ name, opset, bytes, inputs }) => ({ name, opset, read: async () => bytes, inputs }),
  ),
  ...[realModels.recognizer, realModels.classifier].map((model) => ({
    ...model,
    read: () => readRealModel(model),
    schemes: ["q8", "bf16"] as const,
  })),
];

describe.each(subjects)("$name of opset $opset", ({ name, opset, read, inputs, schemes = SCHEMES }) => {
  test.each(schemes)("under %s becomes what it would have if it had come upgraded", async (scheme) => {
    const source = await read();
    const to = NEEDS[scheme];
    const already = await upgraded(source, to);
    const made = await run(source, scheme).catch((error: unknown) => error);
    if (made instanceof UnsupportedError) {
      expect(made.message, name).toMatch(/^The recipe would change nothing/);
      await expect(run(already.bytes, scheme)).rejects.toThrow("change nothing");
      return;
    }
    if (made instanceof Error) throw made;
    const { bytes, report } = made as Awaited<ReturnType<typeof run>>;
    const expected = await run(already.bytes, scheme);
    const [model, wanted] = [decoded(bytes), decoded(expected.bytes)];
    expect(difference(model, wanted)).toEqual(SAME);
    expect([...model.opsets]).toEqual([...wanted.opsets]);
    expect(model.opsets.get("")).toBe(to);
    expect(report.source.opset).toBe(opset);
    const own = new Set(report.tensors.map((tensor) => tensor.name));
    expect(report.tensors).toEqual(expected.report.tensors.filter((tensor) => own.has(tensor.name)));
    const [warning, ...others] = report.warnings.filter(({ code }) => code === "opset-upgraded");
    expect(others).toEqual([]);
    expect(warning?.message).toContain(`from opset ${opset} to ${to}`);
    expect(warning?.nodes).toEqual(already.nodes);

    const streamed = await run(streamOf(source), scheme);
    expect(difference(decoded(streamed.bytes), wanted)).toEqual(SAME);
    expect([...readOnnx(streamed.bytes).opsets]).toEqual([...wanted.opsets]);
    expect(streamed.report.warnings.filter(({ code }) => code === "opset-upgraded")).toEqual([warning]);

    const outputs = await runNode(expected.bytes, inputs);
    for (const each of [bytes, streamed.bytes]) expectSame(await runNode(each, inputs), outputs);
    await using web = await openWeb(streamed.bytes);
    await web.run(inputs);
  });
});

describe("the opset import", () => {
  test("that stands first is written where it can still change: once, after the graph of a stream", async () => {
    const source = old({ opset_first: true });
    for (const from of [source, streamOf(source)]) {
      const { bytes } = await run(from, "q8");
      expect(Buffer.from(bytes).toString("latin1").split("\x42\x02\x10\x0b").length - 1).toBe(1); // opset_import { version: 11 }
      expect([...readOnnx(bytes).opsets].sort()).toEqual([
        ["", 11],
        ["custom", 1],
      ]);
      await runNode(bytes, feeds);
    }
  });

  test("stays what it was under schemes that need no newer one", async () => {
    for (const from of [old(), streamOf(old())]) {
      const { bytes, report } = await run(from, "w8");
      expect(readOnnx(bytes).opsets.get("")).toBe(7);
      expect(report.warnings).toEqual([]);
    }
  });

  test("is the newest that any tensor needs", async () => {
    const { bytes } = await run(old(), { scheme: "w8", overrides: [{ match: "w2", scheme: "bf16" }] });
    expect(readOnnx(bytes).opsets.get("")).toBe(13);
    expect(countOperators(readOnnx(bytes))).toMatchObject({ DequantizeLinear: 1, Cast: 1, MatMul: 2 });
    await runNode(bytes, feeds);
  });
});

describe("what cannot be upgraded", () => {
  const stuck = encodeModel({
    opsets: { "": 9 },
    graph: {
      nodes: [
        node("MatMul", ["x", "w"], ["a"], {}, { name: "product" }),
        node("Dropout", ["a"], ["d", "mask"], {}, { name: "drop" }),
        node("Mul", ["d", "mask"], ["y"]),
      ],
      initializers: [weight("w", 32, 64, 1)],
      inputs: [value("x", DataType.FLOAT, [3, 32])],
      outputs: [value("y", DataType.FLOAT)],
    },
  });

  test.each(SCHEMES)("is refused under %s by the node's name, and inspect says so", async (scheme) => {
    const said = /^Dropout 'drop' gives out its mask 'mask'.*from opset 9 to 1[13]; export it with opset 1[13]$/;
    for (const from of [stuck, streamOf(stuck)]) {
      const error = await run(from, scheme).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect((error as UnsupportedError).place.node).toBe("drop");
      expect((error as Error).message).toMatch(said);
    }
    const { schemes } = await inspect(stuck);
    expect(schemes.find((each) => each.scheme === scheme)?.reason).toMatch(said);
    expect(schemes.find((each) => each.scheme === "w8")?.reason).toBeUndefined();
  });

  test("has functions of its own, which import an opset of theirs", async () => {
    const source = concat([old(), Uint8Array.of(0xca, 1, 3, 0x0a, 1, 0x66)]); // ModelProto.functions { name: "f" }
    await expect(run(source, "q8")).rejects.toThrow(/'w1': DynamicQuantizeLinear needs opset 11, and the model has opset 7.*functions/);
  });

  test.each(SCHEMES)("inspect gives no reason under %s where it can be upgraded", async (scheme) => {
    const estimate = (await inspect(old())).schemes.find((each) => each.scheme === scheme);
    expect(estimate?.reason).toBeUndefined();
    expect(estimate?.bytes).toBeGreaterThan(0);
  });
});
