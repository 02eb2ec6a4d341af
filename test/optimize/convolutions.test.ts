/** What stands around a convolution goes into its weight, its bias and its pads. */
import { describe, expect, test } from "vitest";
import { type AttributeSpec, f32, i64, type NodeSpec, node, randn, type TensorSpec, value } from "../kit/onnx.ts";
import { BOOL, expectOperators, expectUnchanged, FLOAT, optimized } from "./optimized.ts";

const random = (name: string, dims: readonly number[], seed = name.length, std = 0.3) =>
  f32(
    name,
    dims,
    randn(
      dims.reduce((a, b) => a * b, 1),
      seed,
      std,
    ),
  );
const positive = (name: string, dims: readonly number[]) => {
  const spec = random(name, dims, 7, 0.2);
  return { ...spec, data: (spec.data as Float32Array).map((x) => 0.5 + Math.abs(x)) };
};

const norm = (from: string, to: string, attributes: Record<string, AttributeSpec> = { epsilon: { float: 1e-3 } }) =>
  node("BatchNormalization", [from, "scale", "B", "mean", "var"], [to], attributes);
const statistics = (channels: number): TensorSpec[] => [
  random("scale", [channels], 3),
  random("B", [channels], 4),
  random("mean", [channels], 5),
  positive("var", [channels]),
];

interface Layer {
  what: string;
  op_type: "Conv" | "ConvTranspose";
  /** The weight's shape, the input's, and the channels that come out. */
  w: number[];
  x: number[];
  channels: number;
  attributes?: Record<string, AttributeSpec>;
}

const LAYERS: Layer[] = [
  { what: "Conv", op_type: "Conv", w: [6, 4, 3, 3], x: [2, 4, 5, 7], channels: 6 },
  { what: "Conv of one dimension", op_type: "Conv", w: [6, 4, 3], x: [2, 4, 9], channels: 6 },
  { what: "Conv of three dimensions", op_type: "Conv", w: [6, 4, 2, 2, 2], x: [1, 4, 3, 4, 5], channels: 6 },
  { what: "depthwise Conv", op_type: "Conv", w: [8, 1, 3, 3], x: [1, 8, 5, 5], channels: 8, attributes: { group: 8 } },
  { what: "grouped Conv", op_type: "Conv", w: [6, 2, 3, 3], x: [1, 4, 5, 5], channels: 6, attributes: { group: 2 } },
  { what: "ConvTranspose", op_type: "ConvTranspose", w: [4, 6, 2, 2], x: [1, 4, 5, 5], channels: 6, attributes: { strides: [2, 2] } },
  { what: "grouped ConvTranspose", op_type: "ConvTranspose", w: [4, 3, 2, 2], x: [1, 4, 5, 5], channels: 6, attributes: { group: 2 } },
];

/** in → convolution → `after` → y. */
function small({ op_type, w, x, channels, attributes = {} }: Layer, after: NodeSpec[], more: TensorSpec[] = [], biased = true) {
  const inputs = biased ? ["in", "w", "bias"] : ["in", "w"];
  return {
    nodes: [node(op_type, inputs, ["c"], attributes), ...after],
    initializers: [random("w", w, 1), ...(biased ? [random("bias", [channels], 2)] : []), ...more],
    inputs: { in: x },
    outputs: ["y"],
  };
}

const plain = LAYERS[0] as Layer;
const along = ({ w, channels }: Layer): number[] => [channels, ...w.slice(2).map(() => 1)];

describe.each(LAYERS)("$what takes in", (layer) => {
  const { op_type, channels, w } = layer;

  test.each([true, false])("BatchNormalization (with a bias: %s)", async (biased) => {
    const { model, report } = await expectOperators(small(layer, [norm("c", "y")], statistics(channels), biased), op_type);
    expect(model.initializers.get("w")?.dims).toEqual(w);
    expect(report?.tensors.find(({ name }) => name === "mean")?.reason).toMatch(/folded into 'w' and/);
  });

  test("Mul, Add, Div and Sub by a number a channel, one after another", async () => {
    const shape = along(layer);
    const nodes = [
      node("Mul", ["c", "m"], ["d"]),
      node("Add", ["a", "d"], ["e"]),
      node("Div", ["e", "v"], ["f"]),
      node("Sub", ["f", "s"], ["y"]),
    ];
    const constants = [random("m", shape, 11), random("a", [1, ...shape], 12), positive("v", shape), random("s", shape, 14)];
    await expectOperators(small(layer, nodes, constants), op_type);
  });

  test("Mul and Add of one number", async () => {
    const nodes = [node("Mul", ["m", "c"], ["d"]), node("Add", ["d", "a"], ["y"])];
    await expectOperators(small(layer, nodes, [f32("m", [], [-3]), f32("a", [1, 1], [0.25])], false), op_type);
  });
});

describe("a convolution keeps what follows where", () => {
  const after = (nodes: NodeSpec[], constants: TensorSpec[]) => small(plain, nodes, constants);

  test("its output is read twice, or goes out", async () => {
    const twice = after([norm("c", "n"), node("Add", ["c", "n"], ["y"])], statistics(6));
    await expectUnchanged(twice);
    await expectUnchanged({ ...after([norm("c", "y")], statistics(6)), outputs: ["y", "c"] });
    await expectUnchanged(after([node("Mul", ["c", "c"], ["y"])], []));
  });

  test("its weight is read twice, or goes out", async () => {
    const other = node("Conv", ["in", "w"], ["d"]);
    const shared = { ...after([norm("c", "n"), other, node("Add", ["d", "n"], ["y"])], statistics(6)) };
    await expectUnchanged(shared);
    await expectUnchanged({ ...after([norm("c", "y")], statistics(6)), outputs: ["y", value("w", FLOAT, [6, 4, 3, 3])] });
  });

  test("a subgraph reads its output or its weight", async () => {
    const feeds = { condition: { type: "bool", dims: [], data: Uint8Array.of(1) } } as const;
    const inputs = [value("in", FLOAT, plain.x), value("condition", BOOL, [])];
    for (const name of ["c", "w"]) {
      const graph = {
        name: "inner",
        nodes: [node("ReduceMax", [name], ["out"], { keepdims: 0 })],
        inputs: [],
        outputs: [value("out", FLOAT)],
      };
      const nodes = [
        norm("c", "n"),
        node("If", ["condition"], ["i"], { then_branch: { graph }, else_branch: { graph } }),
        node("Mul", ["n", "i"], ["y"]),
      ];
      await expectUnchanged({ ...after(nodes, statistics(6)), inputs }, { feeds });
    }
  });

  test("its weight or bias is computed, or a caller may give it", async () => {
    const computed = small(plain, [norm("c", "y")], statistics(6));
    const given = { ...computed, inputs: [value("in", FLOAT, plain.x), value("w", FLOAT, plain.w)] };
    await expectUnchanged(given);
    const bias = {
      ...computed,
      initializers: computed.initializers.filter(({ name }) => name !== "bias"),
      inputs: [value("in", FLOAT, plain.x), value("bias", FLOAT, [6])],
    };
    await expectUnchanged(bias);
  });

  test("a number belongs to rows, columns or the batch, not to a channel", async () => {
    for (const dims of [[5], [3, 1], [2, 1, 1, 1], [2, 6, 1, 1], [1, 1, 1, 1, 1]])
      await expectUnchanged(after([node("Mul", ["c", "m"], ["y"])], [random("m", dims, 9)]));
  });

  test("as many columns as channels stand under a vector", async () => {
    const wide = small({ ...plain, x: [1, 4, 5, 8] }, [node("Mul", ["c", "m"], ["y"])], [random("m", [6], 9)]);
    await expectUnchanged(wide); // [1, 6, 3, 6] · [6]
  });

  test("it is divided by zero, subtracted from something, or something is divided by it", async () => {
    await expectUnchanged(after([node("Div", ["c", "m"], ["y"])], [f32("m", [6, 1, 1], [1, 2, 0, 4, 5, 6])]));
    await expectUnchanged(after([node("Sub", ["m", "c"], ["y"])], [random("m", [6, 1, 1], 9)]));
    await expectUnchanged(after([node("Div", ["m", "c"], ["y"])], [random("m", [6, 1, 1], 9)]));
  });

  test("a normalization trains, or has a variance that is negative", async () => {
    const training = node("BatchNormalization", ["c", "scale", "B", "mean", "var"], ["y", "m", "v"], { training_mode: 1 });
    await expectUnchanged(after([training], statistics(6)), { opset: 15 });
    const negative = statistics(6).map((spec) => (spec.name === "var" ? f32("var", [6], [1, 1, -2, 1, 1, 1]) : spec));
    await expectUnchanged(after([norm("c", "y")], negative), { runs: false });
  });
});

test("a bias that two convolutions share is not changed for the other", async () => {
  const nodes = [
    node("Conv", ["in", "w", "bias"], ["c"]),
    node("Conv", ["in", "v", "bias"], ["d"]),
    norm("c", "n"),
    node("Add", ["n", "d"], ["y"]),
  ];
  const initializers = [random("w", [6, 4, 3, 3], 1), random("v", [6, 4, 3, 3], 2), random("bias", [6], 3), ...statistics(6)];
  await expectOperators({ nodes, initializers, inputs: { in: [1, 4, 5, 5] }, outputs: ["y"] }, "Conv Conv Add");
});

test("normalizations with the same statistics are folded into each convolution of a chain", async () => {
  const nodes = [
    node("Conv", ["in", "w"], ["c"]),
    norm("c", "n"),
    node("Relu", ["n"], ["r"]),
    node("Conv", ["r", "v"], ["d"]),
    norm("d", "y"),
  ];
  const initializers = [random("w", [6, 4, 3, 3], 1), random("v", [6, 6, 1, 1], 2), ...statistics(6)];
  await expectOperators({ nodes, initializers, inputs: { in: [1, 4, 5, 5] }, outputs: ["y"] }, "Conv Relu Conv");
});

describe("Pad before a convolution", () => {
  const padded = (
    pads: number[],
    attributes: Record<string, AttributeSpec> = {},
    conv: Record<string, AttributeSpec> = {},
    more: string[] = [],
  ) => ({
    nodes: [node("Relu", ["in"], ["r"]), node("Pad", ["r", "pads", ...more], ["p"], attributes), node("Conv", ["p", "w"], ["y"], conv)],
    initializers: [random("w", [6, 4, 3, 3], 1), i64("pads", pads), f32("zero", [], [0]), f32("one", [], [1]), i64("axes", [2, 3])].filter(
      ({ name }) => ["w", "pads", ...more].includes(name),
    ),
    inputs: { in: [1, 4, 5, 7] },
    outputs: ["y"],
  });
  const around = [0, 0, 1, 0, 0, 0, 2, 3];

  test("becomes the convolution's own", async () => {
    const { model } = await expectOperators(padded(around), "Relu Conv");
    expect(model.nodes[1]?.attributes.get("pads")).toEqual([1, 0, 2, 3]);
    const added = await expectOperators(padded(around, { mode: "constant" }, { pads: [1, 1, 0, 0] }, ["zero"]), "Relu Conv");
    expect(added.model.nodes[1]?.attributes.get("pads")).toEqual([2, 1, 2, 3]);
    await expectOperators(padded(around, {}, { auto_pad: "VALID" }), "Relu Conv");
    const strided = await expectOperators(padded(around, {}, { strides: [2, 2], dilations: [1, 2], auto_pad: "NOTSET" }), "Relu Conv");
    expect(strided.outputs.y?.dims).toEqual([1, 6, 3, 3]);
  });

  test("by attributes too", async () => {
    const small = padded(around);
    const nodes = small.nodes.map((each) => (each.op_type === "Pad" ? node("Pad", ["r"], ["p"], { pads: around }) : each));
    await expectOperators({ ...small, nodes, initializers: small.initializers.slice(0, 1) }, "Relu Conv", { opset: 9 });
    const valued = nodes.map((each) => (each.op_type === "Pad" ? node("Pad", ["r"], ["p"], { pads: around, value: { float: 1 } }) : each));
    await expectUnchanged({ ...small, nodes: valued, initializers: small.initializers.slice(0, 1) }, { opset: 9 });
  });

  test("stays where it pads with more than zeros, cuts, or pads channels", async () => {
    await expectUnchanged(padded(around, {}, {}, ["one"]));
    await expectUnchanged(padded([0, 0, 1, 1, 0, 0, 1, 1], { mode: "reflect" }));
    await expectUnchanged(padded([0, 0, 1, 1, 0, 0, 1, 1], { mode: "edge" }));
    await expectUnchanged(padded([0, 0, -1, 1, 0, 0, 1, 1]));
    await expectUnchanged({ ...padded([0, 1, 0, 0, 0, 0, 0, 0]), inputs: { in: [1, 3, 5, 7] } });
    await expectUnchanged(padded(around, {}, { auto_pad: "SAME_UPPER" }));
  });

  test("stays where something else reads what is padded, or its axes are chosen", async () => {
    const small = padded(around);
    await expectUnchanged({ ...small, nodes: [...small.nodes, node("Neg", ["p"], ["z"])], outputs: ["y", "z"] });
    await expectUnchanged({ ...small, outputs: ["y", "p"] });
    await expectUnchanged(padded([1, 0, 2, 3], {}, {}, ["zero", "axes"]), { opset: 18 });
    const turned = padded([0, 0, 3, 1, 0, 0, 3, 2], {}, {}, ["zero", "axes"]);
    const initializers = turned.initializers.map((spec) => (spec.name === "axes" ? i64("axes", [0, 1, 3, 2]) : spec));
    await expectUnchanged({ ...turned, initializers }, { opset: 18 });
  });

  test("does not hide from the report what was folded", async () => {
    const { report } = await optimized(padded(around));
    expect(report?.optimization?.nodes).toEqual([3, 2]);
    expect(report?.tensors.find(({ name }) => name === "w")).toMatchObject({ action: "kept" });
  });
});
