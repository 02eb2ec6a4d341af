import { edited, type Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { type Constant, Edits, type Model } from "./model.ts";

/** A per-channel `y = x · factor + shift`. */
interface Affine {
  factor: Float64Array;
  shift: Float64Array;
}

/** Per-channel vectors that are read, at most. */
const MAX_VECTOR = 1 << 20;

/** Folds what scales and shifts the channels of a convolution's output into its weight and bias. */
export async function affine(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const layer = await layerBefore(model, node, edits);
    if (!layer) continue;
    const { conv, weight, channels, side } = layer;
    const found =
      node.op_type === "BatchNormalization"
        ? await normalization(model, node, channels)
        : await arithmetic(model, node, channels, side, conv);
    const bias = found && (await biasOf(model, conv, channels));
    if (!found || !bias) continue;
    const { factor, shift } = found;
    scale(weight, conv, factor);
    model.outcome.folded.set(weight.info.name, `${node.op_type} '${node.name || node.output[0]}' is folded into it`);
    const y = node.output[0] as string;
    const name = model.fresh(`${y}_bias`);
    model.define(
      name,
      { dtype: "float32", shape: [channels], data: Float32Array.from(bias, (b, c) => b * (factor[c] as number) + (shift[c] as number)) },
      edits,
    );
    model.absorb([...node.input, conv.input[2]], `folded into '${weight.info.name}' and '${name}'`);
    edits.replace(node, []);
    edits.replace(conv, [edited(conv, { input: [conv.input[0] as string, weight.info.name, name], output: [y] })]);
  }
  return edits.apply();
}

interface Layer {
  conv: Node;
  weight: Constant;
  channels: number;
  /** Which input of the node the convolution's output is. */
  side: number;
}

/** The convolution whose output only `node` reads, if what follows it can go into its weight. */
async function layerBefore(model: Model, node: Node, edits: Edits): Promise<Layer | undefined> {
  if (node.domain !== "" || !/^(BatchNormalization|Mul|Add|Sub|Div)$/.test(node.op_type) || edits.isTouched(node)) return undefined;
  const side = node.input.findIndex((name) => /^Conv/.test(model.producer(name)?.op_type ?? ""));
  const x = node.input[side];
  const conv = x === undefined ? undefined : model.producer(x);
  if (conv?.domain !== "" || !/^Conv(Transpose)?$/.test(conv.op_type) || edits.isTouched(conv)) return undefined;
  if (side > 0 && !/^(Mul|Add)$/.test(node.op_type)) return undefined;
  const name = conv.input[1] as string;
  const weight = model.constants.get(name);
  const isOwn = model.isPrivate(x as string) && model.isPrivate(name) && weight?.info.dtype === "float32" && weight.payload;
  if (!weight || !isOwn || weight.info.shape.length < 3) return undefined;
  const group = typeof conv.attributes.group === "number" ? conv.attributes.group : 1;
  const channels = conv.op_type === "Conv" ? weight.info.shape[0] : (weight.info.shape[1] as number) * group;
  return { conv, weight, channels: channels as number, side };
}

/** https://onnx.ai/onnx/operators/onnx__BatchNormalization.html at inference: (x − mean) / √(var + epsilon) · scale + B. */
async function normalization(model: Model, node: Node, channels: number): Promise<Affine | undefined> {
  if (node.output.slice(1).some(Boolean) || node.attributes.training_mode === 1 || node.attributes.spatial === 0) return undefined;
  const [scale, b, mean, variance] = await Promise.all(node.input.slice(1, 5).map((name) => vector(model, name, channels)));
  if (!scale || !b || !mean || !variance) return undefined;
  const { epsilon } = node.attributes;
  const e = typeof epsilon === "number" ? epsilon : Math.fround(1e-5);
  const factor = scale.map((s, c) => s / Math.sqrt((variance[c] as number) + e));
  if (!factor.every(Number.isFinite)) return undefined;
  return { factor, shift: b.map((value, c) => value - (mean[c] as number) * (factor[c] as number)) };
}

/** Mul, Add, Sub or Div by a constant for each channel, or one for all. */
async function arithmetic(model: Model, node: Node, channels: number, side: number, conv: Node): Promise<Affine | undefined> {
  const name = node.input[1 - side] as string;
  const shape = model.constants.get(name)?.info.shape;
  const rank = model.constants.get(conv.input[1] as string)?.info.shape.length as number;
  if (!shape || shape.length > rank) return undefined;
  // Broadcasting lines shapes up at the end: the channels are axis 1 of `rank`.
  const axis = shape.length - (rank - 1);
  const isScalar = elements(shape) === 1;
  if (!isScalar && (axis < 0 || shape[axis] !== channels || elements(shape) !== channels)) return undefined;
  const values = await vector(model, name, isScalar ? 1 : channels);
  if (!values) return undefined;
  const each = Float64Array.from({ length: channels }, (_, c) => values[isScalar ? 0 : c] as number);
  const [ones, zeros] = [new Float64Array(channels).fill(1), new Float64Array(channels)];
  if (node.op_type === "Add") return { factor: ones, shift: each };
  if (node.op_type === "Sub") return { factor: ones, shift: each.map((v) => -v) };
  const factor = node.op_type === "Mul" ? each : each.map((v) => 1 / v);
  return factor.every(Number.isFinite) ? { factor, shift: zeros } : undefined;
}

/** The bias of a convolution; zeros where it has none, undefined where it is computed. */
async function biasOf(model: Model, conv: Node, channels: number): Promise<Float64Array | undefined> {
  const name = conv.input[2];
  return name ? vector(model, name, channels) : new Float64Array(channels);
}

/** The elements of a float32 constant of `length` elements. */
async function vector(model: Model, name: string | undefined, length: number): Promise<Float64Array | undefined> {
  const tensor: Tensor | undefined = name ? await model.read(name, MAX_VECTOR) : undefined;
  if (tensor?.dtype !== "float32" || elements(tensor.shape) !== length) return undefined;
  return Float64Array.from(tensor.data as Float32Array);
}

/** Multiplies the output channels of a weight, on top of what it was multiplied by before. */
function scale(weight: Constant, conv: Node, factor: Float64Array): void {
  const { shape } = weight.info;
  const isTransposed = conv.op_type === "ConvTranspose";
  // [Cin, Cout / group, …] has the channels of a group under each of its inputs.
  const each = isTransposed ? (shape[1] as number) : factor.length;
  const group = factor.length / each;
  const rows = isTransposed ? (shape[0] as number) : 1;
  const factors = isTransposed
    ? Float64Array.from({ length: rows * each }, (_, i) => factor[Math.floor(i / each / (rows / group)) * each + (i % each)] as number)
    : factor;
  const inner = elements(shape.slice(isTransposed ? 2 : 1));
  const before = weight.scaling?.factors;
  weight.scaling = { inner, factors: before ? factors.map((f, i) => f * (before[i] as number)) : factors };
}
