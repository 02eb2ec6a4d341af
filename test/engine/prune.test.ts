/** `prune` through the engine: what goes, what stays and why, and that what comes out loads and does what the report says. */
import { describe, expect, test } from "vitest";
import { compress, inspect, load, type RecipeInput, type Report, UnsupportedError } from "../../src/index.ts";
import { tensorsOf } from "../kit/calibrating.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import { mobilenet } from "../kit/models/mobile.ts";
import { type Feeds, floats, mlp } from "../kit/models.ts";
import { runNode, runWeb, sqnr } from "../kit/ort.ts";
import { everyWeight, readOnnx } from "../kit/readonnx.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { floatParameters } from "../prune/independent.ts";

type Prune = NonNullable<Exclude<RecipeInput["prune"], string>>;
type Options = Parameters<typeof compress>[2];

async function run(
  model: Uint8Array | ReadableStream<Uint8Array>,
  recipe: RecipeInput,
  options: object = {},
): Promise<{ bytes: Uint8Array; report: Report }> {
  const { readable, report } = compress(model as Uint8Array, recipe, options as NonNullable<Options>);
  report.catch(() => {});
  return { bytes: new Uint8Array(await new Response(readable).arrayBuffer()), report: await report };
}
const pruned = (model: Uint8Array, prune: Partial<Prune>, rest: RecipeInput = {}, options = {}) =>
  run(
    model,
    { prune: { structure: "channel", ...(prune.scope && typeof prune.scope === "object" ? {} : { sparsity: 0.3 }), ...prune }, ...rest },
    options,
  );
const failure = (model: Uint8Array, prune: Partial<Prune>, rest: RecipeInput = {}, options = {}) =>
  pruned(model, prune, rest, options).then(
    () => expect.unreachable("it was pruned"),
    (error: Error) => error,
  );

const model = lcnet({ height: 64, width: 64, folded: false })();
const groupsOf = (report: Report) => report.pruning?.groups ?? [];

describe("the result", () => {
  test.each(["l1_norm", "l2_norm", "geometry_median", "bn_scale", "random"] as const)("loads everywhere, by %s", async (criterion) => {
    const { bytes, report } = await pruned(model.bytes, { criterion });
    const wanted = await runNode(bytes, model.inputs);
    const web = await runWeb(bytes, model.inputs);
    const own = await (await load(bytes)).run(tensorsOf(model.inputs));
    for (const [name, { dims, data }] of Object.entries(await runNode(model.bytes, model.inputs))) {
      expect(wanted[name]?.dims).toEqual(dims);
      expect(own[name]?.shape).toEqual(dims);
      expect(sqnr(wanted[name]?.data as Float32Array, web[name]?.data as Float32Array)).toBeGreaterThan(90);
      expect(sqnr(wanted[name]?.data as Float32Array, own[name]?.data as Float32Array)).toBeGreaterThan(90);
      expect(wanted[name]?.data).not.toEqual(data);
    }
    expect(bytes.length).toBeLessThan(0.75 * model.bytes.length);
    expect(report.pruning?.parameters).toEqual([floatParameters(model.bytes), floatParameters(bytes)]);
  });

  test("is what the report says, tensor by tensor", async () => {
    const { bytes, report } = await pruned(model.bytes, {});
    const [before, after] = [model.bytes, bytes].map((each) => new Map(everyWeight(readOnnx(each)).map((t) => [t.name, t.dims])));
    const told = new Map(report.tensors.map((tensor) => [tensor.name, tensor]));
    for (const [name, dims] of before as Map<string, number[]>) {
      const { shape, pruned: left, action } = told.get(name) ?? {};
      expect(shape, name).toEqual(dims);
      if (action === "dropped") expect(after?.has(name), name).toBe(false);
      else expect(after?.get(name), name).toEqual(left?.shape ?? dims);
    }
  });

  test("leaves multiples of round_to, and takes the share that was asked for", async () => {
    for (const round_to of [1, 4, 8, 16]) {
      const { report } = await pruned(model.bytes, { scope: "uniform", round_to, sparsity: 0.5 });
      const free = groupsOf(report).filter(({ reason }) => !reason);
      for (const { channels } of free) {
        expect(channels[1] % Math.min(round_to, channels[0])).toBe(0);
        expect(Math.abs(channels[1] - channels[0] / 2)).toBeLessThanOrEqual(
          Math.max(round_to / 2, channels[0] < 2 * round_to ? round_to : 0),
        );
      }
    }
  });

  test("drops operations as it drops channels", async () => {
    const { report } = await pruned(model.bytes, { sparsity: 0.5, round_to: 1 });
    const [before = 0, after = 0] = report.pruning?.operations ?? [];
    expect(before).toBe((await inspect(model.bytes)).operations);
    expect(after / before).toBeGreaterThan(0.2);
    expect(after / before).toBeLessThan(0.5);
  });

  test("is the same whatever chunks a stream has, and the same as of a source", async () => {
    const { bytes } = await pruned(model.bytes, {});
    const stream = new Blob([model.bytes]).stream();
    const again = await run(stream, { prune: { structure: "channel", sparsity: 0.3 } });
    expect(Buffer.compare(again.bytes, bytes)).toBe(0);
  });

  test.each(["fp16", "w8", "w4", "q8", "int8"] as const)("can be %s too, in one run", async (scheme) => {
    const both = await pruned(model.bytes, {}, { quantize: scheme });
    const first = await pruned(model.bytes, {});
    const { bytes } = await run(first.bytes, { quantize: scheme });
    const [a, b] = [await runNode(both.bytes, model.inputs), await runNode(bytes, model.inputs)];
    for (const [name, { data }] of Object.entries(a)) expect(data).toEqual(b[name]?.data);
    expect(both.report.pruning?.parameters).toEqual(first.report.pruning?.parameters);
  });

  test("can be w8a8 too, on the same samples", async () => {
    const samples = [1, 2].map((seed) => tensorsOf({ image: floats([1, 3, 64, 64], seed) }));
    const { report, bytes } = await pruned(
      model.bytes,
      { recover: ["least_squares"] },
      { quantize: "w8a8", optimize: true },
      { calibration: { samples } },
    );
    expect(report.calibration?.samples).toBe(2);
    expect(bytes.length).toBeLessThan(model.bytes.length / 4);
    await runNode(bytes, model.inputs);
  });
});

describe("what stays", () => {
  test("are first and last layers, and the report says so", async () => {
    const { report } = await pruned(model.bytes, {});
    const because = new Map(groupsOf(report).map(({ name, reason }) => [name, reason]));
    expect(because.get("conv1.conv.weight")).toMatch(/first layer/);
    expect([...because.values()].some((reason) => reason?.startsWith("output "))).toBe(true);
  });

  test("can be asked for by name, or excluded", async () => {
    const first = await pruned(model.bytes, { scope: { "^conv1": 0.5 }, round_to: 1 });
    expect(groupsOf(first.report).filter(({ channels }) => channels[0] !== channels[1])).toMatchObject([
      { name: "conv1.conv.weight", channels: [16, 8] },
    ]);
    const excluded = await pruned(model.bytes, { exclude: ["blocks\\.\\d\\.pw_conv"] });
    for (const { name, channels, reason } of groupsOf(excluded.report))
      if (/blocks\.\d\.pw_conv/.test(name)) expect([channels[0], reason], name).toEqual([channels[1], expect.stringContaining("excluded")]);
  });

  test("of a protected weight is every byte", async () => {
    const { bytes, report } = await pruned(model.bytes, { protect: ["blocks.5.dw_conv.conv.weight"] });
    const [was, is] = [model.bytes, bytes].map((each) => readOnnx(each).initializers.get("blocks.5.dw_conv.conv.weight"));
    expect(is).toEqual(was);
    expect(groupsOf(report).some(({ reason }) => reason?.startsWith("protected"))).toBe(true);
  });

  test("takes a ratio a pattern", async () => {
    const { report } = await pruned(model.bytes, { scope: { "blocks.2\\b": 0.5, "blocks.8\\b": 0.25 }, round_to: 1 });
    const left = new Map(groupsOf(report).map(({ layers, channels }) => [layers.join(), channels[1] / channels[0]]));
    for (const [layers, share] of left)
      expect(share, layers).toBe(/blocks\.2\b/.test(layers) ? 0.5 : /blocks\.8\b/.test(layers) ? 0.75 : 1);
  });
});

describe("bad input", () => {
  test.each<[string, Partial<Prune>, RecipeInput, RegExp]>([
    ["an exclusion that matches nothing", { exclude: ["ghost"] }, {}, /'ghost' matches no tensor/],
    ["a protection that matches nothing", { protect: ["ghost"] }, {}, /'ghost' matches no tensor/],
    ["a ratio for nothing", { scope: { ghost: 0.5, conv1: 0.5 } }, {}, /'ghost' matches no tensor/],
    ["all excluded", { exclude: ["."] }, {}, /prune nothing: .*excluded by the recipe/],
    ["less than round_to", { sparsity: 0.001 }, {}, /prune nothing: .*round_to/],
    ["a criterion of single weights", { criterion: "sparsegpt" }, {}, /Channels cannot be judged by sparsegpt/],
    ["recovery without samples", { recover: ["bias"] }, {}, /takes samples of the model's inputs/],
    ["sensitivity without samples", { scope: "sensitivity" }, {}, /takes samples of the model's inputs/],
    ["a ratio twice", { scope: { conv1: 0.5 }, sparsity: 0.5 }, {}, /leave one of them out/],
  ])("%s is refused", async (_, prune, rest, says) => {
    const error = await failure(model.bytes, prune, rest);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(says);
  });

  test("a ratio that would empty a layer is kept at a floor and said, or refused", async () => {
    const { report } = await pruned(model.bytes, { sparsity: 0.97 });
    expect(report.warnings).toMatchObject([{ code: "floor", tensors: expect.arrayContaining(["last_conv.weight"]) }]);
    for (const { channels } of groupsOf(report)) expect(channels[1]).toBeGreaterThanOrEqual(Math.min(8, channels[0]));
    const error = await failure(model.bytes, { sparsity: 0.97, strict: true });
    expect(error.message).toMatch(/is strict: /);
  });

  test("samples that do not fit name the input", async () => {
    const error = await failure(
      model.bytes,
      { recover: ["bias"] },
      {},
      { calibration: { samples: [tensorsOf({ image: floats([1, 3, 32, 64], 1) })] } },
    );
    expect(error.message).toMatch(/'image'.*\[1,3,32,64\]/);
  });

  test("samples for a recipe that takes none are refused", async () => {
    const error = await failure(model.bytes, {}, {}, { calibration: { samples: [tensorsOf(model.inputs)] } });
    expect(error.message).toMatch(/looks at samples/);
  });

  test("a model of which nothing can go says which nodes keep it", async () => {
    const { bytes } = mlp();
    const error = await failure(bytes, { exclude: ["."] });
    expect(error.message).toMatch(/excluded|output '/);
  });
});

describe("recovery", () => {
  test.each([
    ["mobilenet", mobilenet({ opset: 13 }), 0.5],
    ["lcnet with normalizations", model, 0.7],
  ] as const)("brings the outputs of %s nearer to what they were", async (_, { bytes, inputs }, most) => {
    const seen = (seed: number): Feeds => Object.fromEntries(Object.entries(inputs).map(([name, feed]) => [name, floats(feed.dims, seed)]));
    const samples = Array.from({ length: 24 }, (_, i) => tensorsOf(seen(i + 1)));
    const { report } = await pruned(
      bytes,
      { recover: ["batch_norm", "bias", "least_squares"], round_to: 1 },
      {},
      { calibration: { samples } },
    );
    const { relative_mse: [before = 0, after = 0] = [], samples: fitted, held_out } = report.pruning?.recovery ?? {};
    expect(before).toBeGreaterThan(1e-4);
    expect(after / before).toBeLessThan(most);
    expect([fitted, held_out]).toEqual([18, 6]);
  });

  test("by sensitivity the error is less than with the same share everywhere", async () => {
    const { bytes, inputs } = mobilenet({ opset: 13 });
    const samples = Array.from({ length: 8 }, (_, i) => tensorsOf({ input: floats(inputs.input?.dims ?? [], i + 1) }));
    const by = await pruned(bytes, { scope: "sensitivity", round_to: 1, sparsity: 0.2 }, {}, { calibration: { samples } });
    const curves = by.report.pruning?.sensitivity ?? [];
    expect(curves.length).toBeGreaterThan(3);
    for (const { errors } of curves) expect(errors.at(-1)).toBeGreaterThan(errors[0] as number);
    const again = await pruned(
      bytes,
      { scope: "sensitivity", round_to: 1, sparsity: 0.2 },
      {},
      { calibration: { samples }, sensitivity: curves },
    );
    expect(Buffer.compare(again.bytes, by.bytes)).toBe(0);
    const [all = 1, left = 1] = by.report.pruning?.parameters ?? [];
    expect(left / all).toBeLessThan(0.82);
    const error = async (model: Uint8Array): Promise<number> => {
      const [wanted, given] = [await runNode(bytes, inputs), await runNode(model, inputs)];
      return -sqnr(wanted.output?.data as Float32Array, given.output?.data as Float32Array);
    };
    const plain = await pruned(bytes, { round_to: 1, sparsity: 0.12 });
    expect(await error(by.bytes)).toBeLessThan((await error(plain.bytes)) + 3);
  });
});

test("inspect tells of the same groups", async () => {
  const bytes = await readRealModel(realModels.classifier);
  const { channels = [] } = await inspect(bytes);
  const { report } = await pruned(bytes, { sparsity: 0.5 });
  expect(channels.map(({ name, channels, reason }) => [name, channels, reason])).toEqual(
    groupsOf(report).map(({ name, channels, reason }) => [name, channels[0], reason]),
  );
});
