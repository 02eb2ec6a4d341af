/** Models whose channels cannot be taken away one by one, or not where they seem to be made: each has one thing between convolutions. */
import { f32, type GraphSpec, node, randn } from "../onnx.ts";
import { classify, HE, imageModel, relu } from "./layers.ts";
import { type Feeds, FLOAT, floats, type Generate, generator } from "./model.ts";
import { conv, reduce, reshape, size, softmax, squeeze, transpose, unsqueeze } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

const CHANNELS = 16;
const SIDE = 16;

const layer = (t: Trace, x: string, name: string, cin: number, cout: number) =>
  relu(t, conv(t, x, name, cin, cout, { kernel: [3, 3], gain: HE }));

/** conv1 gives [batch, 16, 16, 16], `between` changes it, conv2 reads `channels` of what comes of it. */
const around = (name: string, note: string, channels: number, between: (t: Trace, x: string) => string): Generate =>
  imageModel(name, note, (t, x) => classify(t, layer(t, between(t, layer(t, x, "conv1", 3, CHANNELS)), "conv2", channels, 24), "fc", 24), {
    side: SIDE,
  });

const indices = [3, 3, 0, 15, 7, 8, 1, 12, 5];

/** Depth to space as `PixelShuffle` is exported before it is one operator: three nodes. */
function pixelShuffle(t: Trace, x: string): string {
  const turned = transpose(t, reshape(t, x, -1, CHANNELS / 4, 2, 2, SIDE, SIDE), 0, 1, 4, 2, 5, 3);
  return reshape(t, turned, -1, CHANNELS / 4, 2 * SIDE, 2 * SIDE);
}

const depthToSpace = (mode: "DCR" | "CRD") => (t: Trace, x: string) => t.op("DepthToSpace", [x], { blocksize: 2, mode });

/** Weights normalized in the graph: what is an initializer is not what the convolution reads. */
function standardized(t: Trace, x: string): string {
  const weight = t.weight("standard.weight", [CHANNELS, CHANNELS, 3, 3]);
  const centred = t.op("Sub", [weight, reduce(t, "ReduceMean", weight, [1, 2, 3])]);
  return t.op("Conv", [x, t.op("Mul", [centred, t.float(1.4)])], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
}

/** One convolution run twice, on its own output: its two channel axes are one. */
function shared(t: Trace, x: string): string {
  return layer(t, layer(t, x, "shared", CHANNELS, CHANNELS), "shared", CHANNELS, CHANNELS);
}

/** An LSTM over the columns of a mean of rows: [batch, 16, 16, 16] → [batch, 2 · 12, 16, 1]. */
function recurrent(t: Trace, x: string): string {
  const columns = squeeze(t, reduce(t, "ReduceMean", x, [2]), 2);
  const weights = [t.weight("lstm.W", [2, 48, CHANNELS], 0.3), t.weight("lstm.R", [2, 48, 12], 0.3), t.weight("lstm.B", [2, 96], 0.1)];
  const made = t.op("LSTM", [transpose(t, columns, 2, 0, 1), ...weights], { hidden_size: 12, direction: "bidirectional" });
  return unsqueeze(t, reshape(t, transpose(t, made, 2, 1, 3, 0), 0, 24, SIDE), 3);
}

/** Another convolution of a value of the outer graph, where there are two images; else a Neg of it. */
function branched(t: Trace, x: string): string {
  const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const dims = [CHANNELS, CHANNELS, 3, 3];
  const branch = (name: string, made: ReturnType<typeof node>, weights: GraphSpec["initializers"] = []): GraphSpec => ({
    name,
    nodes: [made],
    initializers: weights,
    inputs: [],
    outputs: [float32(`${name}.y`, ["batch_size", CHANNELS, SIDE, SIDE])],
  });
  const weight = f32("then.weight", dims, randn(CHANNELS * CHANNELS * 9, 50, HE / 12));
  return t.op("If", [t.op("Equal", [size(t, x, 0), t.ints(2)])], {
    then_branch: { graph: branch("then", node("Conv", [x, "then.weight"], ["then.y"], attributes), [weight]) },
    else_branch: { graph: branch("else", node("Neg", [x], ["else.y"])) },
  });
}

/** What a caller sees of a model beside its output: features, or the weight of conv2, which it is given or may give. */
const seen = (name: string, note: string, what: "features" | "given" | "givable"): Generate =>
  generator(name, note, (opset) => {
    const t = new Trace(opset);
    const features = layer(t, "input", "conv1", 3, CHANNELS);
    const made = classify(t, layer(t, features, "conv2", CHANNELS, 24), "fc", 24);
    const weight = float32("conv2.weight", [24, CHANNELS, 3, 3]);
    const outputs: [string, ReturnType<typeof float32>][] = [[made, float32("output", ["batch_size", 10])]];
    if (what === "features") outputs.push([features, float32("features", ["batch_size", CHANNELS, SIDE, SIDE])]);
    if (what === "given") outputs.push([weight.name, weight]);
    const inputs = [float32("input", ["batch_size", 3, SIDE, SIDE]), ...(what === "givable" ? [weight] : [])];
    const feeds = (rows: number, seed: number): Feeds => ({ input: floats([rows, 3, SIDE, SIDE], seed) });
    return { graph: t.graph(inputs, outputs), inputs: feeds(2, 5), more: [feeds(1, 6)] };
  });

export const hostile: readonly Generate[] = [
  around("gathered-channels", "Gather of channels by a constant list, one of them twice", indices.length, (t, x) =>
    t.op("Gather", [x, t.ints(indices)], { axis: 1 }),
  ),
  around("tiled-channels", "Tile of the channels, twice", 2 * CHANNELS, (t, x) => t.op("Tile", [x, t.ints([1, 2, 1, 1])])),
  around("einsum", "Einsum that mixes channels with a matrix", 20, (t, x) =>
    t.op("Einsum", [x, t.weight("mix", [CHANNELS, 20], 0.3)], { equation: "bchw,cd->bdhw" }),
  ),
  around("einsum-channels", "Einsum of a value with itself: what it gives has pairs of channels", CHANNELS, (t, x) => {
    const flat = reshape(t, x, 0, 0, -1);
    const pairs = t.op("Einsum", [flat, flat], { equation: "bcn,bdn->bcd" });
    return reshape(t, t.op("MatMul", [softmax(t, t.op("Mul", [pairs, t.float(0.004)]), 3), flat]), 0, 0, SIDE, SIDE);
  }),
  around("depth-to-space", "DepthToSpace, depth first", CHANNELS / 4, depthToSpace("DCR")),
  around("pixel-shuffle", "DepthToSpace, columns and rows first", CHANNELS / 4, depthToSpace("CRD")),
  around("pixel-shuffle-spelled", "PixelShuffle as Reshape, Transpose, Reshape", CHANNELS / 4, pixelShuffle),
  around("space-to-depth", "SpaceToDepth: each channel becomes four, far apart", 4 * CHANNELS, (t, x) =>
    t.op("SpaceToDepth", [x], { blocksize: 2 }),
  ),
  around("softmax-channels", "Softmax over channels", CHANNELS, (t, x) =>
    transpose(t, t.op("Mul", [softmax(t, transpose(t, x, 0, 2, 3, 1), 4), t.float(CHANNELS)]), 0, 3, 1, 2),
  ),
  around("mean-of-channels", "ReduceMean over channels, by which all are multiplied", CHANNELS, (t, x) =>
    t.op("Mul", [x, reduce(t, "ReduceMean", x, [1])]),
  ),
  around("folded-channels", "Reshape that puts halves of the channels into the batch and back", CHANNELS, (t, x) => {
    const halves = reshape(t, x, -1, CHANNELS / 2, SIDE, SIDE);
    return reshape(t, layer(t, halves, "half", CHANNELS / 2, CHANNELS / 2), -1, CHANNELS, SIDE, SIDE);
  }),
  around("standardized-weight", "A weight that the graph computes from an initializer", CHANNELS, standardized),
  around("shared-weight", "A weight of two convolutions in a row", CHANNELS, shared),
  around("lstm-columns", "ReduceMean, Squeeze, Transpose, LSTM, Reshape", 24, recurrent),
  around("counted-channels", "Div by the number of channels, which the graph reads from Shape", CHANNELS, (t, x) =>
    t.op("Div", [t.op("Mul", [x, t.float(CHANNELS)]), t.op("Cast", [size(t, x, 1)], { to: FLOAT })]),
  ),
  around("if-reads", "If whose branches read the channels, one by a convolution of its own", CHANNELS, branched),
  seen("features-out", "Channels that are an output of the model and are read by a convolution", "features"),
  seen("weight-out", "A convolution's weight that is an output of the model", "given"),
  seen("weight-in", "A convolution's weight that a caller may give: an initializer that is an input too", "givable"),
];
